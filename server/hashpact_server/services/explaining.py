"""Why a probe matches an item, or why not: how near it is by each signal type, and each condition of acting."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence

from hashpact.signals import SIGNAL_TYPES, SignalType
from hashpact.v1 import lookup_service_pb2 as pb

from hashpact_server.candidates import agreed_by_points
from hashpact_server.local_points import CODES
from hashpact_server.matches import Advisor, Agreement, Batch, Match, Probe, closest_row, distances_of, shown_distances
from hashpact_server.rules.acting import Condition, Finding, findings
from hashpact_server.rules.grounds import Ground
from hashpact_server.rules.levels import FRAME_WORDS
from hashpact_server.rules.points import Confirmed
from hashpact_server.state.vouches import Vouched
from hashpact_server.videos import FRAME


def withhold(signals: Iterable[pb.SignalExplanation]) -> None:
    """Tell no distances: only whether the probe lies within the radius."""
    for told in signals:
        if SIGNAL_TYPES[told.signal_type].ranged:
            told.ClearField("distance")
            if told.agrees:
                told.distance, told.distance_is_bound = told.radius, True


class Explaining:
    """One probe held against one item.

    Args:
        advisor: of the member that asks.
        ground: the item.
        batches: the values of the probe, which is the only one.
        radii: signal type code -> radius in bits, where it differs from the type's default.
        exact_distances: whether the caller may see distances.
        confirmed: signal id -> what was confirmed of the item's local points; None: the probe has none.
        sees_values: whether it may see the item's values: only then is it told how far off is what no look-up finds.
            Whoever could ask how far any made-up value is from an item would know the item's value after a few hundred.
    """

    def __init__(
        self,
        advisor: Advisor,
        ground: Ground,
        batches: Sequence[Batch],
        radii: Mapping[int, int],
        confirmed: Mapping[int, Confirmed] | None = None,
        *,
        exact_distances: bool,
        sees_values: bool,
    ) -> None:
        self._advisor = advisor
        self._ground = ground
        self._confirmed = confirmed
        self._probe = Probe(batches, 0, radii, confirmed or {})
        self._radii = radii
        self._exact_distances = exact_distances
        self._sees_values = sees_values
        self._agreements: list[Agreement] = []
        self._near: list[Agreement] = []

    def signals(self) -> list[pb.SignalExplanation]:
        """How near the probe is, by each type that both have."""
        counted = self._probe.agreed(self._ground, self._ground.vouched_by(self._advisor.needed(self._ground)))
        told = []
        for kind in SIGNAL_TYPES.values():
            mine = self._probe.values(kind.code)
            listed = [each for each in self._ground.signals.values() if each.signal.code == kind.code]
            if kind.code in CODES and listed and self._confirmed is not None:
                explained = self._points(kind, listed, self._confirmed)
                explained.counts_for_act = kind.name in counted
                told.append(explained)
            elif mine and listed and (kind.exact or kind.ranged):
                explained = self._signal(kind, mine, listed)
                explained.counts_for_act = not counted.isdisjoint(FRAME_WORDS if kind is FRAME else {kind.name})
                told.append(explained)
        return told

    def _signal(self, kind: SignalType, mine: Sequence[bytes], listed: Sequence[Vouched]) -> pb.SignalExplanation:
        values = [each.signal.value for each in listed]
        told = pb.SignalExplanation(signal_type=kind.name, listed=len(listed))
        if kind.exact:
            place = next((place for place, value in enumerate(values) if value in mine), None)
            if place is not None:
                told.agrees, told.distance = True, 0
                equal = Agreement(kind.name, mine.index(values[place]), 0, False, listed[place].identity)
                self._near.append(equal)
                self._found(told, equal)
            return told
        told.radius = self._radii.get(kind.code, kind.radius_default)
        first = 0
        if kind is FRAME:  # of which two videos have too many to hold all distances
            first = closest_row(mine, values, kind.bits, exact_distances=True)
            mine = mine[first : first + 1]
        distances = distances_of(kind, mine, values)
        value, place = divmod(int(distances.argmin()), len(listed))
        distance = int(distances[value, place])
        told.agrees = distance <= told.radius
        found = distance <= max(kind.radius_max, told.radius)
        if found:
            self._near.append(Agreement(kind.name, first + value, distance, False, listed[place].identity))
        shown = distances if self._exact_distances else shown_distances(distances, told.radius)
        if told.agrees or (self._exact_distances and (found or self._sees_values)):
            told.distance = int(shown[value, place])
            told.distance_is_bound = not self._exact_distances
            nearest = Agreement(kind.name, first + value, told.distance, told.distance_is_bound, listed[place].identity)
            self._found(told, nearest)
        return told

    def _points(
        self, kind: SignalType, listed: Sequence[Vouched], confirmed: Mapping[int, Confirmed]
    ) -> pb.SignalExplanation:
        told = pb.SignalExplanation(signal_type=kind.name, listed=len(listed))
        if confirmed:
            told.agrees, told.distance = True, 0
            nearest = agreed_by_points(confirmed)
            self._near.append(nearest)
            self._found(told, nearest)
        return told

    def _found(self, told: pb.SignalExplanation, nearest: Agreement) -> None:
        told.sequence, told.vouching_groups = nearest.sequence, self._ground.vouching(nearest.signal)
        if told.agrees:
            self._agreements.append(nearest)

    def match(self) -> Match | None:
        """What a look-up tells of the item; None: it does not match. After :meth:`signals`."""
        return self._advisor.match(self._ground, self._agreements, self._probe) if self._agreements else None

    def near(self) -> Match | None:
        """The item as the widest look-up would find it; None: none would. After :meth:`signals`."""
        return self._advisor.match(self._ground, self._near, self._probe) if self._near else None

    def conditions(self, *, benign: bool) -> list[pb.ActCondition]:
        """Each condition of acting; ``benign``: whether the probe looks like what the benign list holds."""
        agreed = functools.partial(self._probe.agreed, self._ground)
        found = list(findings(self._ground, self._advisor.wish, self._advisor.use, agreed))
        told = "the picture looks like known good media" if benign else "it looks like nothing on the benign list"
        found.append(Finding(Condition.NOT_BENIGN, not benign, told))
        return [
            pb.ActCondition(
                condition=pb.ActCondition.Condition.ValueType(each.condition), holds=each.holds, message=each.message
            )
            for each in found
        ]
