"""A real sidecar to test against: ``hashpact sidecar`` as operators start it, beside a real hub."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
from hashpact_server.state.rows import Role

from tests.integration.harness import WAIT_S, Served

COMMAND = (sys.executable, "-c", "from hashpact.cli import main; main()", "sidecar")


@dataclass(frozen=True)
class Hub:
    """What a sidecar needs of its hub."""

    target: str
    ca: Path
    token: str

    @classmethod
    def of(cls, hub: Served) -> Hub:
        """With a new member that may do all that a sidecar does."""
        token = hub.member("steward").create("platform", Role.CHECK, Role.REPLICATE, Role.CONTRIBUTE)
        return cls(str(hub.address), hub.forum.data / "ca.pem", token)


class SidecarRun:
    """``hashpact sidecar`` as a process of its own; ends with the block."""

    def __init__(
        self, hub: Hub, data: Path, settings: str = "", *options: str, environment: Mapping[str, str] | None = None
    ) -> None:
        self.data = data
        self.lines: list[dict[str, Any]] = []
        self._news = threading.Condition()
        self._ended = False
        config = data.with_suffix(".toml")
        config.write_text(settings)
        listen = () if "--listen" in options else ("--listen", "127.0.0.1:0")
        words = ["--hub", hub.target, "--data", str(data), "--config", str(config), *listen, *options]
        self.process = subprocess.Popen(
            [*COMMAND, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "HASHPACT_TOKEN": hub.token,
                "HASHPACT_CA": str(hub.ca),
                **(environment or {}),
            },
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        try:
            self.address = str(self.wait_for("listening")["address"])
        except BaseException:
            self.kill()
            raise
        transport = None
        if self.address.startswith("unix:"):
            transport = httpx.HTTPTransport(uds=self.address.removeprefix("unix:"))
        base = "http://localhost" if transport else f"http://{self.address}"
        self.http = httpx.Client(base_url=base, transport=transport, timeout=WAIT_S, trust_env=False)

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._news:
                self.lines.append(json.loads(line) if line.startswith("{") else {"event": "text", "text": line})
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    def wait_until(self, found: Callable[[list[dict[str, Any]]], Any]) -> Any:
        """What ``found`` gives for the log, once it gives something."""
        with self._news:
            assert self._news.wait_for(lambda: found(self.lines) or self._ended, WAIT_S), self.lines
            result = found(self.lines)
        assert result, self.lines
        return result

    def wait_for(self, event: str, times: int = 1) -> dict[str, Any]:
        """The log line that tells of an event for so many times, once it is there."""

        def of(lines: list[dict[str, Any]]) -> dict[str, Any] | None:
            those = [
                line for line in lines if line["event"] == event and "hashpact_server" not in line.get("logger", "")
            ]
            return those[times - 1] if len(those) >= times else None

        return dict(self.wait_until(of))

    def ready(self, times: int = 1) -> Self:
        """Wait until the replica serves."""
        self.wait_for("replica serves", times)
        return self

    def check(self, data: bytes, **fields: str) -> httpx.Response:
        """Check the bytes of a file."""
        return self.http.post("/v1/check", content=data, params=fields)

    def answer(self, data: bytes, **fields: str) -> dict[str, Any]:
        """The same, which must be answered."""
        response = self.check(data, **fields)
        assert response.status_code == 200, response.text
        return dict(response.json())

    def contribute(self, data: bytes, *labels: str, **fields: str) -> dict[str, Any]:
        """Put the bytes of a file on the list, and wait until the replica has it."""
        response = self.http.post("/v1/contribute", content=data, params={"label": list(labels), **fields})
        assert response.status_code == 200, response.text
        return dict(response.json())

    def metric(self, name: str) -> float:
        """The sum of a metric's samples."""
        found = [
            line for line in self.http.get("/metrics").text.splitlines() if line.startswith((f"{name} ", f"{name}{{"))
        ]
        return sum(float(line.rpartition(" ")[2]) for line in found)

    def wait_for_metric(self, name: str, least: float) -> None:
        """Ask until a metric is there."""
        until = time.monotonic() + WAIT_S
        while self.metric(name) < least:
            assert time.monotonic() < until, name

    def wait_for_refusal(self) -> None:
        """Knock until nobody answers at the address any more."""
        host, _, port = self.address.rpartition(":")
        until = time.monotonic() + WAIT_S
        with contextlib.suppress(OSError):
            while True:
                socket.create_connection((host, int(port))).close()
                assert time.monotonic() < until

    def server_pid(self) -> int:
        """The local server's process."""
        return int((self.data / "replica" / "lock").read_text())

    def worker_pids(self) -> list[int]:
        """The decoding processes."""
        return [pid for pid in self._children() if b"hashpact.sidecar.worker" in words_of(pid)]

    def _children(self) -> list[int]:
        return [
            int(pid) for pid in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        ]

    def wait(self) -> int:
        """Its exit code, once it has ended."""
        code = self.process.wait(WAIT_S)
        self._reader.join(WAIT_S)
        return code

    def kill(self) -> None:
        """End it as a power cut would; what it started ends by itself then, and is waited for."""
        with Watched(self._children()) as started:
            self.process.kill()
            self.wait()
            assert started.all_ended()

    def stop(self) -> int:
        """End it as an operator would; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.http.close()
        if self.process.poll() is None:
            self.kill()


class Watched:
    """Processes, held so that their ends can be waited for, whoever started them."""

    def __init__(self, pids: Iterable[int]) -> None:
        self._handles = []
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):  # one that has ended already
                self._handles.append(os.pidfd_open(pid))

    def all_ended(self) -> bool:
        """Wait for all of them; whether they did end."""
        return all(select.select([handle], [], [], WAIT_S)[0] for handle in self._handles)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for handle in self._handles:
            os.close(handle)


@contextmanager
def short_folder() -> Iterator[Path]:
    """A folder with a short path, since a socket's has at most 107 bytes."""
    folder = Path(tempfile.mkdtemp(prefix="hp"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def words_of(pid: int) -> list[bytes]:
    """The command line of a process; nothing when it has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return []
