"""When frames are shown, and which of them are wanted; for files whose times stand still, jump or are missing, too."""

from __future__ import annotations

import math
from typing import Any, Final

_EARLY_S: Final = 1e-4
"""Times are rounded in files: a frame may be shown so much before the wanted time."""
_BACK_S: Final = 1.0
"""A step back this far behind the last sample is a clock that was set anew, not frames that are stored out of order."""


class FrameTimes:
    """The clock of one video.

    Args:
        interval_s: seconds between wanted frames; 0: every frame is.
        unit_s: seconds in a unit of the file's clock.
        frame_s: how long a frame is shown, where the file does not say.

    Attributes:
        end_s: when the last packet seen so far ends, in seconds from the first frame.
    """

    def __init__(self, interval_s: float, unit_s: float, frame_s: float) -> None:
        self._interval_s = interval_s
        self._unit_s = unit_s
        self._frame_s = frame_s
        self._wanted = -math.inf  # the file's clock
        self._last = -math.inf  # when the last sample was shown
        self._now = -math.inf  # when the last decoded frame was
        self._shift: float | None = None  # from the file's clock to seconds from the first frame
        self.end_s = 0.0
        self._packets_end = -math.inf

    def saw_packet(self, packet: Any) -> None:
        """A packet was read."""
        at = self._stated(packet)
        if at is not None:
            self._packets_end = max(self._packets_end, at + (packet.duration or 0) * self._unit_s)
            if self._shift is not None:
                self.end_s = max(self.end_s, self._packets_end + self._shift)

    def before_wanted(self, packet: Any) -> bool:
        """Whether a packet's frame is certainly shown before the wanted time."""
        at = self._stated(packet)
        return at is not None and self._last - _BACK_S <= at < self._wanted - _EARLY_S

    def not_after_wanted(self, packet: Any) -> bool:
        """Whether a packet's frame is certainly shown at the wanted time or before it."""
        at = self._stated(packet)
        return at is not None and self._last - _BACK_S <= at <= self._wanted + _EARLY_S

    def show(self, frame: Any) -> bool:
        """A frame was decoded: whether it is wanted."""
        at = self._stated(frame)
        if at is None:
            at = 0.0 if self._now == -math.inf else self._now + self._frame_s
        self._now = at
        return at >= self._wanted - _EARLY_S or at < self._last - _BACK_S

    def take(self) -> float:
        """Take the frame that was just shown: seconds from the first one. The next is wanted an interval later."""
        at = self._now
        if self._shift is None:
            self._shift = -at
        elif at < self._last - _BACK_S:  # the clock was set anew: ours goes on
            self._shift = self.end_s - at
            self._packets_end = at
        time_s = max(0.0, at + self._shift)
        self._last = at
        if self._interval_s > 0:
            steps = math.floor((time_s + _EARLY_S) / self._interval_s) + 1
            self._wanted = steps * self._interval_s - self._shift
        self.end_s = max(self.end_s, time_s + self._frame_s, self._packets_end + self._shift)
        return time_s

    def _stated(self, shown: Any) -> float | None:
        """By the file's clock; not ``time`` of a frame, which the last ones are without."""
        return None if shown.pts is None else float(shown.pts * self._unit_s)
