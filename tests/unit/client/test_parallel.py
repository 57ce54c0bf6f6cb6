"""Many inputs at a time, in threads: in order, and bounded."""

from __future__ import annotations

import threading
from collections.abc import Iterator

from hashpact._parallel import OrderedMap, batches


def double(number: int) -> int:
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


def test_abandoning_names_what_is_left() -> None:
    work = OrderedMap(double, range(10), workers=2)
    results = iter(work)
    assert [next(results)[0] for _ in range(4)] == [0, 1, 2, 3]
    assert list(work.abandon()) == [4, 5, 6, 7, 8, 9]
    assert list(results) == []


def test_batches() -> None:
    assert list(batches(range(5), 2)) == [[0, 1], [2, 3], [4]]
    assert list(batches([], 2)) == []
