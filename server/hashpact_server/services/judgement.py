"""Opinions, disputes and challenges as the wire shows them: rows, with what people wrote read from their entries."""

from __future__ import annotations

from hashpact.v1 import item_pb2
from hashpact.v1 import opinion_service_pb2 as pb

from hashpact_server.ledger.entry import SERVICE
from hashpact_server.ledger.payloads_judgement import (
    ChallengeClear,
    ChallengePayload,
    OpinionPayload,
    VotePayload,
    said,
)
from hashpact_server.services.caller import Caller
from hashpact_server.services.reading import timestamp
from hashpact_server.state.judgement import condition, unresolved, votes
from hashpact_server.state.judgement_rows import (
    ChallengeOutcome,
    ChallengeRow,
    DisputeOutcome,
    DisputeRow,
    OpinionCode,
    OpinionRow,
    Verdict,
    VoteRow,
)
from hashpact_server.state.rows import Role
from hashpact_server.state.view import View


def encode_opinion(view: View, row: OpinionRow) -> pb.Opinion:
    """An opinion. Of a revoked one only its code is told: what was said with it was taken back."""
    entry = view.entry(row.sequence)
    wrote = OpinionPayload.decode(entry.payload) if row.standing and entry.payload is not None else None
    encoded = pb.Opinion(
        member=_name(view, row.pseudonym),
        code=pb.OpinionCode.ValueType(row.code),
        labels=wrote.labels if wrote else (),
        note=wrote.note if wrote else "",
        update_time=timestamp(entry.time_ms),
        sequence=row.sequence,
        standing=row.standing,
        unresolved=unresolved(row, condition(view, row.item)),
        redacted=wrote is None,
    )
    if row.code is OpinionCode.AGREE:
        encoded.attestation.basis = item_pb2.AttestationBasis.ValueType(row.basis)
        encoded.attestation.observer_role = wrote.observer_role if wrote else ""
        if wrote and wrote.observed_ms:
            encoded.attestation.observed_time.CopyFrom(timestamp(wrote.observed_ms))
    return encoded


def encode_dispute(view: View, row: DisputeRow) -> pb.Dispute:
    """A dispute with its votes."""
    entry = view.entry(row.dispute)
    encoded = pb.Dispute(
        dispute=row.dispute,
        item=row.item,
        opener=_name(view, row.opener),
        grounds=pb.DisputeGrounds.ValueType(row.grounds),
        statement=said(entry.payload),
        open_time=timestamp(entry.time_ms),
        due_time=timestamp(row.due_ms),
        outcome=pb.DisputeOutcome.ValueType(row.outcome),
        votes=[_encode_vote(view, each) for each in sorted(votes(view, row.dispute), key=lambda each: each.sequence)],
        challenge=row.challenge,
        redacted=entry.payload is None,
    )
    if row.outcome is not DisputeOutcome.OPEN:
        encoded.close_time.CopyFrom(timestamp(view.entry(row.closed_by).time_ms))
    return encoded


def encode_challenge(view: View, row: ChallengeRow, caller: Caller) -> pb.Challenge:
    """A challenge; what the person wrote, for those who are to know it."""
    entry = view.entry(row.challenge)
    wrote = None if entry.payload is None else ChallengePayload.decode(entry.payload)
    told = _is_told(view, row, caller)
    encoded = pb.Challenge(
        challenge=row.challenge,
        item=row.item,
        lodger=_name(view, row.lodger),
        grounds=pb.ChallengeGrounds.ValueType(row.grounds),
        statement=wrote.statement if wrote and told else "",
        reference=wrote.reference if wrote and told else "",
        lodge_time=timestamp(entry.time_ms),
        due_time=timestamp(row.due_ms),
        outcome=pb.ChallengeOutcome.ValueType(row.outcome),
        dispute=row.dispute,
        by_signals=ChallengeClear.decode(entry.clear).by_signals,
        redacted=wrote is None,
    )
    if row.outcome is not ChallengeOutcome.OPEN:
        closing = view.entry(row.closed_by)
        encoded.close_time.CopyFrom(timestamp(closing.time_ms))
        encoded.answered_by = _name(view, closing.member)
        encoded.answer = said(closing.payload) if told and closing.member != SERVICE else ""
    return encoded


def _is_told(view: View, row: ChallengeRow, caller: Caller) -> bool:
    """Who holds the item, or did; who lodged it; stewards."""
    return (
        caller.has(Role.STEWARD)
        or caller.pseudonym == row.lodger
        or any(view.entry(sequence).member == caller.pseudonym for sequence in view.signal_entries(row.item))
    )


def _encode_vote(view: View, row: VoteRow) -> pb.Vote:
    entry = view.entry(row.sequence)
    wrote = None if entry.payload is None else VotePayload.decode(entry.payload)
    return pb.Vote(
        member=_name(view, row.pseudonym),
        verdict=pb.Verdict.ValueType(row.verdict),
        # What is left of labels after a redaction are their public classes.
        labels=(wrote.labels if wrote else entry.classes) if row.verdict is Verdict.RELABEL else (),
        statement=wrote.statement if wrote else "",
        update_time=timestamp(entry.time_ms),
        redacted=wrote is None,
    )


def _name(view: View, pseudonym: bytes) -> str:
    member = view.member(pseudonym)
    return member.name if member else ""
