"""Data directories and servers under measurement: made, filled, served, stopped, killed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hashpact import Client

STOP_S = 60.0


@dataclass(frozen=True)
class Prepared:
    """A data directory with members that check, contribute, replicate, and do what a sidecar does."""

    data: Path
    checker: str
    contributor: str
    replicator: str
    sidecar: str


@dataclass(frozen=True)
class Running:
    """A server under test: where it listens, and how long its start took until it said that it was ready."""

    target: str
    prepared: Prepared
    start_s: float
    process: subprocess.Popen[str]

    @property
    def ca(self) -> Path:
        """Whom to trust."""
        return self.prepared.data / "ca.pem"

    def checking(self) -> Client:
        """A client that looks up."""
        return Client(self.target, token=self.prepared.checker, ca=self.ca, timeout_s=30)

    def contributing(self) -> Client:
        """A client that contributes, and may look up as well."""
        return Client(self.target, token=self.prepared.contributor, ca=self.ca, timeout_s=30)


def server_command() -> list[str]:
    """How the server is started."""
    return [sys.executable, "-m", "hashpact_server"]


@contextmanager
def prepared() -> Iterator[Prepared]:
    """A new data directory, deleted in the end."""
    with tempfile.TemporaryDirectory(prefix="hashpact-bench-") as folder:
        data = Path(folder) / "data"
        subprocess.run([*server_command(), "init", str(data)], check=True, capture_output=True)
        # One member stands for all who watch.
        (data / "config.toml").write_text("[limits]\nmember_requests_max = 64\n")
        yield Prepared(
            data,
            admit(data, "checker", ["check"]),
            admit(data, "contributor", ["check", "contribute"]),
            admit(data, "replicator", ["replicate"]),
            admit(data, "sidecar", ["check", "replicate"]),
        )


def admit(data: Path, name: str, roles: list[str]) -> str:
    """Admit a member to a list that nobody serves; its token."""
    command = [*server_command(), "member", "add", name, "--data", str(data)]
    for role in roles:
        command += ["--role", role]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = re.search(r"hpt_[A-Za-z0-9_-]{43}", printed)
    if not found:
        raise AssertionError("member add printed no token")
    return found.group()


@contextmanager
def serving(place: Prepared, upstream: Running | None = None) -> Iterator[Running]:
    """A server over a data directory, ready; stopped cleanly in the end, unless it was killed."""
    command = [*server_command(), "serve", "--data", str(place.data), "--listen", "127.0.0.1:0"]
    environment = dict(os.environ)
    if upstream is not None:
        command += ["--follow", upstream.target]
        environment |= {"HASHPACT_TOKEN": place.replicator, "HASHPACT_CA": str(upstream.ca)}
    started = time.perf_counter()
    process = subprocess.Popen(command, stderr=subprocess.PIPE, env=environment, text=True)
    try:
        port = _port(process)
        yield Running(f"127.0.0.1:{port}", place, time.perf_counter() - started, process)
    finally:
        process.terminate()
        process.wait(STOP_S)


def _port(process: subprocess.Popen[str]) -> int:
    """The port that the log names, once the server says that it is ready."""
    if process.stderr is None:
        raise AssertionError("the server's log is piped")
    port = 0
    for line in process.stderr:
        if '"listening"' in line and (found := re.search(r"127\.0\.0\.1:(\d+)", line)):
            port = int(found.group(1))
        if '"ready"' in line:
            threading.Thread(target=process.stderr.read, daemon=True).start()
            return port
    raise AssertionError("the server ended before it was ready")


def size_bytes(folder: Path) -> int:
    """Bytes on disk of everything in a folder; sparse files count what they occupy."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())
