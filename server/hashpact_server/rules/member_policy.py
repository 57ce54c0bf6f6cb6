"""A member's own policy: what it wants to be advised. It lowers what the forum's rules advise, and never raises it."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from hashpact.signals import SIGNAL_TYPES

from hashpact_server.ledger.entry import Draft, Kind
from hashpact_server.refusal import invalid_field, over_limit
from hashpact_server.rules.advice import Advice
from hashpact_server.rules.labels import GENERIC_CLASSES, class_of, clean_label
from hashpact_server.scene import Scene
from hashpact_server.state.member_policies import policy_entry
from hashpact_server.state.view import View

LABELS_MAX: Final = 256
USES_MAX: Final = 32
GROUPS_MAX: Final = 100
MODES: Final = (Advice.OBSERVE, Advice.REVIEW, Advice.ACT)

_USE: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_NO_MODES: Final[Mapping[str, Advice]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Use:
    """One use of the list: its radii by signal type, and its mode in place of the policy's; None: that one."""

    radii: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    mode: Advice | None = None


@dataclass(frozen=True, slots=True)
class MemberPolicy:
    """What a member wants to be advised.

    Attributes:
        mode: the strongest advice.
        groups_min: corporate groups that have to vouch before it is ACT, where that is more than the forum asks for.
        labels: label, in its canonical form -> the strongest advice for items that bear it.
        uses: by name.
    """

    mode: Advice = Advice.REVIEW
    groups_min: int = 0
    labels: Mapping[str, Advice] = field(default_factory=lambda: _NO_MODES)
    uses: Mapping[str, Use] = field(default_factory=lambda: MappingProxyType({}))

    def mode_for(self, labels: Iterable[str], use: str = "") -> Advice:
        """The strongest advice for an item with these labels.

        What the modes of all labels agree on; where they differ, REVIEW: that one label is no concern of the member's
        does not hide what bears another, and ACT takes the member's word for every label.
        """
        named = self.uses[use].mode if use in self.uses else None
        general = self.mode if named is None else named
        found = {self._of_label(label, general) for label in labels} if self.labels else {general}
        return found.pop() if len(found) == 1 else Advice.REVIEW if found else general

    def _of_label(self, label: str, general: Advice) -> Advice:
        """An exact name goes before its class."""
        mode = self.labels.get(canonical(label))
        return self.labels.get(class_of(label), general) if mode is None else mode

    def encode(self) -> bytes:
        """As the ledger keeps it: JSON."""
        said = {
            "mode": self.mode.name.lower(),
            "groups_min": self.groups_min,
            "labels": {label: mode.name.lower() for label, mode in sorted(self.labels.items())},
            "uses": {
                name: {"radii": dict(sorted(use.radii.items())), "mode": use.mode.name.lower() if use.mode else ""}
                for name, use in sorted(self.uses.items())
            },
        }
        return json.dumps(said, separators=(",", ":")).encode()

    @classmethod
    def decode(cls, payload: bytes) -> MemberPolicy:
        """Read what :meth:`encode` wrote."""
        said: dict[str, Any] = json.loads(payload)
        return cls(
            Advice[said["mode"].upper()],
            said["groups_min"],
            MappingProxyType({label: Advice[mode.upper()] for label, mode in said["labels"].items()}),
            MappingProxyType(
                {
                    name: Use(MappingProxyType(use["radii"]), Advice[use["mode"].upper()] if use["mode"] else None)
                    for name, use in said["uses"].items()
                }
            ),
        )


NONE_SET: Final = MemberPolicy()
"""What holds for a member that set no policy, or whose policy was redacted: it is not advised to act."""

_decode = functools.lru_cache(maxsize=256)(MemberPolicy.decode)


def canonical(label: str) -> str:
    """A label in the form in which policies name it: a term of the taxonomy with its axis."""
    term = class_of(label)
    return label if term in GENERIC_CLASSES and label != term else term


def member_policy(view: View, pseudonym: bytes) -> tuple[MemberPolicy, int]:
    """The policy of a member, and the entry that set it; 0: none is set."""
    sequence = policy_entry(view, pseudonym)
    payload = view.entry(sequence).payload if sequence else None
    return (NONE_SET, 0) if payload is None else (_decode(payload), sequence)


def check_policy(
    mode: int,
    groups_min: int,
    labels: Sequence[tuple[str, int]],
    uses: Sequence[tuple[str, Sequence[tuple[str, int]], int]],
) -> MemberPolicy:
    """A policy as sent, checked; modes are numbers of ``Advice``, 0 where none is given.

    Raises:
        Refusal: FIELD_INVALID, LIMIT_EXCEEDED.
    """
    if len(labels) > LABELS_MAX:
        raise over_limit("policy_labels_max", LABELS_MAX, len(labels))
    if len(uses) > USES_MAX:
        raise over_limit("policy_uses_max", USES_MAX, len(uses))
    if groups_min > GROUPS_MAX:
        raise invalid_field("policy.groups_min", f"at most {GROUPS_MAX}")
    modes: dict[str, Advice] = {}
    for place, (raw, number) in enumerate(labels):
        label = clean_label(raw)
        if label is None:
            raise invalid_field(f"policy.labels[{place}].label", "not a label")
        if canonical(label) in modes:
            raise invalid_field(f"policy.labels[{place}].label", "is named twice")
        modes[canonical(label)] = _mode(f"policy.labels[{place}].mode", number)
    named: dict[str, Use] = {}
    for place, (name, radii, number) in enumerate(uses):
        if not _USE.fullmatch(name):
            shape = "1 to 64 characters of a-z 0-9 -, starting with a letter or digit"
            raise invalid_field(f"policy.uses[{place}].name", shape)
        if name in named:
            raise invalid_field(f"policy.uses[{place}].name", "is named twice")
        checked = _radii(f"policy.uses[{place}].radii", radii)
        named[name] = Use(checked, _mode(f"policy.uses[{place}].mode", number) if number else None)
    general = _mode("policy.mode", mode)
    return MemberPolicy(general, groups_min, MappingProxyType(modes), MappingProxyType(named))


def _mode(name: str, number: int) -> Advice:
    if number not in MODES:
        raise invalid_field(name, "one of observe, review, act")
    return Advice(number)


def _radii(name: str, radii: Sequence[tuple[str, int]]) -> Mapping[str, int]:
    found: dict[str, int] = {}
    for place, (signal_type, radius) in enumerate(radii):
        kind = SIGNAL_TYPES.get(signal_type)
        if kind is None or not kind.ranged:
            raise invalid_field(f"{name}[{place}].signal_type", "not a perceptual signal type of this server")
        if signal_type in found:
            raise invalid_field(f"{name}[{place}].signal_type", f"{signal_type} is named twice")
        if radius > kind.radius_max:
            raise invalid_field(f"{name}[{place}].radius", f"at most {kind.radius_max} for {signal_type}")
        found[signal_type] = radius
    return MappingProxyType(found)


def set_policy(scene: Scene, member: bytes, policy: MemberPolicy) -> int:
    """Record the policy of a member, unless it stands so already; the entry that set it."""
    before, sequence = member_policy(scene, member)
    if sequence and before == policy:
        return sequence
    return scene.record(Draft(Kind.MEMBER_POLICY_SET, member, payload=policy.encode())).sequence
