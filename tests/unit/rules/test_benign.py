"""The benign list on a real list: by two stewards, at contribution, at look-up, after redaction, and on a copy."""

from __future__ import annotations

import pytest
from hashpact.signals import SIGNAL_TYPES
from hashpact.v1 import error_reason_pb2 as reasons
from hashpact.v1 import lookup_service_pb2, safeguard_service_pb2, signal_pb2
from hashpact.v1 import steward_service_pb2 as pb
from hashpact_server.benign import BenignValues
from hashpact_server.ledger.entry import SERVICE, Draft, Kind
from hashpact_server.refusal import Refusal
from hashpact_server.rules.amending import amend, check_amendment
from hashpact_server.rules.benign import ALARM_REFUSED_MIN
from hashpact_server.rules.motions import propose, second
from hashpact_server.rules.outcomes import Result
from hashpact_server.services.safeguard import SafeguardService
from hashpact_server.state.alerts import AlertKind, open_alerts
from hashpact_server.state.rows import MemberRow, Role

from tests.forum import Forum, flipped, offer, one, signal, value

PDQ = SIGNAL_TYPES["pdq"]


def list_benign(forum: Forum, *values: tuple[str, bytes], note: str = "a channel's logo") -> int:
    """Put values on the benign list, by two stewards; its number."""
    signals = [
        signal_pb2.Signal(signal_type=name, value=value, quality=100 if name == "pdq" else None)
        for name, value in values
    ]
    return carry(forum, pb.StewardAct(list_benign=pb.StewardAct.AddBenign(signals=signals, note=note)))


def carry(forum: Forum, act: pb.StewardAct) -> int:
    """Propose and second an act; number of the last entry of it."""
    try:
        other = forum.member("second-steward")
    except Refusal:
        other = forum.admit("second-steward", [Role.STEWARD])
    motion = forum.decide(lambda scene: propose(scene, forum.steward.pseudonym, act, "seen on the news"))
    forum.decide(lambda scene: second(scene, other.pseudonym, motion.motion))
    with forum.engine.state.read() as view:
        kinds = (Kind.BENIGN_LISTED, Kind.BENIGN_UNLISTED)
        return max(entry.sequence for entry in view.entries() if entry.kind in kinds)


def advice(forum: Forum, member: MemberRow, *values: tuple[str, bytes]) -> list[int]:
    """The advice for each match of one probe."""
    sets = [signal_pb2.SignalSet(signal_type=name, values=value) for name, value in values]
    request = lookup_service_pb2.LookupRequest(probes=[lookup_service_pb2.Probe(signal_sets=sets)])
    answer = forum.as_(member).lookup.Lookup(request, None)
    return [match.advice for found in answer.matched for match in found.matches]


def test_what_lies_near_benign_media_is_not_contributed(forum: Forum) -> None:
    good, digest = value("pdq", "logo"), value("sha256", "logo")
    list_benign(forum, ("pdq", good), ("sha256", digest))
    half = PDQ.radius_default // 2
    for signals in ([signal("pdq", flipped(good, half))], [signal("sha256", digest), signal("pdq", "other")]):
        outcome = one(forum, forum.a, offer(*signals))
        assert (outcome.result, outcome.reason) == (Result.REFUSED, reasons.ERROR_REASON_SIGNAL_BENIGN)
    far = one(forum, forum.a, offer(signal("pdq", flipped(good, half + 1))))
    assert far.result is Result.CREATED
    _, fit, _ = check_amendment([], [signal("sha256", digest)], forum.limits)
    with pytest.raises(Refusal) as refused:
        forum.decide(lambda scene: amend(scene, forum.a.pseudonym, far.item, (), fit, None))
    assert refused.value.reason == reasons.ERROR_REASON_SIGNAL_BENIGN


def test_frames_make_a_video_benign_when_all_do(forum: Forum) -> None:
    card, opening = (value("pdq_frame", name) for name in ("title card", "opening"))
    stretch = signal_pb2.Stretch(start_ms=0, end_ms=1000)
    signals = [
        signal_pb2.Signal(signal_type="pdq_frame", value=each, quality=100, stretch=stretch) for each in (card, opening)
    ]
    carry(forum, pb.StewardAct(list_benign=pb.StewardAct.AddBenign(signals=signals, note="a channel's opening")))
    parts = [signal("pdq_frame", flipped(card, 3)), signal("pdq_frame", opening)]
    assert one(forum, forum.a, offer(signal("sha256", 1), *parts)).reason == reasons.ERROR_REASON_SIGNAL_BENIGN
    video = one(forum, forum.a, offer(signal("sha256", 2), *parts, signal("pdq_frame", "attack")))
    assert video.result is Result.CREATED
    _, fit, _ = check_amendment([], [signal("pdq_frame", flipped(opening, 2))], forum.limits)
    forum.decide(lambda scene: amend(scene, forum.a.pseudonym, video.item, (), fit, None))


def test_a_title_card_in_front_hides_no_video(forum: Forum) -> None:
    """Of several values only those that look like the item say whether it is benign."""
    listed, card = value("pdq", "attack"), value("pdq", "title card")
    assert one(forum, forum.a, offer(signal("pdq", listed))).result is Result.CREATED
    list_benign(forum, ("pdq", card), ("phash256", value("phash256", "title card")))
    frame = flipped(listed, 10)
    assert advice(forum, forum.a, ("pdq", card + frame)) == [signal_pb2.ADVICE_REVIEW]
    assert advice(forum, forum.a, ("pdq", frame + card)) == [signal_pb2.ADVICE_REVIEW]
    shown = value("phash256", "title card") + value("phash256", "attack")
    assert advice(forum, forum.a, ("pdq", frame), ("phash256", shown)) == [signal_pb2.ADVICE_REVIEW]
    list_benign(forum, ("pdq", flipped(listed, 20)))
    assert advice(forum, forum.a, ("pdq", card + frame)) == [signal_pb2.ADVICE_OBSERVE]
    assert advice(forum, forum.a, ("pdq", card + frame + flipped(listed, 9))) == [signal_pb2.ADVICE_REVIEW]


def test_a_match_near_benign_media_is_observed_or_reviewed_at_most(forum: Forum) -> None:
    listed = value("pdq", "still")
    assert one(forum, forum.a, offer(signal("pdq", listed))).result is Result.CREATED
    probe = flipped(listed, 10)
    assert advice(forum, forum.a, ("pdq", probe)) == [signal_pb2.ADVICE_REVIEW]
    list_benign(forum, ("pdq", flipped(listed, 20)))  # 10 bits from the probe, as the item is
    assert advice(forum, forum.a, ("pdq", probe)) == [signal_pb2.ADVICE_OBSERVE]
    assert advice(forum, forum.a, ("pdq", flipped(listed, 9))) == [signal_pb2.ADVICE_REVIEW]
    # What shares no value with the benign list is not touched by it.
    assert one(forum, forum.a, offer(signal("pdq", "else"))).result is Result.CREATED
    assert advice(forum, forum.a, ("pdq", value("pdq", "else"))) == [signal_pb2.ADVICE_REVIEW]


def test_it_is_the_same_after_a_restart_and_gone_after_unlisting_or_redaction(forum: Forum) -> None:
    first, other = value("pdq", 1), value("pdq", 2)
    ids = [list_benign(forum, ("pdq", each)) for each in (first, other)]
    forum.reopen()
    for each in (first, other):
        assert one(forum, forum.a, offer(signal("pdq", each))).reason == reasons.ERROR_REASON_SIGNAL_BENIGN
    carry(forum, pb.StewardAct(unlist_benign=pb.StewardAct.RemoveBenign(benign=ids[0])))
    assert one(forum, forum.a, offer(signal("pdq", first))).result is Result.CREATED
    forum.decide(lambda scene: scene.record(Draft(Kind.REDACTED, SERVICE, ids[1], clear=b"\x01")))
    assert one(forum, forum.a, offer(signal("pdq", other))).result is Result.CREATED
    forum.as_(forum.steward)
    service = SafeguardService(forum.engine, forum.limits)
    (left,) = service.ListBenign(safeguard_service_pb2.ListBenignRequest(), None).benign
    assert (left.benign, left.note, list(left.signals)) == (ids[1], "", [])
    with pytest.raises(Refusal) as refused:
        carry(forum, pb.StewardAct(unlist_benign=pb.StewardAct.RemoveBenign(benign=ids[0])))
    assert refused.value.reason == reasons.ERROR_REASON_BENIGN_NOT_FOUND


def test_values_are_shown_to_those_who_may_hold_the_list(forum: Forum) -> None:
    list_benign(forum, ("pdq", value("pdq", 1)), note="a title card")
    reviewer = forum.admit("reviewer", [Role.REVIEW])
    for member, shown in ((forum.steward, value("pdq", 1)), (forum.a, value("pdq", 1)), (reviewer, b"")):
        forum.as_(member)
        service = SafeguardService(forum.engine, forum.limits)
        (found,) = service.ListBenign(safeguard_service_pb2.ListBenignRequest(), None).benign
        assert [(each.signal_type, each.value) for each in found.signals] == [("pdq", shown)]
        assert found.note == "a title card"


def test_stewards_are_told_of_a_member_that_contributes_many_benign_media(forum: Forum) -> None:
    values = [value("pdq", n) for n in range(ALARM_REFUSED_MIN)]
    list_benign(forum, *(("pdq", each) for each in values))
    forum.contribute(forum.b, *(offer(signal("pdq", each)) for each in values[1:]))
    with forum.engine.state.read() as view:
        assert not list(open_alerts(view))
    forum.contribute(forum.a, *(offer(signal("pdq", flipped(each, 2))) for each in values))
    with forum.engine.state.read() as view:
        (row,) = open_alerts(view)
    assert (row.kind, row.member, row.counted) == (AlertKind.BENIGN, forum.a.pseudonym, ALARM_REFUSED_MIN)


@pytest.mark.parametrize(
    "wrong",
    [
        pb.StewardAct.AddBenign(note="no signals"),
        pb.StewardAct.AddBenign(signals=[signal_pb2.Signal(signal_type="sha256", value=b"1")], note="short"),
        pb.StewardAct.AddBenign(signals=[signal_pb2.Signal(signal_type="sha256", value=value("sha256", 1))]),
    ],
)
def test_a_listing_that_says_too_little_is_refused(forum: Forum, wrong: pb.StewardAct.AddBenign) -> None:
    with pytest.raises(Refusal) as refused:
        forum.decide(lambda scene: propose(scene, forum.steward.pseudonym, pb.StewardAct(list_benign=wrong), ""))
    assert refused.value.reason == reasons.ERROR_REASON_FIELD_INVALID


def test_the_closest_benign_value_counts_and_coarse_ones_do_not() -> None:
    base = value("pdq", 1)
    benign = BenignValues([(PDQ.code, flipped(base, 20)), (PDQ.code, flipped(base, 6)), (17, value("phash", 1))])
    assert benign.distances(PDQ, [base, value("pdq", 2)], 31) == [6, None]
    assert benign.distances(PDQ, [base], 5) == [None]
    assert benign.distances(SIGNAL_TYPES["phash"], [value("phash", 1)], 4) == [None]
    assert not BenignValues([(17, value("phash", 1))])
