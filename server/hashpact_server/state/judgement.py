"""Reading the tables about judgement."""

from __future__ import annotations

from collections.abc import Iterator

from hashpact_server.ledger.codec import u64
from hashpact_server.state.judgement_rows import (
    ChallengeRow,
    ConditionRow,
    DisputeRow,
    LimitCause,
    OpinionRow,
    VoteRow,
    judgement_key,
)
from hashpact_server.state.tables import Table
from hashpact_server.state.view import View


def condition(view: View, item: int) -> ConditionRow | None:
    """What holds for an item beside what contributions say; None, and one read, for nearly every item.

    An item about which an opinion was ever given has one: where there is none, there is no opinion either.
    """
    value = view.rows.get(Table.CONDITIONS, u64(item))
    return None if value is None else ConditionRow.decode(item, value)


def opinions(view: View, item: int) -> list[OpinionRow]:
    """Opinions on an item, revoked ones too, by pseudonym."""
    return [OpinionRow.decode(item, key[8:], value) for key, value in view.rows.scan(Table.OPINIONS, prefix=u64(item))]


def opinion(view: View, item: int, pseudonym: bytes) -> OpinionRow | None:
    """The opinion of one member on an item, also when it was revoked."""
    value = view.rows.get(Table.OPINIONS, judgement_key(item, pseudonym))
    return None if value is None else OpinionRow.decode(item, pseudonym, value)


def unresolved(row: OpinionRow, now: ConditionRow | None) -> bool:
    """Whether an opinion is against its item, stands, and was not resolved by a dispute since."""
    return row.standing and row.code.against and row.sequence > (now.resolved_to if now else 0)


def act_stopped(view: View, item: int) -> bool:
    """Whether nobody may be advised to act on an item, whatever else speaks for it.

    So it is while an opinion against it is unresolved, a dispute is open, or it is limited to review. One read where
    nobody ever said anything about the item.
    """
    now = condition(view, item)
    if now is None:
        return False
    if now.limit is not LimitCause.NONE or now.dispute:
        return True
    return any(unresolved(row, now) for row in opinions(view, item))


def dispute(view: View, number: int) -> DisputeRow | None:
    """The dispute with this id, also when it is closed."""
    value = view.rows.get(Table.DISPUTES, u64(number))
    return None if value is None else DisputeRow.decode(number, value)


def disputes(view: View, after: int = 0) -> Iterator[DisputeRow]:
    """Disputes, the oldest first, from the first id after ``after`` on."""
    for key, value in view.rows.scan(Table.DISPUTES, start=u64(after + 1)):
        yield DisputeRow.decode(int.from_bytes(key, "big"), value)


def votes(view: View, number: int) -> list[VoteRow]:
    """Votes on a dispute, by pseudonym."""
    return [
        VoteRow.decode(number, key[8:], value) for key, value in view.rows.scan(Table.DISPUTE_VOTES, prefix=u64(number))
    ]


def challenge(view: View, number: int) -> ChallengeRow | None:
    """The challenge with this id, also when it is closed."""
    value = view.rows.get(Table.CHALLENGES, u64(number))
    return None if value is None else ChallengeRow.decode(number, value)


def challenges(view: View, after: int = 0) -> Iterator[ChallengeRow]:
    """Challenges, the oldest first, from the first id after ``after`` on."""
    for key, value in view.rows.scan(Table.CHALLENGES, start=u64(after + 1)):
        yield ChallengeRow.decode(int.from_bytes(key, "big"), value)


def limited(view: View, after: int = 0) -> Iterator[ConditionRow]:
    """Items that are limited to review, by growing id. Reads a row for each item that anybody spoke about."""
    for key, value in view.rows.scan(Table.CONDITIONS, start=u64(after + 1)):
        row = ConditionRow.decode(int.from_bytes(key, "big"), value)
        if row.limit is not LimitCause.NONE:
            yield row
