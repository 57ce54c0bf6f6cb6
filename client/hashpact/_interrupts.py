"""Ctrl-C at moments when it would leave something half done."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def interrupts_ignored() -> Iterator[None]:
    """Take no notice of Ctrl-C for a moment; programs started meanwhile never do.

    It reaches the whole process group: the parent decides what becomes of the others.
    """
    with _interrupts_to(signal.SIG_IGN):
        yield


@contextmanager
def interrupts_deferred() -> Iterator[None]:
    """Let Ctrl-C wait until the block is through: half-started processes could not be tidied up."""
    arrived: list[int] = []
    try:
        with _interrupts_to(lambda number, _: arrived.append(number)):
            yield
    finally:
        if arrived:
            raise KeyboardInterrupt


@contextmanager
def _interrupts_to(handler: Any) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # Only the main thread may touch signals; at worst a process prints a traceback.
        return
    before = signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
