"""The unit file and the container file: no engine runs here, so what they name is compared with what is."""

from __future__ import annotations

import configparser
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from hashpact_server.config import Config

from tests.commands import what_is_wrong
from tests.repository import ROOT, project

DEPLOY = ROOT / "server" / "deploy"
UNIT = DEPLOY / "hashpact-server.service"


def instructions() -> list[tuple[str, list[str]]]:
    """The container file as (instruction, words)."""
    text = re.sub(r"\\\n\s*", "", (DEPLOY / "Containerfile").read_text())
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return [(line.split()[0], shlex.split(line.partition(" ")[2])) for line in lines]


def unit() -> configparser.ConfigParser:
    """The unit file."""
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # keys are case-sensitive in units
    parser.read(UNIT)
    return parser


def test_container_copies_what_exists() -> None:
    copied = [words for name, words in instructions() if name == "COPY" and not any("--from" in word for word in words)]
    assert copied
    for *sources, _ in copied:
        assert all((ROOT / source).exists() for source in sources)


def test_container_copies_everything_that_the_build_reads() -> None:
    copied = {source for name, words in instructions() if name == "COPY" for source in words[:-1]}
    needed = {"pyproject.toml", project()["project"]["readme"], *project()["project"]["license-files"]}
    needed |= {path.partition("/")[0] for path in project()["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]}
    assert needed <= copied


def test_container_ends_as_a_user_without_rights() -> None:
    names = [name for name, _ in instructions()]
    last_stage = instructions()[len(names) - names[::-1].index("FROM") :]
    users = [words[0] for name, words in last_stage if name == "USER"]
    assert users
    assert all(user.partition(":")[0].isdigit() and int(user.partition(":")[0]) > 0 for user in users)
    after_user = [name for name, _ in last_stage[[name for name, _ in last_stage].index("USER") :]]
    assert "RUN" not in after_user
    assert {"ENTRYPOINT", "HEALTHCHECK", "STOPSIGNAL"} <= set(after_user)


def test_container_runs_a_command_that_we_install() -> None:
    (entry,) = [words for name, words in instructions() if name == "ENTRYPOINT"]
    assert entry[0].strip("[],") in project()["project"]["scripts"]
    installs = " ".join(word for name, words in instructions() if name == "RUN" for word in words)
    extra = re.search(r"\.\[(\w+)\]", installs)
    assert extra
    assert extra[1] in project()["project"]["optional-dependencies"]


def test_container_and_unit_use_commands_that_exist() -> None:
    shown = [text for name, words in instructions() for text in [" ".join(words)] if name in {"HEALTHCHECK", "CMD"}]
    for text in shown:
        words = re.findall(r"[\w./:-]+", text.partition("CMD")[2] or text)
        start = words if words[0] == "hashpact-server" else ["hashpact-server", *words]
        assert not what_is_wrong(start)
    executed = shlex.split(unit()["Service"]["ExecStart"])
    assert not what_is_wrong([Path(executed[0]).name, *executed[1:]])


def test_container_python_is_one_that_we_support() -> None:
    bases = {words[0] for name, words in instructions() if name == "FROM"}
    (version,) = {match[1] for base in bases if (match := re.search(r"python:(3\.\d+)", base))}
    assert f"Programming Language :: Python :: {version}" in project()["project"]["classifiers"]


def test_unit_has_little_privilege() -> None:
    service = unit()["Service"]
    assert service["User"] not in {"root", "0"}
    assert service["ProtectSystem"] == "strict"
    assert service["NoNewPrivileges"] == "yes"
    assert service["CapabilityBoundingSet"] == ""
    assert service["UMask"] == "0077"
    assert service["ReadWritePaths"] == f"/var/lib/{service['StateDirectory']}"
    assert "MemoryDenyWriteExecute" not in service  # would forbid compiled kernels


def test_unit_serves_its_state_directory() -> None:
    service = unit()["Service"]
    words = shlex.split(service["ExecStart"])
    assert Path(words[0]).name in project()["project"]["scripts"]
    assert words[words.index("--data") + 1] == f"/var/lib/{service['StateDirectory']}"
    assert service["Restart"] == "on-failure"


def test_supervisors_wait_longer_than_the_server_drains() -> None:
    assert int(unit()["Service"]["TimeoutStopSec"]) > 2 * Config().drain_s
    recommended = re.search(r"--stop-timeout (\d+)", (DEPLOY / "Containerfile").read_text())
    assert recommended
    assert int(recommended[1]) > 2 * Config().drain_s


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_unit_is_accepted_by_systemd(tmp_path: Path) -> None:
    # The user and the program exist on a server, not here; everything else is judged as it stands.
    text = UNIT.read_text().replace("/opt/hashpact/bin/hashpact-server", "/bin/true")
    text = re.sub(r"^(User|Group)=.*$", r"\1=root", text, flags=re.MULTILINE)
    copy = tmp_path / UNIT.name
    copy.write_text(text)
    done = subprocess.run(["systemd-analyze", "verify", str(copy)], capture_output=True, text=True, check=False)
    complaints = [line for line in done.stderr.splitlines() if UNIT.name in line]
    assert done.returncode == 0, done.stderr
    assert not complaints
