"""A real forum to test against: a data directory made by the command line, and servers on it.

Two kinds of server, with the same face: :class:`ServerProcess` is ``hashpact-server serve`` as operators start it, and
can be killed; :class:`ServerInside` is the same node in this process, quick to start and open to inspection.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from hashpact_server.addresses import Address, parse
from hashpact_server.config import Config, load
from hashpact_server.datadir import DataDirectory
from hashpact_server.node import Node

from tests.integration.asking import (
    WAIT_S,
    Member,
    Said,
    contribution,
    lookup_request,
    raw_method,
    raw_stream_method,
    refused,
    said,
    server_certificate,
)

__all__ = [
    "WAIT_S",
    "Attached",
    "Forum",
    "Member",
    "Said",
    "ServerInside",
    "ServerProcess",
    "command",
    "contribution",
    "lookup_request",
    "raw_method",
    "raw_stream_method",
    "refused",
    "said",
    "server_certificate",
    "settings_of",
    "token_in",
]

TOKEN = re.compile(r"^(hpt_[A-Za-z0-9_-]{43})$", re.MULTILINE)


def command(*arguments: str | Path, code: int | None = 0) -> subprocess.CompletedProcess[str]:
    """Run ``hashpact-server``; ``code`` is the exit code that it must have (None: any)."""
    done = subprocess.run(
        [sys.executable, "-m", "hashpact_server", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "200"},
    )
    if code is not None:
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done


def token_in(printed: str) -> str:
    """The member token that a command printed."""
    found = TOKEN.findall(printed)
    assert len(found) == 1, printed
    return str(found[0])


@dataclass(frozen=True)
class Forum:
    """A data directory and the tokens of its members, by name."""

    data: Path
    tokens: Mapping[str, str]

    @classmethod
    def make(cls, data: Path) -> Forum:
        """A steward, ``acme`` that checks, and ``alpha`` that contributes and checks; all by the command line."""
        tokens = {"steward": token_in(command("init", data).stdout)}
        for name, roles in (("acme", ["check"]), ("alpha", ["contribute", "check"])):
            wanted = [word for role in roles for word in ("--role", role)]
            tokens[name] = token_in(command("member", "add", name, *wanted, "--data", data).stdout)
        return cls(data, tokens)

    def copy(self, to: Path) -> Forum:
        """The same forum in another directory."""
        shutil.copytree(self.data, to)
        return Forum(to, self.tokens)

    @property
    def ca(self) -> bytes:
        """What members trust."""
        return (self.data / "ca.pem").read_bytes()

    def configure(self, text: str) -> None:
        """Write ``config.toml``."""
        (self.data / "config.toml").write_text(text)


class Served:
    """What both kinds of server share: connections to it, which end with the block."""

    forum: Forum
    address: Address

    def __init__(self) -> None:
        self._channels: list[grpc.Channel] = []

    def channel(self, ca: bytes | None = None) -> grpc.Channel:
        """A connection of its own."""
        # Each channel with a name of its own, or grpc lets them share one connection.
        options = [("grpc.use_local_subchannel_pool", 1)]
        channel = grpc.secure_channel(str(self.address), grpc.ssl_channel_credentials(ca or self.forum.ca), options)
        self._channels.append(channel)
        return channel

    def member(self, name: str) -> Member:
        """A member of the forum, connected."""
        return self.bearer(self.forum.tokens[name])

    def bearer(self, token: str | None) -> Member:
        """Whoever holds a token, connected."""
        return Member(self.channel(), token)

    def health(self, service: str = "") -> str:
        """What the server says of itself."""
        stub = health_pb2_grpc.HealthStub(self.channel())
        answer = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=WAIT_S, wait_for_ready=True)
        return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))

    def until_serving(self, service: str = "", *, serving: bool = True) -> Self:
        """Wait until the server says that it serves, or that it does not."""
        wanted = health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
        stub = health_pb2_grpc.HealthStub(self.channel())
        request = health_pb2.HealthCheckRequest(service=service)
        watch = stub.Watch(request, timeout=WAIT_S, wait_for_ready=True)
        for answer in watch:  # the deadline ends it
            if answer.status == wanted:
                watch.cancel()
                break
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._channels:
            self._channels.pop().close()


class ServerProcess(Served):
    """``hashpact-server serve`` as a process of its own; ends with the block."""

    def __init__(self, forum: Forum, *options: str, environment: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self.forum = forum
        self.lines: list[str] = []
        self._news = threading.Condition()
        self._ended = False
        listen = () if "--listen" in options else ("--listen", "127.0.0.1:0")
        words = ["serve", "--data", str(forum.data), *listen, *options]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "hashpact_server", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **(environment or {})},
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        try:
            self.address = parse(str(self.wait_for("listening")["address"]), what="log")
        except BaseException:
            self.kill()
            raise

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._news:
                self.lines.append(line)
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    def wait_for(self, event: str) -> dict[str, Any]:
        """The first log line of an event, once it is there."""

        def find() -> dict[str, Any] | None:
            for line in self.lines:
                if line.startswith("{") and (found := json.loads(line))["event"] == event:
                    return dict(found)
            return None

        with self._news:
            assert self._news.wait_for(lambda: find() is not None or self._ended, WAIT_S), self.lines
            found = find()
        assert found is not None, "".join(self.lines)
        return found

    def ready(self) -> Self:
        """Wait until it takes calls."""
        self.wait_for("ready")
        return self

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def wait(self) -> int:
        """Its exit code, once it has ended."""
        code = self.process.wait(WAIT_S)
        self._reader.join(WAIT_S)
        return code

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.wait()

    def stop(self) -> int:
        """End it as an operator would; its exit code."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        if self.process.poll() is None:
            self.kill()


class Attached(Served):
    """Connections to a server that somebody else runs."""

    def __init__(self, forum: Forum, address: Address) -> None:
        super().__init__()
        self.forum = forum
        self.address = address


class ServerInside(Attached):
    """The same server in this process; ends with the block."""

    def __init__(self, forum: Forum, **settings: object) -> None:
        self.config = settings_of(forum, **settings)
        self.node = Node(DataDirectory(forum.data), self.config)
        self.node.start()
        super().__init__(forum, self.node.address)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self.node.stop()


def settings_of(forum: Forum, **settings: object) -> Config:
    """The forum's configuration, on any free port of this machine unless ``settings`` say otherwise."""
    return load(forum.data / "config.toml", {"listen": "127.0.0.1:0", **settings})
