"""The one writer: acts in groups, answers once they are durable, and nobody hurts a neighbour."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hashpact.v1 import error_reason_pb2 as reasons
from hashpact_server.config import Config, Limits
from hashpact_server.engine import Engine
from hashpact_server.idempotency import REQUESTS
from hashpact_server.ledger.entry import Draft, Kind
from hashpact_server.ledger.store import StoreError
from hashpact_server.refusal import Refusal
from hashpact_server.scene import Scene
from hashpact_server.tokens import Position
from hashpact_server.writer import Act, Encode, Writer

from tests import listing
from tests.listing import (
    PDQ,
    assert_sound,
    contribution,
    item_withdrawal,
    new_list,
    picture,
    record,
    recording,
    sequences,
    together,
    value,
)
from tests.writing import CALLER, act


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with new_list(tmp_path) as opened:
        yield opened


def reason_of(outcome: bytes | BaseException) -> int:
    assert isinstance(outcome, Refusal), repr(outcome)
    return int(outcome.reason)


def telling(told: list[Position], answer: bytes) -> Encode:
    """An encoder that notes the position that it was given."""

    def encode(as_of: str) -> bytes:
        told.append(Position.decode(as_of))
        return answer

    return encode


def test_a_group_shares_one_commit(engine: Engine) -> None:
    groups = engine.writer.figures.groups
    outcomes = together(engine, [act(engine, number) for number in range(10)])
    head = engine.published.head.sequence
    assert [sequences(outcome) for outcome in outcomes if isinstance(outcome, bytes)] == [
        [sequence] for sequence in range(head - 9, head + 1)
    ]
    assert engine.writer.figures.groups == groups + 1
    assert engine.writer.figures.last_group == 10
    assert_sound(engine)


def test_an_act_that_fails_leaves_its_neighbours_alone(engine: Engine) -> None:
    """A refusal and a bug, each after it recorded, between two acts that go well."""

    def broken(error: Exception) -> Act:
        def decide(scene: Scene) -> Encode:
            scene.record(contribution(listing.steward_of(engine), None, picture(2)))
            raise error

        return Act(decide, CALLER)

    refusal = Refusal(reasons.ERROR_REASON_ITEM_NOT_FOUND, "no")
    bug = ZeroDivisionError("a bug")
    outcomes = together(engine, [act(engine, 1), broken(refusal), broken(bug), act(engine, 2)])
    assert outcomes[1] is refusal
    assert outcomes[2] is bug
    written = [sequences(outcome)[0] for outcome in (outcomes[0], outcomes[3]) if isinstance(outcome, bytes)]
    assert written == [engine.published.head.sequence - 1, engine.published.head.sequence]
    assert_sound(engine)


def test_an_encoder_that_fails_undoes_its_act(engine: Engine) -> None:
    def decide(scene: Scene) -> Encode:
        scene.record(contribution(listing.steward_of(engine), None, picture(1)))

        def encode(_as_of: str) -> bytes:
            raise ZeroDivisionError

        return encode

    head = engine.published.head
    with pytest.raises(ZeroDivisionError):
        engine.writer.submit(Act(decide, CALLER, "request-1"))
    assert engine.published.head == head
    assert_sound(engine)


def test_a_rehearsal_leaves_no_trace(engine: Engine) -> None:
    """Its entries are seen by nobody, not by the rest of its group, nor by a search among what is recent."""
    who = listing.steward_of(engine)
    (first,) = record(engine, contribution(who, None, ()))
    attach = contribution(who, first, picture(1)[2:], kind=Kind.ITEM_CORROBORATED)
    seen: list[list[tuple[int, int]]] = []
    told: list[Position] = []

    def rehearse(scene: Scene) -> Encode:
        scene.record(attach)
        return telling(told, b"rehearsed")

    def create_and_look(scene: Scene) -> Encode:
        item = scene.record(contribution(who, None, picture(1)[2:])).subject
        seen.append(scene.near(PDQ, value(PDQ, 1), 0))
        return lambda _as_of: bytes([item])

    rehearsal = Act(rehearse, CALLER, "request-1", validate_only=True)
    outcomes = together(engine, [rehearsal, Act(create_and_look, CALLER), rehearsal])
    assert [outcomes[0], outcomes[2]] == [b"rehearsed"] * 2
    item = first + 1
    assert outcomes[1] == bytes([item])
    assert seen == [[(item, 0)]], "the rehearsal used the same sequence for an entry of another item"
    assert [position.sequence for position in told] == [first] * 2
    assert_sound(engine)
    # Nothing is remembered of it either: the same request may now be made in earnest.
    assert engine.writer.submit(Act(recording(), CALLER, "request-1")) == b""


def test_a_rehearsal_alone_commits_nothing(engine: Engine) -> None:
    groups = engine.writer.figures.groups
    engine.writer.submit(act(engine, 1, validate_only=True))
    engine.writer.submit(Act(recording(), CALLER))
    assert engine.writer.figures.groups == groups


def test_as_of_is_the_state_after_the_write(engine: Engine) -> None:
    told: list[Position] = []

    def decide(scene: Scene) -> Encode:
        scene.record(listing.epoch(scene.head.epoch + 1))
        return telling(told, b"")

    engine.writer.submit(Act(decide, CALLER))
    head = engine.published.head
    assert told == [head.position()]
    assert (head.epoch, head.root != bytes(32)) == (1, True)


def test_request_id(engine: Engine) -> None:
    first = act(engine, 1, request_id="request-1")
    answer = engine.writer.submit(first)
    head = engine.published.head
    assert engine.writer.submit(first) == answer
    assert together(engine, [first, first]) == [answer, answer]
    with pytest.raises(Refusal) as refused:
        engine.writer.submit(replace(first, fingerprint=b"\x01" * 32))
    assert refused.value.reason == reasons.ERROR_REASON_REQUEST_ID_REUSED
    assert engine.published.head == head
    # Another member's request of the same name is another request.
    other = act(engine, 2, request_id="request-1", member=bytes(16))
    assert engine.writer.submit(other) != answer


def test_twice_in_one_group_is_once(engine: Engine) -> None:
    first, again = together(engine, [act(engine, 1, request_id="request-1")] * 2)
    assert isinstance(first, bytes)
    assert first == again
    assert_sound(engine)


def test_a_refused_request_is_decided_afresh(engine: Engine) -> None:
    def refuse(_scene: Scene) -> Encode:
        raise Refusal(reasons.ERROR_REASON_ITEM_NOT_FOUND, "not yet")

    with pytest.raises(Refusal):
        engine.writer.submit(Act(refuse, CALLER, "request-1"))
    assert sequences(engine.writer.submit(act(engine, 1, request_id="request-1")))


def test_an_answer_without_entries_is_remembered(engine: Engine) -> None:
    head = engine.published.head
    assert engine.writer.submit(Act(recording(), CALLER, "request-1")) == b""
    assert engine.published.head == head

    def twice(_scene: Scene) -> Encode:
        raise AssertionError("decided twice")

    assert engine.writer.submit(Act(twice, CALLER, "request-1")) == b""
    assert_sound(engine)


def test_answers_are_forgotten_after_their_time(tmp_path: Path) -> None:
    """The clock is the list's: it moves by a day, and some hundred old answers go with every group."""
    config = replace(Config(), limits=Limits(request_id_ttl_s=60))
    with new_list(tmp_path, config=config) as engine:
        now = [1_900_000_000_000]
        engine.state._clock_ms = lambda: now[0]
        for number in range(5):
            engine.writer.submit(Act(recording(), CALLER, f"request-{number}"))
        now[0] += 59_000
        engine.writer.submit(act(engine, 1))
        with engine.store.read() as tx:
            assert tx.count(REQUESTS) == 5
        now[0] += 2_000
        engine.writer.submit(act(engine, 2))
        with engine.store.read() as tx:
            assert tx.count(REQUESTS) == 0
        assert sequences(engine.writer.submit(act(engine, 3, request_id="request-1"))), "a fresh request by now"
        assert_sound(engine)


def test_time_never_runs_backwards(engine: Engine) -> None:
    record(engine, contribution(listing.steward_of(engine), None, ()))
    before = engine.published.head.time_ms
    engine.state._clock_ms = lambda: 1
    record(engine, contribution(listing.steward_of(engine), None, ()))
    assert engine.published.head.time_ms == before
    assert_sound(engine)


def test_past_the_deadline_nothing_begins(engine: Engine) -> None:
    head = engine.published.head
    late = act(engine, 1, deadline=time.monotonic() - 1)
    outcomes = together(engine, [late, act(engine, 2)])
    assert reason_of(outcomes[0]) == reasons.ERROR_REASON_DEADLINE_EXCEEDED
    assert isinstance(outcomes[1], bytes)
    assert engine.published.head.sequence == head.sequence + 1


def test_stopping_carries_out_what_waits(tmp_path: Path) -> None:
    """Acts that were let in are answered, with success; the others are told; nobody waits for ever."""
    with new_list(tmp_path) as engine:
        done: list[bytes] = []
        refused: list[int] = []

        def submit_until_refused(start: int) -> None:
            acts = (act(engine, number) for number in range(start, start + 10_000))
            try:
                done.extend(map(engine.writer.submit, acts))
            except Refusal as refusal:
                refused.append(refusal.reason)

        threads = [threading.Thread(target=submit_until_refused, args=(10_000 * number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        while len(done) < 20:
            time.sleep(0)
        engine.writer.stop()
        for thread in threads:
            thread.join()
        assert refused == [reasons.ERROR_REASON_NOT_SERVING] * 4
        assert engine.published.head.sequence == 2 + len(done)
        assert not engine.writer.alive
        assert_sound(engine)


def test_death_is_loud(engine: Engine) -> None:
    """Something that no rule can raise ends the writer: everybody is told, also those who come later."""
    died: list[BaseException] = []
    writer = Writer(engine.state, queue_max=9, group_max=9, request_id_ttl_s=9, on_fatal=died.append)

    def die(_scene: Scene) -> Encode:
        raise StoreError("the disk is gone")

    with pytest.raises(Refusal) as refused:
        writer.submit(Act(die, CALLER))
    assert refused.value.reason == reasons.ERROR_REASON_NOT_SERVING
    writer.stop()
    assert [str(error) for error in died] == ["the disk is gone"]
    assert not writer.alive
    with pytest.raises(Refusal):
        writer.submit(act(engine, 1))


class Watched:
    """A list that is written and read at the same time; ``wrong`` collects what must not be seen."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.who = listing.steward_of(engine)
        self.stop = threading.Event()
        self.wrong: list[str] = []

    def expect(self, condition: bool, otherwise: str) -> None:
        if not condition:
            self.wrong.append(otherwise)

    def found(self, number: int) -> set[int]:
        """Items that a look-up of a picture names: first the search, then the view, as the service does."""
        query = np.frombuffer(value(PDQ, number), np.uint8).reshape(1, 32)
        _, _, ids = self.engine.matcher.search(PDQ, query, 0)
        with self.engine.state.read() as view:
            rows = {item: view.item(item) for item in self.engine.matcher.items_of(ids).tolist()}
            return {item for item, row in rows.items() if row is not None and row.status.matches}

    def write(self, start: int) -> None:
        for number in range(start, start + 15):
            (item,) = record(self.engine, contribution(self.who, None, picture(number)))
            self.expect(self.found(number) == {item}, "not found although acknowledged")
            member = listing.pseudonym()
            (created,) = record(self.engine, listing.admission(self.who, member, f"member-{number}"))
            record(self.engine, listing.standing(self.who, member, created, suspended=True))
            suspended = self.engine.published.roster.members[member].suspended
            self.expect(suspended, "not suspended although acknowledged")
            record(self.engine, item_withdrawal(self.who, item))
            self.expect(not self.found(number), "found although withdrawn")

    def read(self) -> None:
        last = -1
        while not self.stop.is_set():
            published = self.engine.published.head.sequence
            with self.engine.state.read() as view:
                self.expect(last <= published <= view.head.sequence, "the view lies behind what is published")
                last = published
                for row in view.items(limit=1000):
                    signals = [signal for _, signal in view.item_signals(row.item)]
                    self.expect(len(signals) == (4 if row.status.matches else 0), "an item is half there")
                    named = {view.item_by_digest(signal.code, signal.value) for signal in signals[:2]}
                    self.expect(named <= {row.item}, "a digest and its item do not agree")


def test_acknowledged_is_visible(engine: Engine) -> None:
    """Readers beside writers: found with the acknowledgement, gone with the acknowledgement, and never half there."""
    watched = Watched(engine)
    readers = [threading.Thread(target=watched.read) for _ in range(2)]
    writers = [threading.Thread(target=watched.write, args=(1000 * number,)) for number in range(4)]
    for thread in (*readers, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    watched.stop.set()
    for thread in readers:
        thread.join()
    assert watched.wrong == []
    assert engine.published.head.sequence == 2 + 4 * 15 * 4
    assert_sound(engine)


def test_a_draft_that_does_not_fit_is_an_error_of_one_act(engine: Engine) -> None:
    outcomes = together(
        engine, [act(engine, 1), Act(recording(Draft(Kind.GENESIS, classes=("é",))), CALLER), act(engine, 2)]
    )
    assert isinstance(outcomes[1], ValueError)
    assert isinstance(outcomes[0], bytes)
    assert isinstance(outcomes[2], bytes)
    assert_sound(engine)
