"""Does this process know the signal types of the list that it opens?

A list may hold signals of types that an installed package added. Without the package, or with another one that has
taken the number, its values could be neither searched nor named: that is told before anything is served.
"""

from __future__ import annotations

from hashpact.errors import PluginError
from hashpact.plugins import require_plugins
from hashpact.signals import SIGNAL_TYPES_BY_CODE

from hashpact_server.state.row_store import RowReader
from hashpact_server.state.tables import Table, digest_value, value_value


def require_known_types(rows: RowReader) -> None:
    """Make sure of it: one read per type that there could be.

    Raises:
        PluginError: an installed type is broken, or the list has signals of one that is not installed, or is another.
    """
    require_plugins()
    for code in range(1, 256):
        kind = SIGNAL_TYPES_BY_CODE.get(code)
        for table in (Table.DIGESTS, Table.VALUES):
            row = next(rows.scan(table, prefix=bytes([code])), None)
            if row is None:
                continue
            if kind is None:
                raise PluginError(
                    f"the list holds signals of type {code}, which nothing here knows: install the package that adds "
                    "it, as the other servers of the list have it, or upgrade"
                )
            sized = _row_bytes(table, kind.size_bytes)
            if kind.exact is not (table is Table.DIGESTS) or len(row[1]) != sized:
                raise PluginError(
                    f"the list holds signals of type {code} that are none of {kind.name!r}, as that is here: "
                    "install the same packages as the other servers of the list"
                )


def _row_bytes(table: Table, size_bytes: int) -> int:
    if table is Table.DIGESTS:
        return len(digest_value(0, 0, bytes(size_bytes)))
    return len(value_value(0, bytes(size_bytes)))
