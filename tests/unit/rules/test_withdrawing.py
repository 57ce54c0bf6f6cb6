"""Withdrawing: by contributors, by stewards, and again."""

from __future__ import annotations

import pytest
from hashpact.v1 import error_reason_pb2 as reasons
from hashpact_server.ledger.entry import Kind
from hashpact_server.refusal import Refusal
from hashpact_server.rules.withdrawing import Withdrawal, check_reason, withdraw
from hashpact_server.state.rows import MemberRow, Status

from tests.forum import Forum, offer, signal, value


def take_back(forum: Forum, member: MemberRow, item: int, *, steward: bool = False) -> Withdrawal:
    return forum.decide(lambda scene: withdraw(scene, member.pseudonym, item, 1, steward=steward))


def test_the_last_contributor_withdraws_the_item(forum: Forum) -> None:
    item = forum.contribute(forum.a, offer(signal("md5", 1), signal("pdq", 1)))[0].item
    forum.contribute(forum.b, offer(signal("md5", 1)))
    assert take_back(forum, forum.a, item) == Withdrawal(Status.PROVISIONAL, 1)
    with forum.engine.state.read() as view:
        assert view.item_by_digest(2, value("md5", 1)) == item
    assert take_back(forum, forum.b, item) == Withdrawal(Status.WITHDRAWN, 0)
    with forum.engine.state.read() as view:
        assert view.item_by_digest(2, value("md5", 1)) is None
        row = view.item(item)
        assert row is not None
        assert row.status is Status.WITHDRAWN
    assert forum.engine.matcher.counts()[16] == 0


@pytest.mark.parametrize("contributes", [True, False])
def test_a_steward_withdraws_the_item_for_everybody(forum: Forum, contributes: bool) -> None:
    item = forum.contribute(forum.a, offer(signal("md5", 1)))[0].item
    forum.contribute(forum.b, offer(signal("md5", 1)))
    actor = forum.a if contributes else forum.steward
    assert take_back(forum, actor, item, steward=True) == Withdrawal(Status.WITHDRAWN, 0)
    with forum.engine.state.read() as view:
        entry = view.entry(forum.head())
        assert (entry.kind, entry.clear) == (Kind.ITEM_WITHDRAWN, b"\x01")


def test_again_changes_nothing(forum: Forum) -> None:
    item = forum.contribute(forum.a, offer(signal("md5", 1)))[0].item
    take_back(forum, forum.a, item)
    before = forum.head()
    for member, steward in ((forum.a, False), (forum.b, False), (forum.steward, True)):
        assert take_back(forum, member, item, steward=steward) == Withdrawal(Status.WITHDRAWN, 0)
    assert forum.head() == before


@pytest.mark.parametrize("steward", [True, False])
def test_no_such_item(forum: Forum, steward: bool) -> None:
    for item in (0, 1, 10_000, 2**64 - 1):
        with pytest.raises(Refusal) as refused:
            take_back(forum, forum.a, item, steward=steward)
        assert refused.value.reason == reasons.ERROR_REASON_ITEM_NOT_FOUND
        assert refused.value.metadata == {"item": str(item)}


def test_not_a_contributor(forum: Forum) -> None:
    item = forum.contribute(forum.a, offer(signal("md5", 1)))[0].item
    with pytest.raises(Refusal) as refused:
        take_back(forum, forum.b, item)
    assert refused.value.reason == reasons.ERROR_REASON_NOT_CONTRIBUTOR


def test_reasons() -> None:
    for reason in range(6):
        check_reason(reason)
    for reason in (-1, 6, 300):
        with pytest.raises(Refusal):
            check_reason(reason)
