"""ContributionService on a real list: what goes over the wire and what comes back."""

from __future__ import annotations

import base64

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hashpact.v1 import contribution_service_pb2 as pb
from hashpact.v1 import error_reason_pb2 as reasons
from hashpact.v1 import item_pb2, signal_pb2
from hashpact_server.config import Limits
from hashpact_server.ledger.entry import Draft, Kind
from hashpact_server.refusal import Refusal
from hashpact_server.services import listing
from hashpact_server.services.writing import fingerprint
from hashpact_server.state.rows import MemberRow, Role
from hashpact_server.tokens import Position

from tests.forum import Forum, flipped, value

Outcome = pb.ContributionOutcome


def wire(
    *signals: tuple[str, bytes],
    labels: tuple[str, ...] = ("art",),
    basis: item_pb2.AttestationBasis.ValueType = item_pb2.ATTESTATION_BASIS_PERSON_LOOKED,
    attach_to: int = 0,
) -> pb.Contribution:
    return pb.Contribution(
        signals=[
            signal_pb2.Signal(signal_type=name, value=given, quality=90 if name == "pdq" else None)
            for name, given in signals
        ],
        labels=labels,
        attestation=item_pb2.Attestation(basis=basis, observer_role="reviewer"),
        attach_to=attach_to,
    )


def contribute(
    forum: Forum, member: MemberRow, *contributions: pb.Contribution, **more: object
) -> pb.ContributeResponse:
    request = pb.ContributeRequest(contributions=contributions, **more)  # type: ignore[arg-type] # other fields by name
    return forum.as_(member).contribution.Contribute(request, None)


def item_of(forum: Forum, member: MemberRow, item: int) -> item_pb2.Item:
    return forum.as_(member).contribution.GetItem(pb.GetItemRequest(item=item), None).item


def reason_of(call: object, *args: object) -> int:
    with pytest.raises(Refusal) as refused:
        call(*args, None)  # type: ignore[operator] # a method of a service
    return refused.value.reason


def test_contribute_and_get(forum: Forum) -> None:
    observed = Timestamp(seconds=1_700_000_000, nanos=5_000_000)
    sent = wire(("sha256", value("sha256", 1)), ("pdq", value("pdq", 1)), labels=("Zeta ", "art"))
    sent.attestation.observed_time.CopyFrom(observed)
    sent.signals.add(signal_type="md5", hex=f" {value('md5', 1).hex().upper()}\n")
    sent.signals.add(signal_type="tmk", hex="00")
    answer = contribute(forum, forum.a, sent)
    (outcome,) = answer.outcomes
    assert outcome.result == Outcome.RESULT_CREATED
    assert outcome.status == item_pb2.ITEM_STATUS_PROVISIONAL
    assert [(each.signal_index, each.reason) for each in outcome.problems] == [
        (3, reasons.ERROR_REASON_SIGNAL_TYPE_UNKNOWN)
    ]
    assert Position.decode(answer.as_of).sequence == outcome.item == forum.head()
    item = item_of(forum, forum.a, outcome.item)
    assert (item.item, item.status, list(item.labels)) == (outcome.item, 1, ["art", "zeta"])
    assert item.advice == signal_pb2.ADVICE_REVIEW
    assert not item.redacted
    assert [(each.signal_type, each.value, each.HasField("quality")) for each in item.signals] == [
        ("sha256", value("sha256", 1), False),
        ("pdq", value("pdq", 1), True),
        ("md5", value("md5", 1), False),
    ]
    assert {each.sequence for each in item.signals} == {outcome.item}
    (said,) = item.contributions
    assert (said.member, list(said.labels), said.sequence) == ("a", ["art", "zeta"], outcome.item)
    assert said.attestation.basis == item_pb2.ATTESTATION_BASIS_PERSON_LOOKED
    assert said.attestation.observer_role == "reviewer"
    assert said.attestation.observed_time == observed
    assert said.update_time == item.create_time
    assert item.create_time.seconds > observed.seconds


def test_every_outcome_on_the_wire(forum: Forum) -> None:
    one, two = ("md5", value("md5", 1)), ("md5", value("md5", 2))
    near = ("pdq", flipped(value("pdq", 1), 8))
    answer = contribute(
        forum,
        forum.a,
        wire(one, ("pdq", value("pdq", 1))),
        wire(one),
        wire(one, labels=("more",)),
        wire(two, near),
        wire(one, two),
        wire(("phash", value("phash", 1))),
    )
    assert [outcome.result for outcome in answer.outcomes] == [
        Outcome.RESULT_CREATED,
        Outcome.RESULT_UNCHANGED,
        Outcome.RESULT_ATTACHED,
        Outcome.RESULT_CREATED,
        Outcome.RESULT_AMBIGUOUS,
        Outcome.RESULT_REFUSED,
    ]
    first, _, _, second, ambiguous, refused = answer.outcomes
    assert [(each.item, each.signal_type, each.distance) for each in second.near_duplicates] == [(first.item, "pdq", 8)]
    assert list(ambiguous.candidates) == [first.item, second.item]
    assert (ambiguous.item, ambiguous.status) == (0, item_pb2.ITEM_STATUS_UNSPECIFIED)
    assert (refused.item, refused.status, refused.reason) == (0, 0, reasons.ERROR_REASON_NO_IDENTITY)
    assert refused.message
    corroborated = contribute(forum, forum.b, wire(one)).outcomes[0]
    assert corroborated.result == Outcome.RESULT_CORROBORATED
    assert corroborated.status == item_pb2.ITEM_STATUS_CORROBORATED


@pytest.mark.parametrize(
    "sent",
    [
        pb.Contribution(signals=[signal_pb2.Signal(signal_type="md5", value=value("md5", 1))], labels=["a"]),
        wire(("md5", value("md5", 1)), basis=item_pb2.ATTESTATION_BASIS_UNSPECIFIED),
    ],
)
def test_no_attestation(forum: Forum, sent: pb.Contribution) -> None:
    assert contribute(forum, forum.a, sent).outcomes[0].reason == reasons.ERROR_REASON_ATTESTATION_MISSING


def test_times_that_are_none(forum: Forum) -> None:
    for seconds in (-5, 253_402_300_800, 2**62):
        sent = wire(("md5", value("md5", 1)))
        sent.attestation.observed_time.seconds = seconds
        assert contribute(forum, forum.a, sent).outcomes[0].reason == reasons.ERROR_REASON_FIELD_INVALID


def test_batches_that_are_refused(forum: Forum) -> None:
    forum.limits = Limits(contributions_max=1)
    service = forum.as_(forum.a).contribution
    assert reason_of(service.Contribute, pb.ContributeRequest()) == reasons.ERROR_REASON_FIELD_INVALID
    two = pb.ContributeRequest(contributions=[wire(("md5", value("md5", n))) for n in range(2)])
    assert reason_of(service.Contribute, two) == reasons.ERROR_REASON_LIMIT_EXCEEDED
    for request_id in ("short", "x" * 65, "white space", "newline1\n", "ü" * 9):
        request = pb.ContributeRequest(request_id=request_id, contributions=[wire(("md5", value("md5", 1)))])
        assert reason_of(service.Contribute, request) == reasons.ERROR_REASON_FIELD_INVALID


def test_a_retry_gets_the_first_answer_also_after_reopening(forum: Forum) -> None:
    sent = wire(("md5", value("md5", 1)))
    first = contribute(forum, forum.a, sent, request_id="request-1")
    assert contribute(forum, forum.a, sent, request_id="request-1") == first
    forum.reopen()
    assert contribute(forum, forum.a, sent, request_id="request-1") == first
    assert contribute(forum, forum.b, sent, request_id="request-1").outcomes[0].result == Outcome.RESULT_CORROBORATED
    other = pb.ContributeRequest(request_id="request-1", contributions=[wire(("md5", value("md5", 2)))])
    assert reason_of(forum.as_(forum.a).contribution.Contribute, other) == reasons.ERROR_REASON_REQUEST_ID_REUSED


def test_a_fingerprint_tells_requests_apart_and_forgets_the_id() -> None:
    sent = [wire(("md5", value("md5", 1)))]
    plain = fingerprint(pb.ContributeRequest(contributions=sent))
    assert plain == fingerprint(pb.ContributeRequest(contributions=sent, request_id="request-1"))
    assert plain != fingerprint(pb.ContributeRequest(contributions=sent, validate_only=True))
    assert fingerprint(pb.WithdrawRequest(item=7)) != fingerprint(pb.AmendRequest(item=7))


def test_validate_only_writes_nothing(forum: Forum) -> None:
    before = forum.head()
    sent = wire(("md5", value("md5", 1)))
    answer = contribute(forum, forum.a, sent, sent, validate_only=True, request_id="request-1")
    assert [(each.result, each.item) for each in answer.outcomes] == [
        (Outcome.RESULT_CREATED, 0),
        (Outcome.RESULT_UNCHANGED, 0),
    ]
    assert Position.decode(answer.as_of).sequence == forum.head() == before
    assert contribute(forum, forum.a, sent, request_id="request-1").outcomes[0].item == forum.head()
    item = forum.head()
    service = forum.as_(forum.a).contribution
    amended = service.Amend(pb.AmendRequest(item=item, labels=["new"], validate_only=True), None)
    assert list(amended.item.labels) == ["new"]
    done = service.Withdraw(pb.WithdrawRequest(item=item, validate_only=True), None)
    assert done.status == item_pb2.ITEM_STATUS_WITHDRAWN
    assert list(item_of(forum, forum.a, item).labels) == ["art"]
    assert forum.head() == item


def test_amend(forum: Forum) -> None:
    item = contribute(forum, forum.a, wire(("md5", value("md5", 1)))).outcomes[0].item
    other = contribute(forum, forum.b, wire(("pdq", value("pdq", 2)))).outcomes[0].item
    service = forum.as_(forum.a).contribution
    request = pb.AmendRequest(item=item, labels=["B", "a"], request_id="request-2")
    request.attach_signals.add(signal_type="phash", value=value("phash", 1))
    request.attach_signals.add(signal_type="phash", value=b"short")
    answer = service.Amend(request, None)
    assert list(answer.item.labels) == ["a", "b"]
    assert list(answer.item.signals) == []
    assert [(each.signal_index, each.reason) for each in answer.problems] == [
        (1, reasons.ERROR_REASON_SIGNAL_MALFORMED)
    ]
    assert service.Amend(request, None) == answer
    taken = pb.AmendRequest(item=item)
    taken.attach_signals.add(signal_type="pdq", value=value("pdq", 2), quality=100)
    assert reason_of(service.Amend, taken) == reasons.ERROR_REASON_SIGNAL_TAKEN
    assert reason_of(service.Amend, pb.AmendRequest(item=other, labels=["x"])) == reasons.ERROR_REASON_NOT_CONTRIBUTOR
    assert reason_of(service.Amend, pb.AmendRequest(item=9999, labels=["x"])) == reasons.ERROR_REASON_ITEM_NOT_FOUND
    assert reason_of(service.Amend, pb.AmendRequest(item=item, labels=["x y"])) == reasons.ERROR_REASON_FIELD_INVALID


def test_withdraw(forum: Forum) -> None:
    item = contribute(forum, forum.a, wire(("md5", value("md5", 1)))).outcomes[0].item
    contribute(forum, forum.b, wire(("md5", value("md5", 1))))
    answer = forum.as_(forum.a).contribution.Withdraw(pb.WithdrawRequest(item=item), None)
    assert (answer.status, answer.contributions_left) == (item_pb2.ITEM_STATUS_PROVISIONAL, 1)
    service = forum.as_(forum.a).contribution
    assert reason_of(service.Withdraw, pb.WithdrawRequest(item=item)) == reasons.ERROR_REASON_NOT_CONTRIBUTOR
    assert reason_of(service.Withdraw, pb.WithdrawRequest(item=9999)) == reasons.ERROR_REASON_ITEM_NOT_FOUND
    bad = pb.WithdrawRequest(item=item, reason=99)  # type: ignore[arg-type] # a number that a newer client may send
    assert reason_of(service.Withdraw, bad) == reasons.ERROR_REASON_FIELD_INVALID
    steward = forum.as_(forum.steward).contribution
    for _ in range(2):
        done = steward.Withdraw(pb.WithdrawRequest(item=item, reason=pb.WITHDRAWAL_REASON_LEGAL), None)
        assert (done.status, done.contributions_left) == (item_pb2.ITEM_STATUS_WITHDRAWN, 0)
    shown = item_of(forum, forum.steward, item)
    assert (shown.status, shown.advice) == (item_pb2.ITEM_STATUS_WITHDRAWN, signal_pb2.ADVICE_NONE)
    assert list(shown.signals) == []


@pytest.mark.parametrize("role", Role)
def test_signal_values_are_for_replicas_and_contributors(forum: Forum, role: Role) -> None:
    item = contribute(forum, forum.a, wire(("md5", value("md5", 1)))).outcomes[0].item
    reader = forum.admit("reader", [role])
    shown = item_of(forum, reader, item)
    assert [each.signal_type for each in shown.signals] == ["md5"]
    assert bool(shown.signals[0].value) == (role is Role.REPLICATE)
    assert bool(item_of(forum, forum.a, item).signals[0].value)


def test_redacted_item(forum: Forum) -> None:
    item = contribute(forum, forum.a, wire(("md5", value("md5", 1)), labels=("art", "secret"))).outcomes[0].item
    forum.decide(lambda scene: scene.record(Draft(Kind.REDACTED, subject=item, clear=b"\x01")))
    shown = item_of(forum, forum.a, item)
    assert shown.redacted
    assert list(shown.signals) == []
    assert list(shown.labels) == ["context:art", "other"]
    assert shown.contributions[0].attestation.basis == item_pb2.ATTESTATION_BASIS_UNSPECIFIED


def test_get_what_is_not_there(forum: Forum) -> None:
    service = forum.as_(forum.a).contribution
    for item in (0, 1, 9999, 2**64 - 1):
        assert reason_of(service.GetItem, pb.GetItemRequest(item=item)) == reasons.ERROR_REASON_ITEM_NOT_FOUND


def test_reads_that_must_be_fresh(forum: Forum) -> None:
    as_of = contribute(forum, forum.a, wire(("md5", value("md5", 1)))).as_of
    service = forum.as_(forum.a).contribution
    service.GetItem(pb.GetItemRequest(item=forum.head(), at_least_as_fresh=as_of), None)
    service.ListItems(pb.ListItemsRequest(at_least_as_fresh=as_of), None)
    for call, request in (
        (service.GetItem, pb.GetItemRequest(item=forum.head(), at_least_as_fresh="x")),
        (service.ListItems, pb.ListItemsRequest(at_least_as_fresh="x")),
    ):
        assert reason_of(call, request) == reasons.ERROR_REASON_TOKEN_MALFORMED


def pages(forum: Forum, **filters: object) -> list[list[int]]:
    """Ids page by page."""
    found: list[list[int]] = []
    token = ""
    while True:
        request = pb.ListItemsRequest(page_token=token, **filters)  # type: ignore[arg-type] # fields by name
        answer = forum.as_(forum.a).contribution.ListItems(request, None)
        found.append([item.item for item in answer.items])
        token = answer.next_page_token
        if not token:
            return found


def test_list_items_in_pages(forum: Forum) -> None:
    items = [
        outcome.item
        for outcome in contribute(forum, forum.a, *(wire(("md5", value("md5", n))) for n in range(5))).outcomes
    ]
    assert pages(forum, page_size=2) == [items[:2], items[2:4], items[4:]]
    assert pages(forum, page_size=5) == [items]
    assert pages(forum) == [items]
    assert pages(forum, label="nothing") == [[]]


def test_pages_are_stable_while_others_write(forum: Forum) -> None:
    contribute(forum, forum.a, *(wire(("md5", value("md5", n))) for n in range(4)))
    service = forum.as_(forum.a).contribution
    first = service.ListItems(pb.ListItemsRequest(page_size=2), None)
    service.Withdraw(pb.WithdrawRequest(item=first.items[0].item), None)
    added = contribute(forum, forum.a, wire(("md5", value("md5", 9)))).outcomes[0].item
    second = service.ListItems(pb.ListItemsRequest(page_token=first.next_page_token), None)
    seen = [item.item for item in (*first.items, *second.items)]
    assert len(seen) == len(set(seen)) == 5
    assert seen[-1] == added


def test_list_filters(forum: Forum) -> None:
    a = contribute(forum, forum.a, wire(("md5", value("md5", 1)), labels=("x",))).outcomes[0].item
    b = contribute(forum, forum.b, wire(("md5", value("md5", 2)), labels=("x", "y"))).outcomes[0].item
    gone = contribute(forum, forum.b, wire(("md5", value("md5", 3)), labels=("y",))).outcomes[0].item
    forum.as_(forum.b).contribution.Withdraw(pb.WithdrawRequest(item=gone), None)
    assert pages(forum) == [[a, b]]
    assert pages(forum, label=" X") == [[a, b]]
    assert pages(forum, label="y") == [[b]]
    assert pages(forum, member="a") == [[a]]
    assert pages(forum, statuses=[item_pb2.ITEM_STATUS_WITHDRAWN]) == [[gone]]
    assert pages(forum, statuses=[item_pb2.ITEM_STATUS_WITHDRAWN, item_pb2.ITEM_STATUS_PROVISIONAL]) == [[a, b, gone]]
    assert pages(forum, statuses=[item_pb2.ITEM_STATUS_CORROBORATED]) == [[]]
    service = forum.as_(forum.a).contribution
    assert reason_of(service.ListItems, pb.ListItemsRequest(member="nobody")) == reasons.ERROR_REASON_MEMBER_NOT_FOUND
    assert reason_of(service.ListItems, pb.ListItemsRequest(label="x y")) == reasons.ERROR_REASON_FIELD_INVALID
    for status in (0, 99):
        request = pb.ListItemsRequest(statuses=[status])  # type: ignore[list-item] # numbers that name nothing
        assert reason_of(service.ListItems, request) == reasons.ERROR_REASON_FIELD_INVALID
    token = service.ListItems(pb.ListItemsRequest(page_size=1), None).next_page_token
    for request in (
        pb.ListItemsRequest(page_token="nonsense"),
        pb.ListItemsRequest(page_token=token, label="x"),
        pb.ListItemsRequest(page_token=token, member="a"),
        pb.ListItemsRequest(page_token=token, statuses=[item_pb2.ITEM_STATUS_WITHDRAWN]),
        pb.ListItemsRequest(page_token=token + "AAAA"),
        pb.ListItemsRequest(page_token=forged(token, b"\xff" * 8)),
    ):
        assert reason_of(service.ListItems, request) == reasons.ERROR_REASON_PAGE_TOKEN_INVALID


def forged(token: str, key: bytes) -> str:
    """A page token as this one, but after another row: nothing in it is secret."""
    raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    return base64.urlsafe_b64encode(raw[:-8] + key).rstrip(b"=").decode()


def test_a_page_looks_at_so_many_items_at_most(forum: Forum, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "PAGE_SCAN_ITEMS_MAX", 4)
    monkeypatch.setattr(listing, "_BLOCK_ITEMS", 2)
    sent = [wire(("md5", value("md5", n)), labels=("rare" if n == 8 else "common",)) for n in range(10)]
    items = [outcome.item for outcome in contribute(forum, forum.a, *sent).outcomes]
    assert pages(forum, label="rare") == [[], [], [items[8]]]
