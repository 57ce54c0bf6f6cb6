"""fsck: does what is on the disk hold together?

LMDB's pages have no checksums; what is stored is checked against what must be true of it: every entry against its
place, every private part against its commitment, every tile and the frontier against the entries, every row of the
state against ``state_digest``, and rows against each other. That the rows are the right ones, replay-check shows.

Works offline, on a directory that no server has open, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from hashpact.signals import SIGNAL_TYPES_BY_CODE

from hashpact_server.core import open_store
from hashpact_server.ledger.codec import LayoutError, u64
from hashpact_server.ledger.embedded import PRIVATE, PUBLIC, TILES, LedgerReader
from hashpact_server.ledger.entry import Entry, Kind, check_private, leaf_hash, parse
from hashpact_server.ledger.merkle import Frontier, RightEdge
from hashpact_server.ledger.store import StoreError, Tx
from hashpact_server.replay import Report
from hashpact_server.state.digest import MODULUS, row_hash, state_digest
from hashpact_server.state.row_store import StoredRows
from hashpact_server.state.rows import SIGNAL_ORDINAL_BITS, ItemRow, MemberRow, TokenRow
from hashpact_server.state.tables import Table

_LEAVES_AT_ONCE = 65_536


def run(data_dir: Path) -> Report:
    """Check the store of a data directory.

    Raises:
        StoreError: it cannot be opened.
    """
    store = open_store(data_dir)
    try:
        with store.read() as tx:
            return check_stored(tx)
    finally:
        store.close()


def check_stored(tx: Tx) -> Report:
    """The same inside a read transaction."""
    report = Report()
    redacted = _check_ledger(tx, report)
    _check_private_rows(tx, report, redacted)
    _check_state(tx, report)
    return report


def _check_ledger(tx: Tx, report: Report) -> set[int]:
    """Entries, tree and head; returns the sequences that a redaction names."""
    ledger = LedgerReader(tx)
    tree = _Tree(ledger, report)
    redacted: set[int] = set()
    missing: list[int] = []
    previous_ms = 0
    for entry in _entries(tx, report):
        _check_entry(entry, previous_ms, report)
        if entry.redacted:
            missing.append(entry.sequence)
        if entry.kind == Kind.REDACTED:
            redacted.add(entry.subject)
        previous_ms = entry.time_ms
        report.entries += 1
        tree.add(leaf_hash(entry.public))
    if not report.entries:
        report.say("this store holds no list")
    tree.finish(previous_ms)
    for sequence in missing:
        if sequence not in redacted:
            report.say(f"entry {sequence}: its private part is gone, and no entry redacts it")
    return redacted


def _check_entry(entry: Entry, previous_ms: int, report: Report) -> None:
    if entry.sequence != report.entries:
        report.say(f"entry {entry.sequence} stands in place {report.entries}")
    if entry.time_ms < previous_ms:
        report.say(f"entry {entry.sequence}: its time runs backwards")
    if not check_private(entry):
        report.say(f"entry {entry.sequence}: its private part is not the one that it commits to")


class _Tree:
    """The tree over the entries that were read, held against the stored one."""

    def __init__(self, ledger: LedgerReader, report: Report) -> None:
        self._ledger = ledger
        self._report = report
        self._edge, self._frontier = RightEdge(), Frontier()
        self._leaves: list[bytes] = []

    def add(self, leaf: bytes) -> None:
        self._leaves.append(leaf)
        if len(self._leaves) == _LEAVES_AT_ONCE:
            self._settle()

    def _settle(self) -> None:
        self._frontier = self._frontier.extended(self._leaves)
        for level, index, hashes in self._edge.extend(self._leaves):
            # A tile that is still growing here may be full in the store: it must begin with what we have.
            stored = self._ledger.tile(level, index)
            if stored is None or not stored.startswith(hashes):
                self._report.say(f"tile {level}/{index} is not what the entries give")
        self._leaves = []

    def finish(self, time_ms: int) -> None:
        self._settle()
        self._report.root = self._frontier.root()
        try:
            tip = self._ledger.tip()
            if tip.frontier != self._frontier:
                size = tip.frontier.size
                self._report.say(f"the head says {size} entries; the {self._report.entries} there give another tree")
            if tip.time_ms != time_ms:
                self._report.say("the head's time is not the last entry's")
            self._ledger.right_edge()
        except (LayoutError, StoreError) as error:
            self._report.say(f"the ledger's head cannot be read: {error}")


def _entries(tx: Tx, report: Report) -> Iterator[Entry]:
    for key, public in tx.scan(PUBLIC):
        try:
            yield parse(public, tx.get(PRIVATE, key))
        except LayoutError as error:
            report.say(f"entry {int.from_bytes(key, 'big')} cannot be read: {error}")
            report.entries += 1


def _check_private_rows(tx: Tx, report: Report, redacted: set[int]) -> None:
    for sequence in redacted:
        if tx.get(PRIVATE, u64(sequence)) is not None:
            report.say(f"entry {sequence} is redacted, and its private part is still there")
    last = tx.last(PRIVATE)
    if last is not None and int.from_bytes(last[0], "big") >= report.entries:
        report.say("there are private parts after the last entry")
    if tx.count(TILES) and not report.entries:
        report.say("there are tiles without entries")


def _check_state(tx: Tx, report: Report) -> None:
    rows = StoredRows(tx)
    try:
        sequence, total = rows.head()
    except LayoutError as error:
        report.say(str(error))
        return
    report.digest = state_digest(max(sequence, 0), total)
    if sequence != report.entries - 1:
        report.say(f"the state stands at entry {sequence}, the ledger ends at entry {report.entries - 1}")
    found = 0
    for table in Table:
        for key, value in rows.scan(table):
            report.rows += 1
            found = (found + row_hash(table, key, value)) % MODULUS
            _check_row(rows, table, key, value, report)
    if found != total:
        report.say("the rows of the state do not give its state_digest")


def _check_row(rows: StoredRows, table: Table, key: bytes, value: bytes, report: Report) -> None:
    try:
        check = _ROW_CHECKS.get(table)
        problem = check(rows, key, value) if check else None
    except (LayoutError, ValueError, IndexError) as error:
        problem = f"cannot be read: {error}"
    if problem:
        where = "" if table is Table.DIGESTS else f" {key.hex()}"
        report.say(f"table {table.name.lower()}: row{where} {problem}")


def _check_member(rows: StoredRows, key: bytes, value: bytes) -> str | None:
    member = MemberRow.decode(key, value)
    if member.name and rows.get(Table.MEMBER_NAMES, member.name.encode()) != key:
        return "is not found by its name"
    return None


def _check_name(rows: StoredRows, _key: bytes, value: bytes) -> str | None:
    return None if rows.get(Table.MEMBERS, value) else "names a member that does not exist"


def _check_token(rows: StoredRows, key: bytes, value: bytes) -> str | None:
    token = TokenRow.decode(int.from_bytes(key, "big"), value)
    return None if rows.get(Table.MEMBERS, token.pseudonym) else "belongs to a member that does not exist"


def _check_contribution(rows: StoredRows, key: bytes, _value: bytes) -> str | None:
    if rows.get(Table.ITEMS, key[:8]) is None:
        return "is about an item that does not exist"
    return None if rows.get(Table.MEMBERS, key[8:]) else "is of a member that does not exist"


def _check_item(_rows: StoredRows, key: bytes, value: bytes) -> str | None:
    ItemRow.decode(int.from_bytes(key, "big"), value)
    return None


def _check_live(rows: StoredRows, item: bytes) -> str | None:
    row = rows.get(Table.ITEMS, item)
    if row is None:
        return "belongs to an item that does not exist"
    if not ItemRow.decode(int.from_bytes(item, "big"), row).status.matches:
        return "belongs to an item that can match nothing"
    return None


def _check_digest(rows: StoredRows, key: bytes, value: bytes) -> str | None:
    kind = SIGNAL_TYPES_BY_CODE.get(key[0])
    if kind is None or not kind.exact or len(key) - 1 + len(value) - 16 != kind.size_bytes:
        return "has another length than its signal type"
    return _check_live(rows, value[8:16])


def _check_value(rows: StoredRows, key: bytes, value: bytes) -> str | None:
    kind = SIGNAL_TYPES_BY_CODE.get(key[0])
    if kind is None or kind.exact or len(value) - 8 != kind.size_bytes:
        return "has another length than its signal type"
    item, sequence = value[:8], int.from_bytes(key[1:], "big") >> SIGNAL_ORDINAL_BITS
    if int.from_bytes(item, "big") != sequence and rows.get(Table.ITEM_ENTRIES, item + u64(sequence)) is None:
        return "stands in an entry that is not one of its item"
    return _check_live(rows, item)


_ROW_CHECKS: dict[Table, Callable[[StoredRows, bytes, bytes], str | None]] = {
    Table.MEMBERS: _check_member,
    Table.MEMBER_NAMES: _check_name,
    Table.TOKENS: _check_token,
    Table.ITEMS: _check_item,
    Table.CONTRIBUTIONS: _check_contribution,
    Table.DIGESTS: _check_digest,
    Table.VALUES: _check_value,
}
