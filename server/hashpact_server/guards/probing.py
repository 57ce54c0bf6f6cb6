"""Probing: a member that feels its way along the border of an item, found by the shape of what it asks.

Whoever wants to know a listed value, or how far a picture has to be changed to pass, asks about values that differ in
a bit or two from one that was asked before: step by step, or in a *star* around one value. Copies of a picture that
people share do not look like that: re-encoding changes several bits at once, and real perceptual hashes have half of
their bits set, so that two of them never differ in one bit. ``rings`` has the numbers; ``tests/drills/probing.py``
measures both.

Nothing is kept of a member until something that it asked about matched. What is kept is kept in memory, for minutes,
and never stored: the last values that matched an item, or lay within two bits of the middle of such a star.

What follows, when a star is found: the call is refused, stewards are told, and for a while what the member asks about
the neighbourhood goes slowly and tells no distance. Refused is by nearness to what was asked before, whether it would
match or not; so the refusal itself tells nothing.

Of measurements (``Confirm``) the PDQ is watched as if it were looked up, and all else that is compared folded into
256 bits: of a measurement that is changed in one bit, one bit of these changes.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from hashpact.signals import SIGNAL_TYPES, SIGNAL_TYPES_BY_CODE, SignalType

from hashpact_server.guards.quotas import Bucket, exceeded
from hashpact_server.guards.rings import NEAR_BITS, Ring, rows_of
from hashpact_server.matches import Batch, Found, Match
from hashpact_server.refusal import Refusal
from hashpact_server.rules.alerts import raise_alert
from hashpact_server.rules.duties import Duty
from hashpact_server.scene import Scene
from hashpact_server.state.alerts import AlertKind

KEPT_S: Final = 600.0
"""Time for which values are kept after the last one like them, and for which a member is slowed."""

RINGS_MAX: Final = 4096
"""In all; of more, those that were used last are kept. About 5 KB each."""

SLOW_PER_S: Final = 0.1
SLOW_BURST: Final = 3.0
"""Values near a suspicious place that a slowed member may ask about."""

ITEMS_HIT_MIN: Final = 500
HIT_SHARE_MIN: Final = 0.5
"""Different items that a member met in the time, at so many matches per probe, that are told of: most uploads match
nothing, and whoever asks about a list asks about a list."""

RADII_MAX: Final = 12
"""Different radii in the time that a member may use while it has matches."""


class Compared(NamedTuple):
    """What is watched of a measurement: a value of it, what tells it from others alike, and whether it agrees."""

    item: int
    kind: SignalType
    value: bytes
    name: bytes
    agrees: bool

    def __repr__(self) -> str:
        return f"Compared(item={self.item}, kind={self.kind.name!r}, agrees={self.agrees})"


class Suspicion(NamedTuple):
    """What stewards are told."""

    member: bytes
    item: int
    counted: int
    note: str


@dataclass(slots=True)
class _Course:
    """What a member with matches did in the time."""

    began_s: float
    probes: int = 0
    matched: int = 0
    items: set[int] = field(default_factory=set)
    radii: set[tuple[int, int]] = field(default_factory=set)
    told: bool = False


class ProbingWatch:
    """Finds members that probe, and slows them.

    Args:
        clock_s: a clock that only goes forward.
    """

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._lock = threading.Lock()
        self._rings: OrderedDict[tuple[bytes, int, int], Ring] = OrderedDict()
        self._hot: dict[bytes, set[tuple[bytes, int, int]]] = {}
        self._courses: dict[bytes, _Course] = {}
        self._waiting: list[Suspicion] = []

    @property
    def duty(self) -> Duty:
        """What the clockwork has to do."""
        return Duty(lambda _view, _now_ms: bool(self._waiting), self._carry_out)

    def check(self, member: bytes, batches: Sequence[Batch]) -> None:
        """Before a look-up: whether a member that was slowed asks about the neighbourhood again.

        Raises:
            Refusal: QUOTA_EXCEEDED, whether anything would match or not.
        """
        if member not in self._hot:
            return
        with self._lock:
            now_s = self._clock_s()
            for key in list(self._hot.get(member, ())):
                ring = self._rings[key]
                if now_s - ring.at_s > KEPT_S:
                    self._forget(key)
                elif ring.slow is not None:
                    self._slow(ring, batches, now_s)

    def asked(
        self, member: bytes, batches: Sequence[Batch], found: Sequence[Found], radii: Mapping[int, int]
    ) -> list[Found]:
        """After a look-up, before its answer: what of it may be told.

        Args:
            member: who asked.
            batches: what it asked about.
            found: what matched.
            radii: signal type code -> radius in bits, where it asked for another than the default.

        Raises:
            Refusal: QUOTA_EXCEEDED: it feels its way.
        """
        if not found and member not in self._hot:
            # Nearly always: what missed is counted where something matched before, and nothing else is done.
            if member in self._courses:
                with self._lock:
                    self._note_course(member, batches, found, radii, self._clock_s())
            return []
        with self._lock:
            now_s = self._clock_s()
            self._note_course(member, batches, found, radii, now_s)
            touched = self._note_hits(member, batches, found, now_s)
            touched |= self._note_misses(member, batches)
            for key in touched:
                if self._rings[key].feels and self._rings[key].slow is None:
                    self._suspect(key, now_s)
            slowed = {key[1] for key in self._hot.get(member, ()) if self._rings[key].slow is not None}
        return [_withheld(each, slowed, radii) for each in found] if slowed else list(found)

    def measured(self, member: bytes, compared: Iterable[Compared]) -> None:
        """After measurements were compared with what is listed, before the answer.

        Args:
            member: who measured.
            compared: what of each measurement is watched.

        Raises:
            Refusal: QUOTA_EXCEEDED: it feels its way.
        """
        with self._lock:
            now_s = self._clock_s()
            for item, kind, value, name, agrees in compared:
                key = (member, item, kind.code)
                if agrees:
                    self._note_values(key, kind, [value], now_s)
                elif key in self._hot.get(member, ()):
                    self._rings[key].miss(value, name)
                if key in self._rings and self._rings[key].feels and self._rings[key].slow is None:
                    self._suspect(key, now_s)

    def _note_hits(
        self, member: bytes, batches: Sequence[Batch], found: Sequence[Found], now_s: float
    ) -> set[tuple[bytes, int, int]]:
        """The values that matched, to their rings; which rings changed."""
        by_name = {batch.kind.name: batch for batch in batches if batch.kind.ranged}
        values: dict[tuple[bytes, int, int], list[bytes]] = {}
        for each in found:
            for match in each.matches:
                for agreement in match.agreements:
                    batch = by_name.get(agreement.signal_type)
                    if batch is not None:
                        key = (member, match.item, batch.kind.code)
                        values.setdefault(key, []).append(batch.value_of(each.probe, agreement.value_index))
        for key, added in values.items():
            self._note_values(key, SIGNAL_TYPES_BY_CODE[key[2]], added, now_s)
        return {key for key in values if key in self._rings}

    def _note_values(self, key: tuple[bytes, int, int], kind: SignalType, added: Iterable[bytes], now_s: float) -> None:
        """Values that matched, to their ring."""
        ring = self._rings.get(key)
        if ring is None or now_s - ring.at_s > KEPT_S:
            self._forget(key)
            ring = self._rings[key] = Ring(kind, now_s)
        ring.at_s = now_s
        self._rings.move_to_end(key)
        ring.add(added)
        if ring.hot:
            self._hot.setdefault(key[0], set()).add(key)
        while len(self._rings) > RINGS_MAX:
            self._forget(next(iter(self._rings)))

    def _note_misses(self, member: bytes, batches: Sequence[Batch]) -> set[tuple[bytes, int, int]]:
        """The values around the middle of a star, whether they matched or not; which rings changed."""
        touched = set()
        for key in self._hot.get(member, ()):
            ring = self._rings[key]
            for batch in batches:
                if batch.kind.code == key[2]:
                    rows = rows_of(batch.values, batch.kind.size_bytes)
                    near = ring.near(rows, NEAR_BITS)
                    if near.size:
                        size = batch.kind.size_bytes
                        # Those that matched are there already.
                        ring.missed += ring.add(
                            batch.values[place * size : (place + 1) * size] for place in near[:4096].tolist()
                        )
                        touched.add(key)
        return touched

    def _suspect(self, key: tuple[bytes, int, int], now_s: float) -> None:
        """Slow a member near an item, and tell the stewards; raises the refusal of what it asked."""
        ring = self._rings[key]
        ring.slow = Bucket(SLOW_PER_S, SLOW_BURST, now_s)
        note = f"{ring.kind.name} values a bit or two apart, around one value or step by step"
        self._waiting.append(Suspicion(key[0], key[1], max(ring.pairs, ring.around), note))
        raise _slowed(1 / SLOW_PER_S)

    def _slow(self, ring: Ring, batches: Sequence[Batch], now_s: float) -> None:
        for batch in batches:
            if batch.kind is ring.kind and ring.slow is not None:
                near = int(ring.near(rows_of(batch.values, batch.kind.size_bytes), 2 * ring.kind.radius_default).size)
                if not near:
                    continue
                ring.at_s = now_s
                wait_s = KEPT_S if near > SLOW_BURST else ring.slow.take(near, now_s)
                if wait_s:
                    raise _slowed(wait_s)

    def _note_course(
        self,
        member: bytes,
        batches: Sequence[Batch],
        found: Sequence[Found],
        radii: Mapping[int, int],
        now_s: float,
    ) -> None:
        course = self._courses.get(member)
        if course is None or now_s - course.began_s > KEPT_S:
            if not found:
                self._courses.pop(member, None)
                return
            course = self._courses[member] = _Course(now_s)
        course.probes += _probes_in(batches)
        if not found and not radii:
            return
        course.matched += len(found)
        course.radii.update(radii.items())
        if len(course.items) < ITEMS_HIT_MIN:
            course.items.update(match.item for each in found for match in each.matches)
        if course.told:
            return
        if len(course.items) >= ITEMS_HIT_MIN and course.matched >= HIT_SHARE_MIN * course.probes:
            course.told = True
            note = "different items met in minutes, and most of what it asks about matches: it asks about a list"
            self._waiting.append(Suspicion(member, 0, len(course.items), note))
        elif len(course.radii) > RADII_MAX:
            course.told = True
            self._waiting.append(Suspicion(member, 0, len(course.radii), "different radii in minutes"))

    def _forget(self, key: tuple[bytes, int, int]) -> None:
        self._rings.pop(key, None)
        hot = self._hot.get(key[0])
        if hot is not None:
            hot.discard(key)
            if not hot:
                del self._hot[key[0]]

    def _carry_out(self, scene: Scene) -> bool:
        waiting, self._waiting = self._waiting, []
        for who, item, counted, note in waiting:
            raise_alert(scene, AlertKind.PROBING, item=item, member=who, count=counted, note=note)
        return False


def _probes_in(batches: Sequence[Batch]) -> int:
    last = -1
    for batch in batches:
        last = max(last, batch.probes.item(-1))
    return last + 1


def _withheld(found: Found, slowed: set[int], radii: Mapping[int, int]) -> Found:
    """The same without the distances to these items: what is told is that they lie within the radius."""
    return found._replace(
        matches=tuple(coarse(match, radii) if match.item in slowed else match for match in found.matches),
    )


def coarse(match: Match, radii: Mapping[int, int]) -> Match:
    """A match without its distances: what is told is that they lie within the radius."""
    agreements = []
    for each in match.agreements:
        kind = SIGNAL_TYPES[each.signal_type]
        bound = radii.get(kind.code, kind.radius_default)
        bound = bound if each.distance <= bound else kind.radius_max
        agreements.append(each if kind.exact else each._replace(distance=bound, is_bound=True))
    return match._replace(agreements=tuple(agreements))


def _slowed(wait_s: float) -> Refusal:
    return exceeded(
        "look-ups around this value are slowed for some minutes, because they feel their way along an item; if that is"
        " wrong, ask the stewards, who were told",
        "member_lookup_values_per_s",
        0,
        wait_s,
    )
