"""Tiers: whose word has full weight."""

from __future__ import annotations

from hashpact_server.ledger.entry import SERVICE
from hashpact_server.state.view import View


def is_full(view: View, pseudonym: bytes) -> bool:
    """Whether a member's word has full weight: whoever operates the list admitted it."""
    row = view.member(pseudonym)
    return row is not None and view.entry(row.created_sequence).member == SERVICE
