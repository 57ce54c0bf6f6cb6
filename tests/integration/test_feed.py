"""The feed through gRPC: nothing lost, repeated or reordered, and every checkpoint is what the entries add up to."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from hashpact.v1 import contribution_service_pb2, feed_service_pb2_grpc, member_service_pb2, member_service_pb2_grpc
from hashpact.v1 import feed_service_pb2 as pb
from hashpact_server.inflight import Kind as InFlightKind
from hashpact_server.ledger.entry import Draft, Kind, check_private, parse
from hashpact_server.ledger.store import CommitUnknownError, StoreError
from hashpact_server.state.row_store import StoredRows
from hashpact_server.state.rows import Role
from hashpact_server.writer import Act

from tests.integration.harness import WAIT_S, Forum, Member, ServerInside, refused
from tests.rfc6962 import leaf, root


class Watcher:
    """One call of Watch; reads until it has what a test waits for."""

    def __init__(self, member: Member, **request: Any) -> None:
        stub = feed_service_pb2_grpc.FeedServiceStub(member.channel)
        self.call: Any = stub.Watch(pb.WatchRequest(**request), metadata=member.metadata, timeout=WAIT_S)
        self.messages: list[pb.WatchResponse] = []

    def read(self) -> pb.WatchResponse:
        """The next message."""
        self.messages.append(next(self.call))
        return self.messages[-1]

    def until(self, reached: Callable[[pb.WatchResponse], bool]) -> pb.WatchResponse:
        """Read up to the first message that is as wanted."""
        while not reached(message := self.read()):
            pass
        return message

    def up_to(self, sequence: int) -> list[pb.LedgerEntry]:
        """Read until everything up to an entry was sent; all entries so far."""
        if not self.messages or self.messages[-1].next_sequence <= sequence:
            self.until(lambda message: message.next_sequence > sequence)
        return [entry for message in self.messages for entry in message.entries]


@pytest.fixture(name="replica_token")
def made_replica_token(inside: ServerInside) -> str:
    """The token of a member that may hold the list."""
    return inside.member("steward").create("archive", Role.REPLICATE)


def tree_hash(publics: list[bytes]) -> bytes:
    return root([leaf(public) for public in publics])


def sequences(entries: list[pb.LedgerEntry]) -> list[int]:
    return [parse(entry.public_part, None).sequence for entry in entries]


def head_of(server: ServerInside) -> int:
    return server.node.engine.published.head.sequence


def redact(server: ServerInside, entry: int) -> None:
    """Take away the private part of an entry."""

    def decide(scene: Any) -> Callable[[str], bytes]:
        scene.record(Draft(Kind.REDACTED, subject=entry, clear=b"\x01"))
        return lambda _: b""

    server.node.engine.writer.submit(Act(decide, bytes(16)))


def test_everything_in_order_from_the_first_entry_on_and_then_live(
    inside: ServerInside, replica_token: str, new_pdq: Callable[[], bytes]
) -> None:
    alpha = inside.member("alpha")
    alpha.contribute(*(new_pdq() for _ in range(5)))
    watcher = Watcher(inside.bearer(replica_token))
    opening = watcher.read()
    assert (opening.next_sequence, opening.as_of, list(opening.entries)) == (0, "", [])
    assert opening.checkpoint == pb.Checkpoint(size=0, root=tree_hash([]))
    watcher.up_to(head_of(inside))
    for _ in range(3):
        alpha.contribute(new_pdq(), new_pdq())
        entries = watcher.up_to(head_of(inside))
    assert sequences(entries) == list(range(head_of(inside) + 1))
    for sent in entries:
        assert check_private(parse(sent.public_part, sent.private_part))


def test_checkpoints_are_what_the_entries_add_up_to(
    inside: ServerInside, replica_token: str, new_pdq: Callable[[], bytes]
) -> None:
    watcher = Watcher(inside.bearer(replica_token))
    for _ in range(4):
        inside.member("alpha").contribute(new_pdq())
        watcher.up_to(head_of(inside))
    publics: list[bytes] = []
    seen = 0
    for message in watcher.messages:
        publics += [entry.public_part for entry in message.entries]
        if message.HasField("checkpoint"):
            assert message.checkpoint.size == len(publics) == message.next_sequence
            assert message.checkpoint.root == tree_hash(publics)
            seen += 1
    assert seen >= 3
    with inside.node.engine.store.read() as tx:
        assert watcher.messages[-1].checkpoint.state_digest == StoredRows(tx).state_digest()


def test_a_watcher_comes_back_with_its_token_and_misses_nothing(
    inside: ServerInside, replica_token: str, new_pdq: Callable[[], bytes]
) -> None:
    alpha, archive = inside.member("alpha"), inside.bearer(replica_token)
    first = Watcher(archive)
    before = first.up_to(head_of(inside))
    token = first.messages[-1].as_of
    first.call.cancel()
    alpha.contribute(new_pdq(), new_pdq())
    second = Watcher(archive, after=token)
    opening = second.read()
    assert opening.next_sequence == len(before)
    assert opening.checkpoint.root == tree_hash([entry.public_part for entry in before])
    assert sequences(before + second.up_to(head_of(inside))) == list(range(head_of(inside) + 1))


def test_roots_of_any_place_are_told(inside: ServerInside, replica_token: str, new_pdq: Callable[[], bytes]) -> None:
    inside.member("alpha").contribute(*(new_pdq() for _ in range(300)))
    archive = inside.bearer(replica_token)
    publics = [entry.public_part for entry in Watcher(archive).up_to(head_of(inside))]
    for start in (1, 2, 255, 256, 257, len(publics)):
        assert Watcher(archive, start_sequence=start).read().checkpoint.root == tree_hash(publics[:start])


def test_many_watchers_see_the_same(inside: ServerInside, replica_token: str, new_pdq: Callable[[], bytes]) -> None:
    archive = inside.bearer(replica_token)
    watchers = [Watcher(archive, start_sequence=number) for number in range(8)]
    for _ in range(20):
        inside.member("alpha").contribute(new_pdq())
    last = head_of(inside)
    for number, watcher in enumerate(watchers):
        assert sequences(watcher.up_to(last)) == list(range(number, last + 1))


def test_a_filter_leaves_out_what_does_not_fit_and_never_what_takes_away(
    inside: ServerInside, replica_token: str, new_pdq: Callable[[], bytes]
) -> None:
    alpha, archive = inside.member("alpha"), inside.bearer(replica_token)
    item = alpha.contribute(new_pdq()).outcomes[0].item
    alpha.call(alpha.contributions.Withdraw, contribution_service_pb2.WithdrawRequest(item=item))
    last = head_of(inside)
    everything = Watcher(archive, filter=pb.WatchFilter(signal_types=["pdq"])).up_to(last)
    assert sequences(everything) == list(range(last + 1))
    for filtered in (pb.WatchFilter(signal_types=["md5"]), pb.WatchFilter(label_classes=["behaviour"])):
        kinds = {parse(entry.public_part, None).kind for entry in Watcher(archive, filter=filtered).up_to(last)}
        assert Kind.ITEM_CREATED not in kinds
        assert {Kind.GENESIS, Kind.CONTRIBUTION_WITHDRAWN} <= kinds


def test_what_cannot_be_watched_is_refused(inside: ServerInside, replica_token: str) -> None:
    archive = inside.bearer(replica_token)
    with refused("FIELD_INVALID"):
        Watcher(archive, start_sequence=head_of(inside) + 2).read()
    with refused("FIELD_INVALID"):
        Watcher(archive, filter=pb.WatchFilter(signal_types=["sha1"])).read()
    with refused("TOKEN_MALFORMED"):
        Watcher(archive, after="abc").read()
    with refused("ROLE_MISSING"):
        Watcher(inside.member("acme")).read()


def test_losing_the_right_ends_the_call(inside: ServerInside, replica_token: str, new_pdq: Callable[[], bytes]) -> None:
    steward, watcher = inside.member("steward"), Watcher(inside.bearer(replica_token))
    watcher.up_to(head_of(inside))
    stub = member_service_pb2_grpc.MemberServiceStub(steward.channel)
    steward.call(stub.SuspendMember, member_service_pb2.SuspendMemberRequest(member="archive"))
    inside.member("alpha").contribute(new_pdq())
    with refused("MEMBER_SUSPENDED"):
        watcher.up_to(head_of(inside))


def test_watchers_are_told_when_the_server_stops(inside: ServerInside, replica_token: str) -> None:
    watcher = Watcher(inside.bearer(replica_token))
    watcher.up_to(head_of(inside))
    stopping = threading.Thread(target=inside.node.stop)
    stopping.start()
    with refused("NOT_SERVING"):
        while True:
            watcher.read()
    stopping.join(WAIT_S)
    assert not stopping.is_alive()


def test_progress_comes_when_nothing_happens(forum: Forum) -> None:
    forum.configure("[limits]\nwatch_progress_s = 1\n")
    with ServerInside(forum) as server:
        archive = server.bearer(server.member("steward").create("archive", Role.REPLICATE))
        watcher = Watcher(archive)
        watcher.up_to(head_of(server))
        progress = watcher.read()
    assert list(progress.entries) == []
    assert progress.next_sequence == progress.head_sequence + 1
    assert progress.as_of == watcher.messages[-2].as_of


def test_a_redacted_private_part_is_not_sent_again(
    inside: ServerInside, replica_token: str, new_pdq: Callable[[], bytes]
) -> None:
    alpha, archive = inside.member("alpha"), inside.bearer(replica_token)
    item = alpha.contribute(new_pdq()).outcomes[0].item
    early = Watcher(archive)
    assert early.up_to(item)[item].HasField("private_part")

    redact(inside, item)
    assert not Watcher(archive).up_to(item + 1)[item].HasField("private_part")
    assert parse(early.up_to(item + 1)[item + 1].public_part, None).kind == Kind.REDACTED


def test_a_redaction_while_others_read_leaves_nothing_behind(
    inside: ServerInside, replica_token: str, new_pdq: Callable[[], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch that was read before a redaction, and handed on after it, is for nobody else."""
    alpha, archive, feed = inside.member("alpha"), inside.bearer(replica_token), inside.node.engine.feed
    monkeypatch.setattr("hashpact_server.feed.BATCH_ENTRIES_MAX", 4)
    item = alpha.contribute(*(new_pdq() for _ in range(12))).outcomes[0].item
    start = item // 4 * 4
    encode, live = feed._encode, Watcher(archive)
    live.up_to(head_of(inside))
    feed._forget()

    def late(tx: Any, first: int, end: int) -> Any:
        batch = encode(tx, first, end)
        if first == start and head_of(inside) == last:
            redact(inside, item)
            live.up_to(last + 1)
        return batch

    last = head_of(inside)
    monkeypatch.setattr(feed, "_encode", late)
    slow = Watcher(archive, start_sequence=start)
    assert slow.up_to(item)[item - start].HasField("private_part")
    assert not Watcher(archive, start_sequence=start).up_to(item)[item - start].HasField("private_part")


def test_no_checkpoint_of_a_time_before_what_was_read(
    inside: ServerInside, replica_token: str, new_pdq: Callable[[], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Entries read after a redaction, then a batch encoded before it: its state digest is not what they add up to."""
    alpha, archive, feed = inside.member("alpha"), inside.bearer(replica_token), inside.node.engine.feed
    live = Watcher(archive)
    item = alpha.contribute(new_pdq()).outcomes[0].item
    live.up_to(item)
    alpha.contribute(new_pdq())
    live.up_to(head_of(inside))
    before = head_of(inside)
    monkeypatch.setattr("hashpact_server.feed.BATCH_ENTRIES_MAX", before)
    fed = threading.Event()
    forth = feed._feed
    monkeypatch.setattr(feed, "_feed", lambda: fed.wait(WAIT_S) and forth())
    redact(inside, item)
    behind = Watcher(archive)
    behind.up_to(before)
    fed.set()
    behind.up_to(before + 1)
    told = {message.checkpoint.size for message in behind.messages[1:] if message.checkpoint.state_digest}
    assert before + 1 not in told
    assert before + 2 in told


def test_whoever_catches_up_is_told_what_it_adds_up_to(inside: ServerInside, replica_token: str) -> None:
    archive = inside.bearer(replica_token)
    Watcher(archive).up_to(head_of(inside))
    inside.node.engine.feed._forget()
    watcher = Watcher(archive)
    watcher.up_to(head_of(inside))
    with inside.node.engine.store.read() as tx:
        assert watcher.messages[-1].checkpoint.state_digest == StoredRows(tx).state_digest()


def test_watchers_that_went_hold_nothing(inside: ServerInside, replica_token: str) -> None:
    feed, flight, idle = inside.node.engine.feed, inside.node._gate.in_flight, threading.Event()
    forth, release = feed.next, flight.release

    def patient(sequence: int, timeout_s: float, there: Callable[[], bool] = lambda: True) -> Any:
        idle.set()
        return forth(sequence, timeout_s + 10 * WAIT_S, there)

    def told(kind: InFlightKind, caller: bytes) -> None:
        release(kind, caller)
        if kind is InFlightKind.STREAM:
            gone.set()

    gone = threading.Event()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(feed, "next", patient)
        patch.setattr(flight, "release", told)
        watcher = Watcher(inside.bearer(replica_token), start_sequence=head_of(inside) + 1)
        watcher.read()
        assert idle.wait(WAIT_S)
        assert inside.node.in_flight(InFlightKind.STREAM) == 1
        watcher.call.cancel()
        assert gone.wait(WAIT_S)


def test_a_feed_that_cannot_read_for_a_moment_goes_on(
    inside: ServerInside, replica_token: str, new_pdq: Callable[[], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    watcher, feed = Watcher(inside.bearer(replica_token)), inside.node.engine.feed
    watcher.up_to(head_of(inside))
    encode, failed = feed._encode, threading.Event()

    def fails_once(tx: Any, first: int, end: int) -> Any:
        if not failed.is_set():
            failed.set()
            raise StoreError("the disk had a bad moment")
        return encode(tx, first, end)

    monkeypatch.setattr(feed, "_encode", fails_once)
    monkeypatch.setattr("hashpact_server.feed.TRIED_AGAIN_S", 0.01)
    inside.member("alpha").contribute(new_pdq())
    watcher.up_to(head_of(inside))
    assert failed.is_set()


def test_what_a_commit_that_failed_has_written_is_told_at_once(
    inside: ServerInside, new_pdq: Callable[[], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    core, ready, heard = inside.node.engine.state, threading.Event(), list[bool]()
    commit = core.store.commit

    def listen() -> None:
        with core.moved:
            ready.set()
            heard.append(core.moved.wait(WAIT_S))

    def fails_after(tx: Any) -> None:
        commit(tx)
        raise CommitUnknownError("the disk had a bad moment", disk_full=False)

    listening = threading.Thread(target=listen)
    listening.start()
    assert ready.wait(WAIT_S)
    with refused("WRITE_OUTCOME_UNKNOWN"):
        monkeypatch.setattr(core.store, "commit", fails_after)
        inside.member("alpha").contribute(new_pdq())
    listening.join(2 * WAIT_S)
    assert heard == [True]


def test_one_member_does_not_take_every_stream(forum: Forum) -> None:
    forum.configure("[limits]\nmember_requests_max = 2\n")
    with ServerInside(forum) as server:
        steward = server.member("steward")
        greedy, other = (server.bearer(steward.create(name, Role.REPLICATE)) for name in ("greedy", "other"))
        held = [Watcher(greedy), Watcher(greedy)]
        for each in held:
            each.read()
        with refused("TOO_MANY_REQUESTS") as found:
            Watcher(greedy).read()
        assert found[0].metadata == {"limit": "member_requests_max", "limit_value": "2"}
        Watcher(other).read()
