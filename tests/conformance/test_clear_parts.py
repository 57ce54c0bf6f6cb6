"""The clear parts of the pact's kinds: kept vectors == an independent computation == the server's code."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hashpact_server.ledger.codec import LayoutError, u8, u16, u64
from hashpact_server.ledger.entry import CLEAR_BYTES_MAX, Kind
from hashpact_server.ledger.payloads import DetachedClear, RolledBackClear, Undone
from hashpact_server.ledger.payloads_incidents import AcknowledgedClear, DrillClear, IncidentClear, IncidentRules
from hashpact_server.ledger.payloads_judgement import (
    AnswerClear,
    ChallengeClear,
    DisputeClear,
    LapseClear,
    LimitClear,
    OpinionClear,
    VoteClear,
)
from hashpact_server.ledger.payloads_members import DecidedClear, LeftClear, PendingClear, RecordClear
from hashpact_server.ledger.payloads_safeguards import AlertClear
from hashpact_server.ledger.payloads_steward import FinishedClear, MotionClear, RollbackClear, RulebookClear

from tests.forum import forum_in
from tests.pact import eventful

KEPT: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "proto" / "vectors" / "formats-1.json").read_text(encoding="utf-8")
)
CASES: list[dict[str, Any]] = KEPT["clear"]


def filled(kind: Any) -> Callable[[dict[str, Any]], Any]:
    """A clear part's class, filled with what a vector states."""

    def fill(case: dict[str, Any]) -> Any:
        taken = {}
        for name, value in case.items():
            if name == "rulebook":
                taken["kind"] = value
            elif name in ("pseudonym", "member"):
                taken[name] = bytes.fromhex(value)
            elif isinstance(value, list):
                taken[name] = tuple(tuple(each) if isinstance(each, list) else each for each in value)
            else:
                taken[name] = value
        return kind(**taken)

    return fill


def undone(case: dict[str, Any]) -> RolledBackClear:
    return RolledBackClear(tuple(Undone(**{**each, "kept": tuple(each["kept"])}) for each in case["undone"]))


def incident(case: dict[str, Any]) -> IncidentClear:
    rules = {name: case.pop(name) for name in ("groups_min", "trial_items", "expiry_ms")}
    radii = tuple((code, radius) for code, radius in case.pop("radii"))
    return IncidentClear(**case, rules=IncidentRules(**rules, radii=radii))


STATED: dict[int, Callable[[dict[str, Any]], Any]] = {
    Kind.MEMBER_AMENDED: filled(RecordClear),
    Kind.MEMBER_LEFT: filled(LeftClear),
    Kind.OPINION_GIVEN: filled(OpinionClear),
    Kind.ITEM_LIMITED: filled(LimitClear),
    Kind.DISPUTE_OPENED: filled(DisputeClear),
    Kind.DISPUTE_VOTED: filled(VoteClear),
    Kind.DISPUTE_LAPSED: filled(LapseClear),
    Kind.CHALLENGE_LODGED: filled(ChallengeClear),
    Kind.CHALLENGE_ANSWERED: filled(AnswerClear),
    Kind.SIGNALS_DETACHED: filled(DetachedClear),
    Kind.CONTRIBUTION_PENDING: filled(PendingClear),
    Kind.CONTRIBUTION_DECIDED: filled(DecidedClear),
    Kind.MOTION_PROPOSED: filled(MotionClear),
    Kind.RULEBOOK_ADOPTED: filled(RulebookClear),
    Kind.ROLLBACK_ORDERED: filled(RollbackClear),
    Kind.ROLLED_BACK: undone,
    Kind.ROLLBACK_FINISHED: filled(FinishedClear),
    Kind.ALERT_RAISED: filled(AlertClear),
    Kind.INCIDENT_OPENED: incident,
    Kind.INCIDENT_ACKNOWLEDGED: filled(AcknowledgedClear),
    Kind.DRILL_CONTRIBUTED: filled(DrillClear),
}
"""Kinds whose clear part has a class of its own."""

ONE_NUMBER: dict[int, Callable[[int], bytes]] = {
    Kind.OPINION_REVOKED: u8,
    Kind.ITEM_LIMIT_LIFTED: u8,
    Kind.CHALLENGE_LAPSED: u64,
    Kind.ITEM_EXPIRED: u8,
    Kind.ITEM_MERGED: u64,
    Kind.MOTION_CLOSED: u8,
    Kind.BENIGN_LISTED: u16,
    Kind.INCIDENT_PROLONGED: u64,
    Kind.INCIDENT_CLOSED: u8,
}
EMPTY = {
    Kind.MEMBER_POLICY_SET,
    Kind.MOTION_SECONDED,
    Kind.RULEBOOK_IN_FORCE,
    Kind.BENIGN_UNLISTED,
    Kind.ALERT_ACKNOWLEDGED,
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: Kind(case["kind"]).name)
def test_clear_part(case: dict[str, Any]) -> None:
    fields = dict(case)
    kind, clear = fields.pop("kind"), bytes.fromhex(fields.pop("clear"))
    if kind in STATED:
        stated = STATED[kind](fields)
        assert stated.encode() == clear
        assert type(stated).decode(clear) == stated
        for broken in (clear[:-1], clear + b"\x00"):
            with pytest.raises(LayoutError):
                type(stated).decode(broken)
    elif kind in ONE_NUMBER:
        (number,) = fields.values()
        assert ONE_NUMBER[kind](number) == clear
    else:
        assert kind in EMPTY
        assert clear == b""


def test_every_kind_has_a_vector() -> None:
    before = {1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 20}
    assert {case["kind"] for case in CASES} | before == set(Kind)


def test_rules_write_clear_parts_of_these_layouts(tmp_path: Path) -> None:
    """On a list where everything happened: each is read by the class of its kind, or has its number's length."""
    lengths = {kind: len(write(0)) for kind, write in ONE_NUMBER.items()}
    types = {case["kind"]: type(STATED[case["kind"]]({**_fields(case)})) for case in CASES if case["kind"] in STATED}
    with forum_in(tmp_path) as forum:
        eventful(forum)
        with forum.engine.state.read() as view:
            for entry in view.entries():
                assert len(entry.clear) < CLEAR_BYTES_MAX
                if entry.kind in types:
                    assert types[entry.kind].decode(entry.clear).encode() == entry.clear
                elif entry.kind in lengths or entry.kind in EMPTY:
                    assert len(entry.clear) == lengths.get(entry.kind, 0), Kind(entry.kind)


def _fields(case: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in case.items() if name not in ("kind", "clear")}
