"""Probes: one upload being checked, as the client sends it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from hashpact.errors import InvalidRequestError, InvalidSignalError
from hashpact.signals import ImageSignals, Signal


@dataclass(frozen=True, slots=True)
class Probe:
    """The signals of one upload, packed per signal type.

    Attributes:
        signal_sets: (signal type, values) pairs; the values of a type are concatenated. Not in the repr.
        values: number of values in all sets, as the server's limits count them.
        points: local points, as ``docs/signatures.md`` lays them out; b"" for none. Not in the repr.
        wide: whether PDQ may be compared beyond its radius; such a match is ``near``.
    """

    signal_sets: tuple[tuple[str, bytes], ...] = field(repr=False)
    values: int
    points: bytes = field(default=b"", repr=False)
    wide: bool = False

    @classmethod
    def of(cls, signals: ProbeSource) -> Probe:
        """Pack what :func:`hashpact.hash_image` gave, or any signals.

        The 8 rotated and mirrored PDQ values take the place of the single one where they were computed; after them come
        those of the pictures inside it, eight of each. A local signature describes what is listed, and is left out.

        Raises:
            InvalidSignalError: no signals, or two values of one type that differ in length.
            InvalidRequestError: not signals at all.
        """
        if isinstance(signals, Probe):
            return signals
        by_type: dict[str, list[bytes]] = {}
        for signal in _every_signal(signals):
            by_type.setdefault(signal.signal_type, []).append(signal.value)
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
        )


ProbeSource = ImageSignals | Probe | Sequence[Signal] | Iterable[Signal]
"""What a probe can be given as: the signals of one upload."""


def _every_signal(source: object) -> Iterator[Signal]:
    if isinstance(source, ImageSignals):
        yield from (signal for signal in source if signal.signal_type != "pdq")
        # Quality 0 is a blank or tiny picture: its PDQ says nothing, and would be near to other nothings.
        if source.pdq.quality != 0:
            yield from source.pdq_dihedral or (source.pdq,)
        yield from source.pdq_regions
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
    if isinstance(sources, (ImageSignals, Probe, Signal, str, bytes)) or not isinstance(sources, Iterable):
        raise InvalidRequestError(
            "lookup() takes a batch, one entry per upload: write lookup([signals])", reason="FIELD_INVALID"
        )
    return [Probe.of(source) for source in sources]
