"""Probes: one upload being checked, as the client sends it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from hashpact.errors import InvalidRequestError, InvalidSignalError
from hashpact.media_signals import MediaSignals
from hashpact.signals import PROBE_POINT_BYTES, SIGNAL_TYPES, ImageSignals, Signal
from hashpact.video_signals import evenly

FRAME: Final = "pdq_frame"


@dataclass(frozen=True, slots=True)
class Probe:
    """The signals of one upload, packed per signal type.

    Attributes:
        signal_sets: (signal type, values) pairs; the values of a type are concatenated. Not in the repr.
        values: number of values in all sets, as the server's limit of one probe counts them.
        points: local points, as ``docs/signatures.md`` lays them out; b"" for none. Not in the repr.
        wide: whether PDQ may be compared beyond its radius; such a match is ``near``.
        times_ms: when each frame of a video is shown, in ms from the first; ``()`` where nobody said.
    """

    signal_sets: tuple[tuple[str, bytes], ...] = field(repr=False)
    values: int
    points: bytes = field(default=b"", repr=False)
    wide: bool = False
    times_ms: tuple[int, ...] = field(default=(), repr=False)

    @classmethod
    def of(cls, signals: ProbeSource) -> Probe:
        """Pack what :func:`hashpact.hash_image` gave, or any signals.

        Of media what ``probed()`` gives. A local signature describes what is listed, and is left out.

        Raises:
            InvalidSignalError: no signals, or two values of one type that differ in length.
            InvalidRequestError: not signals at all.
        """
        if isinstance(signals, Probe):
            return signals
        by_type: dict[str, list[bytes]] = {}
        times_ms: list[int] = []
        for signal in _every_signal(signals):
            by_type.setdefault(signal.signal_type, []).append(signal.value)
            if signal.signal_type == FRAME and signal.stretch_ms is not None:
                times_ms.append(signal.stretch_ms[0])
        by_type.pop("local_sift", None)
        points, wide = (signals.points, signals.wide) if isinstance(signals, ImageSignals) else (b"", False)
        if not by_type:
            raise InvalidSignalError("a probe has at least one signal, this one has none")
        for signal_type, values in by_type.items():
            if len({len(value) for value in values}) > 1:
                raise InvalidSignalError(f"the {signal_type} values of a probe differ in length")
        return cls(
            tuple((name, b"".join(values)) for name, values in by_type.items()),
            sum(len(values) for values in by_type.values()),
            points,
            wide,
            tuple(times_ms) if len(times_ms) == len(by_type.get(FRAME, ())) else (),
        )

    @property
    def searched(self) -> int:
        """Values and local points, as the server's limit of one call counts them."""
        return self.values + len(self.points) // PROBE_POINT_BYTES

    def within(self, values_max: int) -> Probe:
        """The same with at most so many values, where that takes away frames of a video: evenly chosen moments stay."""
        moments = sorted(set(self.times_ms))
        if self.values <= values_max or len(moments) < 2:
            return self
        size = SIGNAL_TYPES[FRAME].size_bytes
        packed = dict(self.signal_sets)[FRAME]
        room = max(1, values_max - self.values + len(self.times_ms))
        kept = {moments[at] for at in evenly(len(moments), max(1, len(moments) * room // len(self.times_ms)))}
        while (count := sum(time in kept for time in self.times_ms)) > room and len(kept) > 1:
            # Moments differ in how many values they have: a picture without borders has half as many.
            kept = {time for at, time in enumerate(sorted(kept)) if at % 8}
        frames = b"".join(
            packed[place * size : (place + 1) * size] for place, time in enumerate(self.times_ms) if time in kept
        )
        sets = tuple((name, frames if name == FRAME else values) for name, values in self.signal_sets)
        times_ms = tuple(time for time in self.times_ms if time in kept)
        return replace(self, signal_sets=sets, values=self.values - len(self.times_ms) + count, times_ms=times_ms)


ProbeSource = MediaSignals | Probe | Sequence[Signal] | Iterable[Signal]
"""What a probe can be given as: the signals of one upload."""


def _every_signal(source: object) -> Iterator[Signal]:
    if isinstance(source, MediaSignals):
        yield from source.probed()
        return
    if isinstance(source, Signal):
        raise InvalidRequestError(
            "a probe is a list of the signals of one upload: write lookup([[signal]])", reason="FIELD_INVALID"
        )
    if isinstance(source, str | bytes) or not isinstance(source, Iterable):
        raise InvalidRequestError(
            f"a probe is the signals of one upload, not {type(source).__name__}: hash the picture first with "
            "hash_image(), or call check()",
            reason="FIELD_INVALID",
        )
    for signal in source:
        if not isinstance(signal, Signal):
            raise InvalidRequestError(
                f"a probe holds Signal objects, this one holds {type(signal).__name__}", reason="FIELD_INVALID"
            )
        yield signal


def probes_of(sources: Iterable[ProbeSource]) -> list[Probe]:
    """Pack a batch.

    Raises:
        InvalidRequestError: the signals of one upload were given where a batch of probes belongs.
    """
    if isinstance(sources, MediaSignals | Probe | Signal | str | bytes) or not isinstance(sources, Iterable):
        raise InvalidRequestError(
            "lookup() takes a batch, one entry per upload: write lookup([signals])", reason="FIELD_INVALID"
        )
    return [Probe.of(source) for source in sources]
