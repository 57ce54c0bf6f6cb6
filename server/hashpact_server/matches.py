"""Matches: what is told of an item that a probe agrees with, and what that means for the member that asks."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np
from hashpact.signals import SIGNAL_TYPES, SIGNAL_TYPES_BY_CODE, SignalType
from numpy.typing import NDArray

from hashpact_server.rules.acting import may_act, types_of
from hashpact_server.rules.advice import Advice, advise
from hashpact_server.rules.grounds import Ground, ground_of
from hashpact_server.rules.levels import Level, evidence_of, level_of, weaker_words
from hashpact_server.rules.member_policy import member_policy
from hashpact_server.rules.points import Confirmed
from hashpact_server.state.rows import SIGNAL_ORDINAL_BITS, Role, Status
from hashpact_server.state.view import View
from hashpact_server.state.vouches import Vouched
from hashpact_server.videos import FRAME, Frames, Overlap, frames_of, overlap_of

SEES_DISTANCES: Final = (Role.REVIEW, Role.CONTRIBUTE, Role.REPLICATE)
"""Roles, any of which lets a caller see exact distances."""

_PAIRS_FEW: Final = 32
"""Pairs of values that are sooner compared one by one."""

_PAIRS_MANY: Final = 1 << 20
"""Pairs of values whose distances are not held in memory all at once: two videos have more."""

WIDE_VALUES_MAX: Final = 8
"""Values of one probe that are compared beyond the default radius: there every listed value is looked at."""

Numbers = NDArray[np.int64]


class Batch(NamedTuple):
    """All values of one signal type of all probes of a call. A tuple, as all here: every look-up makes some.

    Attributes:
        kind: the signal type.
        values: the values, one after the other.
        probes: int64 [sets], the probe that each signal set belongs to.
        starts: int64 [sets], the position of each set's first value.
        times_ms: int64 [values], of frames of videos when each is shown; -1 where nobody said. None: nobody did at all.
        wide: positions of the sets that are compared beyond the default radius, too.
    """

    kind: SignalType
    values: bytes
    probes: Numbers
    starts: Numbers
    times_ms: Numbers | None = None
    wide: tuple[int, ...] = ()

    def __repr__(self) -> str:
        return f"Batch(kind={self.kind.name!r}, sets={len(self.probes)})"

    def values_of(self, probe: int) -> list[bytes]:
        """The values of one probe; none when it has none of this type."""
        at = int(self.probes.searchsorted(probe))
        if at == len(self.probes) or self.probes[at] != probe:
            return []
        size = self.kind.size_bytes
        end = int(self.starts[at + 1]) * size if at + 1 < len(self.starts) else len(self.values)
        return [self.values[place : place + size] for place in range(int(self.starts[at]) * size, end, size)]

    def widely(self) -> Batch:
        """The first values of its wide sets: of a picture that is itself and its turned and mirrored variants."""
        sets = [self.values_of(int(self.probes[at]))[:WIDE_VALUES_MAX] for at in self.wide]
        starts = np.cumsum([0, *map(len, sets)])[:-1]
        return Batch(self.kind, b"".join(b"".join(each) for each in sets), self.probes[list(self.wide)], starts)

    def times_of(self, probe: int) -> list[int]:
        """When the frames of a probe that has values are shown, in ms; none when that was not said."""
        if self.times_ms is None:
            return []
        at = int(self.probes.searchsorted(probe))
        end = int(self.starts[at + 1]) if at + 1 < len(self.starts) else len(self.times_ms)
        times: list[int] = self.times_ms[int(self.starts[at]) : end].tolist()
        return [] if -1 in times else times

    def value_of(self, probe: int, index: int) -> bytes:
        """One value of a probe that has it."""
        size = self.kind.size_bytes
        place = (self.starts.item(self.probes.searchsorted(probe)) + index) * size
        return self.values[place : place + size]


class Agreement(NamedTuple):
    """One signal type that agreed. ``distance`` in units of the type; an upper bound where ``is_bound``.

    ``signal`` is the id of the listed signal that agreed; of several equally close, the first. ``overlap``: of frames,
    how much of the two videos is the same. ``confirmed``: of local points, what was measured.
    """

    signal_type: str
    value_index: int
    distance: int
    is_bound: bool
    signal: int = 0
    overlap: Overlap | None = None
    confirmed: Confirmed | None = None

    @property
    def sequence(self) -> int:
        """The entry that listed the signal."""
        return self.signal >> SIGNAL_ORDINAL_BITS


class Match(NamedTuple):
    """One item that a probe matched.

    Attributes:
        item: its id.
        status: where it stands.
        labels: its labels, sorted.
        advice: what the match means for whoever asked.
        agreements: the closest signal per type.
        vouching: per agreement, how many corporate groups vouch for its signal.
        weakly_vouched: whether too few groups vouch for each of the signals that agree to corroborate such an item.
        members: names of the members that speak for the item.
        incidents: names of the incidents that it belongs to.
        sequence: the newest entry by which a member speaks for it.
        level: how sure it is.
    """

    item: int
    status: Status
    labels: tuple[str, ...]
    advice: Advice
    agreements: tuple[Agreement, ...]
    vouching: tuple[int, ...]
    weakly_vouched: bool
    members: tuple[str, ...]
    incidents: tuple[str, ...]
    sequence: int
    level: Level


class Found(NamedTuple):
    """What one probe matched: closest first; ``truncated`` when there was more than asked for."""

    probe: int
    matches: tuple[Match, ...]
    truncated: bool


class Probe:
    """The values of one probe of a call, for what is compared once more.

    Args:
        batches: all values of the call.
        index: which probe.
        radii: signal type code -> radius in bits, where it differs from the type's default.
        confirmed: signal id -> what of it was measured.
    """

    def __init__(
        self,
        batches: Sequence[Batch],
        index: int,
        radii: Mapping[int, int],
        confirmed: Mapping[int, Confirmed] = MappingProxyType({}),
    ) -> None:
        self._batches = batches
        self._index = index
        self._radii = radii
        self._confirmed = confirmed

    def values(self, code: int) -> list[bytes]:
        """Its values of a signal type."""
        batch = next((each for each in self._batches if each.kind.code == code), None)
        return [] if batch is None else batch.values_of(self._index)

    def agreed(self, ground: Ground, signals: Collection[Vouched]) -> frozenset[str]:
        """Names of the types by which it agrees with some signals, within the radius and the type's default both.

        A member may look as far as it likes; what it is advised to act upon is no farther than chance excludes.

        Args:
            ground: the item that has the signals.
            signals: some of its signals: those that are vouched for.
        """
        found: set[str] = set()
        by_code: dict[int, list[bytes]] = {}
        for each in signals:
            by_code.setdefault(each.signal.code, []).append(each.signal.value)
            if each.identity in self._confirmed:
                found.update(self._confirmed[each.identity].types)
        for code, listed in by_code.items():
            kind = SIGNAL_TYPES_BY_CODE.get(code)
            if kind is None or not (kind.exact or kind.ranged) or not (mine := self.values(code)):
                continue
            if kind is FRAME:
                if (overlap := self.overlap(frames_of(signals))) is not None:
                    # Whoever vouches for an opening alone has not made the opening most of the item.
                    found.add(weaker_words(overlap, self.overlap(ground.frames)))
                continue
            if kind.exact:
                agrees = not set(mine).isdisjoint(listed)
            else:
                radius = min(self._radii.get(code, kind.radius_default), kind.radius_default)
                agrees = int(distances_of(kind, mine, listed).min()) <= radius
            if agrees:
                found.add(kind.name)
        return frozenset(found)

    def overlap(self, frames: Frames) -> Overlap | None:
        """How much of a video it has in common with the frames of an item; None: nothing, or nobody said when."""
        batch = next((each for each in self._batches if each.kind is FRAME), None)
        if batch is None or not (times := batch.times_of(self._index)):
            return None
        radius = min(self._radii.get(FRAME.code, FRAME.radius_default), FRAME.radius_default)
        return overlap_of(batch.values_of(self._index), times, frames, radius)


class Advisor:
    """Says what matches mean for one member. Reads of an item what is asked for, and once.

    Args:
        view: the list.
        pseudonym: the member.
        use: for which of its uses; "": none.
    """

    def __init__(self, view: View, pseudonym: bytes, use: str = "") -> None:
        self._view = view
        self.use = use
        self._grounds: dict[int, Ground | None] = {}
        self.wish, _ = view.once(member_policy, pseudonym)

    def ground(self, item: int) -> Ground | None:
        """What the list says about an item; None: it is not listed."""
        if item not in self._grounds:
            self._grounds[item] = ground_of(self._view, item)
        return self._grounds[item]

    def needed(self, ground: Ground) -> int:
        """Groups that have to vouch before the member is advised to act."""
        return max(ground.needed, self.wish.groups_min)

    def of_item(self, ground: Ground) -> Advice:
        """What a match with an item means, if all of its signals agree."""
        return advise(
            ground.status,
            None,
            may_act=may_act(ground, self.wish, self.use, types_of),
            ceiling=self.wish.mode_for(ground.labels, self.use),
            canary=ground.canary,
        )

    def match(self, ground: Ground, agreements: Iterable[Agreement], probe: Probe | None) -> Match:
        """What is told of an item that agrees.

        Args:
            ground: the item.
            agreements: how it agrees.
            probe: what was looked up; None: it is not at hand. Then nobody is advised to act: neither what is vouched
                for nor what is benign can be compared with it.
        """
        agreements = tuple(_with_overlap(each, ground, probe) for each in agreements)
        near = [each for each in agreements if each.confirmed is None and _within_default(each)]
        evidence = evidence_of((each.signal_type, each.overlap) for each in near)
        evidence += tuple(name for each in agreements if each.confirmed for name in each.confirmed.types)
        vouching, needed = ground.vouching_of(each.signal for each in agreements), ground.needed
        agreed = functools.partial(probe.agreed, ground) if probe is not None else _none
        advice = advise(
            ground.status,
            evidence_of((each.signal_type, each.overlap) for each in agreements),
            may_act=may_act(ground, self.wish, self.use, agreed),
            ceiling=self.wish.mode_for(ground.labels, self.use),
            canary=ground.canary,
        )
        weakly = max(vouching, default=0) < needed and not agreed(ground.vouched_by(needed))
        return Match(
            ground.item,
            ground.status,
            ground.labels,
            advice,
            agreements,
            vouching,
            weakly,
            ground.members,
            ground.incidents,
            ground.sequence,
            level_of(evidence),
        )


def _with_overlap(agreement: Agreement, ground: Ground, probe: Probe | None) -> Agreement:
    """Of frames, how much of the two videos is the same."""
    if agreement.signal_type != FRAME.name or probe is None or agreement.overlap is not None:
        return agreement
    return agreement._replace(overlap=probe.overlap(ground.frames))


def _within_default(agreement: Agreement) -> bool:
    """Whether it would agree at the default radius; one of a caller that may not see distances is told a bound."""
    kind = SIGNAL_TYPES[agreement.signal_type]
    return not kind.ranged or agreement.distance <= kind.radius_default


def _none(signals: Collection[Vouched]) -> frozenset[str]:
    del signals
    return frozenset()


def shown_distances(distances: Numbers, radius: int) -> Numbers:
    """Distances as callers see them who may not know them: 0, half of the radius, or the radius."""
    half = radius // 2
    return np.where(distances == 0, 0, np.where(distances <= half, half, radius))


def agreement_of(
    kind: SignalType,
    mine: Sequence[bytes],
    listed: Sequence[tuple[int, bytes]],
    radius: int,
    exact_distances: bool,
) -> Agreement | None:
    """How values of a perceptual type agree with (signal id, value) pairs: the closest pair, of several the first."""
    if not mine or not listed:
        return None
    values = [value for _, value in listed]
    if kind.hamming and len(mine) * len(listed) > _PAIRS_MANY:
        first = closest_row(mine, values, radius, exact_distances)
        found = agreement_of(kind, mine[first : first + 1], listed, radius, exact_distances)
        return found and found._replace(value_index=first)
    distances = distances_of(kind, mine, values)
    shown = distances if exact_distances else shown_distances(distances, radius)
    shown = np.where(distances <= radius, shown, np.iinfo(np.int64).max)
    best, at = divmod(int(np.argmin(shown)), len(listed))
    if distances[best, at] > radius:
        return None
    return Agreement(kind.name, best, int(shown[best, at]), not exact_distances, listed[at][0])


def closest_row(mine: Sequence[bytes], listed: Sequence[bytes], radius: int, exact_distances: bool) -> int:
    """Which of some values is closest to one of others, as the caller sees distances; of several the first."""
    right = np.frombuffer(b"".join(listed), np.uint64).reshape(len(listed), -1)
    least = np.empty(len(mine), np.int64)
    for place, value in enumerate(mine):
        least[place] = np.bitwise_count(np.frombuffer(value, np.uint64) ^ right).sum(axis=1, dtype=np.int64).min()
    shown = least if exact_distances else shown_distances(least, radius)
    return int(np.where(least <= radius, shown, np.iinfo(np.int64).max).argmin())


def distances_of(kind: SignalType, mine: Sequence[bytes], listed: Sequence[bytes]) -> Numbers:
    """Distances between all pairs of values of one perceptual type: int64 [len(mine), len(listed)]."""
    if not kind.hamming or len(mine) * len(listed) <= _PAIRS_FEW:
        return np.array([[kind.distance(one, other) for other in listed] for one in mine])
    left, right = (np.frombuffer(b"".join(each), np.uint64).reshape(len(each), -1) for each in (mine, listed))
    return np.stack([np.bitwise_count(one ^ right).sum(axis=1, dtype=np.int64) for one in left])
