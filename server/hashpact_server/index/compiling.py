"""When and how kernels become machine code: on demand, cached where possible, never a reason to fail.

Importing the package compiles nothing. ``warm()`` compiles every kernel, or loads it from numba's cache
(``NUMBA_CACHE_DIR``, which the server points into its data directory before the first import), so that
no look-up pays for it. Where no cache can be written (read-only site-packages), kernels are compiled
anew in each process.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Generic, ParamSpec, TypeVar

import numba

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
R = TypeVar("R")

_OPTIONS: Final[dict[str, Any]] = {"nogil": True, "error_model": "numpy"}
_KERNELS: Final[list[Kernel[Any, Any]]] = []


class Origin(Enum):
    """Where a kernel's machine code is from."""

    NONE = "not called yet"
    LOADED = "the cache"
    COMPILED = "compiled, and put into the cache"
    UNKEPT = "compiled for this process alone: the cache cannot be written, or is damaged"


@dataclass(frozen=True, slots=True)
class Warmed:
    """How many kernels there are, how many of them had to be compiled and are cached now, and how many could not be."""

    count: int
    compiled: int
    unkept: int


class Kernel(Generic[P, R]):
    """A Python function that becomes machine code at its first call or at :meth:`compile`.

    Only the stated argument types are compiled: an array of another type is a TypeError, not a second,
    surprising compilation. Calls release the interpreter lock.
    """

    __slots__ = ("_call", "_function", "_lock", "_types", "origin")

    def __init__(self, function: Callable[P, R], types: tuple[Any, ...]) -> None:
        self._function = function
        self._types = types
        self._lock = threading.Lock()
        self._call: Callable[P, R] | None = None
        self.origin = Origin.NONE

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Run it, compiling first if nobody did."""
        call = self._call
        return (call or self.compile())(*args, **kwargs)

    def compile(self) -> Callable[P, R]:
        """The compiled function; cheap when it already is."""
        with self._lock:
            if self._call is None:
                self._call, self.origin = _compile(self._function, self._types)
            return self._call


def _compile(function: Callable[P, R], types: tuple[Any, ...]) -> tuple[Callable[P, R], Origin]:
    try:
        compiled: Any = numba.njit([types], cache=True, **_OPTIONS)(function)
    except Exception:  # noqa: BLE001 - a damaged cache raises anything that unpickling can
        # RuntimeError: numba found no writable place at all; OSError: it found one and writing failed
        # (disk full, folder gone); others: what it found there is damaged, as after a power cut.
        # A fault of the kernel itself fails again here and is raised.
        return numba.njit([types], **_OPTIONS)(function), Origin.UNKEPT
    return compiled, Origin.LOADED if sum(compiled.stats.cache_hits.values()) else Origin.COMPILED


def kernel(*types: Any) -> Callable[[Callable[P, R]], Kernel[P, R]]:
    """Decorator: the function, compiled on demand for these numba argument types.

    A read-only array type takes writable arrays as well.
    """

    def decorate(function: Callable[P, R]) -> Kernel[P, R]:
        made = Kernel(function, types)
        _KERNELS.append(made)
        return made

    return decorate


def part(function: Callable[P, R]) -> Callable[P, R]:
    """Decorator: a function that kernels call; compiled into them.

    Best kept in the kernel's own file: numba's cache does not notice changes elsewhere.
    """
    inlined: Callable[P, R] = numba.njit(**_OPTIONS)(function)
    return inlined


def warm() -> Warmed:
    """Compile every kernel, or load it from the cache. Seconds the first time, milliseconds later."""
    for each in _KERNELS:
        each.compile()
    origins = [each.origin for each in _KERNELS]
    return Warmed(len(origins), origins.count(Origin.COMPILED), origins.count(Origin.UNKEPT))
