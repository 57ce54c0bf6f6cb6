"""What users install: the wheel's content, its promises to pip, and the thin client without extras."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.repository import ROOT, project

GENERATED = ROOT / "client" / "hashpact" / "v1"

# Refuses the packages of the extras, as if only `pip install hashpact` had been run.
WITHOUT = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {absent!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
"""
EXTRAS = (
    "PIL",
    "av",
    "cryptography",
    "cv2",
    "httpx",
    "imagehash",
    "jinja2",
    "lmdb",
    "llvmlite",
    "numba",
    "numpy",
    "prometheus_client",
    "pypdfium2",
    "python_multipart",
    "scipy",
    "starlette",
    "uvicorn",
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the checkout."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (built,) = folder.glob("*.whl")
    return built


def run_python(code: str, *, without: Sequence[str] = ()) -> str:
    """What a fresh interpreter prints."""
    prelude = WITHOUT.format(absent=tuple(without)) if without else ""
    done = subprocess.run(
        [sys.executable, "-c", prelude + code], capture_output=True, text=True, check=False, cwd=ROOT.parent
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_wheel_has_our_two_packages_and_nothing_else_at_the_top(wheel: Path) -> None:
    tops = {name.partition("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"hashpact", "hashpact_server"}


def test_wheel_has_every_module_of_the_checkout(wheel: Path) -> None:
    packed = set(zipfile.ZipFile(wheel).namelist())
    for root, package in (("client", "hashpact"), ("server", "hashpact_server")):
        base = ROOT / root
        wanted = {
            str(path.relative_to(base)) for path in (base / package).rglob("*.py*") if path.suffix in {".py", ".pyi"}
        }
        assert wanted <= packed
        assert f"{package}/py.typed" in packed
    assert {"hashpact/v1/lookup_service_pb2.py", "hashpact/sidecar/page.html", "hashpact/sidecar/page.css"} <= packed
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in packed)


def test_wheel_is_whole_without_the_checkout(wheel: Path) -> None:
    places = run_python(
        f"import sys; sys.path.insert(0, {str(wheel)!r})\n"
        "import hashpact, hashpact_server, hashpact.v1.lookup_service_pb2_grpc as wire\n"
        "print(hashpact.__file__, hashpact_server.__file__, wire.__file__, sep='\\n')"
    ).splitlines()
    assert len(places) == 3
    assert all(place.startswith(str(wheel)) for place in places)


def test_generated_code_accepts_the_oldest_libraries_that_pip_may_choose() -> None:
    declared = {
        match[1]: match[2]
        for text in project()["project"]["dependencies"]
        if (match := re.fullmatch(r"([a-z-]+)>=([0-9.]+)", text))
    }
    grpc_needed = {
        match
        for path in GENERATED.glob("*_pb2_grpc.py")
        for match in re.findall(r"GRPC_GENERATED_VERSION = '([0-9.]+)'", path.read_text())
    }
    protobuf_needed = {
        ".".join(match)
        for path in GENERATED.glob("*_pb2.py")
        for match in re.findall(r"Domain\.PUBLIC,\s+(\d+),\s+(\d+),\s+(\d+),", path.read_text())
    }
    assert len(grpc_needed) == len(protobuf_needed) == 1
    assert version(declared["grpcio"]) >= version(grpc_needed.pop())
    assert version(declared["protobuf"]) >= version(protobuf_needed.pop())


def version(text: str) -> tuple[int, int, int]:
    """A version as three numbers."""
    major, minor, patch = (int(part) for part in [*text.split("."), "0", "0"][:3])
    return major, minor, patch


def test_message_only_files_have_no_empty_service_module() -> None:
    for proto in (ROOT / "proto").rglob("*.proto"):
        has_service = bool(re.search(r"^service ", proto.read_text(), re.MULTILINE))
        assert (GENERATED / f"{proto.stem}_pb2_grpc.py").exists() == has_service


def test_extras_of_the_environment_cover_the_blocked_packages() -> None:
    """The next tests block what the extras bring; this one notices an extra that they do not know."""
    brought = {
        re.split(r"[>=<\[]", text)[0].replace("-", "_")
        for extra in project()["project"]["optional-dependencies"].values()
        for text in extra
    }
    assert brought - {"grpcio_health_checking", "grpcio_reflection", "hashpact"} <= {
        *EXTRAS,
        "pillow",
        "opencv_python_headless",
    }


def test_thin_install_imports_and_its_names_are_there() -> None:
    code = "import hashpact\nfrom hashpact import AsyncClient, Client\nprint(Client.__name__, AsyncClient.__name__)"
    assert run_python(code, without=EXTRAS) == "Client AsyncClient"


def test_thin_install_says_which_extra_hashing_needs() -> None:
    code = (
        "from hashpact.errors import MissingExtraError\n"
        "try:\n    from hashpact import hash_image\n    hash_image(b'not looked at')\n"
        "except MissingExtraError as error:\n    print(error.message)"
    )
    assert "hashpact[media]" in run_python(code, without=EXTRAS)


def test_thin_install_has_a_command_line() -> None:
    code = "import sys; sys.argv = ['hashpact', '--help']\nfrom hashpact.cli import main\nmain()"
    assert "check" in run_python(code, without=EXTRAS)


def test_importing_the_client_does_not_load_media_libraries() -> None:
    """Start-up time of the command line, and of services that only look up."""
    heavy = {"PIL", "av", "imagehash", "numba", "pypdfium2", "scipy"}
    code = f"import sys, hashpact; print(*sorted({heavy} & set(sys.modules)))"
    assert run_python(code) == ""


def test_the_server_runs_without_media_libraries() -> None:
    code = "import hashpact_server.node, hashpact_server.cli; print('up')"
    assert run_python(code, without=("PIL", "av", "imagehash", "pypdfium2", "scipy", "skimage")) == "up"


def test_console_scripts_exist() -> None:
    for target in project()["project"]["scripts"].values():
        module, _, function = target.partition(":")
        assert run_python(f"import {module} as module; print(callable(module.{function}))") == "True"
