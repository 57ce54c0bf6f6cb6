"""What the watch for probing sees of measurements: each is thousands of bytes, and nearly all of them are compared."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

import numpy as np
from hashpact.local_signature import Measurement
from hashpact.signals import SIGNAL_TYPES

from hashpact_server.guards.probing import Compared
from hashpact_server.matches import Batch
from hashpact_server.rules.points import Confirmed

_PDQ: Final = SIGNAL_TYPES["pdq"]

FOLDED: Final = replace(SIGNAL_TYPES["local_sift"], bits=_PDQ.bits, radius_default=_PDQ.radius_default)
"""A kind of value for the watch alone: never listed, never looked up."""


def folded(measured: Measurement) -> bytes:
    """All that is compared of a measurement, save its PDQ, in 32 bytes: each bit of it turns over one of these.

    What does not count (a point out of view, a sign that is not clear) changes nothing: else it would hide the rest.
    """
    seen = measured.descriptors[measured.visible]
    signs = np.concatenate([measured.thumbnail & measured.clear, np.roll(measured.clear, 13)])
    parts = np.concatenate([seen.reshape(-1), signs, np.packbits(measured.visible)])
    rows = np.zeros((-(-len(parts) // _PDQ.size_bytes), _PDQ.size_bytes), np.uint8)
    rows.reshape(-1)[: len(parts)] = parts
    return bytes(np.bitwise_xor.reduce(rows, axis=0))


def watched(compared: Iterable[tuple[int, Measurement, Confirmed | None]]) -> Iterator[Compared]:
    """What is watched of (item, measurement, what it confirms) triples."""
    for item, measured, found in compared:
        if measured.pdq is not None:
            yield Compared(item, _PDQ, measured.pdq, measured.pdq, found is not None and found.aligned)
        name = hashlib.sha256(measured.encode()).digest()
        yield Compared(item, FOLDED, folded(measured), name, found is not None)


def batches_of(measured: Iterable[Measurement]) -> list[Batch]:
    """The same as batches, of one probe: whoever was slowed is refused by them before anything is compared."""
    sent = list(measured)
    pdqs = [each.pdq for each in sent if each.pdq is not None]
    columns = [(_PDQ, pdqs), (FOLDED, [folded(each) for each in sent])]
    one = np.zeros(1, np.int64)
    return [Batch(kind, b"".join(values), one, one) for kind, values in columns if values]
