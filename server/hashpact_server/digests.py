"""The digest filter of a list: built from the state, or taken up as it was left and brought up to date.

Its file may be older than the indexes beside it: it is large, and reading a few thousand entries is quick. What was
removed from the list leaves the file with the next checkpoint.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import numpy as np
from hashpact.signals import SIGNAL_TYPES_BY_CODE
from numpy.typing import NDArray

from hashpact_server.index import DigestFilter
from hashpact_server.index.segments import IndexDamagedError
from hashpact_server.ledger.codec import u64
from hashpact_server.ledger.entry import Entry, Kind, leaf_hash
from hashpact_server.ledger.payloads import CONTRIBUTING, ContributionPayload
from hashpact_server.state.reach import unlisting
from hashpact_server.state.tables import DIGEST_KEY_BYTES
from hashpact_server.state.view import View

FILE: Final = "digests"

SAVE_ENTRIES_MIN: Final = 8_192
"""Entries that a start may have to read again: a list that grows slowly is not written as a whole each minute."""

log: Final = logging.getLogger(__name__)

Digest = tuple[int, bytes]
"""(signal type code, value)."""


def built(view: View) -> DigestFilter:
    """The filter of a stored state."""
    made = DigestFilter()
    for code, rows in view.digest_blocks():
        made.add(code, rows.reshape(-1), DIGEST_KEY_BYTES)
    return made


def taken_up(path: Path, view: View) -> DigestFilter:
    """The filter as it was left and brought up to date, or built anew where that cannot be."""
    try:
        found = DigestFilter.open(path)
    except IndexDamagedError as error:
        log.warning("the digest filter is built anew: %s", error)
        return built(view)
    return found if _catch_up(found, view) else built(view)


def saved_when_worth_it(digests: DigestFilter, path: Path, entry: Entry) -> None:
    """Save the filter, which holds everything up to ``entry``, unless its file is nearly as good.

    Raises:
        OSError: it could not be written; the file before stands.
    """
    behind = entry.sequence - _sequence(digests.mark)
    if digests.removals or not digests.mark or behind >= SAVE_ENTRIES_MIN:
        digests.save(path, u64(entry.sequence) + leaf_hash(entry.public))


def follow(digests: DigestFilter, changes: Iterable[tuple[int, bytes, bool]]) -> None:
    """Take over (code, digest, whether it is listed) in the order in which it happened.

    What was listed before and is listed now did not change: to add it once more would make it stay for ever.
    """
    first: dict[Digest, bool] = {}
    last: dict[Digest, bool] = {}
    for code, value, listed in changes:
        first.setdefault((code, value), listed)
        last[code, value] = listed
    _add(digests, (digest for digest, listed in last.items() if listed and first[digest]))
    _remove(digests, (digest for digest, listed in last.items() if not listed and not first[digest]))


def missing(digests: DigestFilter, view: View) -> bool:
    """Whether the filter denies a digest that the state lists, which it never may."""
    return any(
        len(digests.may_list(code, rows.tobytes(), DIGEST_KEY_BYTES)) < len(rows) for code, rows in view.digest_blocks()
    )


def _sequence(mark: bytes) -> int:
    return int.from_bytes(mark[:8], "big")


def _catch_up(digests: DigestFilter, view: View) -> bool:
    """Bring it up to date from its mark; False when it is not this list's, or what left the list is not known."""
    since = _sequence(digests.mark)
    try:
        if u64(since) + leaf_hash(view.entry(since).public) != digests.mark:
            return False
    except (KeyError, ValueError, OverflowError):
        return False
    for entry in view.entries(since + 1):
        if entry.kind == Kind.REDACTED:
            if view.entry(entry.subject).kind in CONTRIBUTING:
                return False  # the digests went with the private part
        elif entry.kind in CONTRIBUTING:
            _add(digests, (each for each in _digests_of(entry) if _is_listed(each, view)))
        else:
            _remove(digests, _unlisted(entry, since, view))
    return True


def _unlisted(entry: Entry, since: int, view: View) -> Iterator[Digest]:
    """Digests that the filter held at its mark and the list does not. What came later it need not have held."""
    for sequence in unlisting(entry, view):
        if sequence <= since:
            yield from (each for each in _digests_of(view.entry(sequence)) if not _is_listed(each, view))


def _is_listed(digest: Digest, view: View) -> bool:
    return view.item_by_digest(*digest) is not None


def _digests_of(entry: Entry) -> Iterator[Digest]:
    if entry.payload is not None:
        for signal in ContributionPayload.decode(entry.payload).signals:
            kind = SIGNAL_TYPES_BY_CODE.get(signal.code)
            if kind is not None and kind.exact and not signal.confirms:
                yield signal.code, signal.value


def _add(digests: DigestFilter, some: Iterable[Digest]) -> None:
    for code, rows, size in _columns(some):
        digests.add(code, rows, size)


def _remove(digests: DigestFilter, some: Iterable[Digest]) -> None:
    for code, rows, size in _columns(some):
        digests.remove(code, rows, size)


def _columns(some: Iterable[Digest]) -> Iterator[tuple[int, NDArray[np.uint8], int]]:
    columns: dict[int, list[bytes]] = {}
    for code, value in some:
        columns.setdefault(code, []).append(value[:DIGEST_KEY_BYTES])
    for code, values in columns.items():
        yield code, np.frombuffer(b"".join(values), np.uint8), DIGEST_KEY_BYTES
