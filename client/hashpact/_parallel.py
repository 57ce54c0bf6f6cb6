"""Work on several inputs at a time, with the results in the order of the inputs and a bounded number in memory.

In threads: starting them costs nothing. Many files, and a stranger's whole folder, go to processes: ``_isolated``.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from typing import Final, Generic, TypeVar

In = TypeVar("In")
Out = TypeVar("Out")

WORKERS_MAX: Final = 64


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


class OrderedMap(Generic[In, Out]):
    """Iterating yields (input, result) pairs in input order; inputs are taken only a little ahead of the results.

    An exception of the function ends the iteration: let it return what is to go on.

    Args:
        function: what to do.
        inputs: taken as they are needed.
        workers: how many at a time; None: one more than cores, since reading one file and decoding another overlap.
    """

    def __init__(self, function: Callable[[In], Out], inputs: Iterable[In], *, workers: int | None = None) -> None:
        self._function = function
        self._source = iter(inputs)
        count = min(workers or cores() + 1, WORKERS_MAX)
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="hashpact-media")
        self._pending: deque[tuple[In, Future[Out]]] = deque()
        try:
            self._fill(2 * count)
        except BaseException:
            self.close()
            raise

    def _fill(self, count: int) -> None:
        for one in islice(self._source, count):
            self._pending.append((one, self._pool.submit(self._function, one)))

    def __iter__(self) -> Iterator[tuple[In, Out]]:
        try:
            while self._pending:
                one, future = self._pending[0]
                result = future.result()
                self._pending.popleft()
                self._fill(1)
                yield one, result
        finally:
            self.close()

    def abandon(self) -> Iterator[In]:
        """Stop working; yields the inputs that have no result yet."""
        self.close()
        waiting = [one for one, _ in self._pending]
        self._pending.clear()
        return chain(waiting, self._source)

    def close(self) -> None:
        """Stop working; threads end by themselves."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def batches(values: Iterable[In], size: int) -> Iterator[list[In]]:
    """Lists of ``size`` values; the last one may be shorter."""
    source = iter(values)
    while batch := list(islice(source, size)):
        yield batch
