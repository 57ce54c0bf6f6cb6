"""What was listed lately: found at once, forgotten when it is undone."""

from __future__ import annotations

import random

import pytest
from hashpact.signals import SIGNAL_TYPES
from hashpact_server.recent import GENERATION_VALUES, Recent
from hashpact_server.state.rows import signal_id

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
