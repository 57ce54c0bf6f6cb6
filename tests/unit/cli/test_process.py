"""The command as a process: signals, pipes, completion, silence on stderr."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from tests.unit.cli.conftest import picture
from tests.unit.client.certificates import Authority
from tests.unit.client.loopback import TOKEN, LoopbackService, serving

HASHPACT = [sys.executable, "-c", "import sys; sys.argv[0] = 'hashpact'; from hashpact.cli import main; main()"]
TIMEOUT_S = 120


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*HASHPACT, *arguments],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        env={**os.environ, **variables},
    )


def many(folder: Path, count: int) -> Path:
    """A folder with the same picture many times."""
    original = picture(folder / "000000.png", 1, side_px=100)
    for number in range(1, count):
        (folder / f"{number:06}.png").hardlink_to(original)
    return folder


@pytest.mark.parametrize("count", [30, 3000])  # threads, and processes
def test_interrupt(tmp_path: Path, count: int) -> None:
    folder = many(tmp_path / "many", count)
    process = subprocess.Popen(
        [*HASHPACT, "hash", "--json", "-", str(folder)] if count < 64 else [*HASHPACT, "hash", "--json", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdin
    assert process.stdout
    assert process.stderr
    if count < 64:
        # Standard input is read to its end: while it is open, the command certainly waits.
        process.stdin.write("not a picture")
        process.stdin.flush()
        assert _has_started(process)
    else:
        assert process.stdout.readline()
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    _, stderr = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 130
    assert stderr == ""


def _has_started(process: subprocess.Popen[str]) -> bool:
    """Wait until the process blocks in reading its standard input: it has taken what was written."""
    assert process.stdin
    until = time.monotonic() + TIMEOUT_S
    while time.monotonic() < until and process.poll() is None:
        waiting = struct.unpack("i", fcntl.ioctl(process.stdin, termios.FIONREAD, bytes(4)))[0]
        if waiting == 0:
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize("count", [40, 200])
def test_whoever_reads_may_go_away(tmp_path: Path, count: int) -> None:
    folder = many(tmp_path / "many", count)
    process = subprocess.Popen(
        [*HASHPACT, "hash", "--json", str(folder), str(folder), str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stderr
    assert process.stdout.readline().startswith("{")
    process.stdout.close()
    stderr = process.stderr.read()
    assert process.wait(TIMEOUT_S) == 141
    assert stderr == ""
    process.stderr.close()


@pytest.mark.parametrize(("option", "shown"), [((), True), (("--json",), False)])
def test_a_progress_bar_for_a_person_who_watches(tmp_path: Path, option: tuple[str, ...], shown: bool) -> None:
    folder = many(tmp_path / "many", 5)
    watching, terminal = pty.openpty()
    ran = subprocess.run(
        [*HASHPACT, "hash", *option, str(folder)],
        stdout=subprocess.PIPE,
        stderr=terminal,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
        env={**os.environ, "TERM": "xterm"},
    )
    os.close(terminal)
    seen = b""
    try:
        while piece := os.read(watching, 4096):
            seen += piece
    except OSError:  # how Linux says that the terminal is closed
        pass
    os.close(watching)
    assert ran.returncode == 0
    assert (b"hashing" in seen) is shown
    assert ran.stdout.count("000003.png") == 1
    assert "\x1b" not in ran.stdout


@pytest.mark.parametrize(
    ("words", "offered"),
    [("hashpact con", {"contribute"}), ("hashpact member r", {"resume", "revoke"}),
     ("hashpact check --ta", {"--target"}), ("hashpact contribute --basis f", {"found-through-list"})],
)  # fmt: skip
def test_bash_completion(words: str, offered: set[str]) -> None:
    ran = run(
        _HASHPACT_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=str(len(words.split()) - 1),
        _TYPER_COMPLETE_ARGS=words,
    )  # fmt: skip
    assert {line.strip() for line in ran.stdout.splitlines() if line.strip()} == offered
    assert ran.stderr == ""


def test_the_completion_script_is_shown() -> None:
    assert "_HASHPACT_COMPLETE" in run(_HASHPACT_COMPLETE="source_bash").stdout


def test_nothing_but_our_words_on_stderr(tmp_path: Path) -> None:
    authority, path = Authority(), tmp_path / "ca.pem"
    path.write_bytes(Authority("another").pem)
    with serving(LoopbackService(), credentials=authority.server()) as target:
        ran = run("capabilities", "--target", target, "--ca", str(path), HASHPACT_TOKEN=TOKEN)
    assert ran.returncode == 5
    assert ran.stderr.count("\n") == 1
    assert ran.stderr.startswith("hashpact: ")
    assert "ca.pem" in ran.stderr


def test_a_fault_of_ours_is_told_without_a_traceback() -> None:
    code = (
        "import hashpact.cli.commands.about as about\n"
        "about.version = lambda name: 1 / 0\n"
        "import sys; sys.argv = ['hashpact', 'version']\n"
        "from hashpact.cli import main; main()"
    )
    quiet = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert quiet.returncode == 1
    assert "ZeroDivisionError" in quiet.stderr
    assert "Traceback" not in quiet.stderr
    loud = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "HASHPACT_DEBUG": "1"},
    )
    assert "Traceback" in loud.stderr
