"""The published canaries: their names, what is written on them, and their signals. Pure Python, for client and server.

The server hashes no media, so the values stand here; a test draws and hashes the pictures again and compares.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hashpact.signals import QUALITY_MAX, SIGNAL_TYPES, Signal

LABEL: Final = "canary"
"""The label that canaries are listed with."""


@dataclass(frozen=True, slots=True)
class Canary:
    """One picture.

    Attributes:
        name: of its file, without ending; what it is drawn from.
        words: what is written on it.
        signals: of the file that :func:`hashpact.canary.drawing.draw` makes.
    """

    name: str
    words: str
    signals: tuple[Signal, ...]

    def signal(self, signal_type: str) -> Signal:
        """Its signal of a type."""
        return next(each for each in self.signals if each.signal_type == signal_type)


def _canary(name: str, words: str, **values: str) -> Canary:
    return Canary(
        name,
        words,
        tuple(Signal.from_hex(kind, value, QUALITY_MAX if kind == "pdq" else None) for kind, value in values.items()),
    )


CANARIES: Final = (
    _canary(
        "canary-1",
        "HASHPACT TEST 1",
        sha256="0cc5b7569e88624d4562c51de047dbf879db191d8c93e1ee28ddcf1fd31d5200",
        md5="9260962e8eb08b9775782a50f438e1c0",
        pdq="bf01605ebf3140de9d0578df9d30691390dc33f0402ae76094dcb9484b3efeb7",
        phash="f876be099d03aa07",
        phash256="f8b576bebe63094e9d94037baa0107e69994444b2658d88fd91cfc83467ebc83",
    ),
    _canary(
        "canary-2",
        "HASHPACT TEST 2",
        sha256="7830fed2cd7268a4f46d3ad0fecae5c836fd669668a55e4f3a4b09c6039ea406",
        md5="79c99801cf6d5e94a71b78ad49d601d2",
        pdq="bda140febd2540ce89e1705a9f0c69cb8e583a0e400ead8616fcf3c5d87fbd34",
        phash="8d17ff519e20b838",
        phash256="8dd3175effcd51ee9eb420cab881382e8db0414b387c2d4f43c4b983523eb7c1",
    ),
    _canary(
        "canary-3",
        "HASHPACT TEST 3",
        sha256="4dc666f2563d240a306d9de55ab485747ad61a597bcf5da2f2aaf51c4e48f13a",
        md5="98fa00c2fcefb1b6a136012774ef9078",
        pdq="b521949b9b1142d6be4974af99207d9b94b26b6c26fc2f6c4a662d96b0cb9b81",
        phash="8640e934b31bbf1b",
        phash256="869540ece98434dab3291b7a9fb21b6ba4b46ccf0adcf2c7493eb5a9446c6c85",
    ),
)
"""What every list should hold."""

UNLISTED: Final = Canary("unlisted", "NOT LISTED", ())
"""A picture of the same kind that nobody lists: it must match nothing."""

VALUES: Final = frozenset(
    (SIGNAL_TYPES[signal.signal_type].code, signal.value) for canary in CANARIES for signal in canary.signals
)
"""(signal type code, value) of every signal of every canary."""
