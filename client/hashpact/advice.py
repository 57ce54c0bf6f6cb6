"""What a member wants to be advised, and why a match means what it means: small frozen objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Self

from hashpact.errors import InvalidRequestError
from hashpact.results import Match, Problem

_FIELDS = frozenset({"mode", "groups_min", "labels", "uses"})
_USE_FIELDS = frozenset({"mode", "radii"})


@dataclass(frozen=True, slots=True)
class Use:
    """One use of the list, e.g. ``uploads`` or ``livestream``; a look-up names it.

    Attributes:
        radii: signal type -> radius in bits, where it differs from the type's default.
        mode: the strongest advice, in place of the policy's; "": that one.
    """

    radii: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    mode: str = ""


@dataclass(frozen=True, slots=True)
class MemberPolicy:
    """What a member wants to be advised. It lowers what the forum's rules advise, and never raises it.

    Attributes:
        mode: the strongest advice: ``observe``, ``review``, ``act``.
        groups_min: corporate groups that have to vouch before the advice is ``act``, where that is more than the
            forum asks for.
        labels: label -> the strongest advice for items that bear it.
        uses: by name.
        sequence: number of the ledger entry that set it; 0: none is set.
    """

    mode: str = "review"
    groups_min: int = 0
    labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    uses: Mapping[str, Use] = field(default_factory=lambda: MappingProxyType({}))
    sequence: int = 0

    def to_dict(self) -> dict[str, Any]:
        """As in the command line's ``--json``, and as :meth:`from_dict` reads it."""
        return {
            "mode": self.mode,
            "groups_min": self.groups_min,
            "labels": dict(self.labels),
            "uses": {name: {"radii": dict(use.radii), "mode": use.mode} for name, use in self.uses.items()},
        }

    @classmethod
    def from_dict(cls, said: Mapping[str, Any]) -> Self:
        """A policy as :meth:`to_dict` gives it; what is left out is as in a new one.

        Raises:
            InvalidRequestError: a field of another name or type.
        """
        uses = _known("policy", said, _FIELDS).get("uses", {})
        return cls(
            _typed("mode", said.get("mode", "review"), str),
            _typed("groups_min", said.get("groups_min", 0), int),
            MappingProxyType(
                {label: _typed("labels", mode, str) for label, mode in _typed_map("labels", said).items()}
            ),
            MappingProxyType({name: _use(name, use) for name, use in _typed("uses", uses, dict).items()}),
        )


@dataclass(frozen=True, slots=True)
class SignalExplanation:
    """How near a probe is to an item by one signal type.

    Attributes:
        signal_type: its name.
        radius: the radius in force, in bits; 0 for digests.
        agrees: whether it agrees.
        distance: distance of the nearest pair in bits; None where the caller may not see it, and for digests that
            differ.
        distance_is_bound: True when the real distance is at most that.
        listed: signals of the type that the item has.
        sequence: number of the ledger entry that listed the nearest; 0 where ``distance`` is None.
        vouching_groups: corporate groups that vouch for the nearest.
        counts_for_act: whether it agrees with a signal that enough groups vouch for.
    """

    signal_type: str
    radius: int
    agrees: bool
    distance: int | None
    distance_is_bound: bool
    listed: int
    sequence: int
    vouching_groups: int
    counts_for_act: bool


@dataclass(frozen=True, slots=True)
class ActCondition:
    """One condition of the advice ``act``: its word, whether it holds, and one sentence."""

    condition: str
    holds: bool
    message: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why an upload matches an item, or why not.

    Attributes:
        item: id of the item.
        status: where it stands.
        advice: what it means for the calling member; ``none`` without a match.
        match: what a look-up answers about the item; None when it does not match.
        signals: how near it is, by each signal type that both have.
        conditions: what ``act`` takes, all of it.
        problems: signal sets that could not be compared.
    """

    item: int
    status: str
    advice: str
    match: Match | None
    signals: tuple[SignalExplanation, ...]
    conditions: tuple[ActCondition, ...]
    problems: tuple[Problem, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As in the command line's ``--json``."""
        return {
            "item": self.item,
            "status": self.status,
            "advice": self.advice,
            "match": None if self.match is None else self.match.to_dict(),
            "signals": [
                {name: getattr(one, name) for name in SignalExplanation.__dataclass_fields__} for one in self.signals
            ],
            "conditions": [
                {"condition": one.condition, "holds": one.holds, "message": one.message} for one in self.conditions
            ],
            "problems": [problem.to_dict() for problem in self.problems],
        }


def _use(name: str, said: Any) -> Use:
    fields = _known(f"uses.{name}", _typed(f"uses.{name}", said, dict), _USE_FIELDS)
    radii = {kind: _typed("radii", radius, int) for kind, radius in _typed_map("radii", fields).items()}
    return Use(MappingProxyType(radii), _typed("mode", fields.get("mode", ""), str))


def _known(name: str, said: Mapping[str, Any], fields: frozenset[str]) -> Mapping[str, Any]:
    for each in said:
        if each not in fields:
            raise InvalidRequestError.about(name, f"{name} has no field {each!r}; it has {', '.join(sorted(fields))}")
    return said


def _typed_map(name: str, said: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = _typed(name, said.get(name, {}), dict)
    return found


def _typed(name: str, value: Any, kind: type) -> Any:
    if not isinstance(value, kind) or isinstance(value, bool):
        words = {str: "a text", int: "a number", dict: "an object"}
        raise InvalidRequestError.about(name, f"{name} is {words[kind]}")
    return value
