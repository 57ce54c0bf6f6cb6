"""Texts on a real list: TLSH has a distance of its own, and is found, told and refused as perceptual values are."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hashpact.distances import tlsh_distance
from hashpact.signals import SIGNAL_TYPES
from hashpact.v1 import error_reason_pb2 as reasons
from hashpact.v1 import lookup_service_pb2 as pb
from hashpact.v1 import signal_pb2
from hashpact.v1 import steward_service_pb2 as steward_pb
from hashpact_server import config, fsck
from hashpact_server.guards import FloodWatch, Guards, ProbingWatch, Quotas
from hashpact_server.refusal import Refusal
from hashpact_server.rules.claims import Offer
from hashpact_server.rules.motions import propose, second
from hashpact_server.rules.withdrawing import withdraw
from hashpact_server.services.gathering import gather
from hashpact_server.services.lookup import LookupService
from hashpact_server.state.rows import Role
from hashpact_server.uploads import UploadMemory
from hashpact_server.uploads.outbox import Outbox, retro_matches
from hashpact_server.uploads.tables import Stream

from tests.forum import Forum, forum_in, offer, one, signal, value
from tests.integration.harness import WAIT_S

TLSH = SIGNAL_TYPES["tlsh"]
TEXT = value("tlsh", "leaflet")


def reworded(text: bytes, distance: int, start: int = 0) -> bytes:
    """A value at exactly this distance: so many buckets, from one on, in the quarter beside their own."""
    mask = sum(1 << 2 * place for place in range(start, start + distance))
    made = (int.from_bytes(text, "big") ^ mask).to_bytes(len(text), "big")
    assert tlsh_distance(text, made) == distance
    return made


def text(value: bytes, number: int) -> Offer:
    """A text as it is contributed: with a digest of its file, which says which item it is."""
    return offer(signal("tlsh", value), signal("sha256", number))


def request(*values: bytes, **more: object) -> pb.LookupRequest:
    probe = pb.Probe(signal_sets=[signal_pb2.SignalSet(signal_type="tlsh", values=b"".join(values))])
    return pb.LookupRequest(probes=[probe], **more)  # type: ignore[arg-type] # other fields by name


def matched(forum: Forum, *values: bytes, **more: object) -> list[tuple[int, int, int, bool, int]]:
    """(item, value index, distance, whether it is a bound, level) of what is found, as the present caller is told."""
    answer = forum.services.lookup.Lookup(request(*values, **more), None)
    return [
        (match.item, each.value_index, each.distance, each.distance_is_bound, match.level)
        for found in answer.matched
        for match in found.matches
        for each in match.agreements
    ]


def test_found_within_the_radius_also_after_a_restart_and_not_once_withdrawn(forum: Forum) -> None:
    item = one(forum, forum.a, text(TEXT, 1)).item
    other = one(forum, forum.a, text(reworded(TEXT, 40), 2)).item
    forum.as_(forum.a)
    far = value("tlsh", "another")
    assert matched(forum, far) == []
    for _ in range(2):
        assert matched(forum, far, reworded(TEXT, 30, 60)) == [(item, 1, 30, False, pb.MATCH_LEVEL_NEAR)]
        assert matched(forum, reworded(TEXT, 31, 60)) == []
        wide = [pb.Radius(signal_type="tlsh", radius=TLSH.radius_max)]
        assert [found[0] for found in matched(forum, reworded(TEXT, 10, 60), radii=wide)] == [item, other]
        assert matched(forum, TEXT, matches_max=1) == [(item, 0, 0, False, pb.MATCH_LEVEL_NEAR)]
        forum.reopen()
        forum.as_(forum.a)
    assert forum.engine.matcher.counts()[TLSH.code] == 2
    forum.decide(lambda scene: withdraw(scene, forum.a.pseudonym, item, 1, steward=False))
    assert matched(forum, TEXT) == []
    forum.close()
    assert fsck.check(forum.folder).problems == []
    forum.reopen()


def test_who_may_only_check_sees_no_distance(forum: Forum) -> None:
    item = one(forum, forum.a, text(TEXT, 1)).item
    forum.as_(forum.admit("checker", [Role.CHECK]))
    told = [matched(forum, reworded(TEXT, distance)) for distance in (0, 7, 15, 16, 30)]
    assert told == [[(item, 0, bound, True, pb.MATCH_LEVEL_NEAR)] for bound in (0, 15, 15, 30, 30)]
    near = [pb.Radius(signal_type="tlsh", radius=7)]
    assert matched(forum, reworded(TEXT, 12), radii=near) == [(item, 0, 15, True, pb.MATCH_LEVEL_NEAR)]


def test_a_text_and_a_page_are_two_witnesses(forum: Forum) -> None:
    page = signal("pdq_page", 1)._replace(quality=90)
    item = one(forum, forum.a, offer(signal("tlsh", TEXT), signal("sha256", 1), page)).item
    forum.as_(forum.a)
    probe = pb.Probe(
        signal_sets=[
            signal_pb2.SignalSet(signal_type="tlsh", values=reworded(TEXT, 9)),
            signal_pb2.SignalSet(signal_type="pdq_page", values=value("pdq_page", 2) + value("pdq_page", 1)),
        ]
    )
    (found,) = forum.services.lookup.Lookup(pb.LookupRequest(probes=[probe]), None).matched
    (match,) = found.matches
    assert (match.item, match.level) == (item, pb.MATCH_LEVEL_STRONG)
    assert {each.signal_type: (each.value_index, each.distance) for each in match.agreements} == {
        "pdq_page": (1, 0),
        "tlsh": (0, 9),
    }
    told = forum.services.lookup.Explain(pb.ExplainRequest(item=item, probe=probe), None)
    assert {each.signal_type: (each.agrees, each.distance, each.radius) for each in told.signals} == {
        "pdq_page": (True, 0, 31),
        "tlsh": (True, 9, 30),
    }


def test_whoever_contributes_is_told_of_texts_like_it(forum: Forum) -> None:
    first, then = forum.contribute(forum.a, text(TEXT, 1), text(reworded(TEXT, 12), 2))
    later = one(forum, forum.b, text(reworded(TEXT, 6), 3))
    assert [(each.item, each.distance) for each in then.near_duplicates] == [(first.item, 12)]
    assert [(each.item, each.distance) for each in later.near_duplicates] == [(first.item, 6), (then.item, 6)]
    assert later.item not in {first.item, then.item}  # no text identifies: versions are items of their own
    same = one(forum, forum.b, text(TEXT, 4))
    assert same.item != first.item
    assert (same.near_duplicates[0].item, same.near_duplicates[0].distance) == (first.item, 0)


def test_texts_that_everybody_prints_are_benign(forum: Forum) -> None:
    item = one(forum, forum.a, text(reworded(TEXT, 25), 1)).item
    forum.admit("second", [Role.STEWARD])
    act = steward_pb.StewardAct(
        list_benign=steward_pb.StewardAct.AddBenign(
            signals=[signal_pb2.Signal(signal_type="tlsh", value=TEXT)], note="a form"
        )
    )
    motion = forum.decide(lambda scene: propose(scene, forum.steward.pseudonym, act, ""))
    forum.decide(lambda scene: second(scene, forum.member("second").pseudonym, motion.motion))
    refused = one(forum, forum.b, text(reworded(TEXT, 15), 2))
    assert refused.reason == reasons.ERROR_REASON_SIGNAL_BENIGN
    taken = one(forum, forum.b, text(reworded(TEXT, 16, 90), 3))
    assert taken.item
    forum.as_(forum.a)
    (found,) = forum.services.lookup.Lookup(request(reworded(TEXT, 5)), None).matched
    assert {match.item: match.advice for match in found.matches}[item] == signal_pb2.ADVICE_OBSERVE


def test_an_upload_is_met_by_a_text_that_is_listed_later(forum: Forum, tmp_path: Path) -> None:
    memory = UploadMemory(forum.engine, tmp_path / "uploads", config.Uploads(enabled=True), 100)
    try:
        probe = request(value("tlsh", 5), reworded(TEXT, 20)).probes
        batches, _ = gather(probe, forum.limits)
        memory.remember(forum.a.pseudonym, ["upload"], batches, forum.head(), math.inf)
        item = one(forum, forum.a, text(TEXT, 1)).item
        assert memory.wait_for(forum.head(), WAIT_S)
        rows = Outbox(memory, Stream.RETRO, forum.a.pseudonym, 0).next(0, lambda: True)
        with forum.engine.state.read() as view:
            told = [each.match for each in retro_matches(view, rows, forum.a.pseudonym)]
        assert [(each.item, each.agreements[0].distance) for each in told] == [(item, 20)]
    finally:
        memory.close()


def test_feeling_the_way_along_a_text_is_slowed(forum: Forum) -> None:
    one(forum, forum.b, text(TEXT, 1))
    forum.as_(forum.a)
    service = LookupService(
        forum.engine, forum.limits, Guards(Quotas(forum.limits), FloodWatch(None, 0), ProbingWatch())
    )

    def walk() -> None:
        for step in range(128):
            service.Lookup(request(reworded(TEXT, 1, step)), None)

    with pytest.raises(Refusal) as refusal:
        walk()
    assert refusal.value.reason == reasons.ERROR_REASON_QUOTA_EXCEEDED


def test_a_value_of_nothing_is_refused(tmp_path: Path) -> None:
    with forum_in(tmp_path / "nothing") as forum:
        for made in (bytes(35), b"\xff" * 35, bytes(30) + b"\x1b" * 5, b"abcde" * 7):
            assert one(forum, forum.a, text(made, 1)).problems[0].reason == (reasons.ERROR_REASON_SIGNAL_DEGENERATE)
