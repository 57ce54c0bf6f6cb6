"""Four eyes inside a member: what waits, who approves it, and who cannot."""

from __future__ import annotations

import pytest
from hashpact.v1 import contribution_service_pb2 as contributions
from hashpact.v1 import error_reason_pb2 as reasons
from hashpact.v1 import item_pb2, member_service_pb2, signal_pb2
from hashpact.v1 import pending_service_pb2 as pb
from hashpact_server.clockwork import Clockwork
from hashpact_server.ledger.entry import Kind
from hashpact_server.rules.due import DUE_RULES
from hashpact_server.state.members import every_pending
from hashpact_server.state.rows import Role

from tests.forum import Forum, value
from tests.listing import assert_sound, record, redaction
from tests.members import DAY_MS, Held, held, reason_of

RESULT = contributions.ContributionOutcome
BASIS = item_pb2.ATTESTATION_BASIS_PERSON_LOOKED


@pytest.fixture
def writer(forum: Forum) -> Held:
    """The token of somebody at ``a`` who contributes; ``a`` needs four eyes."""
    request = member_service_pb2.AmendMemberRequest(member="a", four_eyes=True)
    forum.as_(forum.steward).member.AmendMember(request, None)
    return held(forum, "a", Role.CONTRIBUTE, Role.CHECK)


@pytest.fixture
def approver(forum: Forum) -> Held:
    """The token of a colleague at ``a`` who approves."""
    return held(forum, "a", Role.APPROVE, Role.REVIEW)


def contribute(by: Held, *seeds: int, attach_to: int = 0, validate_only: bool = False) -> list[RESULT]:
    made = [
        contributions.Contribution(
            signals=[signal_pb2.Signal(signal_type="pdq", value=value("pdq", seed), quality=100)],
            labels=["behaviour:recruitment"],
            attestation=item_pb2.Attestation(basis=BASIS, observer_role="reviewer"),
            attach_to=attach_to,
        )
        for seed in seeds
    ]
    request = contributions.ContributeRequest(contributions=made, validate_only=validate_only)
    return list(by.calls().contribution.Contribute(request, None).outcomes)


def approve(by: Held, pending: int, *, validate_only: bool = False) -> RESULT:
    request = pb.ApproveContributionRequest(pending=pending, validate_only=validate_only)
    return by.pending().ApproveContribution(request, None).outcome


def reject(by: Held, pending: int, reason: str = "") -> None:
    by.pending().RejectContribution(pb.RejectContributionRequest(pending=pending, reason=reason), None)


def waiting(by: Held) -> list[int]:
    return [each.pending for each in by.pending().ListPending(pb.ListPendingRequest(), None).pending]


def listed(forum: Forum) -> list[int]:
    with forum.engine.state.read() as view:
        return [row.item for row in view.items(limit=100)]


def test_what_is_contributed_waits_until_a_colleague_approves(forum: Forum, writer: Held, approver: Held) -> None:
    first, second = contribute(writer, 1, 2)
    assert (first.result, first.item, second.result) == (RESULT.RESULT_PENDING, 0, RESULT.RESULT_PENDING)
    assert not listed(forum)
    assert waiting(approver) == waiting(writer) == [first.pending, second.pending]
    assert waiting(held(forum, "b")) == []
    told = approver.pending().ListPending(pb.ListPendingRequest(), None).pending[0]
    assert (list(told.labels), told.attestation.basis, told.attestation.observer_role, told.token_id) == (
        ["behaviour:recruitment"],
        BASIS,
        "reviewer",
        writer.token_id,
    )
    assert told.signals[0].value == value("pdq", 1)
    assert approve(approver, first.pending, validate_only=True).item == 0
    assert not listed(forum)
    outcome = approve(approver, first.pending)
    assert outcome.result == RESULT.RESULT_CREATED
    assert listed(forum) == [outcome.item]
    with forum.engine.state.read() as view:
        assert [row.pseudonym for row in view.contributions(outcome.item)] == [forum.a.pseudonym]
    assert reason_of(approve, approver, first.pending) == reasons.ERROR_REASON_PENDING_NOT_FOUND
    reject(approver, second.pending, "blurred")
    assert waiting(approver) == []
    assert len(listed(forum)) == 1
    assert_sound(forum.engine)


def test_an_approval_is_decided_as_any_contribution(forum: Forum, writer: Held, approver: Held) -> None:
    theirs = contribute(held(forum, "b"), 7)[0].item
    pending = contribute(writer, 7)[0].pending
    assert approve(approver, pending).item == theirs
    again = contribute(writer, 7)[0].pending
    assert approve(approver, again).result == RESULT.RESULT_UNCHANGED
    assert waiting(writer) == []


def test_nobody_approves_its_own(forum: Forum, writer: Held, approver: Held) -> None:
    """Whatever tokens it makes: one that may contribute makes none that may approve, and one with both does neither."""
    pending = contribute(writer, 1)[0].pending
    assert reason_of(writer.issue, Role.APPROVE) == reasons.ERROR_REASON_ROLE_MISSING
    both = held(forum, "a", Role.CONTRIBUTE, Role.APPROVE)
    assert reason_of(approve, both, pending) == reasons.ERROR_REASON_FOUR_EYES
    assert reason_of(approve, held(forum, "a"), pending) == reasons.ERROR_REASON_FOUR_EYES
    refused = contribute(both, 2)[0]
    assert (refused.result, refused.reason) == (RESULT.RESULT_REFUSED, reasons.ERROR_REASON_FOUR_EYES)
    assert contribute(both.issue(), 2)[0].reason == reasons.ERROR_REASON_FOUR_EYES
    stranger = held(forum, "b", Role.APPROVE)
    for call in (approve, reject):
        assert reason_of(call, stranger, pending) == reasons.ERROR_REASON_PENDING_NOT_FOUND
    reject(writer, pending)  # one's own is taken back
    assert not listed(forum)
    assert waiting(approver) == []


def test_an_amendment_waits_too(forum: Forum, writer: Held, approver: Held) -> None:
    item = approve(approver, contribute(writer, 1)[0].pending).item
    signals = [signal_pb2.Signal(signal_type="pdq", value=value("pdq", 2), quality=100)]
    request = contributions.AmendRequest(item=item, labels=["list:un"], attach_signals=signals)
    answer = writer.calls().contribution.Amend(request, None)
    assert answer.pending in waiting(approver)
    assert list(answer.item.labels) == ["behaviour:recruitment"]
    assert approve(approver, answer.pending).result == RESULT.RESULT_ATTACHED
    with forum.engine.state.read() as view:
        assert view.labels(item) == ("list:un",)
        assert len(view.item_signals(item)) == 2
    other = contribute(held(forum, "b"), 9)[0].item
    foreign = contributions.AmendRequest(item=other, labels=["list:un"])
    assert reason_of(writer.calls().contribution.Amend, foreign, None) == reasons.ERROR_REASON_NOT_CONTRIBUTOR
    assert_sound(forum.engine)


def test_an_amendment_that_cannot_be_made_goes_on_waiting(writer: Held, approver: Held) -> None:
    item = approve(approver, contribute(writer, 1)[0].pending).item
    request = contributions.AmendRequest(item=item, labels=["list:un"])
    pending = writer.calls().contribution.Amend(request, None).pending
    withdrawal = contributions.WithdrawRequest(item=item, reason=contributions.WITHDRAWAL_REASON_MISTAKE)
    writer.calls().contribution.Withdraw(withdrawal, None)
    assert reason_of(approve, approver, pending) == reasons.ERROR_REASON_ITEM_CLOSED
    assert waiting(approver) == [pending]


def test_no_word_is_moved_to_another_item_without_a_colleague(forum: Forum, writer: Held, approver: Held) -> None:
    item = approve(approver, contribute(writer, 1)[0].pending).item
    other = contribute(held(forum, "b"), 9)[0].item
    request = contributions.MergeItemsRequest(item=item, into_item=other)
    assert reason_of(writer.calls().contribution.MergeItems, request, None) == reasons.ERROR_REASON_FOUR_EYES
    with forum.engine.state.read() as view:
        assert view.contribution(other, forum.a.pseudonym) is None


def test_what_nobody_decides_lapses(forum: Forum, writer: Held, approver: Held) -> None:
    pending = contribute(writer, 1)[0].pending
    clockwork = Clockwork(forum.engine, DUE_RULES)
    clockwork.turn()
    assert waiting(approver) == [pending]
    now = forum.engine.state.now_ms()
    forum.engine.state._clock_ms = lambda: now + 7 * DAY_MS
    clockwork.turn()
    assert waiting(approver) == []
    assert reason_of(approve, approver, pending) == reasons.ERROR_REASON_PENDING_NOT_FOUND
    with forum.engine.state.read() as view:
        assert not view.due(now + 100 * DAY_MS, limit=1)
    assert_sound(forum.engine)


def test_what_was_redacted_is_rejected_only(forum: Forum, writer: Held, approver: Held) -> None:
    pending = contribute(writer, 1)[0].pending
    record(forum.engine, redaction(forum.steward.pseudonym, pending))
    told = approver.pending().ListPending(pb.ListPendingRequest(), None).pending[0]
    assert told.redacted
    assert not told.signals
    assert reason_of(approve, approver, pending) == reasons.ERROR_REASON_PENDING_NOT_FOUND
    reject(approver, pending)
    assert_sound(forum.engine)


def test_a_member_without_an_approver_is_told(forum: Forum) -> None:
    forum.admit("alone", [Role.CONTRIBUTE])
    request = member_service_pb2.AmendMemberRequest(member="alone", four_eyes=True)
    forum.as_(forum.steward).member.AmendMember(request, None)
    outcome = contribute(held(forum, "alone"), 1)[0]
    assert (outcome.reason, "approve" in outcome.message) == (reasons.ERROR_REASON_FOUR_EYES, True)


def test_a_rehearsal_keeps_nothing(forum: Forum, writer: Held) -> None:
    head = forum.head()
    outcome = contribute(writer, 1, validate_only=True)[0]
    assert (outcome.result, outcome.pending, forum.head()) == (RESULT.RESULT_PENDING, 0, head)


def test_pages_of_what_waits(writer: Held) -> None:
    wanted = [each.pending for each in contribute(writer, 1, 2, 3)]
    found, token = [], ""
    while True:
        request = pb.ListPendingRequest(page_size=1, page_token=token)
        answer = writer.pending().ListPending(request, None)
        found += [each.pending for each in answer.pending]
        token = answer.next_page_token
        if not token:
            break
    assert found == wanted
    bad = pb.ListPendingRequest(page_token="bad")
    assert reason_of(writer.pending().ListPending, bad, None) == reasons.ERROR_REASON_PAGE_TOKEN_INVALID


def test_the_ledger_tells_who_decided_without_telling_what(forum: Forum, writer: Held, approver: Held) -> None:
    pending = contribute(writer, 1)[0].pending
    approve(approver, pending)
    with forum.engine.state.read() as view:
        kept = view.entry(pending)
        assert value("pdq", 1) not in kept.public
        assert not list(every_pending(view))
        (decided,) = [entry for entry in view.entries(pending) if entry.kind == Kind.CONTRIBUTION_DECIDED]
    assert (decided.subject, decided.member) == (pending, forum.a.pseudonym)
    assert int.from_bytes(decided.clear[1:9], "big") == approver.token_id
