"""Members and tokens."""

from __future__ import annotations

import pytest
from hashpact.v1 import error_reason_pb2 as reasons
from hashpact_server.config import Limits
from hashpact_server.ledger.entry import Draft, Kind
from hashpact_server.refusal import Refusal
from hashpact_server.rules import members
from hashpact_server.rules.members import check_name, check_roles
from hashpact_server.state.rows import MemberRow, Role, TokenRow

from tests.forum import Forum


def suspend(forum: Forum, name: str, *, suspended: bool = True) -> MemberRow:
    return forum.decide(lambda scene: members.set_suspended(scene, forum.steward.pseudonym, name, suspended=suspended))


def issue(forum: Forum, member: MemberRow, *, expiry_ms: int = 0, limits: Limits | None = None) -> TokenRow:
    secret = bytes(32)
    return forum.decide(
        lambda scene: members.issue_token(
            scene,
            forum.steward.pseudonym,
            member.pseudonym,
            token_hash=secret,
            expiry_ms=expiry_ms,
            limits=limits or forum.limits,
        )
    )


def revoke(forum: Forum, actor: MemberRow, token_id: int, *, steward: bool = False) -> None:
    forum.decide(lambda scene: members.revoke_token(scene, actor.pseudonym, token_id, steward=steward))


@pytest.mark.parametrize("name", ["a", "0", "a-b", "platform-1", "a" * 64, "a-"])
def test_good_names(name: str) -> None:
    assert check_name("name", name) == name


@pytest.mark.parametrize("name", ["", "-a", "A", "a_b", "a b", "a\n", "a" * 65, "é", "a/../b"])
def test_bad_names(name: str) -> None:
    with pytest.raises(Refusal) as refused:
        check_name("name", name)
    assert refused.value.violations[0][0] == "name"


def test_roles_are_sorted_and_unique() -> None:
    assert check_roles([5, 1, 5]) == (Role.CHECK, Role.REVIEW)


@pytest.mark.parametrize("roles", [[], [0], [8], [1, 99], [-1]])
def test_bad_roles(roles: list[int]) -> None:
    with pytest.raises(Refusal) as refused:
        check_roles(roles)
    assert refused.value.reason == reasons.ERROR_REASON_FIELD_INVALID


def test_admission(forum: Forum) -> None:
    row = forum.admit("c", [Role.CHECK, Role.AUDIT], group="holding")
    assert (row.name, row.group, row.roles, row.suspended) == ("c", "holding", (Role.CHECK, Role.AUDIT), False)
    with pytest.raises(Refusal) as refused:
        forum.admit("c", [Role.CHECK])
    assert refused.value.reason == reasons.ERROR_REASON_MEMBER_EXISTS


def test_suspending_and_resuming(forum: Forum) -> None:
    assert suspend(forum, "a").suspended
    before = forum.head()
    assert suspend(forum, "a").suspended
    assert forum.head() == before
    assert not suspend(forum, "a", suspended=False).suspended
    assert not suspend(forum, "a", suspended=False).suspended
    assert forum.head() == before + 1
    with pytest.raises(Refusal) as refused:
        suspend(forum, "nobody")
    assert refused.value.reason == reasons.ERROR_REASON_MEMBER_NOT_FOUND


def test_the_last_active_steward_stays(forum: Forum) -> None:
    with pytest.raises(Refusal) as refused:
        suspend(forum, "steward")
    assert refused.value.reason == reasons.ERROR_REASON_LAST_STEWARD
    forum.admit("second", [Role.STEWARD])
    suspend(forum, "second")
    with pytest.raises(Refusal):
        suspend(forum, "steward")
    suspend(forum, "second", suspended=False)
    assert suspend(forum, "steward").suspended


def test_a_steward_whose_name_was_redacted_is_a_steward_still(forum: Forum) -> None:
    nameless = forum.admit("zz", [Role.STEWARD])
    redaction = Draft(Kind.REDACTED, forum.steward.pseudonym, nameless.created_sequence, clear=b"\x01")
    forum.decide(lambda scene: scene.record(redaction))
    assert suspend(forum, "steward").suspended


def test_tokens_have_a_limit_that_expired_and_revoked_ones_do_not_count_for(forum: Forum) -> None:
    two = Limits(member_tokens_max=2)
    now = forum.decide(lambda scene: scene.now_ms)
    first = issue(forum, forum.a, limits=two)
    soon = issue(forum, forum.a, expiry_ms=now + 30, limits=two)
    issue(forum, forum.b, limits=two)
    while forum.decide(lambda scene: scene.now_ms) < soon.expiry_ms:
        pass
    issue(forum, forum.a, limits=two)
    with pytest.raises(Refusal) as refused:
        issue(forum, forum.a, limits=two)
    assert refused.value.reason == reasons.ERROR_REASON_LIMIT_EXCEEDED
    assert refused.value.metadata["limit"] == "member_tokens_max"
    revoke(forum, forum.a, first.token_id)
    issue(forum, forum.a, limits=two)


def test_expiry_in_the_past(forum: Forum) -> None:
    now = forum.decide(lambda scene: scene.now_ms)
    with pytest.raises(Refusal) as refused:
        issue(forum, forum.a, expiry_ms=now - 1)
    assert refused.value.violations[0][0] == "expire_time"


def test_revoking(forum: Forum) -> None:
    token = issue(forum, forum.a)
    with pytest.raises(Refusal) as refused:
        revoke(forum, forum.b, token.token_id)
    assert refused.value.reason == reasons.ERROR_REASON_ROLE_MISSING
    revoke(forum, forum.a, token.token_id)
    before = forum.head()
    revoke(forum, forum.a, token.token_id)
    revoke(forum, forum.steward, token.token_id, steward=True)
    assert forum.head() == before
    with forum.engine.state.read() as view:
        assert view.token(token.token_id) is None


@pytest.mark.parametrize("token_id", [0, 1, 10_000, 2**64 - 1])
def test_revoking_what_is_no_token(forum: Forum, token_id: int) -> None:
    with pytest.raises(Refusal) as refused:
        revoke(forum, forum.steward, token_id, steward=True)
    assert refused.value.reason == reasons.ERROR_REASON_TOKEN_NOT_FOUND
