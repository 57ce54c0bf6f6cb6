"""The unit files and the container files: no engine runs here, so what they name is compared with what is."""

from __future__ import annotations

import configparser
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from hashpact.sidecar.local_server import STOP_S_MAX
from hashpact.sidecar.settings import SidecarSettings
from hashpact_server.config import Config

from tests.commands import what_is_wrong
from tests.repository import ROOT, project


@dataclass(frozen=True)
class Deployed:
    """One program as it is deployed.

    Attributes:
        folder: of its files.
        unit_name: of its unit.
        program: the command line's name.
        extra: of the distribution.
        stops_in_s: the longest that it takes to end in order.
    """

    folder: Path
    unit_name: str
    program: str
    extra: str
    stops_in_s: float

    @property
    def unit_file(self) -> Path:
        return self.folder / self.unit_name

    def instructions(self) -> list[tuple[str, list[str]]]:
        """The container file as (instruction, words)."""
        text = "\n".join(line for line in self.container.splitlines() if not line.startswith("#"))
        lines = [line for line in re.sub(r"\\\n\s*", "", text).splitlines() if line.strip()]
        return [(line.split()[0], shlex.split(line.partition(" ")[2])) for line in lines]

    @property
    def container(self) -> str:
        return (self.folder / "Containerfile").read_text()

    def unit(self) -> configparser.ConfigParser:
        """The unit file."""
        parser = configparser.ConfigParser(strict=False, interpolation=None)
        parser.optionxform = str  # type: ignore[assignment,method-assign]  # keys are case-sensitive in units
        parser.read(self.unit_file)
        return parser


DEPLOYED = (
    Deployed(ROOT / "server" / "deploy", "hashpact-server.service", "hashpact-server", "server", 2 * Config().drain_s),
    Deployed(
        ROOT / "client" / "deploy",
        "hashpact-sidecar.service",
        "hashpact",
        "sidecar",
        SidecarSettings().drain_s + STOP_S_MAX,
    ),
)

both = pytest.mark.parametrize("deployed", DEPLOYED, ids=lambda each: each.extra)


@both
def test_container_copies_what_exists(deployed: Deployed) -> None:
    found = deployed.instructions()
    copied = [words for name, words in found if name == "COPY" and not any("--from" in word for word in words)]
    assert copied
    for *sources, _ in copied:
        assert all((ROOT / source).exists() for source in sources)


@both
def test_container_copies_everything_that_the_build_reads(deployed: Deployed) -> None:
    copied = {source for name, words in deployed.instructions() if name == "COPY" for source in words[:-1]}
    needed = {"pyproject.toml", project()["project"]["readme"], *project()["project"]["license-files"]}
    needed |= {path.partition("/")[0] for path in project()["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]}
    assert needed <= copied


@both
def test_container_ends_as_a_user_without_rights(deployed: Deployed) -> None:
    found = deployed.instructions()
    names = [name for name, _ in found]
    last_stage = found[len(names) - names[::-1].index("FROM") :]
    users = [words[0] for name, words in last_stage if name == "USER"]
    assert users
    assert all(user.partition(":")[0].isdigit() and int(user.partition(":")[0]) > 0 for user in users)
    after_user = [name for name, _ in last_stage[[name for name, _ in last_stage].index("USER") :]]
    assert "RUN" not in after_user
    assert {"ENTRYPOINT", "HEALTHCHECK", "STOPSIGNAL"} <= set(after_user)


@both
def test_container_runs_a_command_that_we_install(deployed: Deployed) -> None:
    found = deployed.instructions()
    (entry,) = [words for name, words in found if name == "ENTRYPOINT"]
    assert entry[0].strip("[],") == deployed.program
    assert deployed.program in project()["project"]["scripts"]
    installs = " ".join(word for name, words in found if name == "RUN" for word in words)
    extra = re.search(r"\.\[(\w+)\]", installs)
    assert extra
    assert extra[1] == deployed.extra
    assert extra[1] in project()["project"]["optional-dependencies"]


@both
def test_container_and_unit_use_commands_that_exist(deployed: Deployed) -> None:
    for name, words in deployed.instructions():
        if name not in {"HEALTHCHECK", "CMD"}:
            continue
        text = " ".join(words)
        found = re.findall(r"[\w./:-]+", text.partition("CMD")[2] or text)
        if found[0] == "python":
            code = re.search(r"-c, (.*)\]$", text)
            assert code
            compile(code[1], "healthcheck", "exec")
            continue
        start = found if found[0] == deployed.program else [deployed.program, *found]
        assert not what_is_wrong(start)
    executed = shlex.split(deployed.unit()["Service"]["ExecStart"])
    assert not what_is_wrong([Path(executed[0]).name, *executed[1:]])
    shown = re.search(r"`(sidecar [^`]+)`", deployed.container)
    assert not shown or not what_is_wrong([deployed.program, *shown[1].split()])


@both
def test_container_python_is_one_that_we_support(deployed: Deployed) -> None:
    bases = {words[0] for name, words in deployed.instructions() if name == "FROM"}
    (version,) = {match[1] for base in bases if (match := re.search(r"python:(3\.\d+)", base))}
    assert f"Programming Language :: Python :: {version}" in project()["project"]["classifiers"]


@both
def test_unit_has_little_privilege(deployed: Deployed) -> None:
    service = deployed.unit()["Service"]
    assert service["User"] not in {"root", "0"}
    assert service["ProtectSystem"] == "strict"
    assert service["NoNewPrivileges"] == "yes"
    assert service["CapabilityBoundingSet"] == ""
    assert service["UMask"] == "0077"
    assert service["StateDirectoryMode"] == "0700"
    assert service["ReadWritePaths"] == f"/var/lib/{service['StateDirectory']}"
    assert "MemoryDenyWriteExecute" not in service  # would forbid compiled kernels


@both
def test_unit_serves_its_state_directory(deployed: Deployed) -> None:
    service = deployed.unit()["Service"]
    words = shlex.split(service["ExecStart"])
    assert Path(words[0]).name == deployed.program
    assert words[words.index("--data") + 1] == f"/var/lib/{service['StateDirectory']}"
    assert service["Restart"] == "on-failure"
    assert not any("hpt_" in word for word in words)


def test_the_sidecars_unit_lets_it_stop_its_own_processes() -> None:
    service = DEPLOYED[1].unit()["Service"]
    assert service["KillMode"] == "mixed"  # or the replica would end under the requests that are drained
    assert "@resources" not in DEPLOYED[1].unit_file.read_text()  # decoding processes limit themselves


@both
def test_supervisors_wait_longer_than_it_drains(deployed: Deployed) -> None:
    assert int(deployed.unit()["Service"]["TimeoutStopSec"]) > deployed.stops_in_s
    recommended = re.search(r"--stop-timeout (\d+)", deployed.container)
    assert recommended
    assert int(recommended[1]) > deployed.stops_in_s


@both
@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_unit_is_accepted_by_systemd(deployed: Deployed, tmp_path: Path) -> None:
    # The user and the program exist on a server, not here; everything else is judged as it stands.
    text = re.sub(r"/opt/hashpact/bin/[\w-]+", "/bin/true", deployed.unit_file.read_text())
    text = re.sub(r"^(User|Group)=.*$", r"\1=root", text, flags=re.MULTILINE)
    copy = tmp_path / deployed.unit_name
    copy.write_text(text)
    done = subprocess.run(["systemd-analyze", "verify", str(copy)], capture_output=True, text=True, check=False)
    complaints = [line for line in done.stderr.splitlines() if deployed.unit_name in line]
    assert done.returncode == 0, done.stderr
    assert not complaints
