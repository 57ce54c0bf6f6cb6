"""Which of the sampled frames of a video are kept: those that show something new."""

from __future__ import annotations

from dataclasses import dataclass

from hashpact.hashing.pdq import PdqResult
from hashpact.signals import PDQ_QUALITY_MIN, Signal, hamming
from hashpact.video_signals import VideoFrame


@dataclass(slots=True)
class _Kept:
    result: PdqResult
    trimmed: PdqResult | None
    time_s: float
    samples: int = 1


class KeptFrames:
    """Sampled frames come in order; each is kept, or the last one kept stands for it.

    A frame is compared with the last one *kept*, not with the one before it: a slow change adds up until it counts.

    Args:
        prune_bits: distance up to which a frame is not kept; None keeps all.

    Attributes:
        samples: how many came.
    """

    def __init__(self, prune_bits: int | None) -> None:
        self._prune_bits = prune_bits
        self._kept: list[_Kept] = []
        self.samples = 0

    def add(self, result: PdqResult, time_s: float, trimmed: PdqResult | None = None) -> None:
        """The next sampled frame; values beside the first are those of the frame in a mirror."""
        self.samples += 1
        if self._kept and self._near(self._kept[-1].result, result):
            self._kept[-1].samples += 1
        else:
            self._kept.append(_Kept(result, trimmed, time_s))

    def _near(self, last: PdqResult, new: PdqResult) -> bool:
        if self._prune_bits is None:
            return False
        flat = (last.quality < PDQ_QUALITY_MIN, new.quality < PDQ_QUALITY_MIN)
        if any(flat):
            return all(flat)  # there is nothing to see in either, and their bits are noise
        return hamming(last.values[0], new.values[0]) <= self._prune_bits

    def frames(self, end_s: float) -> tuple[VideoFrame, ...]:
        """What was kept, of a video that ends at ``end_s``."""
        ends = [one.time_s for one in self._kept[1:]] + [end_s]
        return tuple(
            VideoFrame(
                pdq=Signal("pdq", one.result.values[0], one.result.quality),
                time_s=round(one.time_s, 3),
                until_s=round(end, 3),
                samples=one.samples,
                trimmed=None if one.trimmed is None else Signal("pdq", one.trimmed.values[0], one.trimmed.quality),
                mirrored=tuple(
                    Signal("pdq", value, result.quality)
                    for result in (one.result, one.trimmed)
                    if result is not None
                    for value in result.values[1:]
                ),
            )
            for one, end in zip(self._kept, ends, strict=True)
        )
