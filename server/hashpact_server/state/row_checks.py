"""What must be true of the rows of the pact (opinions, disputes, motions, incidents, ...), for fsck.

A row must stand under a key of its table, be readable, be about what exists, and name entries of the kind that writes
it; and a clock must run for each thing that waits for one, and for nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from hashpact_server.ledger.base import Reading
from hashpact_server.ledger.codec import Reader, u64
from hashpact_server.ledger.entry import PSEUDONYM_BYTES, SERVICE, Kind
from hashpact_server.ledger.payloads import CONTRIBUTING
from hashpact_server.state.alerts import AlertRow, alert_key
from hashpact_server.state.incidents import BY_INCIDENT, BY_ITEM, AcknowledgementRow, IncidentRow, State, read_incident
from hashpact_server.state.judgement_rows import (
    ChallengeOutcome,
    ChallengeRow,
    ConditionRow,
    DisputeOutcome,
    DisputeRow,
    LimitCause,
    OpinionRow,
    VoteRow,
)
from hashpact_server.state.members import PendingRow
from hashpact_server.state.motions import MotionRow, MotionState
from hashpact_server.state.rollbacks import UNDOABLE, RollbackRow, rollback, rollback_key, running_key
from hashpact_server.state.row_store import RowReader
from hashpact_server.state.rulebook import IN_FORCE_KEY, InForce, RulebookKind, RulebookState, versions
from hashpact_server.state.tables import Due, Table, due_key


class List(NamedTuple):
    """The list that a row is held against."""

    rows: RowReader
    ledger: Reading

    def has(self, table: Table, key: bytes) -> bool:
        """Whether there is such a row."""
        return self.rows.get(table, key) is not None

    def item(self, item: int) -> bool:
        """Whether there is, or was, such an item."""
        return self.has(Table.ITEMS, u64(item))

    def member(self, pseudonym: bytes) -> bool:
        """Whether there is such a member; the service itself is one."""
        return pseudonym == SERVICE or self.has(Table.MEMBERS, pseudonym)

    def entry(self, sequence: int, *kinds: int) -> bool:
        """Whether there is such an entry, of one of these kinds."""
        try:
            return self.ledger.entry(sequence).kind in kinds
        except (KeyError, OverflowError):
            return False

    def due(self, due_ms: int, what: Due, subject: int) -> bool:
        """Whether a clock runs for this."""
        return self.has(Table.DUE, due_key(due_ms, what, subject))


_NO_ITEM: Final = "is about an item that does not exist"
_NO_MEMBER: Final = "is of a member that does not exist"
_NO_ENTRY: Final = "names an entry that does not write it"
_NO_CLOCK: Final = "waits for a time that is not kept"


def _number(key: bytes) -> int:
    return int.from_bytes(key[:8], "big")


def _opinion(list_: List, key: bytes, value: bytes) -> str | None:
    row = OpinionRow.decode(_number(key), key[8:], value)
    if not list_.item(row.item):
        return _NO_ITEM
    if not list_.member(row.pseudonym):
        return _NO_MEMBER
    if not list_.has(Table.CONDITIONS, key[:8]):
        return "would not be seen: its item has no condition"
    made_by = Kind.OPINION_GIVEN if row.standing else Kind.OPINION_REVOKED
    return None if list_.entry(row.sequence, made_by) else _NO_ENTRY


def _condition(list_: List, key: bytes, value: bytes) -> str | None:
    row = ConditionRow.decode(_number(key), value)
    if not list_.item(row.item):
        return _NO_ITEM
    if row.dispute:
        open_ = list_.rows.get(Table.DISPUTES, u64(row.dispute))
        dispute = None if open_ is None else DisputeRow.decode(row.dispute, open_)
        if dispute is None or dispute.item != row.item or dispute.outcome is not DisputeOutcome.OPEN:
            return "names a dispute that is not open, or not about it"
    limited = row.limit is LimitCause.NONE or list_.entry(row.limited_by, Kind.ITEM_LIMITED)
    void = not row.void_to or list_.entry(row.void_to, Kind.DISPUTE_LAPSED)
    votes = all(not vote or list_.entry(vote, Kind.DISPUTE_VOTED) for vote in (row.resolved_to, row.relabelled_by))
    return None if limited and void and votes else _NO_ENTRY


def _dispute(list_: List, key: bytes, value: bytes) -> str | None:
    row = DisputeRow.decode(_number(key), value)
    if not list_.item(row.item):
        return _NO_ITEM
    if not list_.member(row.opener):
        return _NO_MEMBER
    if row.challenge and not list_.has(Table.CHALLENGES, u64(row.challenge)):
        return "comes from a challenge that does not exist"
    if row.outcome is not DisputeOutcome.OPEN:
        return None
    now = list_.rows.get(Table.CONDITIONS, u64(row.item))
    if now is None or ConditionRow.decode(row.item, now).dispute != row.dispute:
        return "is open, and its item does not say so"
    return None if list_.due(row.due_ms, Due.DISPUTE, row.dispute) else _NO_CLOCK


def _vote(list_: List, key: bytes, value: bytes) -> str | None:
    row = VoteRow.decode(_number(key), key[8:], value)
    if not list_.has(Table.DISPUTES, key[:8]):
        return "is about a dispute that does not exist"
    if not list_.member(row.pseudonym):
        return _NO_MEMBER
    return None if list_.entry(row.sequence, Kind.DISPUTE_VOTED) else _NO_ENTRY


def _challenge(list_: List, key: bytes, value: bytes) -> str | None:
    row = ChallengeRow.decode(_number(key), value)
    if not list_.item(row.item):
        return _NO_ITEM
    if not list_.member(row.lodger):
        return _NO_MEMBER
    if row.dispute and not list_.has(Table.DISPUTES, u64(row.dispute)):
        return "became a dispute that does not exist"
    if row.outcome is ChallengeOutcome.OPEN and not list_.due(row.due_ms, Due.CHALLENGE, row.challenge):
        return _NO_CLOCK
    return None


def _member_policy(list_: List, key: bytes, value: bytes) -> str | None:
    if not list_.member(key):
        return _NO_MEMBER
    if len(value) != 8:
        return "has another length than its table's"
    return None if list_.entry(_number(value), Kind.MEMBER_POLICY_SET) else _NO_ENTRY


def _motion(list_: List, key: bytes, value: bytes) -> str | None:
    row = MotionRow.decode(_number(key), value)
    if not (list_.member(row.proposer) and list_.member(row.closer)):
        return _NO_MEMBER
    if row.state is MotionState.OPEN and not list_.due(row.lapse_ms, Due.MOTION, row.motion):
        return _NO_CLOCK
    return None if list_.entry(row.motion, Kind.MOTION_PROPOSED) else _NO_ENTRY


def _rulebook(list_: List, key: bytes, value: bytes) -> str | None:
    if key == IN_FORCE_KEY:
        now = InForce.decode(value)
        known = (not number or list_.entry(number, Kind.RULEBOOK_ADOPTED) for number in (now.taxonomy, now.policy))
        return None if all(known) else _NO_ENTRY
    if key[:1] != b"\x01" or len(key) != 6:
        return "has a key that is not one of its table's"
    reader, kind = Reader(value), RulebookKind(key[1])
    state, sequence, effect_ms = RulebookState(reader.u8()), reader.u64(), reader.u64()
    reader.end()
    if not list_.entry(sequence, Kind.RULEBOOK_ADOPTED):
        return _NO_ENTRY
    if state is RulebookState.IN_FORCE and not _is_in_force(list_, kind, sequence):
        return "is in force, and another one is said to be"
    waits = state is RulebookState.NOTICE
    return _NO_CLOCK if waits and not list_.due(effect_ms, Due.RULEBOOK, sequence) else None


def _is_in_force(list_: List, kind: RulebookKind, sequence: int) -> bool:
    value = list_.rows.get(Table.RULEBOOK, IN_FORCE_KEY)
    if value is None:
        return False
    now = InForce.decode(value)
    return sequence == (now.taxonomy if kind is RulebookKind.TAXONOMY else now.policy)


def _rollback(list_: List, key: bytes, value: bytes) -> str | None:
    part, numbers = key[:1], key[1:]
    if (part, len(numbers)) not in ((b"\0", 8), (b"\1", 16), (b"\2", 8), (b"\3", 8)):
        return "has a key that is not one of its table's"
    if part == b"\0":
        return _order(list_, numbers, value)
    if part == b"\1":
        return _undone(list_, numbers, value)
    if part == b"\2":
        known = not value and rollback(list_.rows, _number(numbers)) is not None
        return None if known else "goes on, and was never ordered"
    OpinionRow.decode(0, bytes(PSEUDONYM_BYTES), value)
    return None if list_.entry(_number(numbers), Kind.OPINION_GIVEN, Kind.OPINION_REVOKED) else _NO_ENTRY


def _order(list_: List, numbers: bytes, value: bytes) -> str | None:
    row = RollbackRow.decode(_number(numbers), value)
    if not (list_.member(row.pseudonym) and list_.member(row.orderer)):
        return _NO_MEMBER
    if list_.has(Table.ROLLBACKS, running_key(row.rollback)) == bool(row.finished):
        return "is over and goes on, or neither"
    return None if list_.entry(row.rollback, Kind.ROLLBACK_ORDERED) else _NO_ENTRY


def _undone(list_: List, numbers: bytes, value: bytes) -> str | None:
    reader = Reader(value)
    order = reader.u64()
    for _ in range(reader.u16()):
        reader.u16()
    reader.end()
    if not list_.has(Table.ROLLBACKS, rollback_key(order)):
        return "was undone by a rollback that does not exist"
    if not list_.item(_number(numbers)):
        return _NO_ITEM
    return None if list_.entry(_number(numbers[8:]), *UNDOABLE) else _NO_ENTRY


def _benign(list_: List, key: bytes, value: bytes) -> str | None:
    if len(value) != 2:
        return "has another length than its table's"
    return None if list_.entry(_number(key), Kind.BENIGN_LISTED) else _NO_ENTRY


def _alert(list_: List, key: bytes, value: bytes) -> str | None:
    if key[:1] == b"\1":
        waiting = list_.rows.get(Table.ALERTS, alert_key(_number(value)))
        row = None if waiting is None else AlertRow.decode(_number(value), waiting)
        told = row is not None and not row.acknowledged and row.open_key == key
        return None if told else "waits for an alert that does not exist, or was acknowledged"
    if key[:1] != b"\0" or len(key) != 9:
        return "has a key that is not one of its table's"
    row = AlertRow.decode(_number(key[1:]), value)
    if row.item and not list_.item(row.item):
        return _NO_ITEM
    if not list_.member(row.member):
        return _NO_MEMBER
    if not row.acknowledged and list_.rows.get(Table.ALERTS, row.open_key) != u64(row.sequence):
        return "was not acknowledged, and nobody would be told"
    return None if list_.entry(row.sequence, Kind.ALERT_RAISED) else _NO_ENTRY


def _incident(list_: List, key: bytes, value: bytes) -> str | None:
    row = IncidentRow.decode(_number(key[1:]), value)
    if key[0] > 1 or bool(key[0]) != (row.state is State.CLOSED):
        return "stands among those that are over, or not, and is none"
    if not list_.member(row.pseudonym):
        return _NO_MEMBER
    if row.state is not State.CLOSED and not list_.due(row.end_ms, Due.INCIDENT, row.incident):
        return _NO_CLOCK
    return None if list_.entry(row.incident, Kind.INCIDENT_OPENED) else _NO_ENTRY


def _incident_item(list_: List, key: bytes, value: bytes) -> str | None:
    if len(key) != 17 or len(value) != 8 or key[:1] not in (BY_INCIDENT, BY_ITEM):
        return "has a key or a length that is not one of its table's"
    first, second, said = _number(key[1:]), _number(key[9:]), _number(value)
    incident, item = (first, said) if key[:1] == BY_INCIDENT else (second, first)
    if read_incident(list_.rows, incident) is None:
        return "is under an incident that does not exist"
    if item and not list_.item(item):
        return _NO_ITEM
    if key[:1] == BY_ITEM:
        return None if not said or list_.due(said, Due.ITEM_EXPIRY, item) else _NO_CLOCK
    return None if list_.entry(second, *CONTRIBUTING, Kind.DRILL_CONTRIBUTED) else _NO_ENTRY


def _acknowledgement(list_: List, key: bytes, value: bytes) -> str | None:
    row = AcknowledgementRow.decode(key[9:], value)
    if read_incident(list_.rows, _number(key)) is None:
        return "is about an incident that does not exist"
    if not list_.member(row.pseudonym):
        return _NO_MEMBER
    return None if list_.entry(row.sequence, Kind.INCIDENT_ACKNOWLEDGED) else _NO_ENTRY


def _due(list_: List, key: bytes, value: bytes) -> str | None:
    if value:
        return "has a value"
    due_ms, what, subject = _number(key), Due(key[8]), _number(key[9:])
    return None if due_ms in _waits(list_.rows, what, subject) else "is the time of nothing"


def _waits(rows: RowReader, what: Due, subject: int) -> tuple[int, ...]:
    """Times for which a thing waits."""
    if what is Due.RULEBOOK:
        found = (row for kind in RulebookKind for row in versions(rows, kind) if row.sequence == subject)
        return tuple(row.effect_ms for row in found if row.state is RulebookState.NOTICE)
    if what is Due.ITEM_EXPIRY:
        under = rows.scan(Table.INCIDENT_ITEMS, prefix=BY_ITEM + u64(subject))
        return tuple(_number(value) for _, value in under)
    if what is Due.INCIDENT:
        incident = read_incident(rows, subject)
        return () if incident is None or incident.state is State.CLOSED else (incident.end_ms,)
    table, until = _WAITING[what]
    value = rows.get(table, u64(subject))
    return () if value is None else until(subject, value)


def _motion_until(number: int, value: bytes) -> tuple[int, ...]:
    row = MotionRow.decode(number, value)
    return (row.lapse_ms,) if row.state is MotionState.OPEN else ()


def _dispute_until(number: int, value: bytes) -> tuple[int, ...]:
    row = DisputeRow.decode(number, value)
    return (row.due_ms,) if row.outcome is DisputeOutcome.OPEN else ()


def _challenge_until(number: int, value: bytes) -> tuple[int, ...]:
    row = ChallengeRow.decode(number, value)
    return (row.due_ms,) if row.outcome is ChallengeOutcome.OPEN else ()


def _pending_until(number: int, value: bytes) -> tuple[int, ...]:
    return (PendingRow.decode(number, value).lapse_ms,)


_WAITING: Final[Mapping[Due, tuple[Table, Callable[[int, bytes], tuple[int, ...]]]]] = {
    Due.MOTION: (Table.MOTIONS, _motion_until),
    Due.DISPUTE: (Table.DISPUTES, _dispute_until),
    Due.CHALLENGE: (Table.CHALLENGES, _challenge_until),
    Due.PENDING: (Table.PENDING, _pending_until),
}

ROW_CHECKS: Final[Mapping[Table, Callable[[List, bytes, bytes], str | None]]] = {
    Table.OPINIONS: _opinion,
    Table.CONDITIONS: _condition,
    Table.DISPUTES: _dispute,
    Table.DISPUTE_VOTES: _vote,
    Table.CHALLENGES: _challenge,
    Table.DUE: _due,
    Table.MEMBER_POLICIES: _member_policy,
    Table.MOTIONS: _motion,
    Table.RULEBOOK: _rulebook,
    Table.ROLLBACKS: _rollback,
    Table.BENIGN: _benign,
    Table.ALERTS: _alert,
    Table.INCIDENTS: _incident,
    Table.INCIDENT_ITEMS: _incident_item,
    Table.INCIDENT_ACKS: _acknowledgement,
}
"""What is wrong with a row, or None. Raises LayoutError, ValueError for one that cannot be read."""

KEY_BYTES: Final[Mapping[Table, int]] = {
    Table.OPINIONS: 24,
    Table.CONDITIONS: 8,
    Table.DISPUTES: 8,
    Table.DISPUTE_VOTES: 24,
    Table.CHALLENGES: 8,
    Table.DUE: 17,
    Table.MEMBER_POLICIES: 16,
    Table.MOTIONS: 8,
    Table.BENIGN: 8,
    Table.INCIDENTS: 9,
    Table.INCIDENT_ACKS: 25,
}
"""Length of the keys of tables whose keys all have the same."""
