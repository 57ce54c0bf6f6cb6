"""Lookups on a real list: what is found, in which order, and what a caller may see of it."""

from __future__ import annotations

import random
import time

import pytest
from hashpact.signals import SIGNAL_TYPES, hamming
from hashpact.v1 import error_reason_pb2 as reasons
from hashpact.v1 import lookup_service_pb2 as pb
from hashpact.v1 import signal_pb2
from hashpact_server import lookup
from hashpact_server.config import Limits
from hashpact_server.refusal import Refusal
from hashpact_server.rules.withdrawing import withdraw
from hashpact_server.services.caller import Caller, set_caller
from hashpact_server.state.rows import MemberRow, Role
from hashpact_server.tokens import Position
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.data import effort
from tests.forum import Forum, flipped, offer, signal, value

Found = list[tuple[int, list[tuple[int, list[tuple[str, int, int]]]], bool]]
"""(probe, [(item, [(type, value index, distance)])], truncated)."""


def ask(*probes: dict[str, list[bytes]], **more: object) -> pb.LookupRequest:
    made = [
        pb.Probe(signal_sets=[signal_pb2.SignalSet(signal_type=k, values=b"".join(v)) for k, v in probe.items()])
        for probe in probes
    ]
    return pb.LookupRequest(probes=made, **more)  # type: ignore[arg-type] # other fields by name


def found(answer: pb.LookupResponse) -> Found:
    return [
        (
            each.probe_index,
            [
                (match.item, [(a.signal_type, a.value_index, a.distance) for a in match.agreements])
                for match in each.matches
            ],
            each.truncated,
        )
        for each in answer.matched
    ]


@pytest.fixture
def checker(forum: Forum) -> MemberRow:
    return forum.admit("checker", [Role.CHECK])


def test_nothing_matched(forum: Forum) -> None:
    answer = forum.as_(forum.a).lookup.Lookup(ask({"pdq": [value("pdq", 1)], "md5": [value("md5", 1)]}), None)
    assert (list(answer.matched), list(answer.problems)) == ([], [])
    assert Position.decode(answer.as_of).sequence == forum.head()


def test_digests_first_then_distance_then_item(forum: Forum) -> None:
    base = value("pdq", "base")
    items = [
        outcome.item
        for outcome in forum.contribute(
            forum.a,
            offer(signal("pdq", flipped(base, 20))),
            offer(signal("md5", 1), signal("pdq", flipped(base, 31, start=50))),
            offer(signal("pdq", flipped(base, 4, start=100))),
            offer(signal("pdq", flipped(base, 20, start=120))),
            offer(signal("pdq", flipped(base, 32, start=10))),
        )
    ]
    services = forum.as_(forum.a)
    answer = services.lookup.Lookup(ask({}, {"pdq": [base], "md5": [value("md5", 1)]}), None)
    assert found(answer) == [
        (
            1,
            [
                (items[1], [("md5", 0, 0), ("pdq", 0, 31)]),
                (items[2], [("pdq", 0, 4)]),
                (items[0], [("pdq", 0, 20)]),
                (items[3], [("pdq", 0, 20)]),
            ],
            False,
        )
    ]
    (match, *_) = answer.matched[0].matches
    assert list(match.labels) == ["glorification_of_terrorist_acts"]
    assert match.advice == signal_pb2.ADVICE_REVIEW
    assert not any(agreement.distance_is_bound for each in answer.matched[0].matches for agreement in each.agreements)
    wide = services.lookup.Lookup(ask({"pdq": [base]}, radii=[pb.Radius(signal_type="pdq", radius=32)]), None)
    assert [item for item, _ in found(wide)[0][1]] == [items[2], items[0], items[3], items[1], items[4]]
    narrow = services.lookup.Lookup(ask({"pdq": [base]}, radii=[pb.Radius(signal_type="pdq", radius=3)]), None)
    assert found(narrow) == []


def test_best_value_of_many_and_the_first_of_equals(forum: Forum) -> None:
    base = value("pdq", 1)
    forum.contribute(forum.a, offer(signal("pdq", base), signal("pdq", flipped(base, 6))))
    variants = [flipped(base, 12), flipped(base, 8), flipped(base, 3), flipped(base, 3)]
    answer = forum.as_(forum.a).lookup.Lookup(ask({"pdq": variants}), None)
    assert found(answer)[0][1][0][1] == [("pdq", 1, 2)]
    answer = forum.as_(forum.a).lookup.Lookup(ask({"pdq": [variants[0], *variants[2:]]}), None)
    assert found(answer)[0][1][0][1] == [("pdq", 1, 3)]


def test_only_the_short_phash_agrees(forum: Forum) -> None:
    item = forum.contribute(forum.a, offer(signal("md5", 1), signal("phash", 1), signal("phash256", 1)))[0].item
    services = forum.as_(forum.a)
    weak = services.lookup.Lookup(ask({"phash": [value("phash", 1)]}), None).matched[0].matches[0]
    both = services.lookup.Lookup(ask({"phash": [value("phash", 1)], "phash256": [value("phash256", 1)]}), None)
    assert (weak.item, weak.advice) == (item, signal_pb2.ADVICE_OBSERVE)
    assert both.matched[0].matches[0].advice == signal_pb2.ADVICE_REVIEW


def test_matches_max_and_truncation(forum: Forum) -> None:
    forum.limits = Limits(matches_default=2, matches_max=4)
    base = value("pdq", 1)
    wishes = [offer(signal("md5", n), signal("pdq", flipped(base, 1 + n))) for n in range(6)]
    items = [outcome.item for outcome in forum.contribute(forum.a, *wishes)]
    services = forum.as_(forum.a)

    def shown(matches_max: int) -> tuple[list[int], bool]:
        ((_, matches, truncated),) = found(services.lookup.Lookup(ask({"pdq": [base]}, matches_max=matches_max), None))
        return [item for item, _ in matches], truncated

    assert shown(0) == (items[:2], True)
    assert shown(1) == (items[:1], True)
    assert shown(100) == (items[:4], True)
    for item in items[4:]:
        forum.decide(lambda scene, item=item: withdraw(scene, forum.a.pseudonym, item, 1, steward=False))  # type: ignore[misc] # binds the loop's item
    assert shown(100) == (items[:4], False)


def test_withdrawn_items_match_nothing_at_once_and_after_reopening(forum: Forum) -> None:
    request = ask({"pdq": [value("pdq", 1)], "md5": [value("md5", 1)]})
    item = forum.contribute(forum.a, offer(signal("md5", 1), signal("pdq", 1)))[0].item
    assert len(forum.as_(forum.a).lookup.Lookup(request, None).matched) == 1
    forum.decide(lambda scene: withdraw(scene, forum.a.pseudonym, item, 1, steward=False))
    assert len(forum.as_(forum.a).lookup.Lookup(request, None).matched) == 0
    forum.reopen()
    assert len(forum.as_(forum.a).lookup.Lookup(request, None).matched) == 0


def test_what_the_index_still_finds_but_the_list_withdrew_is_left_out(
    forum: Forum, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The race: the search runs before a withdrawal is published, the status is read after it was committed."""
    item = forum.contribute(forum.a, offer(signal("pdq", 1)))[0].item
    searched = forum.engine.matcher.search

    def search_then_withdraw(*args: object) -> object:
        hits = searched(*args)  # type: ignore[arg-type] # passed on
        forum.decide(lambda scene: withdraw(scene, forum.a.pseudonym, item, 1, steward=False))
        return hits

    monkeypatch.setattr(forum.engine.matcher, "search", search_then_withdraw)
    assert len(forum.as_(forum.a).lookup.Lookup(ask({"pdq": [value("pdq", 1)]}), None).matched) == 0


def test_distances_are_bounds_for_those_who_only_check(forum: Forum, checker: MemberRow) -> None:
    base = value("pdq", 1)
    near = [0, 1, 15, 16, 31]
    wishes = [offer(signal("md5", n), signal("pdq", flipped(base, bits))) for n, bits in enumerate(near)]
    items = [outcome.item for outcome in forum.contribute(forum.a, *wishes)]
    answer = forum.as_(checker).lookup.Lookup(ask({"pdq": [base], "md5": [value("md5", 4)]}), None)
    told = {
        match.item: [(a.signal_type, a.distance, a.distance_is_bound) for a in match.agreements]
        for match in answer.matched[0].matches
    }
    assert told == {
        items[4]: [("md5", 0, False), ("pdq", 31, True)],
        items[0]: [("pdq", 0, True)],
        items[1]: [("pdq", 15, True)],
        items[2]: [("pdq", 15, True)],
        items[3]: [("pdq", 31, True)],
    }


def test_bounds_leak_neither_by_order_nor_by_value_index(forum: Forum, checker: MemberRow) -> None:
    base = value("pdq", 1)
    wishes = [offer(signal("md5", n), signal("pdq", flipped(base, bits))) for n, bits in enumerate((14, 3, 9))]
    items = [outcome.item for outcome in forum.contribute(forum.a, *wishes)]
    variants = [flipped(base, 1, start=200), base]
    answer = found(forum.as_(checker).lookup.Lookup(ask({"pdq": variants}), None))
    assert answer == [(0, [(item, [("pdq", 0, 15)]) for item in items], False)]
    exact = found(forum.as_(forum.a).lookup.Lookup(ask({"pdq": variants}), None))
    assert [item for item, _ in exact[0][1]] == [items[1], items[2], items[0]]


@pytest.mark.parametrize("role", [Role.REVIEW, Role.CONTRIBUTE, Role.REPLICATE])
def test_roles_that_see_distances(forum: Forum, role: Role) -> None:
    forum.contribute(forum.a, offer(signal("pdq", flipped(value("pdq", 1), 7))))
    member = forum.admit("m", [Role.CHECK, role])
    answer = forum.as_(member).lookup.Lookup(ask({"pdq": [value("pdq", 1)]}), None)
    (agreement,) = answer.matched[0].matches[0].agreements
    assert (agreement.distance, agreement.distance_is_bound) == (7, False)


def test_at_least_as_fresh(forum: Forum) -> None:
    services = forum.as_(forum.a)
    head = forum.engine.published.head
    request = ask({"pdq": [value("pdq", 1)]})
    request.at_least_as_fresh = services.lookup.Lookup(request, None).as_of
    services.lookup.Lookup(request, None)
    request.at_least_as_fresh = Position(head.ledger_id, 0, head.sequence + 1).encode()
    with pytest.raises(Refusal) as refused:
        services.lookup.Lookup(request, None)
    assert refused.value.reason == reasons.ERROR_REASON_TOKEN_FROM_FUTURE


def test_deadline_that_passed(forum: Forum) -> None:
    services = forum.as_(forum.a)
    set_caller(Caller(forum.a, deadline=time.monotonic() - 1))
    with pytest.raises(Refusal) as refused:
        services.lookup.Lookup(ask({"pdq": [value("pdq", 1)]}), None)
    assert refused.value.reason == reasons.ERROR_REASON_DEADLINE_EXCEEDED


PLANTED = [
    {name: flipped(value(name, n % 3), (n * 7) % 40, start=n % 20) for name in ("pdq", "phash", "phash256")}
    | {"md5": value("md5", n)}
    for n in range(12)
]


def by_hand(listed: dict[int, dict[str, bytes]], probes: list[dict[str, list[bytes]]], radius: int) -> Found:
    """The answer by loops: every value of every probe against every value on the list."""
    answer: Found = []
    for index, probe in enumerate(probes):
        matches = []
        for item, values in listed.items():
            agreements = []
            for name, kind in SIGNAL_TYPES.items():
                limit = radius if name == "pdq" else kind.radius_default
                distances = [hamming(values[name], each) for each in probe.get(name, ()) if name in values]
                if distances and min(distances) <= limit:
                    agreements.append((name, distances.index(min(distances)), min(distances)))
            if agreements:
                telling = [each for each in agreements if each[0] != "phash"]
                rank = min(-1 if SIGNAL_TYPES[name].exact else distance for name, _, distance in telling or agreements)
                rank += 0 if telling else 1000  # what a coarse pHash alone agrees on comes last
                matches.append((rank, item, agreements))
        if matches:
            answer.append((index, [(item, agreements) for _, item, agreements in sorted(matches)], False))
    return answer


PROBES = st.lists(
    st.dictionaries(
        st.sampled_from(["pdq", "phash", "phash256", "md5"]),
        st.lists(st.tuples(st.integers(0, 13), st.integers(0, 33)), min_size=1, max_size=3),
        max_size=4,
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=effort(60), deadline=None, suppress_health_check=list(HealthCheck))
@given(PROBES, st.integers(0, 63), st.sampled_from([1, 3, 1024]))
def test_equals_a_plain_loop(
    forum: Forum, picked: list[dict[str, list[tuple[int, int]]]], radius: int, values_max: int
) -> None:
    if forum.head() < 10:
        wishes = [offer(*(signal(name, each) for name, each in planted.items())) for planted in PLANTED]
        forum.contribute(forum.a, *wishes)
    with forum.engine.state.read() as view:
        rows = view.items(limit=100)
        names = {kind.code: name for name, kind in SIGNAL_TYPES.items()}
        listed = {row.item: {names[s.code]: s.value for _, s in view.item_signals(row.item)} for row in rows}
    probes = [
        {
            name: [value(name, n) if name == "md5" else flipped(value(name, n % 4), bits) for n, bits in picks]
            for name, picks in sorted(each.items(), key=lambda pair: random.Random(pair[0]).random())
        }
        for each in picked
    ]
    request = ask(*probes, radii=[pb.Radius(signal_type="pdq", radius=radius)], matches_max=100)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lookup, "SEARCH_VALUES_MAX", values_max)
        answer = forum.as_(forum.a).lookup.Lookup(request, None)
    assert found(answer) == by_hand(listed, probes, radius)
