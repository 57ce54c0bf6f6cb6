"""fsck: does what is on the disk hold together?

LMDB's pages have no checksums; what is stored is checked against what must be true of it: every entry against its
place, every private part against its commitment, every tile and the frontier against the entries, every row of the
state against ``state_digest``, and rows against each other. What is read in order is also looked up by its key: pages
that lead to a row may be damaged where the row is not. That the rows are the right ones, replay-check shows.

Works offline, on a directory that no server has open, and changes nothing of the list; indexes are brought up to date.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from hashpact.errors import InvalidSignalError
from hashpact.local_signature import LocalSignature
from hashpact.signals import SIGNAL_TYPES_BY_CODE, Comparison

from hashpact_server import idempotency
from hashpact_server.core import INDEX_FOLDER, open_store, read_head
from hashpact_server.ledger.codec import LayoutError, u64
from hashpact_server.ledger.embedded import PRIVATE, PUBLIC, TILES, LedgerReader
from hashpact_server.ledger.entry import Entry, Kind, check_private, leaf_hash, parse
from hashpact_server.ledger.merkle import HASH_BYTES, TILE_WIDTH, Frontier, RightEdge, every_tile
from hashpact_server.ledger.store import StoreError, Tx
from hashpact_server.replay import Report
from hashpact_server.shelf import Shelf
from hashpact_server.state import members, row_checks
from hashpact_server.state.digest import MODULUS, row_hash, state_digest
from hashpact_server.state.row_store import StoredRows
from hashpact_server.state.rows import SIGNAL_ORDINAL_BITS, ContributionRow, ItemRow, MemberRow, TokenRow
from hashpact_server.state.tables import Table
from hashpact_server.state.view import View

_LEAVES_AT_ONCE = 65_536


def check(data_dir: Path) -> Report:
    """Check the store of a data directory.

    Raises:
        StoreError: it cannot be opened.
    """
    store = open_store(data_dir)
    try:
        with store.read() as tx:
            report = check_stored(tx)
            if report.ok:
                _check_indexes(data_dir / INDEX_FOLDER, tx, report)
            return report
    finally:
        store.close()


def _check_indexes(folder: Path, tx: Tx, report: Report) -> None:
    """The indexes that are kept between runs, caught up as a start would, hold exactly what the state lists."""
    ledger, rows = LedgerReader(tx), StoredRows(tx)
    shelf = Shelf(folder)
    try:
        for name in shelf.differing(View(rows, ledger, read_head(ledger, rows))):
            report.say(f"the {name} index differs from the state: delete the folder index; a start builds it anew")
    except (StoreError, LookupError, ValueError) as error:
        report.say(f"the indexes cannot be compared with the state: {error}")
    finally:
        shelf.close()


def check_stored(tx: Tx) -> Report:
    """The same inside a read transaction."""
    report = Report()
    try:
        _check_ledger(tx, report)
        _check_state(tx, report)
        _check_answers(tx, report)
        if tx.strangers():
            report.say("there are tables that this version does not know, or whose names are damaged")
    except StoreError as error:
        # LMDB itself could not read on: one of its pages points into the void.
        report.say(str(error))
    return report


def _check_ledger(tx: Tx, report: Report) -> None:
    """Entries, their private parts, tree and head."""
    ledger = LedgerReader(tx)
    tree = _Tree(ledger, tx.count(TILES), report)
    redacted: set[int] = set()
    missing: set[int] = set()
    previous_ms = 0
    for key, entry in _entries(tx, report):
        _check_entry(key, entry, previous_ms, report)
        if entry.redacted:
            missing.add(entry.sequence)
        if entry.kind == Kind.REDACTED:
            redacted.add(entry.subject)
        previous_ms = entry.time_ms
        report.entries += 1
        tree.add(leaf_hash(entry.public))
    if not report.entries:
        report.say("this store holds no list")
    tree.finish(previous_ms)
    for sequence in sorted(missing ^ redacted):
        if sequence in missing:
            report.say(f"entry {sequence}: its private part is gone, and no entry redacts it")
        elif sequence < report.entries:
            report.say(f"entry {sequence} is redacted, and its private part is still there")
    if tx.count(PRIVATE) != report.entries - len(missing):
        report.say("there are private parts of entries that are not there")


def _check_entry(key: bytes, entry: Entry, previous_ms: int, report: Report) -> None:
    if entry.sequence != report.entries or key != u64(report.entries):
        report.say(f"entry {entry.sequence} stands in place {report.entries}")
    if entry.time_ms < previous_ms:
        report.say(f"entry {entry.sequence}: its time runs backwards")
    if not check_private(entry):
        report.say(f"entry {entry.sequence}: its private part is not the one that it commits to")


class _Tree:
    """The tree over the entries that were read, held against the stored one."""

    def __init__(self, ledger: LedgerReader, stored_tiles: int, report: Report) -> None:
        self._ledger = ledger
        self._stored_tiles = stored_tiles
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
            if stored is None or not stored.startswith(hashes) or len(stored) > TILE_WIDTH * HASH_BYTES:
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
            if self._stored_tiles != sum(1 for _ in every_tile(self._frontier.size)):
                self._report.say("there are tiles that no entry asks for")
        except (LayoutError, StoreError) as error:
            self._report.say(f"the ledger's head cannot be read: {error}")


def _entries(tx: Tx, report: Report) -> Iterator[tuple[bytes, Entry]]:
    for key, public in tx.scan(PUBLIC):
        if tx.get(PUBLIC, key) != public:
            report.say(f"entry {report.entries} is not found by its number")
        try:
            entry = parse(public, tx.get(PRIVATE, key))
        except LayoutError as error:
            report.say(f"entry {report.entries} cannot be read: {error}")
            report.entries += 1
        else:
            yield key, entry


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
            if rows.get(table, key) != value:
                report.say(f"table {table.name.lower()}: a row is not found by its key")
            _check_row(tx, rows, table, key, value, report)
    if found != total:
        report.say("the rows of the state do not give its state_digest")


def _row_problem(tx: Tx, rows: StoredRows, table: Table, key: bytes, value: bytes) -> str | None:
    if (check_row := _ROW_CHECKS.get(table)) is not None:
        return check_row(rows, key, value)
    return row_checks.ROW_CHECKS[table](row_checks.List(rows, LedgerReader(tx)), key, value)


def _check_row(tx: Tx, rows: StoredRows, table: Table, key: bytes, value: bytes, report: Report) -> None:
    try:
        if len(key) != _KEY_BYTES.get(table, len(key)):
            problem: str | None = "has a key of another length than its table's"
        else:
            problem = _row_problem(tx, rows, table, key, value)
    except (LayoutError, ValueError, IndexError) as error:
        problem = f"cannot be read: {error}"
    if problem:
        where = "" if table is Table.DIGESTS else f" {key.hex()}"
        report.say(f"table {table.name.lower()}: row{where} {problem}")


def _check_answers(tx: Tx, report: Report) -> None:
    """What is remembered of answers: each whole, and known by its time as well."""
    kept = 0
    for key, value in tx.scan(idempotency.REQUESTS):
        kept += 1
        if tx.get(idempotency.REQUESTS, key) != value:
            report.say("an answer that was kept is not found by its request")
        try:
            time_ms, _, _ = idempotency.unpack(value)
        except LayoutError as error:
            report.say(f"an answer that was kept {error}")
            continue
        if tx.get(idempotency.TIMES, u64(time_ms) + key) is None:
            report.say("an answer that was kept would never be forgotten")
    if tx.count(idempotency.TIMES) != kept:
        report.say("there are times of answers that were not kept")


def _check_epoch(_rows: StoredRows, _key: bytes, value: bytes) -> str | None:
    return None if len(value) == 8 else "has another length than its table's"


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


def _check_contribution(rows: StoredRows, key: bytes, value: bytes) -> str | None:
    ContributionRow.decode(0, key[8:], value)
    if rows.get(Table.ITEMS, key[:8]) is None:
        return "is about an item that does not exist"
    return None if rows.get(Table.MEMBERS, key[8:]) else "is of a member that does not exist"


def _check_item_entry(rows: StoredRows, key: bytes, value: bytes) -> str | None:
    if value:
        return "has a value"
    return None if rows.get(Table.ITEMS, key[:8]) else "is about an item that does not exist"


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
    if kind.comparison is Comparison.POINTS:
        try:
            LocalSignature.decode(value[8:])
        except InvalidSignalError as error:
            return f"is no local signature: {error.message}"
    item, sequence = value[:8], int.from_bytes(key[1:], "big") >> SIGNAL_ORDINAL_BITS
    if int.from_bytes(item, "big") != sequence and rows.get(Table.ITEM_ENTRIES, item + u64(sequence)) is None:
        return "stands in an entry that is not one of its item"
    return _check_live(rows, item)


_ROW_CHECKS: Final[Mapping[Table, Callable[[StoredRows, bytes, bytes], str | None]]] = {
    Table.EPOCHS: _check_epoch,
    Table.MEMBERS: _check_member,
    Table.MEMBER_NAMES: _check_name,
    Table.TOKENS: _check_token,
    Table.ITEMS: _check_item,
    Table.CONTRIBUTIONS: _check_contribution,
    Table.ITEM_ENTRIES: _check_item_entry,
    Table.DIGESTS: _check_digest,
    Table.VALUES: _check_value,
    **members.ROW_CHECKS,
}

_KEY_BYTES: Final[Mapping[Table, int]] = {
    Table.EPOCHS: 4,
    Table.MEMBERS: 16,
    Table.TOKENS: 8,
    Table.ITEMS: 8,
    Table.CONTRIBUTIONS: 24,
    Table.ITEM_ENTRIES: 16,
    Table.DIGESTS: 17,
    Table.VALUES: 9,
    Table.PENDING: 8,
    Table.MEMBER_RECORDS: 16,
    **row_checks.KEY_BYTES,
}
