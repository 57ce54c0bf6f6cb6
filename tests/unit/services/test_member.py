"""MemberService and CapabilitiesService on a real list."""

from __future__ import annotations

import dataclasses
import time
from enum import Enum

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hashpact.signals import SIGNAL_TYPES
from hashpact.v1 import capabilities_service_pb2, contribution_service_pb2
from hashpact.v1 import error_reason_pb2 as reasons
from hashpact.v1 import member_service_pb2 as pb
from hashpact_server import versions
from hashpact_server.config import Limits
from hashpact_server.refusal import Refusal
from hashpact_server.state.rows import MemberRow, Role
from hashpact_server.tokens import Position

from tests.forum import Forum


def reason_of(call: object, *args: object) -> int:
    with pytest.raises(Refusal) as refused:
        call(*args, None)  # type: ignore[operator] # a method of a service
    return refused.value.reason


def holder(forum: Forum, token: str) -> MemberRow:
    return forum.engine.published.roster.authenticate(token, time.time_ns() // 1_000_000)


def test_create_member(forum: Forum) -> None:
    service = forum.as_(forum.steward).member
    request = pb.CreateMemberRequest(
        request_id="request-1", name="platform-c", roles=[pb.ROLE_REVIEW, pb.ROLE_CHECK, pb.ROLE_CHECK], group="holding"
    )
    answer = service.CreateMember(request, None)
    member = answer.member
    assert (member.name, list(member.roles), member.group) == ("platform-c", [1, 5], "holding")
    assert not member.suspended
    assert not member.tokens
    assert member.create_time.seconds > 0
    assert Position.decode(answer.as_of).sequence == forum.head()
    assert service.CreateMember(request, None) == answer
    request.request_id = ""
    assert reason_of(service.CreateMember, request) == reasons.ERROR_REASON_MEMBER_EXISTS
    alone = service.CreateMember(pb.CreateMemberRequest(name="d", roles=[pb.ROLE_AUDIT]), None).member
    assert alone.group == "d"
    pseudonyms = {forum.member(name).pseudonym for name in ("platform-c", "d", "a")}
    assert len(pseudonyms) == 3


@pytest.mark.parametrize(
    "request_",
    [
        pb.CreateMemberRequest(roles=[pb.ROLE_CHECK]),
        pb.CreateMemberRequest(name="Bad Name", roles=[pb.ROLE_CHECK]),
        pb.CreateMemberRequest(name="ok\n", roles=[pb.ROLE_CHECK]),
        pb.CreateMemberRequest(name="ok", roles=[pb.ROLE_CHECK], group="Bad Group"),
        pb.CreateMemberRequest(name="ok"),
        pb.CreateMemberRequest(name="ok", roles=[pb.ROLE_UNSPECIFIED]),
        pb.CreateMemberRequest(name="ok", roles=[77]),  # type: ignore[list-item] # what a newer client may send
        pb.CreateMemberRequest(name="ok", roles=[pb.ROLE_CHECK], request_id="short"),
    ],
)
def test_members_that_are_refused(forum: Forum, request_: pb.CreateMemberRequest) -> None:
    assert reason_of(forum.as_(forum.steward).member.CreateMember, request_) == reasons.ERROR_REASON_FIELD_INVALID


def test_list_members_by_name_in_pages(forum: Forum) -> None:
    for name in ("m1", "m0", "zz"):
        forum.admit(name, [Role.CHECK])
    service = forum.as_(forum.steward).member
    names, token, sizes = [], "", []
    while True:
        answer = service.ListMembers(pb.ListMembersRequest(page_size=2, page_token=token), None)
        names += [member.name for member in answer.members]
        sizes.append(len(answer.members))
        token = answer.next_page_token
        if not token:
            break
    assert names == ["a", "b", "m0", "m1", "steward", "zz"]
    assert sizes == [2, 2, 2]
    by_name = {member.name: member for member in service.ListMembers(pb.ListMembersRequest(), None).members}
    assert len(by_name["steward"].tokens) == 1
    assert not by_name["a"].tokens
    list_items = contribution_service_pb2.ListItemsRequest(page_size=1)
    foreign = forum.as_(forum.steward).contribution.ListItems(list_items, None).next_page_token
    for bad in ("nonsense", foreign or "AAAA"):
        request = pb.ListMembersRequest(page_token=bad)
        assert reason_of(service.ListMembers, request) == reasons.ERROR_REASON_PAGE_TOKEN_INVALID


def test_suspension_is_published_before_it_is_acknowledged(forum: Forum) -> None:
    token = forum.as_(forum.a).member.IssueToken(pb.IssueTokenRequest(), None).token
    service = forum.as_(forum.steward).member
    assert service.SuspendMember(pb.SuspendMemberRequest(member="a"), None).member.suspended
    with pytest.raises(Refusal) as refused:
        holder(forum, token)
    assert refused.value.reason == reasons.ERROR_REASON_MEMBER_SUSPENDED
    assert service.SuspendMember(pb.SuspendMemberRequest(member="a"), None).member.suspended
    resumed = service.ResumeMember(pb.ResumeMemberRequest(member="a"), None).member
    assert not resumed.suspended
    assert len(resumed.tokens) == 1
    assert holder(forum, token).name == "a"


def test_suspensions_that_are_refused(forum: Forum) -> None:
    service = forum.as_(forum.steward).member
    suspend, resume = pb.SuspendMemberRequest(member="nobody"), pb.ResumeMemberRequest(member="nobody")
    assert reason_of(service.SuspendMember, suspend) == reasons.ERROR_REASON_MEMBER_NOT_FOUND
    assert reason_of(service.ResumeMember, resume) == reasons.ERROR_REASON_MEMBER_NOT_FOUND
    last = pb.SuspendMemberRequest(member="steward")
    assert reason_of(service.SuspendMember, last) == reasons.ERROR_REASON_LAST_STEWARD


def test_tokens_work_until_they_are_revoked(forum: Forum) -> None:
    service = forum.as_(forum.a).member
    expires = Timestamp(seconds=int(time.time()) + 3600)
    answer = service.IssueToken(pb.IssueTokenRequest(expire_time=expires), None)
    assert holder(forum, answer.token).name == "a"
    assert (answer.info.token_id, answer.info.expire_time) == (forum.head(), expires)
    endless = service.IssueToken(pb.IssueTokenRequest(member="a"), None)
    assert not endless.info.HasField("expire_time")
    for _ in range(2):
        service.RevokeToken(pb.RevokeTokenRequest(token_id=answer.info.token_id), None)
    with pytest.raises(Refusal):
        holder(forum, answer.token)
    assert holder(forum, endless.token).name == "a"
    unknown = pb.RevokeTokenRequest(token_id=12345)
    assert reason_of(service.RevokeToken, unknown) == reasons.ERROR_REASON_TOKEN_NOT_FOUND


def test_the_secret_is_in_no_entry(forum: Forum) -> None:
    token = forum.as_(forum.a).member.IssueToken(pb.IssueTokenRequest(), None).token
    with forum.engine.state.read() as view:
        entry = view.entry(forum.head())
    for part in (entry.public, entry.private or b""):
        assert token.encode() not in part
        assert token[4:20].encode() not in part


def test_tokens_of_others_need_a_steward(forum: Forum) -> None:
    steward = forum.as_(forum.steward).member
    answer = steward.IssueToken(pb.IssueTokenRequest(member="b"), None)
    assert holder(forum, answer.token).name == "b"
    service = forum.as_(forum.a).member
    for name in ("b", "nobody"):
        request = pb.IssueTokenRequest(member=name)
        assert reason_of(service.IssueToken, request) == reasons.ERROR_REASON_ROLE_MISSING
    foreign = pb.RevokeTokenRequest(token_id=answer.info.token_id)
    assert reason_of(service.RevokeToken, foreign) == reasons.ERROR_REASON_ROLE_MISSING
    steward = forum.as_(forum.steward).member
    nobody = pb.IssueTokenRequest(member="nobody")
    assert reason_of(steward.IssueToken, nobody) == reasons.ERROR_REASON_MEMBER_NOT_FOUND
    steward.RevokeToken(foreign, None)
    with pytest.raises(Refusal):
        holder(forum, answer.token)


@pytest.mark.parametrize("seconds", [0, -1, 1_000_000_000, 253_402_300_800, 2**63 - 1])
def test_expiries_that_are_refused(forum: Forum, seconds: int) -> None:
    request = pb.IssueTokenRequest(expire_time=Timestamp(seconds=seconds))
    assert reason_of(forum.as_(forum.a).member.IssueToken, request) == reasons.ERROR_REASON_FIELD_INVALID


def test_token_limit(forum: Forum) -> None:
    forum.limits = Limits(member_tokens_max=1)
    service = forum.as_(forum.a).member
    service.IssueToken(pb.IssueTokenRequest(), None)
    assert reason_of(service.IssueToken, pb.IssueTokenRequest()) == reasons.ERROR_REASON_LIMIT_EXCEEDED


def test_capabilities(forum: Forum) -> None:
    forum.limits = Limits(labels_max=7)
    request = capabilities_service_pb2.GetCapabilitiesRequest()
    answer = forum.as_(forum.a).capabilities.GetCapabilities(request, None)
    assert answer.server_version == versions.own()
    assert answer.ledger_id == forum.engine.published.head.ledger_id.hex()
    assert (answer.caller, tuple(answer.caller_roles)) == ("a", forum.a.roles)
    told = {field.name: value for field, value in answer.limits.ListFields()}
    assert told == dataclasses.asdict(forum.limits)
    assert set(told) == {field.name for field in capabilities_service_pb2.Limits.DESCRIPTOR.fields}
    for info in answer.signal_types:
        kind = SIGNAL_TYPES[info.name]
        for field in info.DESCRIPTOR.fields:
            told_of, meant = getattr(info, field.name), getattr(kind, field.name)
            assert told_of == (meant.value if isinstance(meant, Enum) else meant)
    assert [info.name for info in answer.signal_types] == list(SIGNAL_TYPES)
