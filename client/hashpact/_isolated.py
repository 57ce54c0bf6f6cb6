"""Work on many inputs in processes that can be ended: one that crashes or hangs over an input costs that input alone.

::

    inputs --one at a time--> worker process --> result        died over it? once more, in a new one
                                   '--no answer in time? ended, a new one takes its place

Decoding a stranger's file may crash the decoder or keep it busy for ever. Processes are never forked from this one,
which may have spoken gRPC already, but from a fresh one that has imported once what all of them need.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import chain, islice
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerProcess
from typing import Final, Generic, TypeVar

from hashpact._interrupts import interrupts_deferred, interrupts_ignored
from hashpact._parallel import WORKERS_MAX, cores

In = TypeVar("In")
Out = TypeVar("Out")

_PRELOAD: Final = ("hashpact.hashing.media", "hashpact._media")
START_S_MAX: Final = 120.0
"""Of a process that is started, which is the machine's business and not the input's."""
_TRIES_MAX: Final = 2
"""Others die too: of a machine that is short of memory, say, and not of the input that they had."""


class Loss(Enum):
    """Why an input has no result."""

    CRASHED = "crashed"
    TOO_SLOW = "too slow"


@dataclass(eq=False)
class _Task(Generic[In, Out]):
    """An input on its way. ``done``: one result, once it is there."""

    one: In
    done: list[Out]
    tries: int = 0


class _Worker(Generic[In, Out]):
    """One process, and what it is at."""

    def __init__(self, function: Callable[[In], Out]) -> None:
        context = multiprocessing.get_context("forkserver")
        self.pipe, theirs = context.Pipe()
        self._process: ForkServerProcess = context.Process(
            target=_work, args=(function, theirs), daemon=True, name="hashpact-media"
        )
        with interrupts_deferred():
            self._process.start()
        theirs.close()  # or its end would not be seen when it dies
        self.task: _Task[In, Out] | None = None
        self.started = False
        self.until_s = 0.0

    def give(self, task: _Task[In, Out], seconds_max: float) -> None:
        """Let it work on an input; one that has died meanwhile is seen when its answer is waited for."""
        task.tries += 1
        self.task, self.until_s = task, time.monotonic() + (seconds_max if self.started else START_S_MAX)
        with contextlib.suppress(OSError):
            self.pipe.send(task.one)

    def end(self) -> None:
        """End it, whatever it is at."""
        self._process.kill()
        self.pipe.close()
        self._process.join()
        self._process.close()


class IsolatedMap(Generic[In, Out]):
    """Iterating yields (input, result) pairs in input order; inputs are taken only a little ahead of the results.

    An exception of the function ends its process: let it return what went wrong.

    Args:
        function: what to do; at the top of a module, and it and inputs and results can be pickled.
        inputs: taken as they are needed.
        seconds_max: longest that one input may take.
        on_loss: the result of an input that has none.
        workers: processes; None: as many as cores.
    """

    def __init__(
        self,
        function: Callable[[In], Out],
        inputs: Iterable[In],
        *,
        seconds_max: float,
        on_loss: Callable[[In, Loss], Out],
        workers: int | None = None,
    ) -> None:
        self._function = function
        self._source = iter(inputs)
        self._seconds_max = seconds_max
        self._on_loss = on_loss
        self._count = min(workers or cores(), WORKERS_MAX)
        self._order: deque[_Task[In, Out]] = deque()
        self._todo: deque[_Task[In, Out]] = deque()
        self._workers: list[_Worker[In, Out]] = []
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(list(_PRELOAD))
        with interrupts_ignored():  # what is started now never takes notice of Ctrl-C: this process decides
            forkserver.ensure_running()
            resource_tracker.ensure_running()

    def __iter__(self) -> Iterator[tuple[In, Out]]:
        try:
            self._fill()
            while self._order:
                while not self._order[0].done:
                    self._assign()
                    self._collect()
                task = self._order.popleft()
                self._fill()
                yield task.one, task.done[0]
        finally:
            self.close()

    def _fill(self) -> None:
        for one in islice(self._source, 4 * self._count - len(self._order)):
            task = _Task[In, Out](one, [])
            self._order.append(task)
            self._todo.append(task)
        self._assign()

    def _assign(self) -> None:
        while self._todo:
            idle = next((worker for worker in self._workers if worker.task is None), None)
            if idle is None:
                if len(self._workers) == self._count:
                    return
                idle = _Worker(self._function)
                self._workers.append(idle)
            idle.give(self._todo.popleft(), self._seconds_max)

    def _collect(self) -> None:
        """Wait until something happens: an answer, a death, or time is up."""
        busy = {worker.pipe: worker for worker in self._workers if worker.task is not None}
        soonest = min(worker.until_s for worker in busy.values())
        for pipe in wait(list(busy), max(0.0, soonest - time.monotonic())):
            assert isinstance(pipe, Connection)  # noqa: S101  # nothing else was given
            self._answered(busy.pop(pipe))
        for worker in busy.values():
            if worker.until_s <= time.monotonic():
                self._lost(worker, Loss.TOO_SLOW)

    def _answered(self, worker: _Worker[In, Out]) -> None:
        assert worker.task is not None  # noqa: S101  # it was busy
        try:
            told = worker.pipe.recv()
        except (EOFError, OSError):
            self._lost(worker, Loss.CRASHED)
            return
        if worker.started:
            worker.task.done.append(told)
            worker.task = None
        else:  # its first word is that it begins: what an input may take is counted from here
            worker.started, worker.until_s = True, time.monotonic() + self._seconds_max

    def _lost(self, worker: _Worker[In, Out], loss: Loss) -> None:
        task = worker.task
        assert task is not None  # noqa: S101  # as above
        worker.end()
        self._workers.remove(worker)
        if loss is Loss.CRASHED and task.tries < _TRIES_MAX:
            self._todo.appendleft(task)
        else:
            task.done.append(self._on_loss(task.one, loss))

    def abandon(self) -> Iterator[In]:
        """Stop working; yields the inputs that were not yielded yet."""
        self.close()
        waiting = [task.one for task in self._order]
        self._order.clear()
        return chain(waiting, self._source)

    def close(self) -> None:
        """End all processes; what they were at is lost."""
        with interrupts_ignored():  # A second Ctrl-C would break off the tidying up.
            for worker in self._workers:
                worker.end()
        self._workers.clear()
        self._todo.clear()


def _work(function: Callable[[In], Out], pipe: Connection) -> None:
    """A worker process: until there is nobody who asks."""
    with contextlib.suppress(EOFError, OSError):
        pipe.send(None)
        while True:
            pipe.send(function(pipe.recv()))
