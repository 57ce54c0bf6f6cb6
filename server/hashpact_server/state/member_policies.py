"""Which entry set a member's own policy. Its content is private, and read from there."""

from __future__ import annotations

from hashpact_server.state.tables import Table
from hashpact_server.state.view import View


def policy_entry(view: View, pseudonym: bytes) -> int:
    """The entry that set the policy of a member; 0: none did."""
    value = view.rows.get(Table.MEMBER_POLICIES, pseudonym)
    return 0 if value is None else int.from_bytes(value, "big")
