"""Probing: stars around a value are found, slowed and told of; shared copies of a picture are not."""

from __future__ import annotations

import io
import random
from collections import deque
from collections.abc import Iterable

import pytest
from hashpact import hash_image
from hashpact.v1 import contribution_service_pb2, item_pb2, lookup_service_pb2, signal_pb2
from hashpact.v1 import error_reason_pb2 as reasons
from hashpact_server.clockwork import Clockwork
from hashpact_server.guards import FloodWatch, Guards, ProbingWatch, Quotas
from hashpact_server.guards.probing import ITEMS_HIT_MIN, KEPT_S
from hashpact_server.guards.rings import RING_VALUES, STAR_MIN
from hashpact_server.refusal import Refusal
from hashpact_server.services.caller import Caller, set_caller
from hashpact_server.services.contribution import ContributionService
from hashpact_server.services.lookup import LookupService
from hashpact_server.state.alerts import AlertKind, AlertRow, open_alerts
from hashpact_server.state.rows import MemberRow, Role
from PIL import Image

from tests.forum import Forum, flipped, offer, one, signal, value
from tests.pictures import encoded, photo


class Hub:
    """A forum's look-ups, watched, with a clock that a test sets."""

    def __init__(self, forum: Forum) -> None:
        self.forum, self.now_s = forum, 1000.0
        self.watch = ProbingWatch(lambda: self.now_s)
        self.guards = Guards(Quotas(forum.limits), FloodWatch(None, 0), self.watch)
        self.service = LookupService(forum.engine, forum.limits, self.guards)
        self.checker = forum.admit("checker", [Role.CHECK])
        self._clockwork = Clockwork(forum.engine, {}, [self.watch.duty])

    def ask(
        self, *values: bytes, member: MemberRow | None = None, kind: str = "pdq"
    ) -> lookup_service_pb2.LookupResponse:
        """One call with a probe per value."""
        set_caller(Caller(member or self.checker))
        probes = [
            lookup_service_pb2.Probe(signal_sets=[signal_pb2.SignalSet(signal_type=kind, values=each)])
            for each in values
        ]
        return self.service.Lookup(lookup_service_pb2.LookupRequest(probes=probes), None)

    def refused(self, *values: bytes) -> float:
        """Ask, and be refused; after how many seconds to come back."""
        with pytest.raises(Refusal) as refusal:
            self.ask(*values)
        assert refusal.value.reason == reasons.ERROR_REASON_QUOTA_EXCEEDED
        assert refusal.value.retry_after_s is not None
        return refusal.value.retry_after_s

    def answered(self, *values: bytes, member: MemberRow | None = None) -> int:
        """Ask one after the other until a call is refused; how many were answered."""
        for count, each in enumerate(values):
            try:
                self.ask(each, member=member)
            except Refusal:
                return count
        return len(values)

    def alerts(self) -> list[AlertRow]:
        """What stewards are told."""
        self._clockwork.turn()
        with self.forum.engine.state.read() as view:
            return list(open_alerts(view))


@pytest.fixture
def hub(forum: Forum) -> Hub:
    return Hub(forum)


def listed(hub: Hub, *seeds: int | str) -> list[int]:
    return [one(hub.forum, hub.forum.a, offer(signal("pdq", seed))).item for seed in seeds]


def flips(of: bytes, bits: Iterable[int]) -> list[bytes]:
    return [flipped(of, 1, start=bit) for bit in bits]


def pairs(of: bytes, count: int) -> list[bytes]:
    """Values with one bit set that was clear, and one clear that was set: as many bits are set as before."""
    number = int.from_bytes(of, "big")
    ones = [bit for bit in range(256) if number >> bit & 1]
    zeros = [bit for bit in range(256) if not number >> bit & 1]
    return [(number ^ 1 << ones[n] ^ 1 << zeros[n]).to_bytes(32, "big") for n in range(count)]


def test_single_bits_around_the_border_are_refused_after_a_dozen_that_could_be_told(hub: Hub) -> None:
    (item,) = listed(hub, 1)
    border = flipped(value("pdq", 1), 31)
    hub.ask(border)
    assert hub.answered(*flips(border, range(256))) < 40
    (row,) = hub.alerts()
    assert (row.kind, row.item, row.member) == (AlertKind.PROBING, item, hub.checker.pseudonym)


def test_a_batch_that_asks_all_at_once_is_not_answered(hub: Hub) -> None:
    listed(hub, 1)
    border = flipped(value("pdq", 1), 31)
    hub.refused(*flips(border, range(256)))
    assert len(hub.alerts()) == 1


def test_bits_flipped_in_pairs_are_found_too(hub: Hub) -> None:
    listed(hub, 1)
    probes = pairs(flipped(value("pdq", 1), 20), 100)
    for start in range(0, STAR_MIN - 8, 8):
        hub.ask(*probes[start : start + 8])
    hub.refused(*probes[STAR_MIN - 8 :])


def test_a_climber_that_goes_on_from_what_was_closer_is_found(hub: Hub) -> None:
    """It sees distances, and flips back what did not help: each step differs in one bit from the one before."""
    (item,) = listed(hub, 1)
    here, best, answered = flipped(value("pdq", 1), 20, start=100), 20, 0
    for bit in range(90, 256):
        try:
            found = hub.ask(flipped(here, 1, start=bit), member=hub.forum.b).matched
        except Refusal:
            break
        answered += 1
        if found and found[0].matches[0].agreements[0].distance < best:
            here, best = flipped(here, 1, start=bit), best - 1
    assert answered < 60
    assert [row.item for row in hub.alerts()] == [item]


def test_whoever_is_slowed_is_so_for_hits_and_misses_alike_and_others_are_not(hub: Hub) -> None:
    listed(hub, 1, 2)
    here = value("pdq", 1)
    border = flipped(here, 31)
    hub.refused(*flips(border, range(256)))
    hit, miss = flipped(here, 30), flipped(here, 40)
    hub.now_s += 100
    for _ in range(3):
        (match,) = hub.ask(hit).matched[0].matches
        assert (match.agreements[0].distance, match.agreements[0].distance_is_bound) == (31, True)
    assert hub.refused(hit) == hub.refused(miss) == pytest.approx(10.0)
    assert hub.refused(here) == pytest.approx(10.0)
    # Elsewhere on the list, and for others, all goes on.
    assert hub.ask(value("pdq", 2)).matched
    assert hub.ask(*flips(value("pdq", "nothing"), range(256))).matched == []
    (match,) = hub.ask(flipped(here, 3), member=hub.forum.b).matched[0].matches
    assert match.agreements[0].distance == 3
    hub.now_s += KEPT_S + 1
    assert hub.ask(hit).matched


def test_distances_that_are_seen_are_watched_as_well(hub: Hub) -> None:
    listed(hub, 1)
    assert hub.answered(*flips(flipped(value("pdq", 1), 10), range(100, 200)), member=hub.forum.b) <= STAR_MIN
    (row,) = hub.alerts()
    assert row.member == hub.forum.b.pseudonym


def test_shared_copies_of_one_picture_are_no_probing(hub: Hub) -> None:
    """Re-encoded, resized and cropped as on the way through platforms; more of them in `make drill-probing`."""
    rng = random.Random(5)
    picture = photo("astronaut.png").convert("RGB")
    original = {each.signal_type: each.value for each in hash_image(encoded(picture, "PNG"))}
    assert one(hub.forum, hub.forum.a, offer(signal("pdq", original["pdq"]))).item
    matched = 0
    for _ in range(150):
        cut, scale = rng.uniform(0, 0.03), rng.uniform(0.3, 0.9)
        width, height = picture.size
        copy = picture.crop((int(width * cut), int(height * cut), width, height))
        copy = copy.resize((int(width * scale), int(height * scale)), Image.Resampling.BILINEAR)
        buffer = io.BytesIO()
        copy.save(buffer, "JPEG", quality=rng.randrange(35, 95))
        values = {each.signal_type: each.value for each in hash_image(buffer.getvalue())}
        matched += len(hub.ask(values["pdq"]).matched)
    assert matched > 50
    assert not hub.alerts()


def test_whoever_matches_nothing_leaves_no_trace(hub: Hub) -> None:
    listed(hub, 1)
    for start in range(0, 512, 64):
        hub.ask(*(value("pdq", f"upload {n}") for n in range(start, start + 64)))
    assert not hub.watch._rings
    assert not hub.watch._courses
    hub.ask(value("pdq", 1))
    assert len(hub.watch._rings) == 1


def test_a_member_that_asks_about_a_list_is_told_of(hub: Hub) -> None:
    offers = [offer(signal("pdq", f"list {n}")) for n in range(ITEMS_HIT_MIN)]
    hub.forum.contribute(hub.forum.a, *offers)
    values = [value("pdq", f"list {n}") for n in range(ITEMS_HIT_MIN)]
    hub.ask(*values[1:])
    assert not hub.alerts()
    hub.ask(values[0])
    (row,) = hub.alerts()
    assert (row.kind, row.item, row.counted) == (AlertKind.PROBING, 0, ITEMS_HIT_MIN)


def test_a_ring_forgets_its_oldest_values(hub: Hub) -> None:
    """Long honest traffic between the steps of a walk does not add up to a star."""
    listed(hub, 1)
    center = flipped(value("pdq", 1), 10)
    steps = pairs(center, STAR_MIN - 10)
    hub.ask(*steps)
    rng = random.Random(1)
    others = [flipped(value("pdq", 1), 8, start=rng.randrange(240)) for _ in range(400)]
    for start in range(0, 400, 40):
        hub.ask(*others[start : start + 40])
    ring = next(iter(hub.watch._rings.values()))
    assert len(ring._known) <= RING_VALUES


def test_explain_tells_no_value_by_its_distances(forum: Forum) -> None:
    """Else whoever may see distances would climb from any value up to the listed one, and nobody would notice."""
    here = Hub(forum)
    secret = value("pdq", 1)
    item = one(forum, forum.a, offer(signal("pdq", secret))).item
    reviewer = forum.admit("reviewer", [Role.CHECK, Role.REVIEW])

    def explained(probe: bytes, member: MemberRow) -> lookup_service_pb2.SignalExplanation:
        set_caller(Caller(member))
        request = lookup_service_pb2.ExplainRequest(item=item)
        request.probe.signal_sets.add(signal_type="pdq", values=probe)
        (told,) = here.service.Explain(request, None).signals
        return told

    far = flipped(secret, 64)
    assert not explained(far, reviewer).HasField("distance")
    assert explained(far, forum.a).distance == 64  # it contributed the value
    assert explained(flipped(secret, 63), reviewer).distance == 63
    around = flips(flipped(secret, 40), range(256))
    with pytest.raises(Refusal) as refused:
        deque((explained(probe, reviewer) for probe in around), maxlen=0)
    assert refused.value.reason == reasons.ERROR_REASON_QUOTA_EXCEEDED
    assert [(row.kind, row.item, row.member) for row in here.alerts()] == [
        (AlertKind.PROBING, item, reviewer.pseudonym)
    ]
    here.now_s += 60
    told = explained(flipped(secret, 20), reviewer)
    assert (told.agrees, told.distance, told.distance_is_bound) == (True, 31, True)
    here.now_s += 60
    assert not explained(flipped(secret, 50), reviewer).HasField("distance")


def test_a_rehearsed_contribution_is_watched_as_a_look_up_is(forum: Forum) -> None:
    """It writes nothing and tells what is near: without a watch, a look-up without one."""
    here = Hub(forum)
    (item,) = listed(here, 1)
    member = forum.admit("contributor", [Role.CONTRIBUTE])
    service = ContributionService(forum.engine, forum.limits, here.guards)

    def rehearse(probe: bytes) -> int:
        set_caller(Caller(member))
        request = contribution_service_pb2.ContributeRequest(validate_only=True)
        sent = request.contributions.add(labels=["glorification_of_terrorist_acts"])
        sent.attestation.basis = item_pb2.ATTESTATION_BASIS_PERSON_LOOKED
        sent.signals.add(signal_type="pdq", value=probe, quality=100)
        return len(service.Contribute(request, None).outcomes[0].near_duplicates)

    border = flipped(value("pdq", 1), 30)
    assert rehearse(border) == 1
    with pytest.raises(Refusal) as refused:
        deque(map(rehearse, flips(border, range(256))), maxlen=0)
    assert refused.value.reason == reasons.ERROR_REASON_QUOTA_EXCEEDED
    assert [(row.kind, row.item, row.member) for row in here.alerts()] == [(AlertKind.PROBING, item, member.pseudonym)]
    with pytest.raises(Refusal):
        deque(map(rehearse, flips(border, range(256))), maxlen=0)
