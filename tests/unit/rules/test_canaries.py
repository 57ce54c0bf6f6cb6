"""Canaries on the list: nobody is asked to look at them, and nothing else can hide behind their label."""

from __future__ import annotations

import pytest
from hashpact.canary.published import CANARIES, LABEL
from hashpact.v1 import contribution_service_pb2 as pb
from hashpact.v1 import lookup_service_pb2, signal_pb2
from hashpact_server.rules.advice import Advice, advise
from hashpact_server.rules.labels import class_of
from hashpact_server.rules.signals import OfferedSignal
from hashpact_server.state.rows import Status

from tests.forum import Forum, offer, signal

CANARY = [OfferedSignal(each.signal_type, each.value, quality=each.quality) for each in CANARIES[0].signals]


def advice_of(forum: Forum, *signals: OfferedSignal) -> list[int]:
    """The advice of each match of a look-up of these signals."""
    sets = [signal_pb2.SignalSet(signal_type=each.signal_type, values=each.value or b"") for each in signals]
    request = lookup_service_pb2.LookupRequest(probes=[lookup_service_pb2.Probe(signal_sets=sets)])
    answer = forum.as_(forum.b).lookup.Lookup(request, None)
    return [match.advice for found in answer.matched for match in found.matches]


def listed_item(forum: Forum, *signals: OfferedSignal, **more: object) -> int:
    (outcome,) = forum.contribute(forum.a, offer(*signals, **more))  # type: ignore[arg-type] # a test's shorthand
    assert outcome.item
    return outcome.item


def test_a_canary_is_observed(forum: Forum) -> None:
    item = listed_item(forum, *CANARY, labels=[LABEL])
    for some in (CANARY, CANARY[:1], CANARY[2:3], CANARY[3:]):
        assert advice_of(forum, *some) == [Advice.OBSERVE]
    shown = forum.as_(forum.a).contribution.GetItem(pb.GetItemRequest(item=item), None)
    assert shown.item.advice == signal_pb2.ADVICE_OBSERVE


def test_without_the_label_it_is_an_item_like_any_other(forum: Forum) -> None:
    listed_item(forum, *CANARY)
    assert advice_of(forum, *CANARY) == [Advice.REVIEW]


def test_the_label_alone_hides_nothing(forum: Forum) -> None:
    real = [signal("sha256", 1), signal("pdq", 1)]
    item = listed_item(forum, *real, labels=[LABEL, "glorification_of_terrorist_acts"])
    assert advice_of(forum, *real) == [Advice.REVIEW]
    shown = forum.as_(forum.a).contribution.GetItem(pb.GetItemRequest(item=item), None)
    assert shown.item.advice == signal_pb2.ADVICE_REVIEW


@pytest.mark.parametrize("stowaway", [signal("sha256", 7), signal("pdq", 7), signal("phash", 7)])
def test_nothing_hides_in_a_canarys_item(forum: Forum, stowaway: OfferedSignal) -> None:
    item = listed_item(forum, *CANARY, labels=[LABEL])
    (outcome,) = forum.contribute(forum.b, offer(stowaway, *CANARY, labels=[LABEL], attach_to=item))
    assert outcome.item == item
    assert advice_of(forum, stowaway, *CANARY) == [Advice.REVIEW]


def test_advice_of_a_canary() -> None:
    for status in Status:
        expected = Advice.OBSERVE if status.matches else Advice.NONE
        assert advise(status, {"sha256", "pdq"}, may_act=True, canary=True) is expected


def test_the_class_is_public() -> None:
    assert class_of("canary") == "canary"
    assert class_of("canary-2") == "other"
