"""The benign list: known good media that everybody shares, so that nobody has them listed as terrorist content.

* At contribution: what has a signal equal to a benign digest, or within half of the default radius of a benign value,
  is refused. So near lie copies of the same picture, and not what only shares its background. A video or a document
  is refused when all of its frames or pages lie so near: one title card in it makes nothing benign.
* At look-up, when something matched: advice is OBSERVE where, in a signal type, the probe is as close or closer to a
  benign value than to the item; and at most REVIEW where a benign value lies within the default radius. Of a probe of
  several values (the frames of a video) it is each one that looks like the item which is asked: a title card in front
  hides nothing of what follows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from hashpact.signals import SIGNAL_TYPES, SignalType
from hashpact.v1 import error_reason_pb2
from hashpact.v1 import steward_service_pb2 as steward_pb

from hashpact_server.benign import BenignValues
from hashpact_server.ledger.codec import u16
from hashpact_server.ledger.entry import Draft, Kind
from hashpact_server.ledger.payloads import ListedSignal
from hashpact_server.ledger.payloads_safeguards import BenignPayload
from hashpact_server.refusal import Refusal, invalid_field
from hashpact_server.rules.advice import Advice
from hashpact_server.rules.alerts import raise_alert
from hashpact_server.rules.claims import Claim
from hashpact_server.rules.outcomes import Outcome, refused
from hashpact_server.rules.signals import FitSignal, offered, sort_out
from hashpact_server.scene import Scene
from hashpact_server.state.alerts import AlertKind
from hashpact_server.state.benign import is_benign_listed
from hashpact_server.state.view import View

SIGNALS_MAX: Final = 4096
"""Signals in one listing."""

NOTE_CHARACTERS_MAX: Final = 200

_WHY: Final = "it looks like known good media on the benign list; if that is wrong, ask the stewards to take it off"

Ceilings = dict[int, Advice]
"""The strongest advice, by item."""

ALARM_REFUSED_MIN: Final = 10
"""Contributions of one call that are refused for the benign list's sake, from which on stewards are told."""


def contribution_radius(kind: SignalType) -> int:
    """How near to a benign value a contributed one must not be, in the units of the type."""
    return 0 if kind.exact else kind.radius_default // 2


def screened(scene: Scene, member: bytes, claims: Sequence[Claim | Outcome]) -> list[Claim | Outcome]:
    """The claims, those near benign values refused; a member that has many of them is told of to the stewards."""
    benign = scene.benign
    if not benign:
        return list(claims)
    near = _near(benign, claims)
    if len(near) >= ALARM_REFUSED_MIN:
        raise_alert(scene, AlertKind.BENIGN, member=member, count=len(near))
    return [_benign(claim) if place in near else claim for place, claim in enumerate(claims)]


def _near(benign: BenignValues, claims: Sequence[Claim | Outcome]) -> set[int]:
    """Positions of the claims that look like benign media: by a value of the whole, or by each frame or page."""
    batches: dict[SignalType, list[tuple[int, bytes]]] = {}
    for place, claim in enumerate(claims):
        if isinstance(claim, Claim):
            for signal in claim.signals:
                batches.setdefault(signal.kind, []).append((place, signal.value))
    near: set[int] = set()
    near_in_part: set[int] = set()
    far_in_part: set[int] = set()
    for kind, pairs in batches.items():
        distances = benign.distances(kind, [value for _, value in pairs], contribution_radius(kind))
        for (place, _), distance in zip(pairs, distances, strict=True):
            if distance is not None:
                (near_in_part if kind.of_a_part else near).add(place)
            elif kind.of_a_part:
                far_in_part.add(place)
    return near | (near_in_part - far_in_part)


def check_not_benign(scene: Scene, signals: Iterable[FitSignal]) -> None:
    """Refuse to attach what lies near benign values.

    Raises:
        Refusal: SIGNAL_BENIGN.
    """
    benign = scene.benign
    for signal in signals if benign else ():
        if signal.kind.of_a_part:
            continue
        (distance,) = benign.distances(signal.kind, [signal.value], contribution_radius(signal.kind))
        if distance is not None:
            place = f"attach_signals[{signal.signal_index}]"
            raise Refusal(
                error_reason_pb2.ERROR_REASON_SIGNAL_BENIGN,
                f"{place}: {_WHY}",
                violations=[(place, "known good media")],
            )


def _benign(claim: Claim | Outcome) -> Outcome:
    return refused(error_reason_pb2.ERROR_REASON_SIGNAL_BENIGN, _WHY, claim.problems)


def check_listing(view: View, act: steward_pb.StewardAct.AddBenign) -> None:
    """Whether media can go on the benign list. Raises :class:`Refusal` FIELD_INVALID."""
    del view
    _fit_signals(act)
    _note(act)


def carry_out_listing(scene: Scene, actor: bytes, act: steward_pb.StewardAct.AddBenign) -> None:
    """Put media on the benign list."""
    values = tuple((signal.kind.code, signal.value) for signal in _fit_signals(act))
    payload = BenignPayload(_note(act), values)
    scene.record(Draft(Kind.BENIGN_LISTED, actor, clear=u16(len(values)), payload=payload.encode()))


def check_unlisting(view: View, act: steward_pb.StewardAct.RemoveBenign) -> None:
    """Whether media can come off it. Raises :class:`Refusal` BENIGN_NOT_FOUND."""
    if not is_benign_listed(view, act.benign):
        raise Refusal(
            error_reason_pb2.ERROR_REASON_BENIGN_NOT_FOUND, f"nothing on the benign list has the number {act.benign}"
        )


def carry_out_unlisting(scene: Scene, actor: bytes, act: steward_pb.StewardAct.RemoveBenign) -> None:
    """Take media off it."""
    scene.record(Draft(Kind.BENIGN_UNLISTED, actor, act.benign))


def _fit_signals(act: steward_pb.StewardAct.AddBenign) -> tuple[FitSignal, ...]:
    if not 0 < len(act.signals) <= SIGNALS_MAX:
        raise invalid_field("list_benign.signals", f"give 1 to {SIGNALS_MAX} signals")
    fit, problems = sort_out([offered(signal) for signal in act.signals])
    if problems:
        first = problems[0]
        raise invalid_field(f"list_benign.signals[{first.signal_index}]", first.message)
    return fit


def _note(act: steward_pb.StewardAct.AddBenign) -> str:
    note = act.note.strip()
    if not 0 < len(note) <= NOTE_CHARACTERS_MAX or not note.isprintable():
        raise invalid_field("list_benign.note", f"say what it is, in 1 to {NOTE_CHARACTERS_MAX} printable characters")
    return note


def softened(view: View, benign: BenignValues, probe: Mapping[str, Sequence[bytes]], items: Iterable[int]) -> Ceilings:
    """The strongest advice that matches of a probe may give, by item; an item that is not named has no such bound.

    Args:
        view: where the items stand.
        benign: the benign list.
        probe: the probe's values, by signal type.
        items: what it matched.
    """
    near: dict[str, list[int | None]] = {}
    for name, values in probe.items():
        kind = SIGNAL_TYPES[name]
        distances = benign.distances(kind, values, kind.radius_default)
        if any(each is not None for each in distances):
            near[name] = distances
    if not near:
        return {}
    return {item: _ceiling(probe, near, [signal for _, signal in view.item_signals(item)]) for item in items}


def _ceiling(
    probe: Mapping[str, Sequence[bytes]], near: Mapping[str, Sequence[int | None]], item: Sequence[ListedSignal]
) -> Advice:
    for name, distances in near.items():
        kind = SIGNAL_TYPES[name]
        if kind.exact:  # a digest on the benign list: the very file is known to be good
            return Advice.OBSERVE
        mine = [signal.value for signal in item if signal.code == kind.code]
        if not mine and len(distances) == 1:
            return Advice.OBSERVE
        if mine and _explained(kind, probe[name], mine, distances):
            return Advice.OBSERVE
    return Advice.REVIEW


def _explained(kind: SignalType, values: Sequence[bytes], mine: Sequence[bytes], benign: Sequence[int | None]) -> bool:
    """Whether each value that looks like the item, and the one that looks most like it, is as close to a benign one."""
    to_item = [min(kind.distance(value, other) for other in mine) for value in values]
    reach = max(kind.radius_default, min(to_item))
    return all(
        good is not None and good <= distance
        for distance, good in zip(to_item, benign, strict=True)
        if distance <= reach
    )
