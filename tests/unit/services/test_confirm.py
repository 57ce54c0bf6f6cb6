"""Local points on a real list: edited copies of photographs are named, measured and confirmed; others are not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hashpact.local_signature import LocalSignature, Measurement
from hashpact.v1 import error_reason_pb2 as reasons
from hashpact.v1 import item_pb2, signal_pb2
from hashpact.v1 import lookup_service_pb2 as pb
from hashpact.v1.steward_service_pb2 import StewardAct
from hashpact_server.refusal import Refusal
from hashpact_server.rules.benign import carry_out_listing
from hashpact_server.rules.withdrawing import withdraw
from hashpact_server.state.rows import Role
from PIL import Image, ImageDraw, ImageOps

from tests.forum import LABELS, Forum, offer, one, signal, value
from tests.incidents import opened
from tests.local_pictures import candidates, confirm, measured, signals_of, upload
from tests.pictures import photo
from tests.unit.services.test_advice import adopt, wish

LISTED = ("astronaut.png", "chelsea.png", "rocket.jpg", "motorcycle_left.png")


@pytest.fixture
def items(forum: Forum) -> dict[str, int]:
    """Photographs on the list, by name."""
    outcomes = forum.contribute(forum.a, *(offer(*signals_of(photo(name))) for name in LISTED))
    return {name: outcome.item for name, outcome in zip(LISTED, outcomes, strict=True)}


def bordered(picture: Image.Image) -> Image.Image:
    return ImageOps.expand(picture.convert("RGB"), border=picture.width // 6, fill=(20, 20, 20))


def cropped(picture: Image.Image) -> Image.Image:
    return picture.crop((picture.width // 5, picture.height // 5, picture.width, picture.height))


def types_of(match: pb.Match) -> list[str]:
    return [each.signal_type for each in match.agreements]


@pytest.mark.parametrize("name", LISTED)
def test_a_bordered_copy_is_strong_by_its_details_and_the_whole(forum: Forum, items: dict[str, int], name: str) -> None:
    seen = upload(bordered(photo(name)))
    services = forum.as_(forum.a)
    before = services.lookup.Lookup(pb.LookupRequest(probes=[seen.probe]), None)
    assert not [match for each in before.matched for match in each.matches]  # PDQ alone is blind to it
    (match,) = confirm(services, seen)
    (agreement,) = match.agreements
    told = agreement.confirmation
    assert (match.item, match.level) == (items[name], pb.MATCH_LEVEL_STRONG)
    assert (agreement.signal_type, agreement.sequence) == ("local_sift", items[name])
    assert 8 <= told.points <= told.points_visible
    assert told.visible_percent == 100
    assert told.thumbnail_percent >= 80
    assert told.aligned_distance <= 31


@pytest.mark.parametrize("turn", ["as it is", "mirrored"])
def test_a_part_of_a_picture_is_near(forum: Forum, items: dict[str, int], turn: str) -> None:
    picture = cropped(photo("astronaut.png"))
    seen = upload(ImageOps.mirror(picture) if turn == "mirrored" else picture)
    (candidate, *_) = candidates(forum.as_(forum.a), seen)
    assert (candidate.item, candidate.mirrored) == (items["astronaut.png"], turn == "mirrored")
    (match,) = confirm(forum.as_(forum.a), seen)
    assert (match.item, match.level, types_of(match)) == (candidate.item, pb.MATCH_LEVEL_NEAR, ["local_sift"])
    told = match.agreements[0].confirmation
    assert (50 <= told.visible_percent <= 75, told.HasField("aligned_distance")) == (True, False)


def test_what_the_upload_says_otherwise_counts_too(forum: Forum, items: dict[str, int]) -> None:
    seen = upload(photo("chelsea.png").resize((300, 200)))
    (match,) = confirm(forum.as_(forum.a), seen)
    assert (match.level, types_of(match)) == (pb.MATCH_LEVEL_STRONG, ["pdq", "local_sift"])
    assert match.item == items["chelsea.png"]


def test_it_is_explained_by_what_was_measured(forum: Forum, items: dict[str, int]) -> None:
    seen, services = upload(cropped(photo("astronaut.png"))), forum.as_(forum.a)
    item, other = items["astronaut.png"], items["rocket.jpg"]
    measurements = [measured(seen, each) for each in candidates(services, seen)]
    request = pb.ExplainRequest(probe=seen.probe, item=item, measurements=measurements)
    told = services.lookup.Explain(request, None)
    assert [told.match] == confirm(services, seen)
    (points,) = [each for each in told.signals if each.signal_type == "local_sift"]
    assert (points.agrees, points.sequence, points.vouching_groups, points.listed) == (True, item, 1, 1)
    for request in (
        pb.ExplainRequest(probe=seen.probe, item=other, measurements=measurements),
        pb.ExplainRequest(probe=seen.probe, item=item),
    ):
        told = services.lookup.Explain(request, None)
        assert not told.HasField("match")
        assert [each.agrees for each in told.signals if each.signal_type == "local_sift"] == [False]
    request.measurements.add(signal=1, measured=b"x")
    with pytest.raises(Refusal) as refused:
        services.lookup.Explain(request, None)
    assert refused.value.reason == reasons.ERROR_REASON_FIELD_INVALID


def test_a_certain_match_needs_no_measurement(forum: Forum) -> None:
    picture = photo("coffee.png")
    one(forum, forum.a, offer(signal("sha256", 1), *signals_of(picture)))
    seen = upload(picture)
    assert candidates(forum.as_(forum.a), seen)
    seen.probe.signal_sets.append(signal_pb2.SignalSet(signal_type="sha256", values=value("sha256", 1)))
    assert not candidates(forum.as_(forum.a), seen)


@pytest.mark.usefixtures("items")
def test_another_photograph_is_not_confirmed_wherever_one_measures(forum: Forum) -> None:
    services = forum.as_(forum.a)
    real = candidates(services, upload(photo("astronaut.png")))
    assert real
    for name in ("coffee.png", "camera.png"):
        other = upload(photo(name))
        assert not confirm(services, other)
        request = pb.ConfirmRequest(probe=other.probe, measurements=[measured(other, each) for each in real])
        assert not services.lookup.Confirm(request, None).matches


def test_withdrawn_pictures_are_gone_and_a_start_finds_the_rest(forum: Forum, items: dict[str, int]) -> None:
    forum.decide(lambda scene: withdraw(scene, forum.a.pseudonym, items["astronaut.png"], 1, steward=False))
    gone, kept = upload(bordered(photo("astronaut.png"))), upload(bordered(photo("rocket.jpg")))
    for _ in range(2):
        assert len(forum.engine.matcher._indexes.points) == len(items) - 1  # what left the list is not held either
        assert not candidates(forum.as_(forum.a), gone)
        assert [match.item for match in confirm(forum.as_(forum.a), kept)] == [items["rocket.jpg"]]
        forum.reopen()


def test_a_candidate_that_was_withdrawn_meanwhile_is_passed_over(forum: Forum, items: dict[str, int]) -> None:
    seen = upload(bordered(photo("astronaut.png")))
    measurements = [measured(seen, each) for each in candidates(forum.as_(forum.a), seen)]
    forum.decide(lambda scene: withdraw(scene, forum.a.pseudonym, items["astronaut.png"], 1, steward=False))
    request = pb.ConfirmRequest(probe=seen.probe, measurements=measurements)
    assert not forum.as_(forum.a).lookup.Confirm(request, None).matches


@pytest.mark.usefixtures("items")
def test_whoever_may_not_see_distances_sees_no_numbers(forum: Forum) -> None:
    checker = forum.admit("checker", [Role.CHECK])
    seen = upload(bordered(photo("astronaut.png")))
    (match,) = confirm(forum.as_(checker), seen)
    told = match.agreements[0].confirmation
    assert (match.level, told.visible_percent) == (pb.MATCH_LEVEL_STRONG, 100)
    assert (told.points, told.points_visible, told.thumbnail_percent) == (0, 0, 0)
    assert not told.HasField("aligned_distance")


@pytest.mark.parametrize("label", ["", "incident:harbour"])
def test_what_several_items_share_says_nothing_unless_they_are_of_one_incident(forum: Forum, label: str) -> None:
    picture = photo("motorcycle_left.png")
    seen = upload(bordered(picture))
    if label:
        opened(forum)
    labels = (*LABELS, label) if label else LABELS
    listed = one(forum, forum.a, offer(*signals_of(picture), labels=labels)).item
    for degrees in range(45, 360, 45):  # the same details in another whole
        assert confirm(forum.as_(forum.a), seen) or degrees > 90
        one(forum, forum.a, offer(*signals_of(picture.rotate(degrees, expand=True)), labels=labels))
    assert (listed in [each.item for each in confirm(forum.as_(forum.a), seen)]) == bool(label)


@pytest.mark.parametrize(("vouched", "advice"), [(2, signal_pb2.ADVICE_ACT), (1, signal_pb2.ADVICE_REVIEW)])
def test_members_act_on_details_that_enough_groups_vouch_for(forum: Forum, vouched: int, advice: int) -> None:
    forum.admit("second", [Role.STEWARD])
    adopt(forum, act=True)
    wish(forum, forum.a, mode=signal_pb2.ADVICE_ACT)
    whole, local = signals_of(photo("chelsea.png"))
    one(forum, forum.a, offer(whole, local))
    one(forum, forum.b, offer(whole, local) if vouched == 2 else offer(whole))
    (match,) = confirm(forum.as_(forum.a), upload(bordered(photo("chelsea.png"))))
    assert (match.status, match.level) == (item_pb2.ITEM_STATUS_CORROBORATED, pb.MATCH_LEVEL_STRONG)
    assert (match.advice, match.agreements[0].vouching_groups) == (advice, vouched)


def test_details_of_known_good_media_say_nothing(forum: Forum, items: dict[str, int]) -> None:
    seen = upload(cropped(photo("astronaut.png")))
    assert [each.item for each in confirm(forum.as_(forum.a), seen)] == [items["astronaut.png"]]
    _, local = signals_of(photo("astronaut.png"))
    act = StewardAct.AddBenign(
        note="a portrait", signals=[signal_pb2.Signal(signal_type="local_sift", value=local.value or b"")]
    )
    forum.decide(lambda scene: carry_out_listing(scene, forum.steward.pseudonym, act))
    assert not confirm(forum.as_(forum.a), seen)


def test_copies_of_one_picture_do_not_blind_each_other(forum: Forum) -> None:
    listed = set()
    for seed in range(4):
        picture = photo("astronaut.png").convert("RGB")
        ImageDraw.Draw(picture).rectangle((90 * seed, 10, 90 * seed + 60, 50), fill=(255, 255, 0))
        listed.add(one(forum, forum.a, offer(*signals_of(picture))).item)
    matches = confirm(forum.as_(forum.a), upload(bordered(photo("astronaut.png"))))
    assert {each.item for each in matches} == listed
    assert len(listed) == 4
    assert {each.level for each in matches} == {pb.MATCH_LEVEL_STRONG}


def test_one_member_does_not_blind_all_to_what_others_vouch_for(forum: Forum) -> None:
    """It lists the same points again and again, as details of other wholes."""
    forum.admit("third", [Role.CONTRIBUTE])
    whole, local = signals_of(photo("astronaut.png"))
    item = one(forum, forum.a, offer(whole, local)).item
    assert one(forum, forum.b, offer(whole, local)).item == item
    listed = LocalSignature.decode(local.value or b"")
    for seed in range(4):
        other = replace(listed, pdq=value("pdq", seed), thumbnail=np.roll(listed.thumbnail, seed + 1))
        one(forum, forum.member("third"), offer(signal("sha256", seed), local._replace(value=other.encode())))
    seen = upload(bordered(photo("astronaut.png")))
    assert [(each.item, each.level) for each in confirm(forum.as_(forum.a), seen)] == [(item, pb.MATCH_LEVEL_STRONG)]


@pytest.mark.parametrize("make", ["none", "short", "many"])
def test_measurements_that_are_refused(forum: Forum, make: str) -> None:
    signs = np.zeros(248, np.uint8)
    nothing = Measurement(0, np.zeros(96, bool), np.zeros((96, 32), np.uint8), signs, signs, None, 0)
    good = pb.Measurement(signal=1, measured=nothing.encode())
    sent: dict[str, list[pb.Measurement]] = {
        "none": [],
        "short": [pb.Measurement(signal=1, measured=b"\1")],
        "many": [good] * 9,
    }
    with pytest.raises(Refusal) as refused:
        forum.as_(forum.a).lookup.Confirm(pb.ConfirmRequest(probe=pb.Probe(), measurements=sent[make]), None)
    wanted = reasons.ERROR_REASON_LIMIT_EXCEEDED if make == "many" else reasons.ERROR_REASON_FIELD_INVALID
    assert refused.value.reason == wanted


def test_points_that_cannot_be_read_are_told_and_the_rest_is_looked_up(forum: Forum, items: dict[str, int]) -> None:
    seen = upload(photo("astronaut.png"))
    seen.probe.points = b"\x09" + seen.probe.points[1:]
    answer = forum.as_(forum.a).lookup.Lookup(pb.LookupRequest(probes=[seen.probe]), None)
    (problem,) = answer.problems
    assert (problem.signal_set_index, problem.reason) == (1, reasons.ERROR_REASON_SIGNAL_MALFORMED)
    assert [match.item for each in answer.matched for match in each.matches] == [items["astronaut.png"]]
    seen.probe.points = bytes(forum.limits.points_bytes_max + 1)
    with pytest.raises(Refusal) as refused:
        forum.as_(forum.a).lookup.Lookup(pb.LookupRequest(probes=[seen.probe]), None)
    assert refused.value.reason == reasons.ERROR_REASON_LIMIT_EXCEEDED


def test_a_listed_signature_is_no_probe_and_a_broken_one_is_not_listed(forum: Forum) -> None:
    whole, local = signals_of(photo("astronaut.png"))
    assert local.value is not None
    sets = [signal_pb2.SignalSet(signal_type="local_sift", values=local.value)]
    answer = forum.as_(forum.a).lookup.Lookup(pb.LookupRequest(probes=[pb.Probe(signal_sets=sets)]), None)
    assert [each.reason for each in answer.problems] == [reasons.ERROR_REASON_SIGNAL_MALFORMED]
    broken = local._replace(value=b"\x07" + local.value[1:])
    outcome = one(forum, forum.a, offer(whole, broken))
    assert [each.reason for each in outcome.problems] == [reasons.ERROR_REASON_SIGNAL_MALFORMED]
    assert len(LocalSignature.decode(local.value)) >= 8
