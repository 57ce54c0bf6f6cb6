"""A stage with a hub, replicas of members, and hooks that are told of incidents: each a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from types import TracebackType

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from hashpact import Client

from tests.demo.stage import START_TIMEOUT_S, STOP_TIMEOUT_S, Stage, StageError, free_port

HOOK = """#!/bin/sh
date +%s.%N >> "$1"
cat > /dev/null
"""


class Replica:
    """A member's copy of the list."""

    def __init__(self, data: Path, port: int, process: subprocess.Popen[bytes]) -> None:
        self.data = data
        self.port = port
        self.process = process

    @property
    def ca(self) -> bytes:
        """What its clients trust."""
        return (self.data / "ca.pem").read_bytes()


class ForumStage(Stage):
    """As :class:`Stage`, with replicas and watches of incidents. They end with it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.replicas: dict[str, Replica] = {}
        self._watches: dict[str, subprocess.Popen[bytes]] = {}
        self._clients: list[Client] = []

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for client in self._clients:
            client.close()
        for process in (*self._watches.values(), *(each.process for each in self.replicas.values())):
            process.kill()
            process.wait()
        super().__exit__(kind, error, trace)

    def keep_token(self, name: str, token: str) -> None:
        """Know the token of a member that somebody else made."""
        self._tokens[name] = token

    def replicate(self, member: str) -> None:
        """Start a replica for a member, which remembers its uploads, and wait until it serves."""
        data, port = self.folder / f"replica-{member}", free_port()
        self.run(["hashpact-server", "init", str(data), "--replica"])
        (data / "config.toml").write_text("[uploads]\nenabled = true\n")
        words = ["serve", "--data", str(data), "--listen", f"127.0.0.1:{port}", "--follow", f"localhost:{self.port}"]
        with (self.folder / f"replica-{member}.log").open("ab") as log:
            process = subprocess.Popen(
                self.words(["hashpact-server", *words]),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environment(member),
            )
        self.replicas[member] = Replica(data, port, process)

    def until_level(self) -> None:
        """Wait until every replica serves."""
        deadline = time.monotonic() + START_TIMEOUT_S
        for name, replica in self.replicas.items():
            if not _serves(replica, deadline):
                log = (self.folder / f"replica-{name}.log").read_text(errors="replace")
                raise StageError(f"the replica of {name} did not start:\n{log[-2000:]}")

    def watch(self, member: str) -> None:
        """Run ``hashpact incident watch`` at a member's replica, with a command that notes when it was called."""
        hook = self.folder / "hook.sh"
        if not hook.exists():
            hook.write_text(HOOK)
        command = f"sh {hook} {self.told_file(member)}"
        with (self.folder / f"watch-{member}.log").open("ab") as log:
            self._watches[member] = subprocess.Popen(
                self.words(["hashpact", "incident", "watch", "--json", "--command", command]),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.replica_environment(member),
            )

    def end_watches(self) -> None:
        """End them as Ctrl-C does."""
        for process in self._watches.values():
            process.send_signal(signal.SIGINT)
        for process in self._watches.values():
            process.wait(STOP_TIMEOUT_S)
        self._watches.clear()

    def told_file(self, member: str) -> Path:
        """Where the member's hook notes when it was called."""
        return self.folder / f"told-{member}"

    def told_at(self, member: str, calls: int) -> float:
        """When the member's hook was called for the ``calls``-th time, in Unix seconds."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            file = self.told_file(member)
            lines = file.read_text().split() if file.exists() else []
            if len(lines) >= calls:
                return float(lines[calls - 1])
            time.sleep(0.01)
        raise StageError(f"the hook of {member} was not called")

    def client(self, member: str, *, at_replica: bool = False) -> Client:
        """A member's client; at its replica, its writes go to the hub."""
        ca = (self.data / "ca.pem").read_bytes()
        hub, token = f"localhost:{self.port}", self._tokens[member]
        if at_replica:
            replica = self.replicas[member]
            target = f"localhost:{replica.port}"
            made = Client(target, token=token, ca=replica.ca, write_target=hub, write_ca=ca, read_your_writes=False)
        else:
            made = Client(hub, token=token, ca=ca)
        self._clients.append(made)
        return made

    def replica_environment(self, member: str) -> dict[str, str]:
        """What a member's shell exports that asks its replica and writes to the hub."""
        replica = self.replicas[member]
        return self.environment(member) | {
            "HASHPACT_TARGET": f"localhost:{replica.port}",
            "HASHPACT_CA": str(replica.data / "ca.pem"),
            "HASHPACT_WRITE_TARGET": f"localhost:{self.port}",
            "HASHPACT_WRITE_CA": str(self.data / "ca.pem"),
            "PYTHONUNBUFFERED": os.environ.get("PYTHONUNBUFFERED", "1"),
        }


def _serves(replica: Replica, deadline: float) -> bool:
    while time.monotonic() < deadline and replica.process.poll() is None:
        try:
            credentials = grpc.ssl_channel_credentials(replica.ca)
            with grpc.secure_channel(f"localhost:{replica.port}", credentials) as channel:
                health = health_pb2_grpc.HealthStub(channel)
                answer = health.Check(health_pb2.HealthCheckRequest(), timeout=1.0, wait_for_ready=True)
            if answer.status == health_pb2.HealthCheckResponse.SERVING:
                return True
        except grpc.RpcError:
            pass
        time.sleep(0.05)
    return False
