"""Rights of tokens, tiers, records, and how a member leaves."""

from __future__ import annotations

import time

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hashpact.v1 import error_reason_pb2 as reasons
from hashpact.v1 import member_service_pb2 as pb
from hashpact.v1.capabilities_service_pb2 import GetCapabilitiesRequest
from hashpact.v1.steward_service_pb2 import StewardAct
from hashpact_server.ledger.entry import Kind
from hashpact_server.rules.standing import judges
from hashpact_server.rules.tiers import is_full
from hashpact_server.state.members import Tier, record_of
from hashpact_server.state.rows import Role, Status

from tests.forum import Forum, offer, one, signal
from tests.listing import assert_sound, record, redaction
from tests.members import Held, admit_online, by_two, held, reason_of


def at(ms: int) -> Timestamp:
    made = Timestamp()
    made.FromMilliseconds(ms)
    return made


def soon(seconds: int) -> Timestamp:
    return at(time.time_ns() // 1_000_000 + seconds * 1000)


def full(forum: Forum, name: str) -> bool:
    with forum.engine.state.read() as view:
        return is_full(view, forum.member(name).pseudonym)


def told(forum: Forum, name: str) -> pb.Member:
    return forum.as_(forum.steward).member.GetMember(pb.GetMemberRequest(member=name), None).member


def test_a_token_makes_none_that_can_do_more_or_for_longer(forum: Forum) -> None:
    narrow = held(forum, "a", Role.CHECK, Role.CONTRIBUTE)
    assert narrow.issue().row.roles == (Role.CHECK, Role.CONTRIBUTE)
    assert narrow.issue(Role.CHECK).row.roles == (Role.CHECK,)
    assert reason_of(narrow.issue, Role.CHECK, Role.REVIEW) == reasons.ERROR_REASON_ROLE_MISSING
    brief = narrow.issue(expire_time=soon(1000))
    assert brief.issue(Role.CHECK).row.expiry_ms == brief.row.expiry_ms
    assert brief.issue(expire_time=soon(10)).row.expiry_ms < brief.row.expiry_ms
    assert reason_of(lambda: brief.issue(expire_time=soon(2000))) == reasons.ERROR_REASON_FIELD_INVALID
    whole = held(forum, "a")
    assert whole.issue().row.roles is None
    assert reason_of(whole.issue, Role.STEWARD) == reasons.ERROR_REASON_FIELD_INVALID
    assert reason_of(lambda: whole.issue(member="b")) == reasons.ERROR_REASON_ROLE_MISSING


def test_a_call_has_the_rights_of_its_token(forum: Forum) -> None:
    forum.admit("both", [Role.STEWARD, Role.CHECK])
    narrow = held(forum, "both", Role.CHECK)
    capabilities = narrow.calls().capabilities.GetCapabilities(GetCapabilitiesRequest(), None)
    assert [Role(each) for each in capabilities.caller_roles] == [Role.CHECK]
    assert reason_of(lambda: narrow.issue(member="a")) == reasons.ERROR_REASON_ROLE_MISSING
    get = narrow.calls().member.GetMember
    assert reason_of(get, pb.GetMemberRequest(member="a"), None) == reasons.ERROR_REASON_ROLE_MISSING
    assert get(pb.GetMemberRequest(), None).member.name == "both"


def test_a_token_ends_none_that_carries_more(forum: Forum) -> None:
    whole, narrow = held(forum, "a"), held(forum, "a", Role.CHECK)
    other = narrow.issue()

    def revoke(by: Held, of: Held) -> None:
        by.calls().member.RevokeToken(pb.RevokeTokenRequest(token_id=of.token_id), None)

    assert reason_of(revoke, narrow, whole) == reasons.ERROR_REASON_ROLE_MISSING
    revoke(narrow, other)
    revoke(whole, narrow)
    assert_sound(forum.engine)


def test_a_token_that_was_revoked_meanwhile_makes_none(forum: Forum) -> None:
    whole, narrow = held(forum, "a"), held(forum, "a", Role.CHECK)
    service = narrow.calls().member  # the call has begun
    row = forum.member("a")
    from hashpact_server.rules import members  # noqa: PLC0415 - the rule alone

    forum.decide(lambda scene: members.revoke_token(scene, row.pseudonym, narrow.token_id, steward=False))
    assert reason_of(service.IssueToken, pb.IssueTokenRequest(), None) == reasons.ERROR_REASON_TOKEN_INVALID
    assert whole.issue().row.roles is None


def test_no_steward_alone_speaks_with_the_voice_of_a_full_member(forum: Forum) -> None:
    steward = held(forum, "steward")
    assert steward.issue(member="a").row.roles is None  # the only one there is: nothing takes two yet
    forum.admit("steward-2", [Role.STEWARD])
    assert reason_of(lambda: steward.issue(member="a")) == reasons.ERROR_REASON_TWO_STEWARDS_NEEDED
    assert reason_of(lambda: steward.issue(member="steward-2")) == reasons.ERROR_REASON_TWO_STEWARDS_NEEDED
    admit_online(forum, "new", [Role.CHECK])
    assert steward.issue(member="new").row.roles is None
    assert steward.issue(member="steward").row.roles is None  # its own, by name
    # Nor after it put the other one out of the way, as any steward may.
    service = steward.calls().member
    service.SuspendMember(pb.SuspendMemberRequest(member="steward-2"), None)
    service.SuspendMember(pb.SuspendMemberRequest(member="a"), None)
    assert reason_of(lambda: steward.issue(member="a")) == reasons.ERROR_REASON_TWO_STEWARDS_NEEDED
    service.ResumeMember(pb.ResumeMemberRequest(member="steward-2"), None)
    forum.admit("third", [Role.STEWARD, Role.AUDIT])
    for name in ("steward-2", "third"):
        forum.as_(forum.member("steward")).member.SuspendMember(pb.SuspendMemberRequest(member=name), None)
    narrowed = pb.AmendMemberRequest(member="third", remove_roles=[pb.ROLE_STEWARD])
    steward.calls().member.AmendMember(narrowed, None)
    assert reason_of(lambda: steward.issue(member="b")) == reasons.ERROR_REASON_TWO_STEWARDS_NEEDED


def test_who_is_admitted_online_is_on_trial_until_two_confirm(forum: Forum) -> None:
    admit_online(forum, "new", [Role.CONTRIBUTE, Role.CHECK])
    assert (full(forum, "a"), full(forum, "new")) == (True, False)
    handed = held(forum, "steward").issue(member="new")
    confirm = StewardAct(confirm_member=StewardAct.ConfirmMember(member="new"))
    assert reason_of(by_two, forum, confirm) == reasons.ERROR_REASON_FIELD_INVALID  # a steward has its token
    own = handed.issue()
    own.calls().member.RevokeToken(pb.RevokeTokenRequest(token_id=handed.token_id), None)
    by_two(forum, confirm)
    assert full(forum, "new")
    assert told(forum, "new").tier == pb.MEMBER_TIER_FULL
    assert reason_of(by_two, forum, confirm) == reasons.ERROR_REASON_FIELD_INVALID
    forum.as_(forum.steward).member.SuspendMember(pb.SuspendMemberRequest(member="new"), None)
    assert not full(forum, "new")
    assert_sound(forum.engine)


def test_one_steward_notes_and_narrows(forum: Forum) -> None:
    amend = forum.as_(forum.steward).member.AmendMember
    review = soon(86_400)
    request = pb.AmendMemberRequest(
        member="a",
        agreement=" 2026-1 ",
        contact_day="+1 555 0100",
        contact_night="+1 555 0101",
        next_review_time=review,
        four_eyes=True,
        remove_roles=[pb.ROLE_REPLICATE],
    )
    before = told(forum, "a")
    after = amend(request, None).member
    assert (after.agreement, after.contact_day, after.contact_night) == ("2026-1", "+1 555 0100", "+1 555 0101")
    assert (after.next_review_time, after.four_eyes, after.group) == (review, True, before.group)
    assert set(before.roles) - set(after.roles) == {pb.ROLE_REPLICATE}
    head = forum.head()
    amend(request, None)
    assert forum.head() == head, "nothing changed, and something was recorded"
    widen = pb.AmendMemberRequest(member="a", four_eyes=False)
    assert reason_of(amend, widen, None) == reasons.ERROR_REASON_TWO_STEWARDS_NEEDED
    by_two(forum, StewardAct(amend_member=StewardAct.AmendMember(member="a", four_eyes=False)))
    assert not told(forum, "a").four_eyes
    assert told(forum, "a").agreement == "2026-1"
    assert_sound(forum.engine)


@pytest.mark.parametrize(
    ("member", "change", "reason"),
    [
        ("nobody", {}, reasons.ERROR_REASON_MEMBER_NOT_FOUND),
        ("a", {"contact_day": "x" * 201}, reasons.ERROR_REASON_FIELD_INVALID),
        ("a", {"agreement": "\x07"}, reasons.ERROR_REASON_FIELD_INVALID),
        ("a", {"remove_roles": [99]}, reasons.ERROR_REASON_FIELD_INVALID),
        ("a", {"remove_roles": [role.value for role in Role]}, reasons.ERROR_REASON_FIELD_INVALID),
        ("a", {"next_review_time": Timestamp(seconds=-1)}, reasons.ERROR_REASON_FIELD_INVALID),
        ("two", {"remove_roles": [pb.ROLE_STEWARD]}, reasons.ERROR_REASON_LAST_STEWARD),
    ],
)
def test_amendments_that_are_refused(forum: Forum, member: str, change: dict[str, object], reason: int) -> None:
    if member == "two":
        forum.admit("two", [Role.STEWARD, Role.AUDIT])
        forum.as_(forum.member("two")).member.SuspendMember(pb.SuspendMemberRequest(member="steward"), None)
        service = forum.as_(forum.member("two")).member
    else:
        service = forum.as_(forum.steward).member
    assert reason_of(service.AmendMember, pb.AmendMemberRequest(member=member, **change), None) == reason  # type: ignore[arg-type]


def test_contacts_are_for_stewards_and_the_member_itself(forum: Forum) -> None:
    forum.as_(forum.steward).member.AmendMember(pb.AmendMemberRequest(member="a", contact_day="call me"), None)
    forum.admit("auditor", [Role.AUDIT])
    auditor = forum.as_(forum.member("auditor")).member
    assert auditor.GetMember(pb.GetMemberRequest(member="a"), None).member.contact_day == ""
    assert all(not each.contact_day for each in auditor.ListMembers(pb.ListMembersRequest(), None).members)
    assert forum.as_(forum.a).member.GetMember(pb.GetMemberRequest(), None).member.contact_day == "call me"


def test_a_record_is_redacted_and_a_later_one_stands(forum: Forum) -> None:
    """The group of a record that was redacted is unknown, and counts for none; a later one tells it again."""
    change = StewardAct.AmendMember(member="a", group="holding")
    by_two(forum, StewardAct(amend_member=change))
    first = last_of(forum, Kind.MEMBER_AMENDED)
    assert forum.member("a").group == "holding"
    record(forum.engine, redaction(forum.steward.pseudonym, forum.member("a").created_sequence))
    with forum.engine.state.read() as view:
        assert view.member(forum.a.pseudonym).group == "holding"  # type: ignore[union-attr] # it exists
    record(forum.engine, redaction(forum.steward.pseudonym, first))
    assert_sound(forum.engine)
    with forum.engine.state.read() as view:
        assert view.member(forum.a.pseudonym).group == ""  # type: ignore[union-attr] # it exists
    by_two(forum, StewardAct(amend_member=StewardAct.AmendMember(member="b", group="one")))
    early = last_of(forum, Kind.MEMBER_AMENDED)
    by_two(forum, StewardAct(amend_member=StewardAct.AmendMember(member="b", group="two")))
    record(forum.engine, redaction(forum.steward.pseudonym, early))
    assert forum.member("b").group == "two"
    assert_sound(forum.engine)


def last_of(forum: Forum, kind: Kind) -> int:
    with forum.engine.state.read() as view:
        return max(entry.sequence for entry in view.entries() if entry.kind == kind)


@pytest.mark.parametrize("withdrawn", [False, True], ids=["items stay", "contributions withdrawn"])
def test_a_member_leaves(forum: Forum, withdrawn: bool) -> None:
    shared = one(forum, forum.a, offer(signal("md5", 1))).item
    assert one(forum, forum.b, offer(signal("md5", 1))).status == Status.CORROBORATED
    alone = one(forum, forum.a, offer(signal("md5", 2))).item
    token = held(forum, "a")
    deleted = soon(86_400)
    act = StewardAct.DismissMember(member="a", withdraw_contributions=withdrawn, copies_deleted_time=deleted)
    by_two(forum, StewardAct(dismiss_member=act))
    with forum.engine.state.read() as view:
        assert view.token(token.token_id) is None
        assert record_of(view, forum.a.pseudonym).tier is Tier.LEFT
        assert not is_full(view, forum.a.pseudonym)
        assert view.member(forum.a.pseudonym).group == ""  # type: ignore[union-attr] # it exists
        rolled_back = [entry.kind for entry in view.entries()].count(Kind.ROLLBACK_ORDERED)
        assert rolled_back == withdrawn
    gone = told(forum, "a")
    assert (gone.tier, gone.contributions_withdrawn) == (pb.MEMBER_TIER_LEFT, withdrawn)
    assert gone.copies_deleted_time.seconds == deleted.seconds
    service = forum.as_(forum.steward).member
    for call in (
        lambda: service.ResumeMember(pb.ResumeMemberRequest(member="a"), None),
        lambda: service.IssueToken(pb.IssueTokenRequest(member="a"), None),
        lambda: service.AmendMember(pb.AmendMemberRequest(member="a", agreement="2"), None),
        lambda: by_two(forum, StewardAct(dismiss_member=act)),
    ):
        assert reason_of(call) == reasons.ERROR_REASON_MEMBER_LEFT
    again = pb.CreateMemberRequest(name="a", roles=[pb.ROLE_CHECK])
    assert reason_of(service.CreateMember, again, None) == reasons.ERROR_REASON_MEMBER_EXISTS
    if not withdrawn:
        with forum.engine.state.read() as view:
            assert view.item(alone).status.matches  # type: ignore[union-attr] # it exists
        # From the next word on it, the item stands where it stands without the member that left.
        third = forum.admit("c", [Role.CONTRIBUTE])
        assert one(forum, third, offer(signal("md5", 2))).status == Status.PROVISIONAL
        with forum.engine.state.read() as view:
            assert forum.b.pseudonym in judges(view, shared)
    assert_sound(forum.engine)


def test_the_last_steward_does_not_leave(forum: Forum) -> None:
    forum.admit("steward-2", [Role.STEWARD])
    act = StewardAct(dismiss_member=StewardAct.DismissMember(member="steward-2"))
    by_two(forum, act)
    by_name = StewardAct(dismiss_member=StewardAct.DismissMember(member="steward"))
    from hashpact_server.rules import motions  # noqa: PLC0415 - the rule alone

    propose = lambda: forum.decide(lambda scene: motions.propose(scene, forum.steward.pseudonym, by_name, ""))  # noqa: E731 - shorter
    assert reason_of(propose) == reasons.ERROR_REASON_LAST_STEWARD
