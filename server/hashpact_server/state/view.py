"""Reading the state: what rules decide on and services answer from, at one moment."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, TypeVar

import numpy as np
from hashpact.signals import SIGNAL_TYPES_BY_CODE
from numpy.typing import NDArray

from hashpact_server.ledger.base import Head, Reading
from hashpact_server.ledger.codec import u32, u64
from hashpact_server.ledger.entry import Entry
from hashpact_server.ledger.payloads import ContributionPayload, ListedSignal
from hashpact_server.ledger.payloads_judgement import VotePayload
from hashpact_server.state.judgement_rows import ConditionRow
from hashpact_server.state.row_store import RowReader
from hashpact_server.state.rows import (
    ContributionRow,
    ItemRow,
    MemberRow,
    TokenRow,
    signal_id,
)
from hashpact_server.state.scope import signal_entries
from hashpact_server.state.tables import DIGEST_KEY_BYTES, Due, Table, contribution_key, digest_key, value_key

BLOCK_ROWS: Final = 65_536

FACTS_MAX: Final = 4096
"""Facts that are kept between two commits; of more, all are forgotten and worked out anew."""

Fact = TypeVar("Fact")
_UNKNOWN: Final = object()


class Facts(dict[tuple[object, ...], Any]):
    """What was worked out from one state, by question. Shared by all views of that state, and never by another's."""


@functools.lru_cache(maxsize=1024)
def _member(pseudonym: bytes, value: bytes) -> MemberRow:
    """As ``MemberRow.decode``: a rule asks for the same few again and again."""
    return MemberRow.decode(pseudonym, value)


class View:
    """The state and its ledger as of one transaction.

    Args:
        rows: where rows are read from.
        ledger: where entries are read from.
        head: the position that rows and ledger reflect.
        facts: what was worked out from this very state already.
    """

    def __init__(self, rows: RowReader, ledger: Reading, head: Head, facts: Facts | None = None) -> None:
        self._rows = rows
        self._ledger = ledger
        self._head = head
        self._facts = Facts() if facts is None else facts

    @property
    def head(self) -> Head:
        """Where this view stands in history."""
        return self._head

    @property
    def rows(self) -> RowReader:
        """The rows themselves: for the modules of this package that read one table's worth of them."""
        return self._rows

    def once(self, work_out: Callable[..., Fact], *asked: Any) -> Fact:
        """What a function says of this state. Worked out once for all who ask between two commits.

        Args:
            work_out: called with the view and ``asked``; reads nothing else, and gives what nobody changes.
            asked: what can be a key.
        """
        key = (work_out, *asked)
        found = self._facts.get(key, _UNKNOWN)
        if found is _UNKNOWN:
            found = work_out(self, *asked)
            if len(self._facts) >= FACTS_MAX:
                self._facts.clear()
            self._facts[key] = found
        kept: Fact = found
        return kept

    def member(self, pseudonym: bytes) -> MemberRow | None:
        """The member with this pseudonym."""
        value = self._rows.get(Table.MEMBERS, pseudonym)
        return None if value is None else _member(pseudonym, value)

    def member_by_name(self, name: str) -> MemberRow | None:
        """The member with this name."""
        pseudonym = self._rows.get(Table.MEMBER_NAMES, name.encode()) if name else None
        return None if pseudonym is None else self.member(pseudonym)

    def members(self, *, after: str = "", limit: int) -> list[MemberRow]:
        """Members in the order of their names, from the first name after ``after`` on."""
        found: list[MemberRow] = []
        for name, pseudonym in self._rows.scan(Table.MEMBER_NAMES, start=after.encode()):
            if len(found) == limit:
                break
            if name != after.encode() and (member := self.member(pseudonym)):
                found.append(member)
        return found

    def every_member(self) -> Iterator[MemberRow]:
        """All members, in the order of their pseudonyms."""
        for pseudonym, value in self._rows.scan(Table.MEMBERS):
            yield MemberRow.decode(pseudonym, value)

    def tokens(self) -> Iterator[TokenRow]:
        """All tokens that were not revoked, oldest first."""
        for key, value in self._rows.scan(Table.TOKENS):
            yield TokenRow.decode(int.from_bytes(key, "big"), value)

    def token(self, token_id: int) -> TokenRow | None:
        """The token with this id, unless it was revoked."""
        value = self._rows.get(Table.TOKENS, u64(token_id))
        return None if value is None else TokenRow.decode(token_id, value)

    def item(self, item: int) -> ItemRow | None:
        """The item with this id, also when it is withdrawn or expired."""
        value = self._rows.get(Table.ITEMS, u64(item))
        return None if value is None else ItemRow.decode(item, value)

    def items(self, *, after: int = 0, limit: int) -> list[ItemRow]:
        """Items by growing id, from the first id after ``after`` on."""
        found: list[ItemRow] = []
        for key, value in self._rows.scan(Table.ITEMS, start=u64(after + 1)):
            if len(found) == limit:
                break
            found.append(ItemRow.decode(int.from_bytes(key, "big"), value))
        return found

    def contributions(self, item: int) -> list[ContributionRow]:
        """Standing contributions to an item, by pseudonym."""
        return [
            ContributionRow.decode(item, key[8:], value)
            for key, value in self._rows.scan(Table.CONTRIBUTIONS, prefix=u64(item))
        ]

    def contribution(self, item: int, pseudonym: bytes) -> ContributionRow | None:
        """The standing contribution of one member to an item."""
        value = self._rows.get(Table.CONTRIBUTIONS, contribution_key(item, pseudonym))
        return None if value is None else ContributionRow.decode(item, pseudonym, value)

    def labels(self, item: int) -> tuple[str, ...]:
        """Union of the labels that standing contributions give an item, sorted; see :meth:`labels_of`."""
        return self.labels_of(item, self.contributions(item))

    def labels_of(self, item: int, contributions: Iterable[ContributionRow]) -> tuple[str, ...]:
        """The labels that these contributions give an item, sorted.

        Where a dispute was decided on other labels, those take the place of all that were given before: of what was
        recorded about that, the public classes are left after a redaction.
        """
        value = self._rows.get(Table.CONDITIONS, u64(item)) if item else None
        since = 0 if value is None else ConditionRow.decode(item, value).relabelled_by
        found = {label for row in contributions if row.sequence > since for label in row.labels}
        if since:
            entry = self.entry(since)
            found.update(entry.classes if entry.payload is None else VotePayload.decode(entry.payload).labels)
        return tuple(sorted(found))

    def item_signals(self, item: int) -> list[tuple[int, ListedSignal]]:
        """(sequence of the entry that listed it, signal) of a live item, oldest first; redacted ones are missing."""
        row = self.item(item)
        if row is None or not row.status.matches:
            return []
        found: list[tuple[int, ListedSignal]] = []
        for sequence in signal_entries(item, self._rows):
            payload = self.entry(sequence).payload
            if payload is not None:
                signals = enumerate(ContributionPayload.decode(payload).signals)
                found.extend(
                    (sequence, signal)
                    for place, signal in signals
                    if not signal.confirms and self.lists_signal(signal_id(sequence, place), signal)
                )
        return found

    def lists_signal(self, identity: int, signal: ListedSignal) -> bool:
        """Whether a signal that an entry added is still listed; one that is kept and not searched always is."""
        kind = SIGNAL_TYPES_BY_CODE.get(signal.code)
        if kind is None:
            return True
        if not kind.exact:
            return self.lists(kind.code, identity)
        row = self._rows.get(Table.DIGESTS, digest_key(kind.code, signal.value))
        return row is not None and row[:8] == u64(identity)

    def item_by_digest(self, code: int, value: bytes) -> int | None:
        """The item that lists this digest. Only items that can match list any."""
        return self.digest_place(code, value)[0]

    def digest_place(self, code: int, value: bytes) -> tuple[int | None, bool]:
        """The item that lists this digest; and whether one that begins with the same 16 bytes is listed instead."""
        row = self._rows.get(Table.DIGESTS, digest_key(code, value))
        if row is None:
            return None, False
        if row[16:] != value[DIGEST_KEY_BYTES:]:
            return None, True
        return int.from_bytes(row[8:16], "big"), False

    def listed_digest(self, code: int, value: bytes) -> tuple[int, int] | None:
        """The item that lists this digest, and its signal id there."""
        row = self._rows.get(Table.DIGESTS, digest_key(code, value))
        if row is None or row[16:] != value[DIGEST_KEY_BYTES:]:
            return None
        return int.from_bytes(row[8:16], "big"), int.from_bytes(row[:8], "big")

    def lists(self, code: int, signal: int) -> bool:
        """Whether this perceptual signal is listed."""
        return self._rows.get(Table.VALUES, value_key(code, signal)) is not None

    def listed_value(self, code: int, signal: int) -> tuple[int, bytes] | None:
        """The item of a perceptual signal that is listed, and its value."""
        row = self._rows.get(Table.VALUES, value_key(code, signal))
        return None if row is None else (int.from_bytes(row[:8], "big"), row[8:])

    def value_blocks(
        self, code: int, start: int = 0, rows_max: int = BLOCK_ROWS
    ) -> Iterator[tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.uint8]]]:
        """Listed perceptual signals of a type, from signal id ``start`` on, in blocks of at most ``rows_max``.

        Yields:
            Signal ids, uint64 [n], growing; items, uint64 [n]; and values, uint8 [n, bytes of the type].
        """
        rows = self._rows.scan(Table.VALUES, start=value_key(code, start), prefix=bytes([code]))
        while block := list(itertools.islice(rows, rows_max)):
            keys, values = zip(*block, strict=True)
            # Rows of one type are equally long, so that they can be cut by numpy instead of one by one.
            key_table = np.frombuffer(b"".join(keys), np.uint8).reshape(len(block), -1)
            value_table = np.frombuffer(b"".join(values), np.uint8).reshape(len(block), -1)
            yield _numbers(key_table[:, 1:]), _numbers(value_table[:, :8]), np.ascontiguousarray(value_table[:, 8:])

    def digest_blocks(self) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """Signal type code and the first 16 bytes of the listed digests, uint8 [n, 16], in blocks."""
        rows = self._rows.scan(Table.DIGESTS)
        while block := list(itertools.islice(rows, BLOCK_ROWS)):
            table = np.frombuffer(b"".join(key for key, _ in block), np.uint8).reshape(len(block), -1)
            for code in np.unique(table[:, 0]).tolist():
                yield code, np.ascontiguousarray(table[table[:, 0] == code, 1:])

    def later_entries(self) -> Iterator[tuple[int, int]]:
        """(sequence, item) of the entries that may have added signals to an item made earlier."""
        for key, _ in self._rows.scan(Table.ITEM_ENTRIES):
            yield int.from_bytes(key[8:], "big"), int.from_bytes(key[:8], "big")

    def signal_entries(self, item: int) -> Iterator[int]:
        """Sequences of the entries that may hold signals of an item, oldest first."""
        return signal_entries(item, self._rows)

    def due(self, now_ms: int, *, limit: int) -> list[tuple[Due, int]]:
        """What has to be decided by now, and the number of the thing that it is about; the oldest first."""
        found: list[tuple[Due, int]] = []
        for key, _ in self._rows.scan(Table.DUE):
            if len(found) == limit or int.from_bytes(key[:8], "big") > now_ms:
                break
            found.append((Due(key[8]), int.from_bytes(key[9:], "big")))
        return found

    def entries(self, start: int = 0) -> Iterator[Entry]:
        """Entries in order, from ``start`` on."""
        return self._ledger.entries(start)

    def entry(self, sequence: int) -> Entry:
        """The entry with this number; raises KeyError where there is none."""
        return self._ledger.entry(sequence)

    def epoch_end(self, epoch: int) -> int | None:
        """The sequence that began the epoch after this one; None when this history has no such epoch, or none after."""
        rows = self._rows.scan(Table.EPOCHS, start=u32(epoch))
        first, following = next(rows, None), next(rows, None)
        if first is None or first[0] != u32(epoch) or following is None:
            return None
        return int.from_bytes(following[1], "big")


def _numbers(table: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """u64 columns as numbers: uint8 [n, 8] -> uint64 [n]."""
    return np.ascontiguousarray(table).view(">u8").ravel().astype(np.uint64)
