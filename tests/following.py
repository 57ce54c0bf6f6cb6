"""A replica without a network: it adopts what its hub recorded, in pieces of any size."""

from __future__ import annotations

import io
from pathlib import Path

from hashpact_server.adopting import Expected, Parts, adopt
from hashpact_server.config import Config
from hashpact_server.core import Core, open_store
from hashpact_server.engine import Engine
from hashpact_server.ledger.embedded import LedgerReader
from hashpact_server.snapshot import load, write
from hashpact_server.state.row_store import StoredRows
from hashpact_server.state.tables import Table


def parts_from(core: Core, start: int, end: int | None = None) -> list[Parts]:
    """Entries as the hub has them now."""
    with core.store.read() as tx:
        parts = [Parts(public, private) for public, private in LedgerReader(tx).stored(start)]
    return parts if end is None else parts[: end - start]


def expected_of(core: Core, size: int) -> Expected:
    """What the hub adds up to there; the state's digest where it is still known."""
    with core.store.read() as tx:
        rows = StoredRows(tx)
        root = LedgerReader(tx).root_at(size)
        if rows.head()[0] != size - 1:
            return Expected(size, root)
        return Expected(size, root, rows.state_digest(), LedgerReader(tx).private_parts())


def rows_of(core: Core) -> dict[tuple[Table, bytes], bytes]:
    """Every row of the state."""
    with core.store.read() as tx:
        rows = StoredRows(tx)
        return {(table, key): value for table in Table for key, value in rows.scan(table)}


def next_of(engine: Engine) -> int:
    """Number of the entry that comes next."""
    return engine.published.head.sequence + 1


def begun(folder: Path, hub: Engine) -> Engine:
    """A replica that began with a snapshot of the hub."""
    folder.mkdir()
    file = io.BytesIO()
    with hub.state.store.read() as tx:
        write(tx, file)
    store = open_store(folder)
    load(io.BytesIO(file.getvalue()), store)
    store.close()
    return Engine.open(folder, Config())


def follow(replica: Engine, hub: Engine, size: int) -> None:
    """Adopt up to an entry of the hub's."""
    start = next_of(replica)
    adopt(replica.writer, replica.state, parts_from(hub.state, start, size), expected_of(hub.state, size))
