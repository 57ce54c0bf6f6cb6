"""Every step that the writer takes with the store fails, in every way that it can; the offline checks are the judge.

A group of three acts is carried out once, to count the storage steps; then each step is made to fail in turn. Whatever
fails: nothing that was acknowledged is lost, nothing is half there, memory is what the store says, and a retry with the
same ``request_id`` ends in one answer and one write.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hashpact.v1 import error_reason_pb2 as reasons
from hashpact_server.config import Config
from hashpact_server.engine import Engine
from hashpact_server.ledger.entry import Draft, Kind
from hashpact_server.ledger.store import CommitUnknownError, StoreError, StoreFullError
from hashpact_server.refusal import Refusal
from hashpact_server.scene import Scene
from hashpact_server.state.tables import STATE_HEAD
from hashpact_server.writer import Act, Encode

from tests import listing
from tests.fault.failing_store import Plan, failing_store
from tests.listing import assert_sound, contribution, open_engine, picture, recording, sequences, together

Pair = tuple[Engine, Plan]
UNKNOWN = reasons.ERROR_REASON_WRITE_OUTCOME_UNKNOWN


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Pair]:
    Engine.create(tmp_path, listing.STEWARD_NAME)
    store_class, plan = failing_store()
    engine = open_engine(tmp_path, store_class)
    yield engine, plan
    plan.heal()
    engine.close()


class Round:
    """Three acts, of pictures of their own, that reach the writer at once."""

    def __init__(self, engine: Engine, number: int) -> None:
        who = listing.steward_of(engine)
        new = listing.pseudonym()
        self.engine = engine
        self.before = engine.published.head.sequence
        self.first = picture(3 * number)
        (victim,) = listing.record(engine, contribution(who, None, picture(3 * number + 1)))
        self.gone = picture(3 * number + 1)
        self.entries = [1, 2, 2]
        self.acts = [
            self._act(number, 0, contribution(who, None, self.first)),
            self._act(number, 1, listing.admission(who, new, f"member-{number}"), listing.issue(who, new, new * 2)),
            self._act(number, 2, listing.redaction(who, victim), listing.item_withdrawal(who, victim)),
        ]

    @staticmethod
    def _act(number: int, place: int, *drafts: Draft) -> Act:
        return Act(recording(*drafts), bytes(16), f"round-{number}-{place}")

    def carry_out(self) -> list[bytes | BaseException]:
        return together(self.engine, self.acts)

    def assert_written_once(self, answers: list[bytes | BaseException]) -> None:
        """Every act was carried out, once, and what it did can be seen."""
        written = [sequences(answer) for answer in answers if isinstance(answer, bytes)]
        assert [len(each) for each in written] == self.entries
        assert sorted(sequence for each in written for sequence in each) == list(
            range(self.before + 2, self.before + 7)
        )
        assert self.engine.published.head.sequence == self.before + 6
        with self.engine.state.read() as view:
            for signal in self.first[:2]:
                assert view.item_by_digest(signal.code, signal.value) == written[0][0]
            for signal in self.gone[:2]:
                assert view.item_by_digest(signal.code, signal.value) is None
        assert written[1][1] in {row.token_id for row in self.engine.published.roster.tokens.values()}

    def retry_what_failed(self, answers: list[bytes | BaseException]) -> list[bytes | BaseException]:
        """The answers, with each act that failed submitted again, and those that did not, too."""
        again: list[bytes | BaseException] = [self.engine.writer.submit(act) for act in self.acts]
        for answer, new in zip(answers, again, strict=True):
            assert answer == new or not isinstance(answer, bytes)
        return again


def steps_of_a_round(pair: Pair) -> list[str]:
    engine, plan = pair
    round_ = Round(engine, 0)
    plan.heal()
    round_.assert_written_once(round_.carry_out())
    return list(plan.steps)


def once(at: int) -> Callable[[str, int], bool]:
    return lambda _name, number: number == at


def reasons_of(answers: list[bytes | BaseException]) -> list[int]:
    for answer in answers:
        assert isinstance(answer, (bytes, Refusal)), repr(answer)
    return [answer.reason for answer in answers if isinstance(answer, Refusal)]


def full() -> BaseException:
    return StoreFullError("the disk is full")


def test_a_round_takes_the_steps_that_are_failed_below(opened: Pair) -> None:
    steps = steps_of_a_round(opened)
    assert steps[:2] == ["check_room", "write"]
    assert {"put", "put_many", "delete", "commit"} <= set(steps)
    assert steps.count("commit") == 1, "the three acts share one commit"


def test_full_once_at_any_step_and_everyone_is_served(opened: Pair) -> None:
    """A group that does not fit is tried one by one; here all of them fit then."""
    engine, plan = opened
    for number, at in enumerate(range(3, steps_of_a_round(opened).index("commit")), start=1):
        round_ = Round(engine, number)
        plan.heal()
        plan.fails, plan.error = once(at), full
        answers = round_.carry_out()
        plan.heal()
        round_.assert_written_once(answers)
        if number % 8 == 0:
            assert_sound(engine)
    assert_sound(engine)


@pytest.mark.parametrize("from_step", range(3, 70, 6))
def test_full_from_a_step_on_and_room_is_made_later(opened: Pair, from_step: int) -> None:
    engine, plan = opened
    round_ = Round(engine, 1)
    plan.heal()
    # A full disk fails whatever needs a new page; a step here and there still fits.
    plan.fails, plan.error = lambda name, number: number >= from_step and name != "commit" and number % 5 > 0, full
    answers = round_.carry_out()
    assert set(reasons_of(answers)) <= {reasons.ERROR_REASON_STORE_FULL}
    plan.heal()
    assert_sound(engine)
    done = [answer for answer in answers if isinstance(answer, bytes)]
    assert engine.published.head.sequence == round_.before + 1 + sum(len(sequences(each)) for each in done)
    round_.retry_what_failed(answers)
    assert_sound(engine)
    assert engine.published.head.sequence == round_.before + 6


@pytest.mark.parametrize("too_late", [False, True], ids=["not-persisted", "persisted"])
@pytest.mark.parametrize("disk_full", [False, True], ids=["io-error", "disk-full"])
def test_a_commit_that_fails(opened: Pair, *, too_late: bool, disk_full: bool) -> None:
    """Persisted or not: the callers hear that it is unknown, and find out by asking again."""
    engine, plan = opened
    for number in range(1, 4):
        round_ = Round(engine, number)
        plan.heal()
        plan.fails = lambda name, _number: name == "commit"
        plan.error = lambda: CommitUnknownError("the commit failed: injected", disk_full=disk_full)
        plan.too_late = too_late
        answers = round_.carry_out()
        certain = disk_full and not too_late
        expected = reasons.ERROR_REASON_STORE_FULL if certain else UNKNOWN
        assert reasons_of(answers) == [expected] * 3
        assert plan.steps[-2:] == ["reopen", "sync"]
        plan.heal()
        assert_sound(engine)
        assert engine.published.head.sequence == round_.before + (6 if too_late else 1)
        round_.assert_written_once(round_.retry_what_failed(answers))
        assert_sound(engine)
    assert engine.writer.alive


def test_an_act_without_request_id_is_not_written_twice_by_us(opened: Pair) -> None:
    engine, plan = opened
    plan.heal()
    plan.fails, plan.too_late = lambda name, _number: name == "commit", True
    plan.error = lambda: CommitUnknownError("injected", disk_full=False)
    before = engine.published.head.sequence
    with pytest.raises(Refusal) as refused:
        listing.record(engine, contribution(listing.steward_of(engine), None, picture(1)))
    assert refused.value.reason == UNKNOWN
    assert engine.published.head.sequence == before + 1


def test_the_store_fails_for_good_at_any_step(tmp_path: Path) -> None:
    """An error that is no full disk: the writer dies and says so; what is on the disk is whole."""
    Engine.create(tmp_path, listing.STEWARD_NAME)
    number, at = 0, 3
    while True:
        store_class, plan = failing_store()
        died: list[BaseException] = []
        engine = open_engine(tmp_path, store_class, on_fatal=died.append)
        number += 1
        round_ = Round(engine, number)
        plan.heal()
        plan.fails, plan.error = once(at), lambda: StoreError("the store failed: injected")
        answers = round_.carry_out()
        failed_at, at = plan.steps[at] if at < len(plan.steps) else "", at + 3
        plan.heal()
        if failed_at:
            committed = failed_at == "commit"
            assert set(reasons_of(answers)) == {UNKNOWN if committed else reasons.ERROR_REASON_NOT_SERVING}
            assert len(reasons_of(answers)) == 3
            engine.writer.stop()
            assert not engine.writer.alive
            assert [str(error) for error in died] == ["the store failed: injected"]
            with pytest.raises(Refusal) as refused:
                engine.writer.submit(round_.acts[0])
            assert refused.value.reason == reasons.ERROR_REASON_NOT_SERVING
        engine.close()
        engine = open_engine(tmp_path)
        round_.engine = engine
        assert engine.published.head.sequence == round_.before + (1 if failed_at else 6)
        round_.assert_written_once(round_.retry_what_failed(answers))
        if not failed_at:
            assert_sound(engine)
        engine.close()
        if not failed_at:
            return


@pytest.mark.parametrize("step", ["reopen", "sync"])
@pytest.mark.parametrize("persisted", [False, True], ids=["not-persisted", "persisted"])
def test_recovery_fails(tmp_path: Path, step: str, *, persisted: bool) -> None:
    """The commit fails, and so does opening the store again: loudly dead, and nobody hears "nothing was written"."""
    Engine.create(tmp_path, listing.STEWARD_NAME)
    store_class, plan = failing_store()
    died = threading.Event()
    engine = open_engine(tmp_path, store_class, on_fatal=lambda _error: died.set())
    round_ = Round(engine, 1)
    plan.heal()
    plan.too_late = persisted
    plan.fails = lambda name, _number: name in ("commit", step)
    plan.error = lambda: CommitUnknownError("injected", disk_full=True)
    answers = round_.carry_out()
    assert reasons_of(answers) == [UNKNOWN] * 3
    engine.writer.stop()
    assert died.is_set()
    plan.heal()
    engine.close()
    round_.engine = engine = open_engine(tmp_path)
    assert engine.published.head.sequence == round_.before + (6 if persisted else 1)
    round_.assert_written_once(round_.retry_what_failed(answers))
    assert_sound(engine)
    engine.close()


def test_publishing_fails_after_the_commit(opened: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """Durable, and memory could not follow: never told as not written, and there after a restart."""
    engine, _ = opened
    round_ = Round(engine, 1)

    def broken(*_args: object) -> None:
        raise MemoryError

    monkeypatch.setattr(engine.matcher, "follow", broken)
    assert reasons_of(round_.carry_out()) == [UNKNOWN] * 3
    engine.close()
    again = open_engine(engine.store.path.parent)
    assert again.published.head.sequence == round_.before + 6
    assert_sound(again)
    again.close()


def test_a_full_store_still_remembers_what_it_did(tmp_path: Path) -> None:
    """A retry of what was carried out is no new write: it is answered, also when there is no room."""
    store_class, plan = failing_store()
    with listing.new_list(tmp_path, store_class, Config()) as engine:
        act = Act(recording(contribution(listing.steward_of(engine), None, picture(1))), bytes(16), "request-1")
        answer = engine.writer.submit(act)
        plan.fails, plan.error = lambda name, _number: name == "check_room", full
        assert engine.writer.submit(act) == answer
        with pytest.raises(Refusal) as refused:
            engine.writer.submit(Act(act.decide, bytes(16), "request-1", fingerprint=b"\x01" * 32))
        assert refused.value.reason == reasons.ERROR_REASON_REQUEST_ID_REUSED
        with pytest.raises(Refusal) as refused:
            engine.writer.submit(Act(act.decide, bytes(16), "request-2"))
        assert refused.value.reason == reasons.ERROR_REASON_STORE_FULL


def test_an_aborted_group_is_forgotten(opened: Pair) -> None:
    """What it listed is not recent either: the next act uses the same sequence for a signal of another item."""
    engine, plan = opened
    who = listing.steward_of(engine)
    (other,) = listing.record(engine, contribution(who, None, ()))
    lost = recording(contribution(who, other, picture(1)[2:], kind=Kind.ITEM_CORROBORATED))
    plan.heal()
    # The group is decided, then there is no room for it, nor for each of its acts alone.
    plan.fails, plan.error = lambda name, _number: name == "put_many", full
    assert reasons_of(together(engine, [Act(lost, bytes(16))] * 2)) == [reasons.ERROR_REASON_STORE_FULL] * 2
    plan.heal()
    seen: list[list[tuple[int, int]]] = []

    def decide(scene: Scene) -> Encode:
        item = scene.record(contribution(who, None, picture(1)[2:])).subject
        seen.append(scene.near(listing.PDQ, picture(1)[2].value, 0))
        return lambda _as_of: bytes([item])

    (item,) = engine.writer.submit(Act(decide, bytes(16)))
    assert item == other + 1
    assert seen == [[(item, 0)]]
    assert_sound(engine)


def test_a_state_that_is_damaged_while_it_is_served(tmp_path: Path) -> None:
    """The writer cannot even begin: it dies, and the list can still be closed."""
    Engine.create(tmp_path, listing.STEWARD_NAME)
    died: list[BaseException] = []
    engine = open_engine(tmp_path, on_fatal=died.append)
    tx = engine.store.write()
    tx.put(STATE_HEAD, b"head", b"damaged")
    engine.store.commit(tx)
    with pytest.raises(Refusal) as refused:
        listing.record(engine, listing.epoch(1))
    assert refused.value.reason == reasons.ERROR_REASON_NOT_SERVING
    engine.close()
    assert len(died) == 1
