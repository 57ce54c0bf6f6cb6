"""Python's garbage collector, told to wait where millions of small objects are made that nobody keeps.

It looks for cycles each time that some hundred objects more were made than given back, and among rows read in blocks
there are none: reading a list back took twice as long with it.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def resting() -> Iterator[None]:
    """No search for cycles in the block, nor in other threads meanwhile."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
