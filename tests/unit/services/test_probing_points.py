"""Probing by measurements: whoever changes one bit after the other at the border is found; honest copies are not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hashpact.local_signature import LocalSignature, Measurement
from hashpact.v1 import error_reason_pb2 as reasons
from hashpact.v1 import lookup_service_pb2 as pb
from hashpact_server.clockwork import Clockwork
from hashpact_server.guards import FloodWatch, Guards, ProbingWatch, Quotas
from hashpact_server.refusal import Refusal
from hashpact_server.services.caller import Caller, set_caller
from hashpact_server.services.lookup import LookupService
from hashpact_server.state.alerts import AlertKind, AlertRow, open_alerts
from hashpact_server.state.rows import SIGNAL_ORDINAL_BITS, Role
from numpy.typing import NDArray

from tests.forum import Forum, offer, one, value
from tests.local_pictures import signals_of, upload
from tests.pictures import photo


class Confirmer:
    """A member that may only check, at a watched list of one picture, with a copy that its measurement shows."""

    def __init__(self, forum: Forum) -> None:
        self.forum = forum
        guards = Guards(Quotas(forum.limits), FloodWatch(None, 0), ProbingWatch())
        self._service = LookupService(forum.engine, forum.limits, guards)
        self._clockwork = Clockwork(forum.engine, {}, [guards.probing.duty])
        self.member = forum.admit("checker", [Role.CHECK])
        whole, local = signals_of(photo("astronaut.png"))
        self.item = one(forum, forum.a, offer(whole, local)).item
        self.signal = (self.item << SIGNAL_ORDINAL_BITS) + 1
        self.listed = LocalSignature.decode(local.value or b"")
        visible = np.arange(96) < len(self.listed)
        descriptors = np.zeros((96, 32), np.uint8)
        descriptors[visible] = self.listed.descriptors
        clear = np.full(248, 255, np.uint8)
        self.copy = Measurement(
            100, visible, descriptors, self.listed.thumbnail, clear, self.listed.pdq, self.listed.pdq_quality
        )

    def confirm(self, measured: Measurement) -> list[pb.Match]:
        """One call."""
        set_caller(Caller(self.member))
        sent = pb.Measurement(signal=self.signal, measured=measured.encode())
        return list(self._service.Confirm(pb.ConfirmRequest(probe=pb.Probe(), measurements=[sent]), None).matches)

    def explain(self, measured: Measurement) -> bool:
        """One call of the other kind that takes measurements: whether it matches."""
        set_caller(Caller(self.member))
        sent = pb.Measurement(signal=self.signal, measured=measured.encode())
        probe = pb.Probe(points=upload(photo("astronaut.png")).probe.points)
        request = pb.ExplainRequest(probe=probe, item=self.item, measurements=[sent])
        return self._service.Explain(request, None).HasField("match")

    def refused(self, measured: Measurement) -> bool:
        """One call: whether it was refused, as a quota refuses."""
        try:
            self.confirm(measured)
        except Refusal as refusal:
            return refusal.reason == reasons.ERROR_REASON_QUOTA_EXCEEDED
        return False

    def alerts(self) -> list[AlertRow]:
        """What stewards are told."""
        self._clockwork.turn()
        with self.forum.engine.state.read() as view:
            return list(open_alerts(view))


@pytest.fixture
def confirmer(forum: Forum) -> Confirmer:
    return Confirmer(forum)


def turned(of: NDArray[np.uint8], *bits: int) -> NDArray[np.uint8]:
    """The same with some bits turned over."""
    signs = np.unpackbits(of)
    signs[list(bits)] ^= 1
    return np.packbits(signs).reshape(of.shape)


def border(confirmer: Confirmer) -> Measurement:
    """What is confirmed, and with one more wrong sign is not: of 1,984 signs four fifths are right."""
    signs = turned(confirmer.listed.thumbnail, *range(396))
    return replace(confirmer.copy, thumbnail=signs, pdq=None)


def test_signs_of_the_thumbnail_are_not_told_one_by_one(confirmer: Confirmer) -> None:
    start = border(confirmer)
    assert confirmer.confirm(start)
    assert not confirmer.confirm(replace(start, thumbnail=turned(start.thumbnail, 1000)))
    steps = (replace(start, thumbnail=turned(start.thumbnail, bit)) for bit in range(300, 1984))
    answered = next((count for count, each in enumerate(steps) if confirmer.refused(each)), None)
    assert answered is not None
    assert answered < 150  # the first hundred would have made it better
    (row,) = confirmer.alerts()
    assert (row.kind, row.item, row.member) == (AlertKind.PROBING, confirmer.item, confirmer.member.pseudonym)
    # Slowed: near it nothing more is told, whether it would match or not.
    assert [confirmer.refused(start) for _ in range(5)][-1]


def test_explaining_is_watched_as_confirming_is(confirmer: Confirmer) -> None:
    start = border(confirmer)
    steps = (replace(start, thumbnail=turned(start.thumbnail, bit)) for bit in range(300, 500))
    with pytest.raises(Refusal) as refused:
        list(map(confirmer.explain, steps))  # the first hundred make it better
    assert refused.value.reason == reasons.ERROR_REASON_QUOTA_EXCEEDED
    (row,) = confirmer.alerts()
    assert (row.kind, row.item) == (AlertKind.PROBING, confirmer.item)


def test_noise_in_what_is_out_of_view_hides_nothing(confirmer: Confirmer) -> None:
    start, noise = border(confirmer), np.random.default_rng(7)
    visible = start.visible & (np.arange(96) % 2 == 0)
    steps = []
    for bit in range(400, 600):
        descriptors = np.where(visible[:, None], start.descriptors, noise.integers(0, 256, (96, 32), np.uint8))
        signs = turned(start.thumbnail, bit)
        steps.append(replace(start, visible=visible, descriptors=descriptors, thumbnail=signs))
    assert confirmer.confirm(replace(start, visible=visible))
    for bit in range(8):
        confirmer.confirm(replace(start, visible=visible, thumbnail=turned(start.thumbnail, bit)))
    assert any(confirmer.refused(each) for each in steps)


def test_the_pdq_of_a_measurement_is_watched_like_one_that_is_looked_up(confirmer: Confirmer) -> None:
    pdq = turned(np.frombuffer(confirmer.listed.pdq, np.uint8), *range(31))
    steps = [replace(confirmer.copy, pdq=turned(pdq, bit).tobytes()) for bit in range(100)]
    (match,) = confirmer.confirm(replace(confirmer.copy, pdq=pdq.tobytes()))
    assert match.level == pb.MATCH_LEVEL_STRONG
    assert any(confirmer.refused(each) for each in steps)
    assert [row.kind for row in confirmer.alerts()] == [AlertKind.PROBING]


def test_copies_that_differ_in_a_pixel_are_all_confirmed(confirmer: Confirmer) -> None:
    """A hundred of them, each a bit or two from the others; and other uploads that are not the picture."""
    for bit in range(100):
        assert confirmer.confirm(replace(confirmer.copy, thumbnail=turned(confirmer.copy.thumbnail, bit)))
        other = np.frombuffer(value("pdq", bit) * 96, np.uint8).reshape(96, 32)
        assert not confirmer.confirm(replace(confirmer.copy, descriptors=other, pdq=value("pdq", bit)))
    assert not confirmer.alerts()
