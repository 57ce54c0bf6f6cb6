"""Calls whose caller is slow to say what it wants, or to take its answer: cut when their time is over.

A thread that waits for a caller's message waits without a time limit. A caller that opens calls and sends nothing would
so take all threads; here each such wait has an end, whether the caller set a deadline or not.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable, Iterator


class Patience:
    """Runs ``cut`` of every wait that outlives its deadline, in one thread of its own."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waits: dict[int, tuple[float, Callable[[], object]]] = {}
        self._number = 0
        self._wakes_at = math.inf
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="hashpact-patience", daemon=True)
        self._thread.start()

    @contextlib.contextmanager
    def until(self, deadline: float, cut: Callable[[], object]) -> Iterator[None]:
        """Run the block; when ``time.monotonic()`` passes ``deadline`` meanwhile, ``cut`` is called once."""
        number = self.begin(deadline, cut)
        try:
            yield
        finally:
            self.end(number)

    def begin(self, deadline: float, cut: Callable[[], object]) -> int:
        """Begin a wait: ``cut`` is called once when ``time.monotonic()`` passes ``deadline`` before :meth:`end`.

        Returns:
            The number of the wait, for :meth:`end`.
        """
        with self._changed:
            self._number += 1
            self._waits[self._number] = (deadline, cut)
            if deadline < self._wakes_at:
                self._wakes_at = deadline
                self._changed.notify()
            return self._number

    def end(self, number: int) -> None:
        """End a wait; one that was cut, or ended before, is over already."""
        with self._changed:
            self._waits.pop(number, None)

    def close(self) -> None:
        """End the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                # When nothing waits any more, sleep on until then: waits come and go within a millisecond, and to be
                # woken by each of them costs more than they do.
                self._wakes_at = min((deadline for deadline, _ in self._waits.values()), default=self._wakes_at)
                if not self._waits and self._wakes_at <= time.monotonic():
                    self._wakes_at = math.inf
                left = self._wakes_at - time.monotonic()
                if not self._closed and left > 0:
                    self._changed.wait(None if left == math.inf else left)
                if self._closed:
                    return
                now = time.monotonic()
                over = sorted((deadline, number) for number, (deadline, _) in self._waits.items() if deadline <= now)
                cuts = [self._waits.pop(number)[1] for _, number in over]
            for cut in cuts:
                cut()
