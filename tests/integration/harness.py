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
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import grpc
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status
from hashpact.v1 import (
    capabilities_service_pb2_grpc,
    contribution_service_pb2,
    contribution_service_pb2_grpc,
    item_pb2,
    lookup_service_pb2,
    lookup_service_pb2_grpc,
    member_service_pb2,
    member_service_pb2_grpc,
    signal_pb2,
)
from hashpact_server.addresses import Address, parse
from hashpact_server.config import Config, load
from hashpact_server.datadir import DataDirectory
from hashpact_server.node import Node
from hashpact_server.services.roles import STREAMS

WAIT_S = 60.0
"""How long anything may take before a test gives up; never a measure of speed."""

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


class Member:
    """A member's connection: stubs that carry its token. ``token`` None: it sends none."""

    def __init__(self, channel: grpc.Channel, token: str | None) -> None:
        self.channel = channel
        self.patient = True  # waits for a server that is not there yet
        self.metadata = () if token is None else (("authorization", f"Bearer {token}"),)
        self.lookup_stub = lookup_service_pb2_grpc.LookupServiceStub(channel)
        self.contributions = contribution_service_pb2_grpc.ContributionServiceStub(channel)
        self.members = member_service_pb2_grpc.MemberServiceStub(channel)
        self.capabilities = capabilities_service_pb2_grpc.CapabilitiesServiceStub(channel)

    def call(self, method: Any, request: Any, timeout: float = WAIT_S) -> Any:
        """Call a stub's method as this member."""
        return method(request, metadata=self.metadata, timeout=timeout, wait_for_ready=self.patient)

    def raw(self, path: str, request: bytes = b"", timeout: float = WAIT_S) -> bytes:
        """Call a method by its path with bytes."""
        answer = raw_method(self.channel, path)(
            request, metadata=self.metadata, timeout=timeout, wait_for_ready=self.patient
        )
        assert isinstance(answer, bytes)
        return answer

    def contribute(self, *pdqs: bytes, request_id: str = "") -> contribution_service_pb2.ContributeResponse:
        """Contribute one item per PDQ value."""
        request = contribution_service_pb2.ContributeRequest(
            request_id=request_id, contributions=[contribution(pdq) for pdq in pdqs]
        )
        answer = self.call(self.contributions.Contribute, request)
        assert isinstance(answer, contribution_service_pb2.ContributeResponse)
        return answer

    def lookup(self, *pdqs: bytes) -> lookup_service_pb2.LookupResponse:
        """Look up one probe per PDQ value."""
        answer = self.call(self.lookup_stub.Lookup, lookup_request(*pdqs))
        assert isinstance(answer, lookup_service_pb2.LookupResponse)
        return answer

    def finds(self, pdq: bytes) -> bool:
        """Whether a PDQ value is on the list."""
        return bool(self.lookup(pdq).matched)

    def create(self, name: str, *roles: int) -> str:
        """Admit a member, as steward; its token."""
        self.call(
            self.members.CreateMember,
            member_service_pb2.CreateMemberRequest(name=name, roles=roles),  # type: ignore[arg-type] # numbers
        )
        issued = self.call(self.members.IssueToken, member_service_pb2.IssueTokenRequest(member=name))
        return str(issued.token)


def raw_method(channel: grpc.Channel, path: str) -> Any:
    """A method that takes and gives bytes; the message is sent with the call."""
    untyped: Any = channel
    return _first_message(untyped.unary_stream(path)) if path in STREAMS else untyped.unary_unary(path)


def _first_message(method: Any) -> Any:
    """A method whose answers never end, as one that gives the first of them."""

    def ask(request: bytes, **options: Any) -> bytes:
        call = method(request, **options)
        try:
            return bytes(next(call, b""))
        finally:
            call.cancel()

    return ask


def raw_stream_method(channel: grpc.Channel, path: str) -> Any:
    """The same, with an iterator of messages: the call begins before the first is there."""
    untyped: Any = channel
    return untyped.stream_unary(path)


def contribution(pdq: bytes) -> contribution_service_pb2.Contribution:
    """A contribution of one PDQ value that a person looked at."""
    return contribution_service_pb2.Contribution(
        signals=[signal_pb2.Signal(signal_type="pdq", value=pdq, quality=100)],
        labels=["test"],
        attestation=item_pb2.Attestation(basis=item_pb2.ATTESTATION_BASIS_PERSON_LOOKED),
    )


def lookup_request(*pdqs: bytes) -> lookup_service_pb2.LookupRequest:
    """One probe per PDQ value."""
    return lookup_service_pb2.LookupRequest(
        probes=[
            lookup_service_pb2.Probe(signal_sets=[signal_pb2.SignalSet(signal_type="pdq", values=pdq)]) for pdq in pdqs
        ]
    )


@dataclass(frozen=True)
class Said:
    """How the service said no."""

    code: str
    reason: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    details: tuple[Any, ...] = ()
    message: str = ""


@contextmanager
def refused(reason: str) -> Iterator[list[Said]]:
    """The block must end in an error with this reason; yields a list in which it is found afterwards."""
    found: list[Said] = []
    try:
        yield found
    except grpc.RpcError as error:
        found.append(said(error))
        assert found[0].reason == reason, found[0]
    else:
        raise AssertionError(f"nobody refused with {reason}")


def said(error: Any) -> Said:
    """An error, taken apart; a reason is there when it carries exactly one ``ErrorInfo`` of ours."""
    status = rpc_status.from_call(error)
    code, message = error.code().name, error.details() or ""
    if status is None:
        return Said(code, message=message)
    details = []
    for packed in status.details:
        kind = getattr(error_details_pb2, packed.TypeName().rpartition(".")[2])()
        assert packed.Unpack(kind)
        details.append(kind)
    infos = [each for each in details if isinstance(each, error_details_pb2.ErrorInfo)]
    assert len(infos) == 1
    assert infos[0].domain == "hashpact"
    return Said(code, infos[0].reason, dict(infos[0].metadata), tuple(details), message)


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

    def until_serving(self) -> Self:
        """Wait until the server says that it serves."""
        stub = health_pb2_grpc.HealthStub(self.channel())
        watch = stub.Watch(health_pb2.HealthCheckRequest(), timeout=WAIT_S, wait_for_ready=True)
        for answer in watch:  # the deadline ends it
            if answer.status == health_pb2.HealthCheckResponse.SERVING:
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


def server_certificate(address: Address) -> bytes:
    """The certificate (DER) that a server shows to a new connection."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    with (
        socket.create_connection((address.host, address.port), WAIT_S) as raw,
        context.wrap_socket(raw) as wrapped,
    ):
        shown = wrapped.getpeercert(binary_form=True)
    assert shown is not None
    return shown
