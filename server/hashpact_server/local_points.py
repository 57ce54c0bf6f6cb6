"""The local points of a list: built from the state at each start, and kept up to date with each commit."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import numpy as np
from hashpact.errors import InvalidSignalError
from hashpact.local_signature import LocalSignature, Places
from hashpact.signals import PDQ_QUALITY_MIN, SIGNAL_TYPES, Comparison
from numpy.typing import NDArray

from hashpact_server.index import Pictures, PointIndex
from hashpact_server.state.scope import Changes
from hashpact_server.state.view import View

CODES: Final = frozenset(kind.code for kind in SIGNAL_TYPES.values() if kind.comparison is Comparison.POINTS)

_AT_ONCE: Final = 4096
"""Signatures that are read into memory together: 16 MB."""

log: Final = logging.getLogger(__name__)


def built(view: View) -> PointIndex:
    """The index of a stored state."""
    made = PointIndex()
    parts = [
        pictures(ids.tolist(), items.tolist(), [value.tobytes() for value in values])
        for code in sorted(CODES)
        for ids, items, values in view.value_blocks(code, rows_max=_AT_ONCE)
    ]
    if parts:
        made.add(Pictures._make(np.concatenate(columns) for columns in zip(*parts, strict=True)))
    return made


def follow(index: PointIndex, changes: Changes) -> None:
    """Take over what a commit changed."""
    added = [(signal, item, value) for code, signal, item, value in changes.added if code in CODES]
    if added:
        index.add(pictures(*zip(*added, strict=True)))
    removed = [signal for code, signal in changes.removed if code in CODES]
    if removed:
        index.remove(np.array(removed, np.uint64))


def places_of(places: Places) -> NDArray[np.float32]:
    """Places as the index wants them: float32 [n, 4], x, y, size in pixels, direction in radians."""
    return np.column_stack([places.xy, places.size, np.radians(places.direction)]).astype(np.float32)


def pictures(ids: Sequence[int], items: Sequence[int], values: Iterable[bytes]) -> Pictures:
    """Signatures as the index wants them; those of a layout that this version does not know are left out."""
    read = list(_read(zip(ids, items, values, strict=True)))
    signatures = [signature for _, _, signature in read]
    wholes = b"".join(each.pdq for each in signatures)
    return Pictures(
        np.array([signal for signal, _, _ in read], np.uint64),
        np.array([item for _, item, _ in read], np.uint64),
        np.frombuffer(wholes, np.uint8).reshape(len(read), 32),
        np.array([each.pdq_quality >= PDQ_QUALITY_MIN for each in signatures], np.bool_),
        np.array([len(each) for each in signatures], np.int64),
        np.concatenate([np.empty((0, 32), np.uint8), *(each.descriptors for each in signatures)]),
        np.concatenate([np.empty((0, 4), np.float32), *(places_of(each.places) for each in signatures)]),
    )


def _read(rows: Iterable[tuple[int, int, bytes]]) -> Iterator[tuple[int, int, LocalSignature]]:
    for signal, item, value in rows:
        try:
            yield signal, item, LocalSignature.decode(value)
        except InvalidSignalError as error:
            log.warning("signal %d of item %d is not searched: %s", signal, item, error)
