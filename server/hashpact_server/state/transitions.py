"""Where an item can go from where it stands: the table of the status machine. Apply refuses everything else.

============  ==========================================================================
from          to
============  ==========================================================================
(none)        provisional, inherited
provisional   corroborated, inherited, disputed, withdrawn, expired
inherited     provisional, corroborated, disputed, withdrawn, expired
corroborated  provisional, inherited, disputed, withdrawn, expired
disputed      provisional, corroborated, inherited, withdrawn, expired
withdrawn     (the end)
expired       (the end)
============  ==========================================================================

Staying where it stands is always allowed while the item is open.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from hashpact_server.state.rows import Status

_OPEN: Final = frozenset(status for status in Status if status.matches)
_END: Final = frozenset({Status.WITHDRAWN, Status.EXPIRED})

TRANSITIONS: Final[Mapping[Status | None, frozenset[Status]]] = MappingProxyType(
    {
        None: frozenset({Status.PROVISIONAL, Status.INHERITED}),
        Status.PROVISIONAL: (_OPEN | _END) - {Status.PROVISIONAL},
        Status.INHERITED: (_OPEN | _END) - {Status.INHERITED},
        Status.CORROBORATED: (_OPEN | _END) - {Status.CORROBORATED},
        Status.DISPUTED: (_OPEN | _END) - {Status.DISPUTED},
        Status.WITHDRAWN: frozenset(),
        Status.EXPIRED: frozenset(),
    }
)
"""Status before (None: there is no item yet) -> those that may follow."""

_MAY_STAND: Final = {before: after | {before} if before in _OPEN else after for before, after in TRANSITIONS.items()}
"""The same, and where it may stay."""


def may_follow(before: Status | None, after: Status) -> bool:
    """Whether an item may stand at ``after`` once an entry took effect that found it at ``before``."""
    return after in _MAY_STAND[before]
