"""Status: what standing contributions add up to."""

from __future__ import annotations

import pytest
from hashpact_server.rules.standing import status_of
from hashpact_server.state.rows import Basis, Role, Status

from tests.forum import Forum

P, A, F, I, R = (  # noqa: E741 - one letter per basis keeps the table readable
    Basis.PERSON_LOOKED,
    Basis.AUTOMATIC,
    Basis.FOUND_THROUGH_LIST,
    Basis.IMPORT,
    Basis.REDACTED,
)


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
    statements = [(known[name].pseudonym if name in known else b"?" * 16, basis) for name, basis in said]
    with forum.engine.state.read() as view:
        assert status_of(view, statements) is status
