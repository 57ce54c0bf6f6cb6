"""Candidates: what a probe's local points lead to, and what a measurement of them confirms.

::

    Probe.points --PointIndex.sightings--> is it listed, and not certain anyway? --> Candidate: where to measure
    Measurement --rules.points, against the listed signature, its shared and its benign points--> Match

A candidate says where to look and not what is there. Nothing follows from one by itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Final, NamedTuple

import numpy as np
from hashpact.errors import InvalidSignalError
from hashpact.local_signature import LocalSignature, Measurement, ProbePoints
from hashpact.signals import SIGNAL_TYPES
from numpy.typing import NDArray

from hashpact_server.engine import Engine
from hashpact_server.index import Asked, Sighting
from hashpact_server.local_points import CODES, places_of
from hashpact_server.matches import Advisor, Agreement, Batch, Match, Probe, agreement_of
from hashpact_server.rules.grounds import Ground
from hashpact_server.rules.levels import Level
from hashpact_server.rules.points import SHARED_ITEMS_MAX, Confirmed, confirmed
from hashpact_server.state.rows import Status
from hashpact_server.state.view import View

_SPARE: Final = 2
"""Sightings per candidate: some items may be certain already, or withdrawn a moment ago."""


class Candidate(NamedTuple):
    """A listed picture that a probe may show: where to measure."""

    item: int
    sighting: Sighting
    signature: LocalSignature


def candidates(engine: Engine, points: ProbePoints, certain: Collection[int], limit: int) -> list[Candidate]:
    """The pictures to be measured, the likeliest first.

    Args:
        engine: the list.
        points: of the probe.
        certain: items that it matches for sure, of which nothing needs to be measured.
        limit: how many at most.
    """
    sightings = engine.matcher.sightings(asked(points), _SPARE * limit)
    if not sightings:
        return []
    found = []
    with engine.state.read() as view:
        for each in sightings:
            if (listed := listed_signature(view, each.signal)) is not None and listed[0] not in certain:
                found.append(Candidate(listed[0], each, listed[1]))
            if len(found) == limit:
                break
    return found


def asked(points: ProbePoints) -> Asked:
    """The points of a probe as the index asks for them: as they are, and mirrored."""
    mirrored = np.repeat([False, True], len(points))
    places = np.concatenate([places_of(points.places), places_of(points.places.mirrored(points.width_px))])
    return Asked(np.concatenate([points.descriptors, points.mirrored]), places, mirrored)


def certain_of(matches: Iterable[Match]) -> frozenset[int]:
    """Items of which a look-up is as sure as it can be."""
    return frozenset(match.item for match in matches if match.level is Level.STRONG)


def listed_signature(view: View, signal: int) -> tuple[int, LocalSignature] | None:
    """The item and the value of a local signature that is listed; one that cannot be read is as good as none."""
    for code in CODES:
        if (listed := view.listed_value(code, signal)) is not None:
            with suppress(InvalidSignalError):
                return listed[0], LocalSignature.decode(listed[1])
    return None


class Confirming:
    """One upload that was measured.

    Args:
        engine: the list.
        view: its state.
        advisor: of the member that asks.
        batches: the values of the upload, which is the only probe.
        radii: signal type code -> radius, where it differs from the type's default.
        exact_distances: whether the caller may see distances.
    """

    def __init__(
        self,
        engine: Engine,
        view: View,
        advisor: Advisor,
        batches: Sequence[Batch],
        radii: Mapping[int, int],
        *,
        exact_distances: bool,
    ) -> None:
        self._engine = engine
        self._view = view
        self._advisor = advisor
        self._batches = batches
        self._radii = radii
        self._exact_distances = exact_distances
        self.compared: list[tuple[int, Measurement, Confirmed | None]] = []
        """Item, measurement and what it confirms, of all that were compared; after :meth:`confirmations`."""

    def matches(self, measured: Iterable[tuple[int, Measurement]]) -> list[Match]:
        """The items that match, by growing id; signals that are no longer listed are passed over.

        Args:
            measured: (signal id, what was measured for it) pairs.
        """
        told = []
        for item, confirmations in sorted(self.confirmations(measured).items()):
            ground = self._advisor.ground(item)
            if ground is not None and (match := self._match(ground, confirmations)) is not None:
                told.append(match)
        return told

    def confirmations(self, measured: Iterable[tuple[int, Measurement]]) -> dict[int, dict[int, Confirmed]]:
        """Each item that was measured -> signal id -> what was confirmed of it, the best of several."""
        by_item: dict[int, dict[int, Confirmed]] = {}
        for signal, each in measured:
            if (listed := listed_signature(self._view, signal)) is None:
                continue
            of_item = by_item.setdefault(listed[0], {})
            found = self._confirmed(signal, *listed, each)
            self.compared.append((listed[0], each, found))
            if found is not None:
                of_item[signal] = max(found, of_item.get(signal, found), key=_weight)
        return by_item

    def _confirmed(self, signal: int, item: int, signature: LocalSignature, measured: Measurement) -> Confirmed | None:
        counting = ~self._engine.published.benign.has_points(signature.descriptors)
        if confirmed(signature, measured, counting) is None:
            return None  # nearly always: who else has its points need not be known
        return confirmed(signature, measured, counting & self._own(signal, item, signature))

    def _own(self, signal: int, item: int, signature: LocalSignature) -> NDArray[np.bool_]:
        """Which points of a signature few other items have."""
        others = self._engine.matcher.others(signal, signature.descriptors)
        ground = self._advisor.ground(item)
        if ground is not None and (ground.incidents or ground.status is Status.CORROBORATED):
            passed = [each for each in np.unique(others[others > 0]).tolist() if self._passes_over(ground, each)]
            others[np.isin(others, np.array(passed, np.uint64))] = 0
        own: NDArray[np.bool_] = np.count_nonzero(others, axis=1) <= SHARED_ITEMS_MAX
        return own

    def _passes_over(self, ground: Ground, item: int) -> bool:
        """Whether it makes nothing common that an item has it, too: one of the same incident, or a weaker one.

        Else one member could list the points of what others vouch for twice more, and so blind all to it.
        """
        other = self._advisor.ground(item)
        if other is None:
            return False
        weaker = ground.status is Status.CORROBORATED and other.status is not Status.CORROBORATED
        return weaker or not set(ground.incidents).isdisjoint(other.incidents)

    def _match(self, ground: Ground, found: Mapping[int, Confirmed]) -> Match | None:
        radii = {**self._engine.published.board.radii_of(ground.item), **self._radii}
        probe = Probe(self._batches, 0, radii, found)
        agreements = list(self._agreements(ground, probe, radii))
        if found:
            agreements.append(agreed_by_points(found))
        return self._advisor.match(ground, agreements, probe) if agreements else None

    def _agreements(self, ground: Ground, probe: Probe, radii: Mapping[int, int]) -> Iterator[Agreement]:
        """How the upload's values agree with the item's, in the order of the types."""
        for kind in SIGNAL_TYPES.values():
            mine = probe.values(kind.code)
            listed = [
                (each.identity, each.signal.value) for each in ground.signals.values() if each.signal.code == kind.code
            ]
            if kind.exact:
                equal = next(((signal, value) for signal, value in listed if value in mine), None)
                if equal is not None:
                    yield Agreement(kind.name, mine.index(equal[1]), 0, False, equal[0])
            elif kind.ranged:
                radius = radii.get(kind.code, kind.radius_default)
                near = agreement_of(kind, mine, listed, radius, self._exact_distances)
                if near is not None:
                    yield near


def agreed_by_points(found: Mapping[int, Confirmed]) -> Agreement:
    """How an item's local points agree, by signal id; of several pictures of it the one that agrees most is told."""
    signal = max(found, key=lambda each: (_weight(found[each]), -each))
    name = next(kind.name for kind in SIGNAL_TYPES.values() if kind.code in CODES)
    return Agreement(name, 0, 0, False, signal, confirmed=found[signal])


def _weight(confirmed: Confirmed) -> tuple[int, int]:
    """Of several confirmations the one with most is told."""
    return len(confirmed.types), confirmed.points
