"""What was listed lately: found at once, forgotten when it is undone."""

from __future__ import annotations

import random

import pytest
from hashpact.signals import SIGNAL_TYPES
from hashpact_server import recent as recents
from hashpact_server.matcher import Neighbours
from hashpact_server.recent import GENERATION_VALUES, Recent, apart
from hashpact_server.state.rows import signal_id
from hypothesis import given, settings
from hypothesis import strategies as st

PDQ = SIGNAL_TYPES["pdq"].code


def value(number: int) -> bytes:
    return random.Random(number).randbytes(32)


def listed(recent: Recent, sequence: int) -> None:
    recent.add([(PDQ, signal_id(sequence, 0), sequence, value(sequence))])


def found(recent: Recent, sequence: int, since: int = 0) -> list[int]:
    return [item for _, item, _ in recent.near(PDQ, value(sequence), 0, since)]


@pytest.mark.parametrize("looked", [set(), {1}, {2}, {3}, {1, 2, 3}])
def test_what_is_undone_is_not_found_whoever_looked_before(looked: set[int]) -> None:
    recent = Recent(0)
    for sequence in (1, 2, 3):
        if sequence == 3:
            mark = recent.mark()
        listed(recent, sequence)
        if sequence in looked:
            assert found(recent, sequence) == [sequence]
    recent.rewind(mark)
    assert [found(recent, sequence) for sequence in (1, 2, 3)] == [[1], [2], []]
    listed(recent, 4)
    assert [found(recent, sequence) for sequence in (1, 2, 3, 4)] == [[1], [2], [], [4]]


@pytest.mark.parametrize("rounds", [1, 3])
@pytest.mark.parametrize("looking", [False, True])
def test_as_much_is_kept_as_is_promised(rounds: int, *, looking: bool) -> None:
    recent = Recent(0)
    sequence = 0
    for _ in range(rounds):
        for _ in range(3 * GENERATION_VALUES):
            sequence += 1
            listed(recent, sequence)
            if looking and sequence % 100 == 0:
                assert found(recent, sequence, sequence - 2) == [sequence]
        recent.turn(sequence)
    first = next(since for since in range(sequence) if recent.covers(PDQ, since))
    assert sequence - first >= GENERATION_VALUES
    for since in (first, (first + sequence) // 2, sequence - 1):
        assert found(recent, since + 1, since) == [since + 1]
        assert found(recent, since, since) == []


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from((16, 17)), st.integers(0, 40), st.sampled_from((0, 2, 8))), max_size=30))
def test_apart_is_what_a_loop_over_all_pairs_says(asked: list[tuple[int, int, int]]) -> None:
    """Small numbers as values: most of them are near each other, some equal, some not."""
    wanted = [(code, number.to_bytes(32 if code == PDQ else 8, "big"), radius) for code, number, radius in asked]
    expected = [
        (code, value, radius)
        for at, (code, value, radius) in enumerate(wanted)
        if not any(
            (code, radius) == (of, within)
            and (int.from_bytes(value, "big") ^ int.from_bytes(other, "big")).bit_count() <= radius
            for number, (of, other, within) in enumerate(wanted)
            if number != at
        )
    ]
    found = [(code, value, radius) for (code, radius), values in apart(wanted).items() for value in values]
    assert sorted(found) == sorted(expected)


def test_a_large_request_is_not_compared_with_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = [(PDQ, value(number), 31) for number in range(3)]
    monkeypatch.setattr(recents, "APART_VALUES_MAX", 3)
    assert apart(wanted) == {(PDQ, 31): [value for _, value, _ in wanted]}
    monkeypatch.setattr(recents, "APART_VALUES_MAX", 2)
    assert apart(wanted) == {}


def test_undisturbed_is_what_nothing_was_listed_near_since() -> None:
    recent = Recent(5)
    for sequence in (6, 7, 8):
        listed(recent, sequence)
    groups = {(PDQ, 31): [value(sequence) for sequence in (6, 7, 8, 9)]}
    for since, near in ((4, None), (5, {6, 7, 8}), (6, {7, 8}), (7, {8}), (8, set())):
        found = {value for _, value, _ in recent.undisturbed(Neighbours(since, apart=groups))}
        assert found == ({value(each) for each in {6, 7, 8, 9} - near} if near is not None else set())
