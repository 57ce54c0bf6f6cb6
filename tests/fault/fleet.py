"""A hub and its replicas as processes, joined by cables that can be cut."""

from __future__ import annotations

import contextlib
from pathlib import Path
from types import TracebackType
from typing import Self

import grpc
from hashpact_server import fsck
from hashpact_server.core import open_store
from hashpact_server.datadir import DataDirectory
from hashpact_server.initialising import a_replica, initialise
from hashpact_server.ledger.embedded import LedgerReader
from hashpact_server.state.row_store import StoredRows

from tests.fault.relay import Relay
from tests.integration.harness import WAIT_S, Forum, ServerProcess, lookup_request, said


class Follower:
    """A replica: its directory, its process, and the cable by which others follow it.

    Args:
        forum: the directory.
        token: of a member that may replicate.
        upstream: the cable to the server that it follows.
        ca: that server's certificate authority.
    """

    def __init__(self, forum: Forum, token: str, upstream: Relay, ca: Path) -> None:
        self.forum = forum
        self.relay = Relay()
        self._token = token
        self._upstream = upstream
        self._ca = ca
        self.process: ServerProcess | None = None

    def start(self, upstream: Relay | None = None, ca: Path | None = None) -> ServerProcess:
        """Serve; other arguments than at first re-point it."""
        self._upstream, self._ca = upstream or self._upstream, ca or self._ca
        environment = {"HASHPACT_TOKEN": self._token, "HASHPACT_CA": str(self._ca)}
        target = str(self._upstream.address)
        self.process = ServerProcess(self.forum, "--follow", target, environment=environment)
        self.relay.to = self.process.address
        return self.process

    @property
    def server(self) -> ServerProcess:
        """The running process."""
        assert self.process is not None
        return self.process

    def kill(self) -> None:
        """End it as a power cut would."""
        self.relay.to = None
        self.server.kill()

    def reach(self, token: str) -> None:
        """Wait until it has what a token stands for; each question waits there."""
        assert until_fresh(self.server.until_serving(), token), self.server.lines[-20:]


def until_fresh(server: ServerProcess, token: str) -> bool:
    """Ask a replica again and again for something as fresh as a token; False: it ended, or never got there."""
    member = server.member("alpha")
    request = lookup_request(bytes(32))
    request.at_least_as_fresh = token
    for _ in range(int(WAIT_S)):
        try:
            member.call(member.lookup_stub.Lookup, request)
        except grpc.RpcError as error:
            if server.process.poll() is not None or said(error).reason != "TOKEN_FROM_FUTURE":
                return False
        else:
            return True
    return False


class Fleet:
    """A hub's cable, two replicas of the hub, and a third that follows the first of them; ends with the block."""

    def __init__(self, forum: Forum, token: str, place: Path) -> None:
        self.hub = Relay()
        homes = []
        for name in ("first", "second", "third"):
            initialise(DataDirectory(place / name), a_replica, hostnames=[], say=lambda _: None)
            homes.append(Forum(place / name, forum.tokens))
        hub_ca = forum.data / "ca.pem"
        first = Follower(homes[0], token, self.hub, hub_ca)
        second = Follower(homes[1], token, self.hub, hub_ca)
        third = Follower(homes[2], token, first.relay, homes[0].data / "ca.pem")
        self.replicas = (first, second, third)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.hub)
            for replica in self.replicas:
                stack.enter_context(replica.relay)
                if replica.process is not None:
                    stack.enter_context(replica.process)


def assert_equal(homes: list[Path]) -> int:
    """All lists are the same, entry by entry and in what they add up to, and whole; the number of entries."""
    first, digest = contents(homes[0])
    for sequence, (public, _) in enumerate(first):
        assert int.from_bytes(public[1:9], "big") == sequence
    for home in homes[1:]:
        entries, summed = contents(home)
        assert len(entries) == len(first), f"{home.name}: {len(entries)} entries, not {len(first)}"
        differing = next((at for at, pair in enumerate(zip(entries, first, strict=True)) if pair[0] != pair[1]), None)
        assert differing is None, f"{home.name}: entry {differing} is another one"
        assert summed == digest, home.name
    for home in homes:
        assert fsck.check(home).problems == [], home.name
    return len(first)


def contents(home: Path) -> tuple[list[tuple[bytes, bytes | None]], bytes]:
    """Every entry, and the state digest."""
    store = open_store(home)
    try:
        with store.read() as tx:
            return list(LedgerReader(tx).stored()), StoredRows(tx).state_digest()
    finally:
        store.close()
