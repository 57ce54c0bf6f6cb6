"""replay-check: the ledger, applied to an empty store, gives the state that stands there, row by row.

Works offline, on a directory that no server has open, and leaves nothing behind.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hashpact_server.core import open_store
from hashpact_server.ledger.base import Reading
from hashpact_server.ledger.codec import LayoutError
from hashpact_server.ledger.embedded import LedgerReader
from hashpact_server.ledger.entry import Entry
from hashpact_server.ledger.store import Store, StoreError, StoreFullError, Tx
from hashpact_server.state import tables
from hashpact_server.state.apply import apply
from hashpact_server.state.digest import state_digest
from hashpact_server.state.row_store import StoredRows, WritableRows
from hashpact_server.state.scope import Changes, ContradictionError, Scope, UnknownEntryError
from hashpact_server.state.tables import Table

PROBLEMS_MAX: Final = 100
_COMMIT_ENTRIES: Final = 20_000


@dataclass(slots=True)
class Report:
    """What an offline check found.

    Attributes:
        entries: ledger entries that were read.
        rows: state rows that were compared.
        root: root hash of the tree over the entries that were read.
        digest: ``state_digest`` of the rows as stored.
        problems: what is wrong, at most ``PROBLEMS_MAX`` lines, without hash values; empty when all is well.
    """

    entries: int = 0
    rows: int = 0
    root: bytes = b""
    digest: bytes = b""
    problems: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def say(self, problem: str) -> None:
        """Add a problem, unless there are enough already."""
        if len(self.problems) < PROBLEMS_MAX:
            self.problems.append(problem)


def check(data_dir: Path) -> Report:
    """Replay the ledger of a data directory and compare.

    Raises:
        StoreError: the store cannot be opened, or there is no room for temporary files.
    """
    store = open_store(data_dir)
    try:
        with store.read() as tx:
            return check_stored(tx)
    finally:
        store.close()


def check_stored(tx: Tx) -> Report:
    """The same inside a read transaction.

    Raises:
        StoreError: there is no room for temporary files.
    """
    report = Report()
    ledger = LedgerReader(tx)
    # In the default folder for temporary files: the data directory may be on a full disk, which is when people ask.
    with tempfile.TemporaryDirectory(prefix="hashpact-replay-") as folder:
        scratch = Store(Path(folder), tables.TABLES, durable=False)
        try:
            if not _replay(ledger, scratch, report):
                return report
            with scratch.read() as replayed:
                _compare(tx, replayed, report)
        except StoreFullError as error:
            raise StoreError(f"no room for the replayed state in {folder}; set TMPDIR to a larger place") from error
        except StoreError as error:
            # LMDB itself could not read on: one of its pages points into the void.
            report.say(str(error))
        finally:
            scratch.close()
    return report


def _replay(ledger: LedgerReader, scratch: Store, report: Report) -> bool:
    """Apply every entry; whether that worked to the end."""
    entries = ledger.entries()
    while True:
        tx = scratch.write()
        rows = WritableRows(tx)
        try:
            done = _apply_some(ledger, entries, rows, report)
        except (UnknownEntryError, ContradictionError, LookupError, ValueError) as error:
            tx.abort()
            report.say(f"entry {report.entries} cannot be applied: {error}")
            return False
        except BaseException:
            tx.abort()
            raise
        if not report.entries:
            tx.abort()
            report.say("this store holds no list")
            return False
        rows.finish(report.entries - 1)
        scratch.commit(tx)
        if done:
            return True


def _apply_some(ledger: Reading, entries: Iterator[Entry], rows: WritableRows, report: Report) -> bool:
    """Apply up to ``_COMMIT_ENTRIES`` entries; whether there are no more."""
    scope = Scope(rows, ledger, Changes())
    for _ in range(_COMMIT_ENTRIES):
        entry = next(entries, None)
        if entry is None:
            return True
        apply(entry, scope)
        report.entries += 1
    return False


def _compare(stored: Tx, replayed: Tx, report: Report) -> None:
    left, right = StoredRows(stored), StoredRows(replayed)
    try:
        sequence, total = left.head()
    except LayoutError as error:
        report.say(str(error))
        return
    report.digest = state_digest(max(sequence, 0), total)
    if sequence != report.entries - 1:
        report.say(f"the state stands at entry {sequence}, the ledger ends at entry {report.entries - 1}")
    if report.digest != right.state_digest():
        report.say("state_digest differs between the stored and the replayed state")
    for table in Table:
        for key in _differing(left, right, table, report):
            # Keys of digests are hash values: say which table, never which key.
            where = "a row" if table is Table.DIGESTS else f"row {key.hex()}"
            report.say(f"table {table.name.lower()}: {where} differs from what the ledger adds up to")


def _differing(left: StoredRows, right: StoredRows, table: Table, report: Report) -> Iterator[bytes]:
    """Keys whose rows are not the same on both sides."""
    a, b = left.scan(table), right.scan(table)
    row_a, row_b = next(a, None), next(b, None)
    while row_a is not None or row_b is not None:
        report.rows += 1
        if row_a == row_b:
            row_a, row_b = next(a, None), next(b, None)
        elif row_b is None or (row_a is not None and row_a[0] < row_b[0]):
            assert row_a is not None  # noqa: S101 - one of the two is there
            yield row_a[0]
            row_a = next(a, None)
        elif row_a is None or row_b[0] < row_a[0]:
            yield row_b[0]
            row_b = next(b, None)
        else:
            yield row_a[0]
            row_a, row_b = next(a, None), next(b, None)
