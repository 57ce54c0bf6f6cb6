"""Work on several inputs at a time, with the results in the order of the inputs and a bounded number in memory.

Threads, not processes: decoding and numpy release the interpreter lock for most of their time, starting costs
nothing, and gRPC does not survive a fork.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Final, TypeVar

In = TypeVar("In")
Out = TypeVar("Out")

WORKERS_MAX: Final = 16


def workers_default() -> int:
    """One more thread than cores, so that reading a file and decoding another overlap."""
    return min(len(os.sched_getaffinity(0)) + 1, WORKERS_MAX)


def map_ordered(
    function: Callable[[In], Out], inputs: Iterable[In], *, workers: int | None = None
) -> Iterator[tuple[In, Out]]:
    """(input, result) pairs in input order; inputs are taken only a little ahead of the results.

    An exception of ``function`` ends the iteration: let it return what is to go on.
    """
    count = workers or workers_default()
    pool = ThreadPoolExecutor(count, thread_name_prefix="hashpact-media")
    pending: deque[tuple[In, Future[Out]]] = deque()
    source = iter(inputs)
    try:
        for one in islice(source, 2 * count):
            pending.append((one, pool.submit(function, one)))
        while pending:
            one, future = pending.popleft()
            result = future.result()
            for following in islice(source, 1):
                pending.append((following, pool.submit(function, following)))
            yield one, result
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def batches(values: Iterable[In], size: int) -> Iterator[list[In]]:
    """Lists of ``size`` values; the last one may be shorter."""
    source = iter(values)
    while batch := list(islice(source, size)):
        yield batch
