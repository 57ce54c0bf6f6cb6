"""Many inputs in processes: in order, bounded, and a crash or a hang costs one input, whichever it is."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hashpact._isolated import IsolatedMap, Loss

PLENTY_S = 120.0


def double(number: int) -> int:
    return 2 * number


def die_of_13(number: int) -> int:
    if number == 13:
        os._exit(1)
    return 2 * number


def hang_at_13(number: int) -> int:
    if number == 13:
        threading.Event().wait()
    return 2 * number


def raise_at_13(number: int) -> int:
    if number == 13:
        raise RuntimeError("a fault of ours")
    return 2 * number


def die_once(place: Path) -> str:
    if not place.exists():
        place.touch()
        os._exit(1)
    return "done"


def pid_of(_: int) -> int:
    return os.getpid()


def lost(number: int, loss: Loss) -> tuple[int, Loss]:
    return number, loss


def answers(function: object, inputs: object, *, seconds_max: float = PLENTY_S, workers: int = 2) -> list[object]:
    work = IsolatedMap(function, inputs, seconds_max=seconds_max, on_loss=lost, workers=workers)  # type: ignore[arg-type]  # any of the above
    return [result for _, result in work]


def test_results_in_the_order_of_the_inputs() -> None:
    assert answers(double, range(50)) == [2 * number for number in range(50)]
    assert answers(double, []) == []


def test_inputs_are_taken_only_a_little_ahead() -> None:
    taken = 0

    def endless() -> Iterator[int]:
        nonlocal taken
        while True:
            taken += 1
            yield taken

    results = iter(IsolatedMap(double, endless(), seconds_max=PLENTY_S, on_loss=lambda *_: -1, workers=2))
    assert [next(results) for _ in range(3)] == [(1, 2), (2, 4), (3, 6)]
    assert taken <= 3 + 8


@pytest.mark.parametrize("function", [die_of_13, raise_at_13])
@pytest.mark.parametrize("workers", [1, 3])
def test_a_process_that_dies_costs_one_input(function: object, workers: int) -> None:
    expected = [(13, Loss.CRASHED) if number == 13 else 2 * number for number in range(20)]
    assert answers(function, range(20), workers=workers) == expected


def test_a_process_that_hangs_costs_one_input() -> None:
    expected = [(13, Loss.TOO_SLOW) if number == 13 else 2 * number for number in range(10, 16)]
    assert answers(hang_at_13, range(10, 16), seconds_max=4) == expected


def test_an_input_whose_process_died_of_something_else_is_tried_again(tmp_path: Path) -> None:
    assert answers(die_once, [tmp_path / "tried"]) == ["done"]


def test_a_worker_that_was_killed_from_outside_is_replaced() -> None:
    work = iter(IsolatedMap(pid_of, range(40), seconds_max=PLENTY_S, on_loss=lambda *_: -1, workers=1))
    _, first = next(work)
    os.kill(first, signal.SIGKILL)
    others = {pid for _, pid in work}
    assert -1 not in others
    assert others - {first}


def test_abandoning_names_what_is_left_and_ends_the_processes() -> None:
    work = IsolatedMap(pid_of, range(10), seconds_max=PLENTY_S, on_loss=lambda *_: -1, workers=1)
    results = iter(work)
    seen = [next(results) for _ in range(4)]
    assert [number for number, _ in seen] == [0, 1, 2, 3]
    assert list(work.abandon()) == [4, 5, 6, 7, 8, 9]
    assert list(results) == []
    with pytest.raises(ProcessLookupError):
        os.kill(seen[0][1], 0)
