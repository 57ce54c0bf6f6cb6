"""The time by which uploads grow old: a clock that is set forward by mistake ends nothing before its time."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

from hashpact_server.core import wall_clock_ms
from hashpact_server.logs import event

AHEAD_MS_MAX: Final = 3_600_000
"""More than this the wall clock does not gain at once on the time that passed."""

_LOGGER: Final = logging.getLogger(__name__)


def passed_s() -> float:
    """Seconds since some moment, those of a machine that slept too where that is told."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)


class SteadyClock:
    """Unix time in ms, as the wall clock says, unless that leaps ahead: then as time has passed, until it is back.

    A start takes the wall clock's word.

    Args:
        wall_ms: the wall clock.
        passed_s: what only time moves, in seconds.
    """

    def __init__(self, wall_ms: Callable[[], int] = wall_clock_ms, passed_s: Callable[[], float] = passed_s) -> None:
        self._wall_ms = wall_ms
        self._passed_s = passed_s
        self._sure = wall_ms(), passed_s()
        self._leapt = False

    def __call__(self) -> int:
        """Now."""
        wall, passed = self._wall_ms(), self._passed_s()
        sure_ms, sure_s = self._sure
        expected = sure_ms + int((passed - sure_s) * 1000)
        leapt = wall - expected > AHEAD_MS_MAX
        if leapt and not self._leapt:
            event(
                _LOGGER, logging.ERROR, "uploads: the clock leapt ahead; not followed", by_s=(wall - expected) // 1000
            )
        self._leapt = leapt
        if leapt:
            return expected
        self._sure = wall, passed
        return wall
