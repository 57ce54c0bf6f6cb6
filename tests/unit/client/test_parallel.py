"""Many inputs at a time: in order, bounded, and a process that dies takes nothing with it but its own input."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

from hashpact._parallel import OrderedMap, batches


def double(number: int) -> int:
    return 2 * number


def die_of_13(number: int) -> int:
    if number == 13:
        os._exit(1)
    return 2 * number


def test_results_in_the_order_of_the_inputs() -> None:
    release = threading.Event()

    def slow_first(number: int) -> int:
        if number == 0:
            release.wait(10)
        elif number == 3:
            release.set()
        return number

    assert list(OrderedMap(slow_first, range(20), workers=3)) == [(number, number) for number in range(20)]


def test_inputs_are_taken_only_a_little_ahead() -> None:
    taken = 0

    def endless() -> Iterator[int]:
        nonlocal taken
        while True:
            taken += 1
            yield taken

    results = iter(OrderedMap(double, endless(), workers=2))
    assert [next(results) for _ in range(3)] == [(1, 2), (2, 4), (3, 6)]
    assert taken <= 3 + 4


def test_few_inputs_stay_in_threads_and_many_go_to_processes() -> None:
    few = OrderedMap(double, range(4), workers=2, processes_from=5)
    many = OrderedMap(double, range(9), workers=2, processes_from=5)
    assert not few._processes
    assert many._processes
    assert list(few) == [(number, 2 * number) for number in range(4)]
    assert list(many) == [(number, 2 * number) for number in range(9)]


def test_a_process_that_dies_costs_one_input() -> None:
    found = list(OrderedMap(die_of_13, range(20), workers=2, processes_from=1, on_crash=lambda _: -1))
    assert found == [(number, -1 if number == 13 else 2 * number) for number in range(20)]


def test_an_input_that_comes_after_a_process_died_waits_for_its_turn() -> None:
    """The pool refuses work from the moment of the death, which may be before the input that killed has its turn."""
    work: OrderedMap[int, int]

    def inputs() -> Iterator[int]:
        yield from (1, 13)
        killed = work._pending[0][1]
        assert killed.exception(60) is not None
        yield 2

    work = OrderedMap(die_of_13, inputs(), workers=1, processes_from=1, on_crash=lambda _: -1)
    assert list(work) == [(1, 2), (13, -1), (2, 4)]


def test_abandoning_names_what_is_left() -> None:
    work = OrderedMap(double, range(10), workers=2)
    results = iter(work)
    assert [next(results)[0] for _ in range(4)] == [0, 1, 2, 3]
    assert list(work.abandon()) == [4, 5, 6, 7, 8, 9]
    assert list(results) == []


def test_batches() -> None:
    assert list(batches(range(5), 2)) == [[0, 1], [2, 3], [4]]
    assert list(batches([], 2)) == []
