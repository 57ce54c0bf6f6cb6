"""Clients that write all kinds of things to a server, and remember what they were told: for tests that kill the server.

Every *deed* is one call. What it must have left in the ledger can be counted: all of its entries, or none. A client
does one deed after the other until the server is gone; its last deed then has no answer.
"""

from __future__ import annotations

import random
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import grpc
from hashpact.v1 import contribution_service_pb2, item_pb2, member_service_pb2, signal_pb2
from hashpact_server.ledger.embedded import LedgerReader
from hashpact_server.ledger.entry import Entry, Kind
from hashpact_server.ledger.payloads import ContributionPayload, MemberClear, MemberPayload, StandingClear
from hashpact_server.ledger.store import Tx

from tests.integration.harness import Member
from tests.listing import MD5, SHA256, picture

NAMES = {1: "sha256", 2: "md5", 16: "pdq", 17: "phash"}
SHARED = 5
"""One picture in this many is never withdrawn, and corroborated by others."""


@dataclass
class Facts:
    """What the ledger says happened: for each kind of deed, the sequences of its entries by what identifies it."""

    found: dict[tuple[object, ...], list[int]] = field(default_factory=lambda: defaultdict(list))
    count: int = 0

    @classmethod
    def read(cls, tx: Tx) -> Facts:
        facts, names = cls(), dict[bytes, str]()
        for entry in LedgerReader(tx).entries():
            facts.count += 1
            for key in facts._keys(entry, names):
                facts.found[key].append(entry.sequence)
        return facts

    @staticmethod
    def _keys(entry: Entry, names: dict[bytes, str]) -> Iterator[tuple[object, ...]]:
        kind, payload = Kind(entry.kind), entry.payload or b""
        if kind in (Kind.ITEM_CREATED, Kind.CONTRIBUTION_AMENDED):
            signals = ContributionPayload.decode(payload).signals
            yield from ((kind, entry.member, signal.value) for signal in signals if signal.code in (SHA256, MD5))
        elif kind in (Kind.ITEM_CORROBORATED, Kind.CONTRIBUTION_WITHDRAWN):
            yield kind, entry.member, entry.subject
        elif kind == Kind.MEMBER_CREATED:
            name = names[MemberClear.decode(entry.clear).pseudonym] = MemberPayload.decode(payload).name
            yield kind, name
        elif kind == Kind.MEMBER_STANDING_SET:
            clear = StandingClear.decode(entry.clear)
            yield kind, names[clear.pseudonym], clear.suspended
        elif kind == Kind.TOKEN_ISSUED:
            yield kind, names[entry.clear]


@dataclass
class Deed:
    """One call that writes.

    Attributes:
        method: as the stub names it.
        request: what was asked.
        keys: what identifies its entries in :class:`Facts`; each stands for one entry.
        answer: what the server said; None: the server was gone.
    """

    method: str
    request: Any
    keys: list[tuple[object, ...]]
    answer: Any = None

    @property
    def repeatable(self) -> bool:
        """Whether asking again does nothing twice."""
        return bool(getattr(self.request, "request_id", ""))

    def check(self, facts: Facts) -> int:
        """How many entries the deed has in the ledger: all that it must have, or, if it had no answer, none."""
        found = [facts.found.get(key, []) for key in self.keys]
        counts = {len(each) for each in found}
        assert counts <= ({1} if self.answer is not None else {0, 1}), f"{self.method}: {[*map(len, found)]} entries"
        assert len(counts) == 1, f"{self.method} is half there: {[*map(len, found)]}"
        written = [each[0] for each in found if each]
        assert written == list(range(written[0], written[0] + len(written))) if written else True
        return len(written)


class Client:
    """One client with its connection, its member and its memory."""

    def __init__(self, name: str, pseudonym: bytes, seed: int, shared: list[tuple[int, bytes]]) -> None:
        self.name = name
        self.pseudonym = pseudonym
        self.deeds: list[Deed] = []
        self.shared = shared
        self.random = random.Random(f"{seed}/{name}")
        self._number = 0
        self._mine: list[int] = []
        self._known: set[bytes] = set()

    # What there is to do. Each makes the next deed, and says what to remember once it is acknowledged.

    def _request_id(self) -> str:
        self._number += 1
        return f"{self.name}-{self._number:08d}"

    def _signals(self, number: str, codes: tuple[int, ...] = (1, 2, 16, 17)) -> list[signal_pb2.Signal]:
        made = picture(int.from_bytes(number.encode(), "big"))
        return [
            signal_pb2.Signal(signal_type=NAMES[signal.code], value=signal.value, quality=signal.quality)
            for signal in made
            if signal.code in codes
        ]

    def _contribution(self, signals: list[signal_pb2.Signal]) -> contribution_service_pb2.Contribution:
        basis = item_pb2.ATTESTATION_BASIS_PERSON_LOOKED
        return contribution_service_pb2.Contribution(
            signals=signals, labels=["test"], attestation=item_pb2.Attestation(basis=basis)
        )

    def contribute(self) -> tuple[Deed, Callable[[Any], None]]:
        """A batch of 1 to 6 new pictures."""
        request_id = self._request_id()
        pictures = [self._signals(f"{request_id}/{at}") for at in range(self.random.randint(1, 6))]
        request = contribution_service_pb2.ContributeRequest(
            request_id=request_id, contributions=[self._contribution(signals) for signals in pictures]
        )
        keys: list[tuple[object, ...]] = [(Kind.ITEM_CREATED, self.pseudonym, each[0].value) for each in pictures]

        def remember(answer: Any) -> None:
            for outcome, signals in zip(answer.outcomes, pictures, strict=True):
                assert outcome.result == contribution_service_pb2.ContributionOutcome.RESULT_CREATED
                if outcome.item % SHARED:
                    self._mine.append(outcome.item)
                else:
                    self._known.add(signals[0].value)
                    self.shared.append((outcome.item, signals[0].value))

        return Deed("contributions.Contribute", request, keys), remember

    def corroborate(self) -> tuple[Deed, Callable[[Any], None]] | None:
        """Another client's picture."""
        free = [(item, value) for item, value in list(self.shared) if value not in self._known]
        if not free:
            return None
        item, value = self.random.choice(free)
        self._known.add(value)
        request = contribution_service_pb2.ContributeRequest(
            request_id=self._request_id(),
            contributions=[self._contribution([signal_pb2.Signal(signal_type="sha256", value=value)])],
        )
        return Deed("contributions.Contribute", request, [(Kind.ITEM_CORROBORATED, self.pseudonym, item)]), ignore

    def amend(self) -> tuple[Deed, Callable[[Any], None]] | None:
        """One more digest for an item of one's own."""
        if not self._mine:
            return None
        request_id = self._request_id()
        signals = self._signals(request_id, (2,))
        request = contribution_service_pb2.AmendRequest(
            request_id=request_id, item=self.random.choice(self._mine), attach_signals=signals
        )
        keys: list[tuple[object, ...]] = [(Kind.CONTRIBUTION_AMENDED, self.pseudonym, signals[0].value)]
        return Deed("contributions.Amend", request, keys), ignore

    def withdraw(self) -> tuple[Deed, Callable[[Any], None]] | None:
        """An item of one's own."""
        if not self._mine:
            return None
        item = self._mine.pop(self.random.randrange(len(self._mine)))
        request = contribution_service_pb2.WithdrawRequest(request_id=self._request_id(), item=item)

        def remember(answer: Any) -> None:
            assert answer.status == item_pb2.ITEM_STATUS_WITHDRAWN

        return Deed("contributions.Withdraw", request, [(Kind.CONTRIBUTION_WITHDRAWN, self.pseudonym, item)]), remember

    def do_one(self, member: Member) -> None:
        """Do something; raises grpc.RpcError when the server is gone."""
        kinds = [self.contribute, self.contribute, self.corroborate, self.amend, self.withdraw]
        self.do(member, *(self.random.choice(kinds)() or self.contribute()))

    def do(self, member: Member, deed: Deed, remember: Callable[[Any], None]) -> None:
        """Make the call, and keep the answer."""
        self.deeds.append(deed)
        answer = self.call(member, deed)
        remember(answer)
        deed.answer = answer

    @staticmethod
    def call(member: Member, deed: Deed) -> Any:
        """Make the call of a deed."""
        stub, _, method = deed.method.partition(".")
        return member.call(getattr(getattr(member, stub), method), deed.request)

    def settle(self, member: Member) -> None:
        """After a restart: ask again what had no answer, twice, and something that had one."""
        for deed in self.deeds[-1:]:
            if deed.answer is None and deed.repeatable:
                deed.answer = self.call(member, deed)
                assert self.call(member, deed) == deed.answer
        answered = [deed for deed in self.deeds if deed.answer is not None and deed.repeatable]
        if answered:
            deed = self.random.choice(answered)
            assert self.call(member, deed) == deed.answer


class Steward(Client):
    """Admits members, issues their tokens, suspends and resumes them."""

    def do_one(self, member: Member) -> None:
        request_id = self._request_id()
        name = f"member-{request_id}"
        created = member_service_pb2.CreateMemberRequest(request_id=request_id, name=name, roles=[3])  # type: ignore[list-item]  # contribute, by its number
        self.do(member, Deed("members.CreateMember", created, [(Kind.MEMBER_CREATED, name)]), ignore)
        token = member_service_pb2.IssueTokenRequest(member=name)
        self.do(member, Deed("members.IssueToken", token, [(Kind.TOKEN_ISSUED, name)]), ignore)
        suspended = member_service_pb2.SuspendMemberRequest(request_id=self._request_id(), member=name)
        self.do(member, Deed("members.SuspendMember", suspended, [(Kind.MEMBER_STANDING_SET, name, True)]), ignore)
        resumed = member_service_pb2.ResumeMemberRequest(request_id=self._request_id(), member=name)
        self.do(member, Deed("members.ResumeMember", resumed, [(Kind.MEMBER_STANDING_SET, name, False)]), ignore)


def ignore(_answer: object) -> None:
    """There is nothing to remember."""


class Workload:
    """Clients at work, each in a thread of its own, until the server is gone."""

    def __init__(self) -> None:
        self.answered = 0
        self._news = threading.Condition()
        self._working = 0
        self.errors: list[BaseException] = []

    def start(self, clients: list[tuple[Client, Member]]) -> list[threading.Thread]:
        """Set everybody to work."""
        threads = [threading.Thread(target=self._work, args=pair) for pair in clients]
        self._working = len(threads)
        for thread in threads:
            thread.start()
        return threads

    def _work(self, client: Client, member: Member) -> None:
        try:
            client.settle(member)
            while True:
                client.do_one(member)
                with self._news:
                    self.answered += 1
                    self._news.notify_all()
        except grpc.RpcError as error:
            if error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
                self.errors.append(error)
        except BaseException as error:  # noqa: BLE001 - told by the test
            self.errors.append(error)
        with self._news:
            self._working -= 1
            self._news.notify_all()

    def wait_for(self, answered: int, timeout_s: float) -> bool:
        """Wait until so many deeds were answered; False when that did not happen."""
        with self._news:
            self._news.wait_for(lambda: self.answered >= answered or self._working == 0, timeout_s)
            return self.answered >= answered


def pseudonyms(tx: Tx) -> dict[str, bytes]:
    """The members' pseudonyms by name."""
    created = (entry for entry in LedgerReader(tx).entries() if entry.kind == Kind.MEMBER_CREATED)
    return {
        MemberPayload.decode(entry.payload or b"").name: MemberClear.decode(entry.clear).pseudonym for entry in created
    }
