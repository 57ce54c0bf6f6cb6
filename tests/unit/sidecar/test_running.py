"""What a sidecar does first: it refuses a token that is none, and shows other processes of its user nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hashpact.errors import ConfigError
from hashpact.sidecar.running import run
from hashpact.sidecar.settings import load

OF_OUR_USER = """
import ctypes, os, subprocess, sys
from pathlib import Path
from hashpact.sidecar.folders import open_allowed
from hashpact.sidecar.refusals import RefusedError
from hashpact.sidecar.tie import keep_to_itself

libc = ctypes.CDLL(None)
if os.geteuid() == 0:  # root may read everything
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
    libc.prctl(4, 1, 0, 0, 0)  # which this took away

def neighbour_reads():
    pid, (reading, writing) = os.getpid(), os.pipe()
    child = os.fork()
    if child == 0:
        libc.prctl(4, 1, 0, 0, 0)
        try:
            os.write(writing, b"y" if b"KEPT_SECRET" in Path(f"/proc/{pid}/environ").read_bytes() else b"?")
        except PermissionError:
            os.write(writing, b"n")
        os._exit(0)
    os.waitpid(child, 0)
    return os.read(reading, 1)

assert neighbour_reads() == b"y"
keep_to_itself()
assert neighbour_reads() == b"n"
folder = Path(sys.argv[1])
with open_allowed(str(folder / "a"), [folder], 10) as file:
    assert file.read() == b"inside"
try:
    open_allowed("/etc/passwd", [folder], 10)
except RefusedError:
    print("well")
"""


@pytest.mark.parametrize("token", ["abc", "hpt_x", "hpt_" + "a" * 44])
def test_a_token_that_cannot_be_one_is_refused_before_anything_else(tmp_path: Path, token: str) -> None:
    tmp_path.chmod(0o755)  # would be refused next
    environment = {"HASHPACT_TARGET": "localhost:1", "HASHPACT_TOKEN": token}
    with pytest.raises(ConfigError, match="HASHPACT_TOKEN") as refused:
        run(load(None, {"data": str(tmp_path)}, environment))
    assert token not in refused.value.message


def test_others_of_the_same_user_cannot_read_the_environment() -> None:
    folder = Path(tempfile.mkdtemp(prefix="hp"))
    try:
        folder.chmod(0o755)
        (folder / "a").write_bytes(b"inside")
        (folder / "a").chmod(0o644)
        done = subprocess.run(
            [sys.executable, "-c", OF_OUR_USER, str(folder.resolve())],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "KEPT_SECRET": "1"},
        )
        assert done.stdout == "well\n", done.stderr
    finally:
        shutil.rmtree(folder)
