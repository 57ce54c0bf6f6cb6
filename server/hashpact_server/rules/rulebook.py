"""Which taxonomy and which policy are in force, and how two stewards adopt others.

What narrows the list or its effect takes effect at once; what widens it, after the notice period of the policy that is
in force when it is adopted. A version that is adopted while another one waits takes its place. Old versions stay in the
ledger, in clear, and readable.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any, Final, NamedTuple

from hashpact.v1 import error_reason_pb2
from hashpact.v1 import steward_service_pb2 as pb

from hashpact_server.ledger.entry import SERVICE, Draft, Kind
from hashpact_server.ledger.payloads_steward import RulebookClear
from hashpact_server.refusal import Refusal
from hashpact_server.rules import policy as policies
from hashpact_server.rules import taxonomy as taxonomies
from hashpact_server.rules.json_content import Fault
from hashpact_server.rules.policy import DEFAULT, Policy, policy_from
from hashpact_server.rules.taxonomy import BUILT_IN, Taxonomy, taxonomy_from
from hashpact_server.scene import Scene
from hashpact_server.state.rulebook import InForce, RulebookKind, RulebookState, VersionRow, in_force, versions
from hashpact_server.state.view import View

DAY_MS: Final = 86_400_000


class _Rulebook(NamedTuple):
    """What is in force together."""

    taxonomy: Taxonomy
    policy: Policy


_BUILT_IN: Final = _Rulebook(BUILT_IN, DEFAULT)
_KEPT_MAX: Final = 64
_kept: dict[bytes, _Rulebook] = {}
"""What was read already, by the row that names it: commitments of entries, so it can mean nothing else anywhere."""


def policy_of(view: View) -> Policy:
    """The policy in force. One read."""
    return _in_force(view).policy


def taxonomy_of(view: View) -> Taxonomy:
    """The taxonomy in force. One read."""
    return _in_force(view).taxonomy


def _in_force(view: View) -> _Rulebook:
    value = in_force(view.rows)
    if value is None:
        return _BUILT_IN
    found = _kept.get(value)
    if found is None:
        row = InForce.decode(value)
        found = _Rulebook(
            taxonomy_from(content_of(view, row.taxonomy)) if row.taxonomy else BUILT_IN,
            policy_from(content_of(view, row.policy), lenient=True) if row.policy else DEFAULT,
        )
        if len(_kept) >= _KEPT_MAX:
            _kept.clear()
        _kept[value] = found
    return found


def content_of(view: View, sequence: int) -> str:
    """The content of a version, as it was adopted in this entry."""
    return RulebookClear.decode(view.entry(sequence).clear).content


def built_in(kind: RulebookKind) -> str:
    """What holds until a forum adopts something, as JSON: a beginning for whoever writes one."""
    if kind is RulebookKind.POLICY:
        content: dict[str, Any] = {each.name: getattr(DEFAULT, each.name) for each in fields(Policy)}
        content["label_groups_min"] = dict(DEFAULT.label_groups_min)
    else:
        axes = {axis: dict(terms) for axis, terms in BUILT_IN.axes.items()}
        content = {"open": BUILT_IN.open, "axes": axes, "incident_types": dict(BUILT_IN.incident_types)}
    return json.dumps(content, indent=2)


def chosen(rows: Sequence[VersionRow], wanted: int | None) -> VersionRow | None:
    """The version with this number, or the one in force; None: what is built in.

    Raises:
        Refusal: RULEBOOK_NOT_FOUND.
    """
    if wanted is None:
        return next((row for row in rows if row.state is RulebookState.IN_FORCE), None)
    if wanted > len(rows):
        raise Refusal(
            error_reason_pb2.ERROR_REASON_RULEBOOK_NOT_FOUND, f"there is no version {wanted}: the newest is {len(rows)}"
        )
    return rows[wanted - 1] if wanted else None


def check_taxonomy(view: View, act: pb.StewardAct.AdoptTaxonomy) -> None:
    """Raises :class:`Refusal` RULEBOOK_INVALID."""
    del view
    _read(taxonomy_from, act.content)


def check_policy(view: View, act: pb.StewardAct.AdoptPolicy) -> None:
    """Raises :class:`Refusal` RULEBOOK_INVALID."""
    del view
    _read(policy_from, act.content)


def adopt_taxonomy(scene: Scene, actor: bytes, act: pb.StewardAct.AdoptTaxonomy) -> None:
    """Adopt a taxonomy."""
    wider = taxonomies.widens(taxonomy_of(scene), _read(taxonomy_from, act.content))
    _adopt(scene, actor, RulebookKind.TAXONOMY, act.content, wider=wider)


def adopt_policy(scene: Scene, actor: bytes, act: pb.StewardAct.AdoptPolicy) -> None:
    """Adopt a policy."""
    wider = policies.widens(policy_of(scene), _read(policy_from, act.content))
    _adopt(scene, actor, RulebookKind.POLICY, act.content, wider=wider)


def take_effect(scene: Scene, adoption: int) -> None:
    """The notice period of the version that this entry adopted is over."""
    scene.record(Draft(Kind.RULEBOOK_IN_FORCE, SERVICE, adoption))


def _adopt(scene: Scene, actor: bytes, kind: RulebookKind, content: str, *, wider: bool) -> None:
    days = policy_of(scene).notice_days if wider else 0
    effect_ms = scene.now_ms + days * DAY_MS if days else 0
    version = sum(1 for _ in versions(scene.rows, kind)) + 1
    clear = RulebookClear(kind, version, effect_ms, content)
    scene.record(Draft(Kind.RULEBOOK_ADOPTED, actor, clear=clear.encode()))


def _read(read: Callable[[str], Any], content: str) -> Any:
    try:
        return read(content)
    except Fault as fault:
        raise Refusal(
            error_reason_pb2.ERROR_REASON_RULEBOOK_INVALID,
            f"{fault.where}: {fault.what}",
            violations=[(fault.where, fault.what)],
        ) from fault
