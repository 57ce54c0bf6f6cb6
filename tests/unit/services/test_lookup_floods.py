"""Thousands of look-alikes: a look-up answers within bounds of memory, time and size, and still names what matched."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hashpact.v1 import error_reason_pb2 as reasons
from hashpact.v1 import lookup_service_pb2 as pb
from hashpact.v1 import signal_pb2
from hashpact_server import lookup
from hashpact_server.matcher import Matcher
from hashpact_server.refusal import Refusal
from hashpact_server.rules.signals import OfferedSignal
from hashpact_server.state.rows import Role

from tests.forum import Forum, flipped, look_alikes, offer, signal, value

LOOK_ALIKES = 120


@pytest.fixture
def flooded(forum: Forum) -> Forum:
    """A list of look-alikes, each with two perceptual values."""
    forum.contribute(
        forum.a,
        *[
            offer(OfferedSignal("pdq", value, quality=100), OfferedSignal("phash256", value))
            for value in look_alikes(LOOK_ALIKES)
        ],
    )
    return forum


def ask(forum: Forum, values: list[bytes], matches_max: int) -> pb.LookupResponse:
    sets = [[signal_pb2.SignalSet(signal_type=name, values=value) for name in ("pdq", "phash256")] for value in values]
    request = pb.LookupRequest(matches_max=matches_max, probes=[pb.Probe(signal_sets=each) for each in sets])
    return forum.as_(forum.a).lookup.Lookup(request, None)


def test_searches_begin_small_and_stay_small_where_much_is_found(
    flooded: Forum, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched: list[int] = []
    search = Matcher.search

    def counted(self: Matcher, code: int, queries: np.ndarray, radius: int) -> object:
        searched.append(len(queries))
        return search(self, code, queries, radius)

    monkeypatch.setattr(Matcher, "search", counted)
    monkeypatch.setattr(lookup, "SEARCH_VALUES_FIRST", 8)
    far = [bytes([byte]) * 32 for byte in range(100)]
    ask(flooded, far, 10)
    assert searched[: len(searched) // 2] == [8, 16, 32, 44]
    searched.clear()
    monkeypatch.setattr(lookup, "SEARCH_HITS_GOOD", 2 * LOOK_ALIKES)
    answer = ask(flooded, look_alikes(20), 10)
    assert searched[: len(searched) // 2] == [8, 2, 2, 2, 2, 2, 2]
    assert len(answer.matched) == 20


def test_what_is_forgotten_is_never_what_was_asked_for(flooded: Forum, monkeypatch: pytest.MonkeyPatch) -> None:
    values = look_alikes(10)
    monkeypatch.setattr(lookup, "_SPARE_ITEMS", LOOK_ALIKES)
    whole = ask(flooded, values, 5)
    monkeypatch.setattr(lookup, "_SPARE_ITEMS", 0)
    kept: list[int] = []
    joined = lookup._joined

    def counted(hits: list[lookup._Hits]) -> lookup._Hits:
        kept.extend(len(each.probes) for each in hits)
        return joined(hits)

    monkeypatch.setattr(lookup, "_joined", counted)
    assert ask(flooded, values, 5).matched == whole.matched
    assert kept == [10 * len(values)] * 2
    assert all(each.truncated and len(each.matches) == 5 for each in whole.matched)


def test_an_answer_is_bounded_and_names_every_probe_that_matched(
    flooded: Forum, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookup, "ANSWER_MATCHES_MAX", 25)
    values = look_alikes(6)
    answer = ask(flooded, values, 10)
    assert [len(each.matches) for each in answer.matched] == [10, 10, 5, 1, 1, 1]
    assert all(each.truncated for each in answer.matched)
    assert all(each.matches[0].agreements[0].distance == 0 for each in answer.matched)


def test_an_answer_that_takes_too_long_is_given_up(flooded: Forum, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []
    check = lookup.check_deadline

    def counted(deadline: float) -> None:
        asked.append(deadline)
        check(-1.0 if len(asked) == 4 else deadline)  # two searches, the first probe, then the second

    monkeypatch.setattr(lookup, "check_deadline", counted)
    with pytest.raises(Refusal) as refused:
        ask(flooded, look_alikes(3), 10)
    assert refused.value.reason == reasons.ERROR_REASON_DEADLINE_EXCEEDED
    assert len(asked) == 4


def test_an_item_that_is_named_lacks_no_agreement(forum: Forum, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many items share one pHash; their PDQ values differ, and those that are closest by PDQ are not the first by id.

    An item that a coarse pHash alone agrees with is nobody's to look at; one that PDQ agrees with as well is.
    """
    phash = value("phash", "shared")
    values = look_alikes(LOOK_ALIKES)
    source = random.Random(5)
    offers = [offer(OfferedSignal("pdq", each, quality=100), OfferedSignal("phash", phash)) for each in values]
    forum.contribute(forum.a, *offers)
    probe = [flipped(values[-1], 2, start=3), values[-1], source.randbytes(32)]
    sets = [
        signal_pb2.SignalSet(signal_type="pdq", values=b"".join(probe)),
        signal_pb2.SignalSet(signal_type="phash", values=phash),
    ]
    request = pb.LookupRequest(matches_max=10, probes=[pb.Probe(), pb.Probe(signal_sets=sets)])
    for member in (forum.a, forum.admit("checker", [Role.CHECK])):
        monkeypatch.setattr(lookup, "_SPARE_ITEMS", LOOK_ALIKES)
        whole = forum.as_(member).lookup.Lookup(request, None).matched
        monkeypatch.setattr(lookup, "_SPARE_ITEMS", 0)
        cut = forum.as_(member).lookup.Lookup(request, None).matched
        assert [match.advice for match in whole[0].matches] == [signal_pb2.ADVICE_REVIEW] * 10
        assert cut == whole


def test_items_that_share_a_coarse_phash_do_not_hide_the_one_that_looks_alike(forum: Forum) -> None:
    flat = value("phash", "flat")
    offers = [offer(signal("sha256", number), OfferedSignal("phash", flat)) for number in range(30)]
    likeness = offer(signal("pdq", "the one"), OfferedSignal("phash", flat))
    *_, outcome = forum.contribute(forum.a, *offers, likeness)
    sets = [
        signal_pb2.SignalSet(signal_type="pdq", values=flipped(value("pdq", "the one"), 20)),
        signal_pb2.SignalSet(signal_type="phash", values=flat),
    ]
    request = pb.LookupRequest(matches_max=2, probes=[pb.Probe(signal_sets=sets)])
    first, second = forum.as_(forum.a).lookup.Lookup(request, None).matched[0].matches
    assert (first.item, first.advice) == (outcome.item, signal_pb2.ADVICE_REVIEW)
    assert second.advice == signal_pb2.ADVICE_OBSERVE
