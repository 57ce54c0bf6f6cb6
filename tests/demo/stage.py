"""What the demo runs: the real server as a process of its own, and the real command line."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

COMMANDS = Path(sys.executable).parent
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 30.0
COMMAND_TIMEOUT_S = 240.0
MEMBER_TOKEN = re.compile(r"hpt_[A-Za-z0-9_-]{43}")


class StageError(Exception):
    """Something of the demo did not run at all."""


class Stage:
    """A temporary directory with a list in it, and the server that serves it.

    Use as a context manager: the server ends with it, whatever happened.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.port = free_port()
        self._tokens: dict[str, str] = {}
        self._server: subprocess.Popen[bytes] | None = None
        self._log = folder / "server.log"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.kill()
            self._server.wait()

    def init(self) -> None:
        """Make the list: keys, certificates, a first steward."""
        self.run(["hashpact-server", "init", str(self.data)])

    def admit(self, name: str, roles: Sequence[str]) -> None:
        """Add a member, offline, and keep its token."""
        wanted = [word for role in roles for word in ("--role", role)]
        printed = self.run(["hashpact-server", "member", "add", name, *wanted, "--data", str(self.data)])
        token = MEMBER_TOKEN.search(printed)
        if token is None:
            raise StageError(f"adding {name} printed no token")
        self._tokens[name] = token[0]

    def know(self, name: str, token: str) -> None:
        """Keep the token of a member that was admitted in another way."""
        self._tokens[name] = token

    def serve(self) -> None:
        """Start the server, and wait until it says that it serves."""
        command = self.words(
            ["hashpact-server", "serve", "--data", str(self.data), "--listen", f"127.0.0.1:{self.port}"]
        )
        with self._log.open("ab") as log:
            self._server = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment("")
            )
        ca = (self.data / "ca.pem").read_bytes()
        credentials = grpc.ssl_channel_credentials(ca)
        deadline = time.monotonic() + START_TIMEOUT_S
        with grpc.secure_channel(f"localhost:{self.port}", credentials) as channel:
            health = health_pb2_grpc.HealthStub(channel)
            while time.monotonic() < deadline and self._server.poll() is None:
                try:
                    answer = health.Check(health_pb2.HealthCheckRequest(), timeout=1.0, wait_for_ready=True)
                    if answer.status == health_pb2.HealthCheckResponse.SERVING:
                        return
                except grpc.RpcError:
                    pass
                time.sleep(0.05)
        raise StageError(f"the server did not start:\n{self._log.read_text(errors='replace')[-2000:]}")

    def kill(self) -> None:
        """End the server as a power cut would."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """End the server as an operator would; its exit code."""
        return self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> int:
        if self._server is None:
            raise StageError("no server is running")
        self._server.send_signal(number)
        code = self._server.wait(STOP_TIMEOUT_S)
        self._server = None
        return code

    def call(self, member: str, *arguments: str | Path) -> list[dict[str, Any]]:
        """Run a ``hashpact`` command as a member; the objects that its ``--json`` prints."""
        command = ["hashpact", *(str(word) for word in arguments), "--json"]
        printed = self.run(command, member=member, codes=(0, 10))
        return [json.loads(line) for line in printed.splitlines() if line.strip()]

    def run(self, command: Sequence[str], *, member: str = "", codes: Sequence[int] = (0,)) -> str:
        """Run a command in the stage's folder; what it printed. Raises StageError when it fails."""
        done = subprocess.run(
            self.words(command),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            cwd=self.folder,
            env=self.environment(member),
            check=False,
        )
        if done.returncode not in codes:
            said = (done.stderr or done.stdout).strip()[-2000:]
            raise StageError(f"{shlex.join(command)}\nended with exit code {done.returncode}:\n{said}")
        return done.stdout

    def words(self, command: Sequence[str]) -> list[str]:
        """The command with the full path of the program beside this Python."""
        return [str(COMMANDS / command[0]), *command[1:]]

    def environment(self, member: str) -> dict[str, str]:
        """What a member's shell would export, and nothing of the caller's own Hashpact settings."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("HASHPACT_")}
        kept |= {"XDG_CONFIG_HOME": str(self.folder / "no-configuration"), "NO_COLOR": "1"}
        if member:
            kept |= {
                "HASHPACT_TARGET": f"localhost:{self.port}",
                "HASHPACT_CA": str(self.data / "ca.pem"),
                "HASHPACT_TOKEN": self._tokens[member],
            }
        return kept


def free_port() -> int:
    """A port on loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
