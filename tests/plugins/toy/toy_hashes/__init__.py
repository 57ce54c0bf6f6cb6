"""Three signal types, as another package adds them. Servers load this module, which therefore decodes no media."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from hashpact.plugins import Media, SignalTypePlugin
from hashpact.signals import Comparison, Signal, SignalType, Witness


def _edges(media: Media) -> Iterable[Signal]:
    from toy_hashes.looking import edges  # noqa: PLC0415  # needs Pillow, which servers do not have

    return [Signal("toy_edges", edges(media.picture))] if media.picture is not None else []


def _columns(media: Media) -> Iterable[Signal]:
    from toy_hashes.looking import columns  # noqa: PLC0415  # as above

    return [Signal("toy_columns", columns(media.picture))] if media.picture is not None else []


def mean_difference(left: bytes, right: bytes) -> int:
    """The distance of two values of ``toy_columns``."""
    return sum(abs(one - other) for one, other in zip(left, right, strict=True)) // 16


def _flat(value: bytes) -> str | None:
    return "the picture is of one brightness" if max(value) - min(value) < 8 else None


def _backwards(media: Media) -> Iterable[Signal]:
    return [Signal("toy_backwards", hashlib.sha256(media.data[::-1]).digest())] if media.data is not None else []


EDGES = SignalTypePlugin(
    SignalType("toy_edges", 201, 64, Comparison.HAMMING, 6, 12, False, 0, ("image",), Witness.PICTURE), _edges
)
"""Where the picture grows brighter from left to right: 8 x 8 signs."""
COLUMNS = SignalTypePlugin(
    SignalType(
        "toy_columns",
        202,
        128,
        Comparison.DISTANCE,
        5,
        20,
        False,
        0,
        ("image",),
        Witness.PICTURE,
        measure=mean_difference,
    ),
    _columns,
    flaw=_flat,
)
"""How bright its 16 columns are; the distance is the mean difference."""
BACKWARDS = SignalTypePlugin(
    SignalType("toy_backwards", 203, 256, Comparison.EQUALITY, 0, 0, True, 0, ("image", "text"), Witness.FILE),
    _backwards,
)
"""SHA-256 of the bytes, read from their end."""
