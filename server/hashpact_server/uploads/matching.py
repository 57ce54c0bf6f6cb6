"""Which remembered uploads match what was listed: candidates from an index, then each compared with its item.

An index says what may match. Whether it does is decided as in a look-up: the upload's values, compared with those that
the item has *now*; what was withdrawn or redacted meanwhile matches nothing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final

import numpy as np
from hashpact.signals import SIGNAL_TYPES
from numpy.typing import NDArray

from hashpact_server.engine import Engine
from hashpact_server.ledger.entry import Entry
from hashpact_server.ledger.payloads import CONTRIBUTING, ContributionPayload
from hashpact_server.lookup import check_deadline
from hashpact_server.matches import Agreement, Batch, agreement_of
from hashpact_server.rules.grounds import ground_of
from hashpact_server.state.rows import SIGNAL_ORDINAL_BITS
from hashpact_server.state.view import View
from hashpact_server.uploads.values import VALUE_BITS, Values, Window, is_searched

Candidates = dict[int, dict[int, int]]
"""Upload -> item -> sequence of the newest entry that may have added what matches."""

Listed = dict[int, list[tuple[int, bytes]]]
"""Signal type code -> (signal id, value) pairs."""

Pairs = NDArray[np.uint64]
"""(position of an entry, upload) pairs, each in one number; in order, each once."""

VALUES_AT_ONCE: Final = 64
"""Values in one search: what it finds is held in memory."""

_ORDINAL_BITS: Final = np.uint64(SIGNAL_ORDINAL_BITS)
_UPLOAD_BITS: Final = np.uint64(64 - VALUE_BITS)
_UPLOAD_MASK: Final = np.uint64((1 << (64 - VALUE_BITS)) - 1)


def of_entries(window: Window, entries: Sequence[Entry], newest: int) -> Pairs:
    """Uploads in the window, up to the newest that counts, that may match what these entries added.

    Searches a few values at a time: a crowd of look-alikes on both sides finds itself as often as one times the other.
    """
    added: dict[int, tuple[list[bytes], list[int]]] = {}
    for place, entry in enumerate(entries):
        if entry.kind not in CONTRIBUTING or entry.payload is None:
            continue
        for signal in ContributionPayload.decode(entry.payload).signals:
            if not signal.confirms and is_searched(signal.code):
                values, places = added.setdefault(signal.code, ([], []))
                values.append(signal.value)
                places.append(place)
    found = [np.empty(0, np.uint64)]
    for code, (values, places) in added.items():
        for start in range(0, len(values), VALUES_AT_ONCE):
            rows, uploads = window.search(code, b"".join(values[start : start + VALUES_AT_ONCE]))
            wanted = uploads <= np.uint64(newest)
            owners = np.array(places[start : start + VALUES_AT_ONCE], np.uint64)[rows[wanted]]
            found.append(np.unique(owners << _UPLOAD_BITS | uploads[wanted]))
    return np.unique(np.concatenate(found))


def without(pairs: Pairs, uploads: Collection[int]) -> Pairs:
    """Those that are not about these uploads."""
    return pairs[~np.isin(pairs & _UPLOAD_MASK, np.array(list(uploads), np.uint64))] if uploads else pairs


def candidates(pairs: Pairs, entries: Sequence[Entry]) -> Candidates:
    """What pairs stand for."""
    found: Candidates = {}
    places, uploads = pairs >> _UPLOAD_BITS, pairs & _UPLOAD_MASK
    for place, upload in zip(places.tolist(), uploads.tolist(), strict=True):
        _note(found, upload, entries[place].subject, entries[place].sequence)
    return found


def of_list(
    engine: Engine,
    view: View,
    batches: Sequence[Batch],
    since: tuple[int, int],
    items_max: int,
    deadline: float = math.inf,
) -> Candidates:
    """Uploads of a call that may match what the entries after one, up to another, added; by position in the call.

    Args:
        engine: the list.
        view: of it.
        batches: the values.
        since: after which entry, up to which; everything up to there must be published: the matcher holds it then.
        items_max: of each upload so many items, those listed first.
        deadline: ``time.monotonic()`` after which the search is given up.

    Raises:
        Refusal: DEADLINE_EXCEEDED.
    """
    after, until = since
    found: Candidates = {}
    for batch in batches:
        size = batch.kind.size_bytes
        if batch.kind.exact:
            check_deadline(deadline)
            for row in engine.matcher.may_list(batch.kind.code, batch.values, size).tolist():
                listed = view.listed_digest(batch.kind.code, batch.values[row * size : (row + 1) * size])
                if listed is None:
                    continue
                item, identity = listed
                if after < identity >> SIGNAL_ORDINAL_BITS <= until:
                    _note(found, _upload_of(batch, row), item, identity >> SIGNAL_ORDINAL_BITS)
            continue
        if not batch.kind.ranged:
            continue
        queries = np.frombuffer(batch.values, np.uint8).reshape(-1, size)
        for start in range(0, len(queries), VALUES_AT_ONCE):
            check_deadline(deadline)
            part = queries[start : start + VALUES_AT_ONCE]
            lims, _, ids = engine.matcher.search(batch.kind.code, part, batch.kind.radius_default)
            sequences = ids >> _ORDINAL_BITS
            new = np.flatnonzero((sequences > np.uint64(after)) & (sequences <= np.uint64(until)))
            rows = np.repeat(np.arange(start, start + len(part)), np.diff(lims))[new]
            items = engine.matcher.items_of(ids[new])
            for row, item, sequence in zip(rows.tolist(), items.tolist(), sequences[new].tolist(), strict=True):
                upload = _upload_of(batch, row)
                _note(found, upload, item, sequence)
                if len(found[upload]) > 2 * items_max:
                    found[upload] = dict(first_items(found[upload], items_max))
    return found


def pieces(found: Candidates, pairs_max: int) -> Iterator[Candidates]:
    """The same, some uploads at a time: so many that they have about so many items together."""
    piece: Candidates = {}
    size = 0
    for upload, items in found.items():
        piece[upload] = items
        size += len(items)
        if size >= pairs_max:
            yield piece
            piece, size = {}, 0
    if piece:
        yield piece


def _upload_of(batch: Batch, row: int) -> int:
    return int(batch.probes[np.searchsorted(batch.starts, row, side="right") - 1])


def _note(found: Candidates, upload: int, item: int, sequence: int) -> None:
    items = found.setdefault(upload, {})
    items[item] = max(sequence, items.get(item, 0))


def listed_values(view: View, item: int) -> Listed:
    """The values that an item has now; none when it is off the list."""
    ground = ground_of(view, item)
    listed: Listed = {}
    for each in ground.signals.values() if ground else ():
        listed.setdefault(each.signal.code, []).append((each.identity, each.signal.value))
    return listed


def agreements(listed: Listed, values: Values, *, exact_distances: bool) -> list[Agreement]:
    """How an upload agrees with the values of an item; empty when it does not."""
    found: list[Agreement] = []
    for kind in SIGNAL_TYPES.values():
        packed, there = values.get(kind.code, b""), listed.get(kind.code, ())
        mine = [packed[at : at + kind.size_bytes] for at in range(0, len(packed), kind.size_bytes)]
        if kind.exact:
            equal = ((mine.index(value), identity) for identity, value in there if value in mine)
            place, identity = next(equal, (-1, 0))
            agreed = None if place < 0 else Agreement(kind.name, place, 0, is_bound=False, signal=identity)
        elif kind.ranged:
            agreed = agreement_of(kind, mine, there, kind.radius_default, exact_distances)
        else:
            continue
        if agreed is not None:
            found.append(agreed)
    return found


def encode(agreed: Iterable[Agreement]) -> str:
    """As they are stored."""
    return json.dumps(
        [(each.signal_type, each.value_index, each.distance, each.is_bound, each.signal) for each in agreed]
    )


def decode(stored: str) -> tuple[Agreement, ...]:
    """As they were."""
    return tuple(Agreement(*each) for each in json.loads(stored))


def first_items(items: Mapping[int, int], items_max: int) -> list[tuple[int, int]]:
    """(item, sequence), those listed first; at most as many as one upload is told of at once."""
    return sorted(items.items(), key=lambda each: (each[1], each[0]))[:items_max]
