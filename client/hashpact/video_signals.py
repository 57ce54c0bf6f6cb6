"""What hashing a video gives. Pure Python, as :mod:`hashpact.signals` is, so that a thin installation can hold it."""

from __future__ import annotations

from dataclasses import dataclass

from hashpact.signals import PDQ_QUALITY_MIN, Signal


@dataclass(frozen=True, slots=True)
class VideoFrame:
    """One frame that was kept, and the stretch of the video that it stands for.

    Attributes:
        pdq: PDQ with quality, of the frame as displayed (turned as the file says).
        time_s: when it is shown, in seconds from the first frame.
        until_s: when the next kept frame takes over; of the last one: the end of the video.
        samples: how many sampled frames it stands for, itself included: the near-equal ones after it were dropped.
    """

    pdq: Signal
    time_s: float
    until_s: float
    samples: int


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
        return tuple(frame for frame in self.frames if (frame.pdq.quality or 0) >= PDQ_QUALITY_MIN)
