"""Status: what standing contributions add up to."""

from __future__ import annotations

import pytest
from hashpact_server.ledger.entry import Draft, Kind
from hashpact_server.ledger.payloads import ContributionPayload
from hashpact_server.rules.standing import status_of
from hashpact_server.state.rows import Basis, ContributionRow, Role, Status
from hashpact_server.state.scope import ContradictionError

from tests.forum import LABELS, Forum

P, A, F, I, R = (  # noqa: E741 - one letter per basis keeps the table readable
    Basis.PERSON_LOOKED,
    Basis.AUTOMATIC,
    Basis.FOUND_THROUGH_LIST,
    Basis.IMPORT,
    Basis.REDACTED,
)


def word(pseudonym: bytes, basis: Basis) -> ContributionRow:
    return ContributionRow(0, pseudonym, 9, basis, LABELS)


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ([], Status.WITHDRAWN),
        ([("a", P)], Status.PROVISIONAL),
        ([("a", P), ("b", P)], Status.CORROBORATED),
        ([("a", P), ("a-sister", P)], Status.PROVISIONAL),
        ([("a", P), ("a-sister", P), ("b", P)], Status.CORROBORATED),
        ([("a", P), ("b", A)], Status.PROVISIONAL),
        ([("a", P), ("b", F)], Status.PROVISIONAL),
        ([("a", P), ("b", R)], Status.PROVISIONAL),
        ([("a", P), ("b", I)], Status.PROVISIONAL),
        ([("a", I)], Status.INHERITED),
        ([("a", I), ("b", I)], Status.INHERITED),
        ([("a", I), ("b", A)], Status.PROVISIONAL),
        ([("a", I), ("a-sister", P), ("b", P)], Status.CORROBORATED),
        ([("a", F), ("b", F)], Status.PROVISIONAL),
        ([("a", R)], Status.PROVISIONAL),
        ([("a", P), ("nobody", P)], Status.PROVISIONAL),
    ],
)
def test_status(forum: Forum, said: list[tuple[str, Basis]], status: Status) -> None:
    sister = forum.admit("a-sister", [Role.CONTRIBUTE], group="a")
    known = {"a": forum.a, "b": forum.b, "a-sister": sister}
    rows = [word(known[name].pseudonym if name in known else b"?" * 16, basis) for name, basis in said]
    with forum.engine.state.read() as view:
        assert status_of(view, 0, rows) is status


def test_a_group_that_was_redacted_is_not_assumed_to_be_another_one(forum: Forum) -> None:
    for name in ("gone-1", "gone-2"):
        row = forum.admit(name, [Role.CONTRIBUTE])
        draft = Draft(Kind.REDACTED, subject=row.created_sequence, clear=b"\x01")
        forum.decide(lambda scene, draft=draft: scene.record(draft))  # type: ignore[misc] # binds the loop's draft
    with forum.engine.state.read() as view:
        gone = [member.pseudonym for member in view.every_member() if not member.name]
        assert len(gone) == 2
        assert status_of(view, 0, [word(gone[0], P), word(gone[1], P)]) is Status.PROVISIONAL
        assert status_of(view, 0, [word(gone[0], P), word(forum.a.pseudonym, P)]) is Status.PROVISIONAL


@pytest.mark.parametrize("status", [Status.CORROBORATED, Status.DISPUTED, Status.WITHDRAWN, Status.EXPIRED])
def test_apply_refuses_what_leads_off_the_table(forum: Forum, status: Status) -> None:
    said = ContributionPayload(P, 0, "", LABELS, ()).encode()
    draft = Draft(Kind.ITEM_CREATED, forum.a.pseudonym, clear=bytes((status,)), payload=said)
    with pytest.raises(ContradictionError, match="where no item may go"):
        forum.decide(lambda scene: scene.record(draft))
