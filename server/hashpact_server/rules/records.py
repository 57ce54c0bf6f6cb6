"""Member records: what one steward may change of a member, what takes two, and how a member leaves.

One steward may only narrow and note: fewer rights, four eyes, how people are reached. What widens (another corporate
group, more rights, four eyes no more, confirmation) and what lasts (leaving) are motions (``motions``), whose checks
and deeds stand here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

from hashpact.v1 import error_reason_pb2

from hashpact_server.ledger.entry import SERVICE, Draft, Kind
from hashpact_server.ledger.payloads_members import LeftClear, RecordClear, RecordPayload
from hashpact_server.ledger.payloads_steward import RollbackClear
from hashpact_server.refusal import Refusal, invalid_field
from hashpact_server.rules.grants import member_left
from hashpact_server.rules.members import check_name, check_not_last_steward, check_roles, existing_member
from hashpact_server.rules.texts import clean_text
from hashpact_server.scene import Scene
from hashpact_server.state.members import Tier, record_of
from hashpact_server.state.rollbacks import running
from hashpact_server.state.rows import MemberRow, Role
from hashpact_server.state.view import View

AGREEMENT_CHARACTERS_MAX: Final = 64
CONTACT_CHARACTERS_MAX: Final = 200
TIME_MS_MAX: Final = 253_402_300_799_999


@dataclass(frozen=True, slots=True)
class Amendment:
    """What one steward changes of a member's record; None: leave it.

    Attributes:
        agreement: version of the agreement that it signed.
        contact_day: how a person there is reached by day.
        contact_night: the same by night.
        next_review_ms: when the record is to be looked at again, Unix time in ms.
        four_eyes: whether its contributions wait for a colleague.
        remove_roles: rights that it has no longer.
    """

    agreement: str | None = None
    contact_day: str | None = None
    contact_night: str | None = None
    next_review_ms: int | None = None
    four_eyes: bool | None = None
    remove_roles: frozenset[int] = frozenset()


def active_member(view: View, name: str) -> MemberRow:
    """The member with this name, which did not leave.

    Raises:
        Refusal: MEMBER_NOT_FOUND, MEMBER_LEFT.
    """
    row = existing_member(view, name)
    if record_of(view, row.pseudonym).tier is Tier.LEFT:
        raise member_left()
    return row


def stated(view: View, row: MemberRow) -> tuple[RecordClear, RecordPayload]:
    """The record of a member as it stands; of what was redacted, nothing."""
    record = record_of(view, row.pseudonym)
    clear = RecordClear(row.pseudonym, record.tier, record.four_eyes, record.next_review_ms, row.roles)
    payload = view.entry(record.sequence).payload if record.sequence else None
    said = RecordPayload() if payload is None else RecordPayload.decode(payload)
    return clear, replace(said, group=row.group)


def amend_record(scene: Scene, actor: bytes, name: str, change: Amendment) -> MemberRow:
    """Change a member's record, as one steward may. Nothing is recorded when it stands so already.

    Raises:
        Refusal: MEMBER_NOT_FOUND, MEMBER_LEFT, LAST_STEWARD, TWO_STEWARDS_NEEDED, FIELD_INVALID.
    """
    row = active_member(scene, name)
    clear, said = stated(scene, row)
    change = _clean(change)
    if change.four_eyes is False and clear.four_eyes:
        raise Refusal(
            error_reason_pb2.ERROR_REASON_TWO_STEWARDS_NEEDED,
            "that a member's contributions need four eyes no more takes two stewards: propose it",
        )
    roles = tuple(role for role in row.roles if role not in change.remove_roles)
    if not roles:
        raise invalid_field("remove_roles", "none would be left; suspend the member instead")
    if Role.STEWARD not in roles:
        check_not_last_steward(scene, row)
    review = clear.next_review_ms if change.next_review_ms is None else change.next_review_ms
    clear = replace(clear, roles=roles, next_review_ms=review, four_eyes=clear.four_eyes or bool(change.four_eyes))
    said = RecordPayload(
        said.group,
        said.agreement if change.agreement is None else change.agreement,
        said.contact_day if change.contact_day is None else change.contact_day,
        said.contact_night if change.contact_night is None else change.contact_night,
    )
    return _record(scene, actor, row, clear, said)


def _clean(change: Amendment) -> Amendment:
    def clean(field: str, sent: str | None, characters_max: int) -> str | None:
        return None if sent is None else clean_text(field, sent, characters_max)

    return replace(
        change,
        agreement=clean("agreement", change.agreement, AGREEMENT_CHARACTERS_MAX),
        contact_day=clean("contact_day", change.contact_day, CONTACT_CHARACTERS_MAX),
        contact_night=clean("contact_night", change.contact_night, CONTACT_CHARACTERS_MAX),
    )


def check_confirm(view: View, act: Any) -> None:
    """Before two stewards confirm a member.

    Raises:
        Refusal: MEMBER_NOT_FOUND, MEMBER_LEFT; FIELD_INVALID when it is a full member already, or has a token that a
            steward handed over: whoever did so could speak with its voice.
    """
    row = active_member(view, act.member)
    if record_of(view, row.pseudonym).tier is Tier.FULL:
        raise invalid_field("member", "is a full member already")
    handed = [token.token_id for token in view.tokens() if token.pseudonym == row.pseudonym and _handed(view, token)]
    if handed:
        raise invalid_field(
            "member",
            f"a steward handed over its tokens {', '.join(map(str, handed))}: let it make its own and revoke these",
        )


def confirm(scene: Scene, actor: bytes, act: Any) -> None:
    """Make a member a full one; see :func:`check_confirm`."""
    row = active_member(scene, act.member)
    clear, said = stated(scene, row)
    _record(scene, actor, row, replace(clear, tier=Tier.FULL), said)


def check_amend(view: View, act: Any) -> None:
    """Before two stewards change what decides how a member counts.

    Raises:
        Refusal: MEMBER_NOT_FOUND, MEMBER_LEFT, LAST_STEWARD; FIELD_INVALID for a name, a role, or no change at all.
    """
    row = active_member(view, act.member)
    before = stated(view, row)
    after = _amended(row, act, *before)
    if after == before:
        raise invalid_field("act", "changes nothing of this member")
    if Role.STEWARD not in after[0].roles:
        check_not_last_steward(view, row)


def carry_out_amend(scene: Scene, actor: bytes, act: Any) -> None:
    """Change what decides how a member counts; see :func:`check_amend`."""
    row = active_member(scene, act.member)
    _record(scene, actor, row, *_amended(row, act, *stated(scene, row)))


def check_dismiss(view: View, act: Any) -> None:
    """Before a member leaves.

    Raises:
        Refusal: MEMBER_NOT_FOUND, MEMBER_LEFT, LAST_STEWARD, ROLLBACK_RUNNING; FIELD_INVALID for a time that is none.
    """
    row = active_member(view, act.member)
    check_not_last_steward(view, row)
    _deleted_ms(act)
    if act.withdraw_contributions and any(each.pseudonym == row.pseudonym for each in running(view.rows)):
        raise Refusal(
            error_reason_pb2.ERROR_REASON_ROLLBACK_RUNNING,
            "a rollback of this member still goes on: wait until it is finished",
        )


def dismiss(scene: Scene, actor: bytes, act: Any) -> None:
    """Let a member leave: its tokens end, and its judgement counts for nothing; see :func:`check_dismiss`.

    Where its contributions are withdrawn, a rollback of all that it ever did to items does it, piece by piece.
    """
    row = active_member(scene, act.member)
    tokens = tuple(token.token_id for token in scene.tokens() if token.pseudonym == row.pseudonym)
    clear = LeftClear(row.pseudonym, act.withdraw_contributions, _deleted_ms(act), tokens)
    scene.record(Draft(Kind.MEMBER_LEFT, actor, row.created_sequence, clear=clear.encode()))
    if act.withdraw_contributions:
        everything = RollbackClear(row.pseudonym, 0, row.created_sequence)
        scene.record(Draft(Kind.ROLLBACK_ORDERED, actor, clear=everything.encode()))


def _amended(row: MemberRow, act: Any, clear: RecordClear, said: RecordPayload) -> tuple[RecordClear, RecordPayload]:
    if act.group:
        said = replace(said, group=check_name("group", act.group))
    if act.roles:
        clear = replace(clear, roles=check_roles(act.roles))
    if act.HasField("four_eyes"):
        clear = replace(clear, four_eyes=act.four_eyes)
    if act.on_trial:
        clear = replace(clear, tier=Tier.TRIAL)
    return replace(clear, pseudonym=row.pseudonym), said


def _record(scene: Scene, actor: bytes, row: MemberRow, clear: RecordClear, said: RecordPayload) -> MemberRow:
    if (clear, said) == stated(scene, row):
        return row
    scene.record(Draft(Kind.MEMBER_AMENDED, actor, row.created_sequence, clear=clear.encode(), payload=said.encode()))
    return existing_member(scene, row.name)


def _deleted_ms(act: Any) -> int:
    if not act.HasField("copies_deleted_time"):
        return 0
    sent = act.copies_deleted_time
    made: int = sent.seconds * 1000 + sent.nanos // 1_000_000
    if not 0 < made <= TIME_MS_MAX:
        raise invalid_field("copies_deleted_time", "is no time between 1970 and 9999")
    return made


def _handed(view: View, token: Any) -> bool:
    """Whether a token was issued by another member: by a steward."""
    return view.entry(token.token_id).member not in (token.pseudonym, SERVICE)


def role_numbers(roles: Iterable[int]) -> frozenset[int]:
    """Rights that are to be removed.

    Raises:
        Refusal: FIELD_INVALID: one that does not exist.
    """
    return frozenset(check_roles(roles)) if roles else frozenset()
