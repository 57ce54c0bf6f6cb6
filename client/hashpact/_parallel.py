"""Work on several inputs at a time, with the results in the order of the inputs and a bounded number in memory.

Threads by default: starting them costs nothing. Decoding holds the interpreter lock for part of its time, so many
inputs are better spread over processes; those are never forked from this one, which may have spoken gRPC already.
"""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import chain, islice
from multiprocessing import forkserver, resource_tracker
from typing import Final, Generic, TypeVar

from hashpact._interrupts import interrupts_deferred, interrupts_ignored

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
        function: what to do; for processes a module-level function.
        inputs: taken as they are needed.
        workers: how many at a time; None: one more than cores for threads (reading one file and decoding another
            overlap), as many as cores for processes.
        processes_from: with at least so many inputs, processes take the place of threads; None: never.
        on_crash: the result of an input whose process died.
    """

    def __init__(
        self,
        function: Callable[[In], Out],
        inputs: Iterable[In],
        *,
        workers: int | None = None,
        processes_from: int | None = None,
        on_crash: Callable[[In], Out] | None = None,
    ) -> None:
        source = iter(inputs)
        self._function = function
        self._on_crash = on_crash
        head = list(islice(source, processes_from or 0))
        self._processes = processes_from is not None and len(head) >= processes_from
        self._source: Iterator[In] = chain(head, source)
        self._workers = min(workers or (cores() if self._processes else cores() + 1), WORKERS_MAX)
        self._pool: Executor = self._new_pool()
        self._pending: deque[tuple[In, Future[Out]]] = deque()
        try:
            self._fill(2 * self._workers)
        except BaseException:
            self.close()
            raise

    def _new_pool(self, workers: int | None = None) -> Executor:
        count = workers or self._workers
        if not self._processes:
            return ThreadPoolExecutor(count, thread_name_prefix="hashpact-media")
        context = multiprocessing.get_context("forkserver")
        # The fork server is a fresh interpreter that imports once what every worker needs.
        context.set_forkserver_preload(["hashpact.hashing"])
        with interrupts_ignored():
            forkserver.ensure_running()
            resource_tracker.ensure_running()
        return ProcessPoolExecutor(count, mp_context=context)

    def _fill(self, count: int) -> None:
        for one in islice(self._source, count):
            self._pending.append((one, self._submit(one)))

    def _submit(self, one: In) -> Future[Out]:
        if not self._processes:
            return self._pool.submit(self._function, one)
        try:
            with interrupts_deferred():  # The pool starts its processes while it takes the first inputs.
                return self._pool.submit(self._function, one)
        except BrokenProcessPool as broken:
            # A process died over an earlier input whose turn has not come yet. This one waits for its own turn too.
            failed: Future[Out] = Future()
            failed.set_exception(broken)
            return failed

    def __iter__(self) -> Iterator[tuple[In, Out]]:
        try:
            while self._pending:
                one, future = self._pending[0]
                try:
                    result = future.result()
                except BrokenProcessPool:
                    result = self._alone(one)
                    self._restart()
                self._pending.popleft()
                self._fill(1)
                yield one, result
        finally:
            self.close()

    def _alone(self, one: In) -> Out:
        """Try an input that was under way when a process died by itself: was it this one?"""
        pool = self._new_pool(1)
        try:
            return pool.submit(self._function, one).result()
        except BrokenProcessPool:
            if self._on_crash is None:
                raise
            return self._on_crash(one)
        finally:
            pool.shutdown()

    def _restart(self) -> None:
        self.close()
        self._pool = self._new_pool()
        waiting = [one for one, _ in self._pending]
        self._pending = deque((one, self._submit(one)) for one in waiting)

    def abandon(self) -> Iterator[In]:
        """Stop working; yields the inputs that have no result yet."""
        self.close()
        waiting = [one for one, _ in self._pending]
        self._pending.clear()
        return chain(waiting, self._source)

    def close(self) -> None:
        """Stop working. Threads end by themselves; processes are waited for, lest they complain of a lost parent."""
        if not self._processes:
            self._pool.shutdown(wait=False, cancel_futures=True)
            return
        with interrupts_ignored():  # A second Ctrl-C would break off the tidying up.
            self._pool.shutdown(cancel_futures=True)


def batches(values: Iterable[In], size: int) -> Iterator[list[In]]:
    """Lists of ``size`` values; the last one may be shorter."""
    source = iter(values)
    while batch := list(islice(source, size)):
        yield batch
