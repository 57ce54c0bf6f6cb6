"""What an item's standing contributions add up to: its status."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from hashpact_server.state.rows import Basis, Status
from hashpact_server.state.view import View

CORROBORATING_GROUPS_MIN: Final = 2


def status_of(view: View, statements: Iterable[tuple[bytes, int]]) -> Status:
    """The status of an item that these statements stand for.

    CORROBORATED: members of at least two corporate groups each say that a person looked. INHERITED: it was only ever
    imported. PROVISIONAL: everything else. WITHDRAWN: nobody says anything any more.

    A member whose group was redacted counts for no group: independence that cannot be shown is not assumed.

    Args:
        view: to look up each member's group.
        statements: (pseudonym, ``Basis`` number) per standing contribution.
    """
    bases = set()
    groups = set()
    for pseudonym, basis in statements:
        bases.add(basis)
        if basis == Basis.PERSON_LOOKED:
            member = view.member(pseudonym)
            if member is not None and member.group:
                groups.add(member.group)
    if not bases:
        return Status.WITHDRAWN
    if len(groups) >= CORROBORATING_GROUPS_MIN:
        return Status.CORROBORATED
    return Status.INHERITED if bases == {Basis.IMPORT} else Status.PROVISIONAL
