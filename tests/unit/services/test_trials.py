"""What members on trial may do in a day."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hashpact.v1 import contribution_service_pb2 as contributions
from hashpact.v1 import error_reason_pb2 as reasons
from hashpact.v1 import member_service_pb2 as pb
from hashpact.v1.steward_service_pb2 import StewardAct
from hashpact_server.refusal import Refusal
from hashpact_server.rules import trials
from hashpact_server.rules.outcomes import Result
from hashpact_server.rules.policy import DEFAULT
from hashpact_server.state.members import tally_of
from hashpact_server.state.rows import Role
from hashpact_server.state.tables import Table

from tests.forum import Forum, offer, one, signal
from tests.listing import assert_sound
from tests.members import DAY_MS, admit_online, by_two, held, reason_of


@pytest.fixture(autouse=True)
def policy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small policy; that a forum adopts one is shown elsewhere."""
    small = replace(DEFAULT, trial_items_per_day=2, trial_writes_per_day=5)
    monkeypatch.setattr(trials, "policy_of", lambda _: small)


def contributed(forum: Forum, name: str) -> int:
    with forum.engine.state.read() as view:
        return tally_of(view, forum.member(name).pseudonym, forum.engine.state.now_ms()).contributions


def test_contributions_of_a_day_are_capped(forum: Forum) -> None:
    new = admit_online(forum, "new", [Role.CONTRIBUTE])
    many = [offer(signal("md5", n)) for n in range(3)]
    assert [each.result for each in forum.contribute(new, *many)] == [Result.CREATED, Result.CREATED, Result.REFUSED]
    refused = one(forum, new, many[2])
    assert (refused.reason, "trial_items_per_day=2" in refused.message) == (reasons.ERROR_REASON_TRIAL_QUOTA, True)
    assert one(forum, forum.a, many[2]).result is Result.CREATED, "a full member has no cap"
    assert one(forum, new, offer(signal("md5", 2))).reason == reasons.ERROR_REASON_TRIAL_QUOTA, "nor to corroborate"
    now = forum.engine.state.now_ms()
    forum.engine.state._clock_ms = lambda: now + DAY_MS
    assert one(forum, new, offer(signal("md5", 2))).result is Result.CORROBORATED
    assert contributed(forum, "new") == 1
    assert_sound(forum.engine)


def test_amendments_count(forum: Forum) -> None:
    new = admit_online(forum, "new", [Role.CONTRIBUTE])
    item = one(forum, new, offer(signal("md5", 1))).item
    service = forum.as_(new).contribution
    service.Amend(contributions.AmendRequest(item=item, labels=["list:un"]), None)
    amend = contributions.AmendRequest(item=item, labels=["list:eu"])
    assert reason_of(service.Amend, amend, None) == reasons.ERROR_REASON_TRIAL_QUOTA


def test_writes_of_any_kind_are_capped_and_told_when_to_come_back(forum: Forum) -> None:
    new = admit_online(forum, "new", [Role.CONTRIBUTE])
    for _ in range(5):
        made = forum.as_(new).member.IssueToken(pb.IssueTokenRequest(), None)
        assert made.token
    with pytest.raises(Refusal) as refused:
        forum.as_(new).member.IssueToken(pb.IssueTokenRequest(), None)
    assert refused.value.reason == reasons.ERROR_REASON_TRIAL_QUOTA
    assert refused.value.metadata == {"limit": "trial_writes_per_day", "limit_value": "5"}
    assert 0 < (refused.value.retry_after_s or 0) <= 86_400
    for _ in range(6):
        held(forum, "a").calls().member.IssueToken(pb.IssueTokenRequest(), None)


def test_who_is_confirmed_has_no_cap_and_leaves_no_count(forum: Forum) -> None:
    new = admit_online(forum, "new", [Role.CONTRIBUTE])
    forum.contribute(new, *[offer(signal("md5", n)) for n in range(3)])
    by_two(forum, StewardAct(confirm_member=StewardAct.ConfirmMember(member="new")))
    assert one(forum, new, offer(signal("md5", 9))).result is Result.CREATED
    with forum.engine.state.read() as view:
        assert view.rows.get(Table.TALLIES, new.pseudonym) is None
    assert_sound(forum.engine)


def test_nothing_is_counted_of_a_rehearsal_or_of_what_was_refused(forum: Forum) -> None:
    new = admit_online(forum, "new", [Role.CONTRIBUTE])
    wish = offer(signal("md5", 1))
    forum.decide(lambda scene: scene.head, validate_only=True)
    one(forum, new, offer(signal("md5", 1), labels=()))
    forum.as_(new).member.IssueToken(pb.IssueTokenRequest(), None)  # an entry, and no contribution
    assert contributed(forum, "new") == 0
    one(forum, new, wish)
    one(forum, new, wish)  # says nothing new
    assert contributed(forum, "new") == 1
