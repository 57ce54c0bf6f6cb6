"""A list to test on: in a folder of its own, written through the real writer with drafts that tests build."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hashpact_server import digests, fsck, replay
from hashpact_server.config import Config
from hashpact_server.core import STORE_FOLDER, STORE_TABLES, Core
from hashpact_server.engine import Engine
from hashpact_server.ledger.codec import u64
from hashpact_server.ledger.entry import Draft, Kind
from hashpact_server.ledger.payloads import (
    ContributionPayload,
    EpochClear,
    ListedSignal,
    MemberClear,
    MemberPayload,
    StandingClear,
    TokenPayload,
)
from hashpact_server.ledger.store import Store
from hashpact_server.scene import Scene
from hashpact_server.state.rows import Basis, Role, Status
from hashpact_server.writer import Act, Encode

SHA256, MD5, URL, PDQ, PHASH, PHASH256, PDQ_FRAME, TLSH = 1, 2, 3, 16, 17, 18, 32, 34

STEWARD_NAME = "steward"


def open_engine(
    folder: Path,
    store_class: type[Store] = Store,
    config: Config | None = None,
    on_fatal: Callable[[BaseException], None] | None = None,
) -> Engine:
    """The engine on a store of this class; as ``Engine.open``, which always takes :class:`Store`."""
    config = config or Config()
    store = store_class(folder / STORE_FOLDER, STORE_TABLES, store_bytes_max=config.limits.store_bytes_max)
    try:
        return Engine(Core(store), config, on_fatal)
    except BaseException:
        store.close()
        raise


@contextmanager
def new_list(folder: Path, store_class: type[Store] = Store, config: Config | None = None) -> Iterator[Engine]:
    """A fresh list with its steward, open."""
    Engine.create(folder, STEWARD_NAME)
    engine = open_engine(folder, store_class, config)
    try:
        yield engine
    finally:
        engine.close()


def steward_of(engine: Engine) -> bytes:
    """Pseudonym of the first steward."""
    with engine.state.read() as view:
        member = view.member_by_name(STEWARD_NAME)
    assert member is not None
    return member.pseudonym


def digest(code: int, number: int) -> bytes:
    """The digest numbered so, of a type."""
    whole = hashlib.sha256(b"%d/%d" % (code, number)).digest()
    return whole[:16] if code == MD5 else whole


def value(code: int, number: int, flipped: Sequence[int] = ()) -> bytes:
    """The perceptual value numbered so, of a type, with some bits flipped."""
    size = 8 if code == PHASH else 32
    whole = int.from_bytes(hashlib.sha256(b"%d/%d" % (code, number)).digest()[:size], "big")
    for bit in flipped:
        whole ^= 1 << bit
    return whole.to_bytes(size, "big")


def picture(number: int) -> tuple[ListedSignal, ...]:
    """Signals of the picture numbered so: two digests, a PDQ and a pHash value."""
    return (
        ListedSignal(SHA256, digest(SHA256, number)),
        ListedSignal(MD5, digest(MD5, number)),
        ListedSignal(PDQ, value(PDQ, number), 100),
        ListedSignal(PHASH, value(PHASH, number)),
    )


def contribution(
    member: bytes,
    item: int | None,
    signals: Sequence[ListedSignal],
    *,
    kind: Kind = Kind.ITEM_CREATED,
    status: Status = Status.PROVISIONAL,
    labels: tuple[str, ...] = ("behaviour:recruitment",),
    classes: tuple[str, ...] = ("behaviour",),
) -> Draft:
    """Draft of an entry by which a member speaks about an item."""
    payload = ContributionPayload(Basis.PERSON_LOOKED, 0, "reviewer", labels, tuple(signals))
    return Draft(kind, member, item, classes, bytes((status,)), payload.encode())


def withdrawal(member: bytes, item: int, status: Status = Status.WITHDRAWN) -> Draft:
    """Draft of a member's taking its contribution back; ``status`` is where the item stands then."""
    return Draft(Kind.CONTRIBUTION_WITHDRAWN, member, item, clear=bytes((status, 1)))


def item_withdrawal(member: bytes, item: int) -> Draft:
    """Draft of a steward's taking an item off the list."""
    return Draft(Kind.ITEM_WITHDRAWN, member, item, clear=b"\x01")


def redaction(member: bytes, sequence: int) -> Draft:
    """Draft of the redaction of an entry."""
    return Draft(Kind.REDACTED, member, sequence, clear=b"\x01")


def admission(actor: bytes, pseudonym: bytes, name: str, group: str = "group") -> Draft:
    """Draft of a new member."""
    clear, payload = MemberClear(pseudonym, (Role.CONTRIBUTE,)), MemberPayload(name, group)
    return Draft(Kind.MEMBER_CREATED, actor, clear=clear.encode(), payload=payload.encode())


def standing(actor: bytes, pseudonym: bytes, created: int, *, suspended: bool) -> Draft:
    """Draft of a suspension or its end."""
    return Draft(Kind.MEMBER_STANDING_SET, actor, created, clear=StandingClear(pseudonym, suspended).encode())


def issue(actor: bytes, pseudonym: bytes, token_hash: bytes, expiry_ms: int = 0) -> Draft:
    """Draft of a token."""
    return Draft(Kind.TOKEN_ISSUED, actor, clear=pseudonym, payload=TokenPayload(token_hash, expiry_ms).encode())


def revocation(actor: bytes, token_id: int) -> Draft:
    """Draft of a token's end."""
    return Draft(Kind.TOKEN_REVOKED, actor, token_id)


def epoch(number: int) -> Draft:
    """Draft of a new epoch."""
    return Draft(Kind.EPOCH_STARTED, clear=EpochClear(number, 1).encode())


def recording(*drafts: Draft) -> Callable[[Scene], Encode]:
    """A rule that records these drafts; its answer is the sequences that they got."""

    def decide(scene: Scene) -> Encode:
        answer = b"".join(u64(scene.record(draft).sequence) for draft in drafts)
        return lambda _as_of: answer

    return decide


def sequences(answer: bytes) -> list[int]:
    """The sequences in an answer of :func:`recording`."""
    return [int.from_bytes(answer[at : at + 8], "big") for at in range(0, len(answer), 8)]


def record(engine: Engine, *drafts: Draft, request_id: str = "") -> list[int]:
    """Record drafts in one act; the sequences that they got, once they are durable."""
    return sequences(engine.writer.submit(Act(recording(*drafts), bytes(16), request_id)))


def together(engine: Engine, acts: Sequence[Act]) -> list[bytes | BaseException]:
    """Submit acts so that the writer finds them in its queue all at once, in this order; their answers or errors."""
    begun, go = threading.Event(), threading.Event()

    def hold(_scene: Scene) -> Encode:
        begun.set()
        go.wait()
        return lambda _as_of: b""

    outcomes: list[bytes | BaseException] = [b""] * len(acts)

    def submit(place: int, act: Act) -> None:
        try:
            outcomes[place] = engine.writer.submit(act)
        except BaseException as error:  # noqa: BLE001 - handed to the test that looks at it
            outcomes[place] = error

    holder = threading.Thread(target=engine.writer.submit, args=(Act(hold, bytes(16)),))
    holder.start()
    begun.wait()
    threads = [threading.Thread(target=submit, args=pair) for pair in enumerate(acts)]
    for waiting, thread in enumerate(threads, start=1):
        thread.start()
        while engine.writer.queue_length < waiting:
            time.sleep(0)  # gives way to the thread that is about to queue its act
    go.set()
    for thread in (holder, *threads):
        thread.join()
    return outcomes


def assert_sound(engine: Engine) -> None:
    """What is on the disk holds together, is what the ledger adds up to, and is what memory holds."""
    with engine.store.read() as tx:
        assert fsck.check_stored(tx).problems == []
        assert replay.check_stored(tx).problems == []
    twin = Core(engine.store)
    assert engine.published.head == twin.published.head
    assert engine.published.roster.members == twin.published.roster.members
    assert engine.published.roster.tokens == twin.published.roster.tokens
    assert engine.matcher.sequence == twin.matcher.sequence
    assert engine.matcher.counts() == twin.matcher.counts()
    with engine.state.read() as view:
        assert not digests.missing(engine.matcher.listed, view)
    assert len(engine.matcher.listed) == len(twin.matcher.listed)


def pseudonym() -> bytes:
    """A fresh pseudonym."""
    return os.urandom(16)
