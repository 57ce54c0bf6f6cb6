"""Detaching signals and merging items: who may, what is left, and what a replay makes of it."""

from __future__ import annotations

import pytest
from hashpact.v1 import contribution_service_pb2 as pb
from hashpact.v1 import error_reason_pb2 as reasons
from hashpact.v1 import lookup_service_pb2, signal_pb2
from hashpact_server import replay
from hashpact_server.ledger.entry import Draft, Kind
from hashpact_server.refusal import Refusal
from hashpact_server.rules import limits
from hashpact_server.rules.attestation import Attestation
from hashpact_server.state.judgement_rows import LimitCause
from hashpact_server.state.rows import Basis, MemberRow, Status
from hashpact_server.state.vouches import vouched_signals

from tests.forum import Forum, offer, one, signal, value

Named = tuple[str, int]


def sent(*names: Named) -> list[signal_pb2.Signal]:
    return [signal_pb2.Signal(signal_type=name, value=value(name, seed)) for name, seed in names]


def detach(forum: Forum, member: MemberRow, item: int, *names: Named) -> None:
    forum.as_(member).contribution.Detach(pb.DetachRequest(item=item, signals=sent(*names)), None)


def merge(forum: Forum, member: MemberRow, item: int, into_item: int) -> None:
    forum.as_(member).contribution.MergeItems(pb.MergeItemsRequest(item=item, into_item=into_item), None)


def listed(forum: Forum, item: int) -> set[bytes]:
    with forum.engine.state.read() as view:
        return {signal.value for _, signal in view.item_signals(item)}


def values(*names: Named) -> set[bytes]:
    return {value(name, seed) for name, seed in names}


def voices(forum: Forum, item: int) -> dict[bytes, set[bytes]]:
    with forum.engine.state.read() as view:
        found = vouched_signals(view, item, view.contributions(item))
        return {each.signal.value: {who[:1] for who in each.voices} for each in found}


def status(forum: Forum, item: int) -> Status:
    with forum.engine.state.read() as view:
        row = view.item(item)
    assert row is not None
    return row.status


def finds(forum: Forum, name: str, seed: int) -> list[int]:
    probe = lookup_service_pb2.Probe(signal_sets=[signal_pb2.SignalSet(signal_type=name, values=value(name, seed))])
    answer = forum.as_(forum.a).lookup.Lookup(lookup_service_pb2.LookupRequest(probes=[probe]), None)
    return [match.item for each in answer.matched for match in each.matches]


def check_replay(forum: Forum) -> None:
    """The ledger adds up to the rows that stand, and so do the indexes that are opened anew."""
    forum.engine.close()
    assert replay.check(forum.folder).problems == []
    forum.reopen()


def reason_of(refused: pytest.ExceptionInfo[Refusal]) -> str:
    return reasons.ErrorReason.Name(refused.value.reason).removeprefix("ERROR_REASON_")


def test_a_member_takes_off_what_it_added(forum: Forum) -> None:
    item = one(forum, forum.a, offer(signal("sha256", 1), signal("pdq", 1))).item
    one(forum, forum.a, offer(signal("md5", 2), signal("pdq", 2), attach_to=item))
    detach(forum, forum.a, item, ("md5", 2), ("pdq", 2))
    assert listed(forum, item) == values(("sha256", 1), ("pdq", 1))
    assert (finds(forum, "md5", 2), finds(forum, "pdq", 2), finds(forum, "pdq", 1)) == ([], [], [item])
    check_replay(forum)
    assert (finds(forum, "md5", 2), finds(forum, "pdq", 2), finds(forum, "pdq", 1)) == ([], [], [item])
    # What is free again can be listed again; whoever vouched for it before does not vouch for it now.
    one(forum, forum.b, offer(signal("pdq", 2), attach_to=item))
    assert voices(forum, item)[value("pdq", 2)] == {b"b"}
    check_replay(forum)


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ([("pdq", 1)], "SIGNAL_NOT_DETACHABLE"),  # another member confirms it
        ([("pdq", 2)], "SIGNAL_NOT_DETACHABLE"),  # another member's
        ([("pdq", 3)], "SIGNAL_NOT_DETACHABLE"),  # nobody's
        ([("phash256", 1), ("pdq", 1)], "SIGNAL_NOT_DETACHABLE"),  # one of two: nothing is written
        ([], "FIELD_INVALID"),
    ],
)
def test_what_is_not_its_own_stays(forum: Forum, names: list[Named], reason: str) -> None:
    item = one(forum, forum.a, offer(signal("sha256", 1), signal("pdq", 1), signal("phash256", 1))).item
    one(forum, forum.b, offer(signal("pdq", 1), signal("pdq", 2)))
    before = forum.head()
    with pytest.raises(Refusal) as refused:
        detach(forum, forum.a, item, *names)
    assert reason_of(refused) == reason
    assert forum.head() == before


def test_the_last_signal_stays_and_strangers_take_nothing_off(forum: Forum) -> None:
    item = one(forum, forum.a, offer(signal("sha256", 1))).item
    with pytest.raises(Refusal) as refused:
        detach(forum, forum.a, item, ("sha256", 1))
    assert reason_of(refused) == "SIGNAL_NOT_DETACHABLE"
    with pytest.raises(Refusal) as refused:
        detach(forum, forum.b, item, ("sha256", 1))
    assert reason_of(refused) == "NOT_CONTRIBUTOR"


def test_a_merged_item_is_found_under_the_other_number(forum: Forum) -> None:
    item = one(forum, forum.a, offer(signal("sha256", 1), signal("pdq", 1), labels=["un_listed_entity"])).item
    into = one(forum, forum.b, offer(signal("sha256", 2), signal("phash256", 2))).item
    merge(forum, forum.a, item, into)
    assert (status(forum, item), status(forum, into)) == (Status.WITHDRAWN, Status.CORROBORATED)
    assert listed(forum, into) == values(("sha256", 1), ("pdq", 1), ("sha256", 2), ("phash256", 2))
    assert (finds(forum, "sha256", 1), finds(forum, "pdq", 1)) == ([into], [into])
    # Nobody is made to vouch for what it did not say.
    expected = {each: {b"a"} for each in values(("sha256", 1), ("pdq", 1))}
    expected |= {each: {b"b"} for each in values(("sha256", 2), ("phash256", 2))}
    assert voices(forum, into) == expected
    check_replay(forum)
    assert finds(forum, "pdq", 1) == [into]


def test_what_nobody_looked_at_is_not_looked_at_by_merging(forum: Forum) -> None:
    into = one(forum, forum.a, offer(signal("sha256", 2))).item
    item = one(forum, forum.a, offer(signal("sha256", 1), attestation=Attestation(Basis.IMPORT))).item
    merge(forum, forum.a, item, into)
    assert voices(forum, into) == {value("sha256", 1): set(), value("sha256", 2): {b"a"}}
    assert status(forum, into) is Status.PROVISIONAL


def test_merging_shakes_nothing_off(forum: Forum) -> None:
    into = one(forum, forum.a, offer(signal("sha256", 2))).item
    item = one(forum, forum.a, offer(signal("sha256", 1))).item

    def refusal(item: int, into: int) -> str:
        before = forum.head()
        with pytest.raises(Refusal) as refused:
            merge(forum, forum.a, item, into)
        assert forum.head() == before
        return reason_of(refused)

    assert refusal(item, item) == "FIELD_INVALID"
    assert refusal(item, 999) == "ITEM_NOT_FOUND"
    forum.decide(lambda scene: limits.limit(scene, forum.steward.pseudonym, item, LimitCause.STEWARD))
    assert refusal(item, into) == "ITEM_NOT_MERGEABLE"
    shared = one(forum, forum.a, offer(signal("sha256", 3))).item
    one(forum, forum.b, offer(signal("sha256", 3)))
    assert refusal(shared, into) == "NOT_CONTRIBUTOR"
    secret = one(forum, forum.a, offer(signal("sha256", 4))).item
    forum.decide(lambda scene: scene.record(Draft(Kind.REDACTED, subject=secret, clear=b"\x01")))
    assert refusal(secret, into) == "ITEM_NOT_MERGEABLE"
    forum.as_(forum.a).contribution.Withdraw(pb.WithdrawRequest(item=into), None)
    assert refusal(one(forum, forum.a, offer(signal("sha256", 5))).item, into) == "ITEM_CLOSED"
