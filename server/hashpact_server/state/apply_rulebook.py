"""What the adoption of a taxonomy or policy does to the state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from hashpact_server.ledger.entry import Entry, Kind
from hashpact_server.ledger.payloads_steward import RulebookClear
from hashpact_server.state.rulebook import (
    IN_FORCE_KEY,
    InForce,
    RulebookKind,
    RulebookState,
    VersionRow,
    in_force,
    version_key,
    versions,
)
from hashpact_server.state.scope import ContradictionError, Scope, UnknownEntryError
from hashpact_server.state.tables import Due, Table


def _adopted(entry: Entry, scope: Scope) -> None:
    clear = RulebookClear.decode(entry.clear)
    try:
        kind = RulebookKind(clear.kind)
    except ValueError as error:
        raise UnknownEntryError(f"entry {entry.sequence} adopts a rulebook of kind {clear.kind}: upgrade") from error
    earlier = list(versions(scope.rows, kind))
    if clear.version != len(earlier) + 1:
        raise ContradictionError(f"entry {entry.sequence} adopts version {clear.version} after {len(earlier)}")
    for row in earlier:
        if row.state is RulebookState.NOTICE:
            _keep(scope, row._replace(state=RulebookState.SUPERSEDED))
            scope.clear_due(row.effect_ms, Due.RULEBOOK, row.sequence)
    effect_ms = clear.effect_ms or entry.time_ms
    row = VersionRow(kind, clear.version, RulebookState.NOTICE, entry.sequence, effect_ms)
    _keep(scope, row)
    if clear.effect_ms:
        scope.set_due(clear.effect_ms, Due.RULEBOOK, entry.sequence)
    else:
        _take_effect(row, entry, scope)


def _came_into_force(entry: Entry, scope: Scope) -> None:
    adoption = scope.ledger.entry(entry.subject)
    kind = RulebookKind(RulebookClear.decode(adoption.clear).kind)
    row = next((each for each in versions(scope.rows, kind) if each.sequence == adoption.sequence), None)
    if row is None or row.state is not RulebookState.NOTICE:
        raise ContradictionError(f"entry {entry.sequence} puts a rulebook in force that does not wait for it")
    scope.clear_due(row.effect_ms, Due.RULEBOOK, row.sequence)
    _take_effect(row, adoption, scope)


def _take_effect(row: VersionRow, adoption: Entry, scope: Scope) -> None:
    for each in list(versions(scope.rows, row.kind)):
        if each.state is RulebookState.IN_FORCE:
            _keep(scope, each._replace(state=RulebookState.REPLACED))
    _keep(scope, row._replace(state=RulebookState.IN_FORCE))
    value = in_force(scope.rows)
    now = InForce() if value is None else InForce.decode(value)
    if row.kind is RulebookKind.TAXONOMY:
        now = now._replace(taxonomy=adoption.sequence, taxonomy_id=adoption.commitment)
    else:
        now = now._replace(policy=adoption.sequence, policy_id=adoption.commitment)
    scope.rows.put(Table.RULEBOOK, IN_FORCE_KEY, now.encode())


def _keep(scope: Scope, row: VersionRow) -> None:
    scope.rows.put(Table.RULEBOOK, version_key(row.kind, row.version), row.encode())


APPLY: Final[Mapping[tuple[int, int], Callable[[Entry, Scope], None]]] = {
    (Kind.RULEBOOK_ADOPTED, 1): _adopted,
    (Kind.RULEBOOK_IN_FORCE, 1): _came_into_force,
}
