"""Members and their tokens on the wire."""

from __future__ import annotations

from collections.abc import Iterable

from hashpact.v1 import member_service_pb2 as pb

from hashpact_server.ledger.entry import SERVICE
from hashpact_server.ledger.payloads_members import LeftClear
from hashpact_server.refusal import invalid_field
from hashpact_server.roster import rights
from hashpact_server.rules import records
from hashpact_server.services.reading import time_ms, timestamp
from hashpact_server.state.members import record_of
from hashpact_server.state.rows import MemberRow, TokenRow
from hashpact_server.state.view import View


def amendment_of(request: pb.AmendMemberRequest) -> records.Amendment:
    """What is to be changed of a member's record.

    Raises:
        Refusal: FIELD_INVALID for a time that is none, or a role that does not exist.
    """
    review = time_ms(request.next_review_time) if request.HasField("next_review_time") else 0
    if review is None:
        raise invalid_field("next_review_time", "is no time between 1970 and 9999")
    return records.Amendment(
        agreement=request.agreement if request.HasField("agreement") else None,
        contact_day=request.contact_day if request.HasField("contact_day") else None,
        contact_night=request.contact_night if request.HasField("contact_night") else None,
        next_review_ms=review if request.HasField("next_review_time") else None,
        four_eyes=request.four_eyes if request.HasField("four_eyes") else None,
        remove_roles=records.role_numbers(request.remove_roles),
    )


def encode_member(view: View, row: MemberRow, tokens: Iterable[TokenRow], *, contacts: bool) -> pb.Member:
    """A member with its record.

    Args:
        view: where it stands.
        row: the member.
        tokens: tokens, among them all of this member's.
        contacts: whether to tell how its people are reached.
    """
    record, (_, said) = record_of(view, row.pseudonym), records.stated(view, row)
    told = pb.Member(
        name=row.name,
        roles=[pb.Role.ValueType(role) for role in row.roles],
        group=row.group,
        suspended=row.suspended,
        create_time=timestamp(view.entry(row.created_sequence).time_ms),
        tokens=[encode_token(view, token) for token in tokens if token.pseudonym == row.pseudonym],
        tier=pb.MemberTier.ValueType(record.tier),
        four_eyes=record.four_eyes,
        agreement=said.agreement,
        contact_day=said.contact_day if contacts else "",
        contact_night=said.contact_night if contacts else "",
    )
    if record.next_review_ms:
        told.next_review_time.CopyFrom(timestamp(record.next_review_ms))
    if record.left_sequence:
        entry = view.entry(record.left_sequence)
        left = LeftClear.decode(entry.clear)
        told.leave_time.CopyFrom(timestamp(entry.time_ms))
        told.contributions_withdrawn = left.withdrawn
        if left.copies_deleted_ms:
            told.copies_deleted_time.CopyFrom(timestamp(left.copies_deleted_ms))
    return told


def encode_token(view: View, row: TokenRow) -> pb.MemberToken:
    """What is known of a token."""
    entry, owner = view.entry(row.token_id), view.member(row.pseudonym)
    issuer = None if entry.member == SERVICE else view.member(entry.member)
    token = pb.MemberToken(
        token_id=row.token_id,
        create_time=timestamp(entry.time_ms),
        roles=[pb.Role.ValueType(role) for role in (rights(owner, row) if owner else ())],
        issued_by=issuer.name if issuer else "",
    )
    if row.expiry_ms:
        token.expire_time.CopyFrom(timestamp(row.expiry_ms))
    return token
