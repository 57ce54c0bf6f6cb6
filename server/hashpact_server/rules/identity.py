"""Identity: which items the list knows under the signals of a contribution.

``sha256``, ``md5``, ``url_sha256`` and ``pdq`` of equal value say "the same item"; pHash never does, because flat
pictures collide, and neither do frames, pages, texts and local signatures, which others may share.
No two live items share an identifying value: that is what the rules that stand on this module keep true.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from hashpact.signals import SignalType
from hashpact.v1 import error_reason_pb2

from hashpact_server.ledger.payloads import ListedSignal
from hashpact_server.matcher import Neighbours
from hashpact_server.rules.outcomes import NearDuplicate
from hashpact_server.rules.signals import FitSignal, SignalProblem
from hashpact_server.scene import Scene
from hashpact_server.state.tables import digest_key

NEAR_RADIUS_MAX: Final = 31
"""In bits: how far a contribution looks around at most. What it finds is a hint for people, told once; looking as far
as a look-up does (47 bits of pHash-256) would take a third of all the time that a contribution takes."""

_NOWHERE: Final[frozenset[int]] = frozenset()


class Sighting(NamedTuple):
    """What the list knows about one signal.

    Attributes:
        signal: the signal.
        listed_on: live items that this very value is listed on.
        near: for perceptual types, (item, distance) of the closest live items within :func:`near_radius`.
        clashes: a digest that begins like another one (see :func:`look`): it must not be listed.
    """

    signal: FitSignal
    listed_on: frozenset[int] = frozenset()
    near: tuple[tuple[int, int], ...] = ()
    clashes: bool = False

    @property
    def identified(self) -> frozenset[int]:
        """The items that this signal says the contribution is; none for types that never identify."""
        return self.listed_on if self.signal.kind.identifies else frozenset()

    def taken_from(self, item: int) -> bool:
        """Whether the signal cannot be listed on ``item``, because it is another item's."""
        return self.clashes or bool(self.identified - {item})

    @property
    def taken_problem(self) -> SignalProblem:
        """The problem of a signal that cannot be listed, because it is another item's."""
        name = self.signal.kind.name
        return SignalProblem(
            self.signal.signal_index,
            error_reason_pb2.ERROR_REASON_SIGNAL_TAKEN,
            f"the {name} value begins as another one on the list does, which no two real {name} values do"
            if self.clashes
            else f"the {name} value identifies another item: attach to that one, or withdraw it there first",
        )


def near_radius(kind: SignalType) -> int:
    """How far a contribution looks around a value of a perceptual type."""
    return min(kind.radius_default, NEAR_RADIUS_MAX)


def looks_around(kind: SignalType) -> bool:
    """Whether a contribution is told what lies near its values of this type: not of each frame and each page."""
    return kind.ranged and not kind.of_a_part


def wanted(signals: Iterable[FitSignal]) -> list[tuple[int, bytes, int]]:
    """The searches that :func:`look` will need, as (code, value, radius): for ``Matcher.neighbours``."""
    return [
        (signal.kind.code, signal.value, near_radius(signal.kind)) for signal in signals if looks_around(signal.kind)
    ]


def look(scene: Scene, signals: Sequence[FitSignal], hint: Neighbours | None) -> list[Sighting]:
    """Look each signal up among the live items: digests by equality, all others within :func:`near_radius`.

    The state knows a digest by its first 16 bytes and keeps the rest beside them. Two SHA-256 values that begin alike
    do not happen; they can be made up, though, to push a listed digest out of its row. They are told apart here.

    Raises:
        Refusal: DEADLINE_EXCEEDED.
    """
    sightings = []
    rows: dict[bytes, bytes] = {}
    for signal in signals:
        scene.check_deadline()
        kind = signal.kind
        if kind.exact:
            first = rows.setdefault(digest_key(kind.code, signal.value), signal.value)
            item, taken = scene.digest_place(kind.code, signal.value)
            listed_on = _NOWHERE if item is None else frozenset((item,))
            sightings.append(Sighting(signal, listed_on, clashes=taken or first != signal.value))
        elif looks_around(kind) and (near := scene.near(kind.code, signal.value, near_radius(kind), hint)):
            equal = frozenset(item for item, distance in near if distance == 0)
            sightings.append(Sighting(signal, equal, tuple(near)))
        else:
            sightings.append(Sighting(signal))
    return sightings


def stated_signals(scene: Scene, sightings: Sequence[Sighting], item: int) -> tuple[ListedSignal, ...]:
    """All of these signals, as an entry about the item states them: those that it has already are confirmed."""
    there: set[tuple[int, bytes]] = set()
    if not all(each.signal.kind.exact or looks_around(each.signal.kind) for each in sightings):
        # Of these :func:`look` knows nothing: the item itself says which it has.
        there = {(signal.code, signal.value) for _, signal in scene.item_signals(item)}
    stated = []
    for sighting in sightings:
        listed = sighting.signal.listed
        known = item in sighting.listed_on or (listed.code, listed.value) in there
        stated.append(listed._replace(confirms=True) if known else listed)
    return tuple(stated)


def new_signals(signals: Iterable[ListedSignal]) -> tuple[ListedSignal, ...]:
    """The signals among these that the item does not have yet."""
    return tuple(signal for signal in signals if not signal.confirms)


def near_duplicates(
    sightings: Sequence[Sighting], known: frozenset[int], near_duplicates_max: int
) -> tuple[NearDuplicate, ...]:
    """Items beside the known ones with a signal nearby: each once, closest first."""
    best: dict[int, tuple[int, int, str]] = {}
    for sighting in sightings:
        for item, distance in sighting.near:
            if item not in known:
                kind = sighting.signal.kind
                found = (distance, kind.code, kind.name)
                best[item] = min(best.get(item, found), found)
    ordered = sorted((distance, item, name) for item, (distance, _, name) in best.items())
    return tuple(NearDuplicate(item, name, distance) for distance, item, name in ordered[:near_duplicates_max])
