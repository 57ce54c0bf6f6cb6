"""What hashing a video gives. Pure Python, as :mod:`hashpact.signals` is, so that a thin installation can hold it."""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Final

from hashpact.signals import PDQ_QUALITY_MIN, Signal

LISTED_SIGNALS_MAX: Final = 4096
"""Signals of one contribution, as services take them by default (``contribution_signals_max``)."""


@dataclass(frozen=True, slots=True)
class VideoFrame:
    """One frame that was kept, and the stretch of the video that it stands for.

    Attributes:
        pdq: PDQ with quality, of the frame as displayed (turned as the file says).
        time_s: when it is shown, in seconds from the first frame.
        until_s: when the next kept frame takes over; of the last one: the end of the video.
        samples: how many sampled frames it stands for, itself included: the near-equal ones after it were dropped.
        trimmed: PDQ of the frame without uniform borders; None where it has none.
        mirrored: PDQ of the frame and of ``trimmed`` as seen in a mirror; ``()`` unless hashed to be checked.
    """

    pdq: Signal
    time_s: float
    until_s: float
    samples: int
    trimmed: Signal | None = None
    mirrored: tuple[Signal, ...] = ()

    @property
    def telling(self) -> bool:
        """Whether there is enough in it to be compared: PDQ quality of at least 50."""
        return (self.pdq.quality or 0) >= PDQ_QUALITY_MIN

    @property
    def time_ms(self) -> int:
        """When it is shown, in ms from the first frame."""
        return round(1000 * self.time_s)

    def listed(self, until_s: float) -> Iterator[Signal]:
        """As it is listed, standing for the time from when it is shown until ``until_s``."""
        stretch = (self.time_ms, max(self.time_ms, round(1000 * until_s)))
        for pdq in (self.pdq, self.trimmed):
            if pdq is not None and (pdq.quality or 0) >= PDQ_QUALITY_MIN:
                yield Signal("pdq_frame", pdq.value, pdq.quality, stretch)

    def probed(self) -> Iterator[Signal]:
        """As it is looked up."""
        for pdq in (self.pdq, self.trimmed, *self.mirrored):
            if pdq is not None and (pdq.quality or 0) >= PDQ_QUALITY_MIN:
                yield Signal("pdq_frame", pdq.value, pdq.quality, (self.time_ms, self.time_ms))


@dataclass(frozen=True, slots=True)
class VideoSignals:
    """What :func:`hashpact.hash_video` finds in one video.

    It is not iterable as ``ImageSignals`` is: the PDQ of a frame does not identify a video, and must not be listed as
    if it did.

    Attributes:
        sha256: digest of the file's bytes.
        md5: digest of the file's bytes.
        frames: the kept frames, in the order shown; at least one. Those of quality below 50 say little: ``telling``.
        samples: frames that were sampled, before near-equal ones were dropped.
        duration_s: from the first frame to the end of the last, as found while reading, not as the file claims.
        width_px: width of the first frame as displayed, after the rotation that the file asks for.
        height_px: its height, likewise.
        container: FFmpeg's name of the container, e.g. ``mov``, ``matroska``.
        codec: FFmpeg's name of the decoder, e.g. ``h264``.
        complete: False when the video went on beyond ``VideoLimits.frames_max``.
        notes: what a person should know, e.g. that the file is damaged.
        added: signals of types that other packages add.
    """

    kind: ClassVar[str] = "video"

    sha256: Signal
    md5: Signal
    frames: tuple[VideoFrame, ...]
    samples: int
    duration_s: float
    width_px: int
    height_px: int
    container: str
    codec: str
    complete: bool = True
    notes: tuple[str, ...] = ()
    added: tuple[Signal, ...] = ()

    @property
    def telling(self) -> tuple[VideoFrame, ...]:
        """The frames with enough in them to be compared: PDQ quality of at least 50."""
        return tuple(frame for frame in self.frames if frame.telling)

    def listed(self, signals_max: int = LISTED_SIGNALS_MAX) -> tuple[Signal, ...]:
        """What is contributed: the digests, and the telling frames, each with the stretch that it stands for.

        Args:
            signals_max: of more, evenly chosen frames; each then stands for the time until the next one that is kept,
                or until a frame that shows nothing.
        """
        frames = list(enumerate(self.frames))
        telling = [(place, frame) for place, frame in frames if frame.telling]
        room = signals_max - 2 - len(self.added)
        while sum(1 + (frame.trimmed is not None) for _, frame in telling) > room:
            telling = [telling[at] for at in evenly(len(telling), max(1, min(room, len(telling) * 9 // 10)))]
        blank = [place for place, frame in frames if not frame.telling]
        signals = [self.sha256, self.md5, *self.added]
        for at, (place, frame) in enumerate(telling):
            following = telling[at + 1][0] if at + 1 < len(telling) else len(frames)
            dark = bisect.bisect_right(blank, place)
            last = min(following, blank[dark] if dark < len(blank) else len(frames))
            signals += frame.listed(self.frames[last - 1].until_s)
        return tuple(signals)

    def probed(self) -> Iterator[Signal]:
        """The signals to look up."""
        yield from (self.sha256, self.md5, *self.added)
        for frame in self.frames:
            yield from frame.probed()


def evenly(count: int, wanted: int) -> list[int]:
    """``wanted`` of the numbers from 0 to ``count - 1``, evenly spread."""
    return [at * count // wanted for at in range(wanted)]
