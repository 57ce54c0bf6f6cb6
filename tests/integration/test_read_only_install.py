"""A server whose installation and home cannot be written: ``init`` compiles, and nothing is ever compiled again."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import hashpact
import hashpact_server
import pytest

from tests.data import effort
from tests.integration.harness import token_in

COMPILE_S = 400.0
"""Patience with ``init``, which compiles everything, on a busy machine."""

_PR_CAPBSET_DROP = 24
_CAPABILITIES = (1, 2, 3)  # to override file modes, to read all, to act as the owner: what makes root no test

SERVE = """
import json, sys, time
from pathlib import Path
from hashpact_server import kernels
from hashpact_server.datadir import DataDirectory
kernels.prepare(DataDirectory(Path(sys.argv[1])))
from numba.core import event
recorder = event.RecordingListener()
event.register("numba:compile", recorder)
import grpc
from hashpact_server.index import compiling
from tests.integration.harness import Forum, ServerInside

def timed(act):
    started = time.perf_counter()
    found = act()
    return round((time.perf_counter() - started) * 1e3, 2), found

with ServerInside(Forum(Path(sys.argv[1]), {"alpha": sys.argv[2]})) as server:
    origins = sorted({each.origin.name for each in compiling._KERNELS})
    alpha = server.member("alpha")
    value = bytes(range(32))
    grpc.channel_ready_future(alpha.channel).result(60)
    first = timed(lambda: alpha.finds(value))
    alpha.contribute(value)
    later = [timed(lambda: alpha.finds(value)) for _ in range(int(sys.argv[3]))]
found = [hit for _, hit in (first, *later)]
times = sorted(ms for ms, _ in later)
print(json.dumps({
    "origins": origins, "events": len(recorder.buffer), "kernels": len(compiling._KERNELS), "found": found,
    "first_ms": first[0], "median_ms": times[len(times) // 2], "slowest_ms": times[-1],
    "package": compiling.__file__,
}))
"""


def drop() -> None:
    """Root ignores file modes; this process, and what it starts, no longer does."""
    if os.geteuid() == 0:
        for capability in _CAPABILITIES:
            ctypes.CDLL(None).prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)


class Machine:
    """An installation and a home that nobody may write."""

    def __init__(self, root: Path) -> None:
        self.site, self.home, self.data = root / "site", root / "home", root / "data"
        for package in (hashpact, hashpact_server):
            folder = Path(str(package.__file__)).parent
            shutil.copytree(folder, self.site / folder.name, ignore=shutil.ignore_patterns("__pycache__"))
        self.home.mkdir()
        for path in (*self.site.rglob("*"), self.site, self.home):
            path.chmod(0o555 if path.is_dir() else 0o444)
        tests = Path(__file__).resolve().parents[2]
        kept = {name: text for name, text in os.environ.items() if not name.startswith(("NUMBA", "XDG", "PYTHON"))}
        places = {"PYTHONPATH": f"{self.site}{os.pathsep}{tests}", "HOME": str(self.home), "NO_COLOR": "1"}
        self.environment = {**kept, **places, "COLUMNS": "300"}

    def python(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run Python there."""
        return subprocess.run(
            [sys.executable, *map(str, arguments)],
            env=self.environment,
            cwd=self.home,
            preexec_fn=drop,
            capture_output=True,
            text=True,
            timeout=COMPILE_S,
            check=False,
        )

    def server(self, *arguments: str | Path) -> str:
        """Run ``hashpact-server``; what it printed."""
        done = self.python("-m", "hashpact_server", *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def kept(self) -> dict[str, int]:
        """Compiled kernels in the data directory, and when each was written."""
        return {str(path): path.stat().st_mtime_ns for path in (self.data / "numba-cache").rglob("*.nb[ci]")}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Such a machine, or a skip where modes do not bind us."""
    made = Machine(tmp_path)
    for folder in (made.site / "hashpact_server" / "index", made.home):
        tried = made.python("-c", "import sys; open(sys.argv[1], 'w')", folder / "new")
        if "PermissionError" not in tried.stderr:
            pytest.skip("this process may write everywhere, whatever the modes say")
    return made


@pytest.mark.timeout(3 * COMPILE_S)
def test_nothing_is_compiled_after_init(machine: Machine) -> None:
    machine.server("init", machine.data)
    kept = machine.kept()
    added = machine.server("member", "add", "alpha", "--role", "contribute", "--role", "check", "--data", machine.data)
    served = machine.python("-c", SERVE, machine.data, token_in(added), str(effort(20)))
    assert served.returncode == 0, served.stderr
    said = json.loads(served.stdout)
    print({name: value for name, value in said.items() if name.endswith("_ms")})
    assert said["package"].startswith(str(machine.site))
    assert said["kernels"] > 1
    assert said["origins"] == ["LOADED"]
    assert said["events"] == 0, "something was compiled while serving"
    assert said["found"] == [False] + [True] * effort(20)
    assert f"{said['kernels']} kernels ready, 0 of them compiled now" in machine.server(
        "doctor", "--warm", "--data", machine.data
    )
    assert machine.kept() == kept
    assert len([path for path in kept if path.endswith(".nbi")]) == said["kernels"]
    assert not list(machine.site.rglob("__pycache__"))
