"""Between messages about judgement and the client's objects."""

from __future__ import annotations

from hashpact import _convert as convert
from hashpact._convert import Words, time_of
from hashpact.opinions import Challenge, Dispute, ItemJudgement, JudgementCounts, Opinion, Vote
from hashpact.v1 import opinion_service_pb2 as pb

CODES = Words(pb.OpinionCode, "OPINION_CODE_")
LIMIT_CAUSES = Words(pb.LimitCause, "LIMIT_CAUSE_")
DISPUTE_GROUNDS = Words(pb.DisputeGrounds, "DISPUTE_GROUNDS_")
DISPUTE_OUTCOMES = Words(pb.DisputeOutcome, "DISPUTE_OUTCOME_")
VERDICTS = Words(pb.Verdict, "VERDICT_")
CHALLENGE_GROUNDS = Words(pb.ChallengeGrounds, "CHALLENGE_GROUNDS_")
CHALLENGE_OUTCOMES = Words(pb.ChallengeOutcome, "CHALLENGE_OUTCOME_")


def opinion_of(message: pb.Opinion) -> Opinion:
    """An opinion."""
    return Opinion(
        member=message.member,
        code=CODES.word(message.code),
        basis=convert.BASES.word(message.attestation.basis),
        observed_time=time_of(message.attestation, "observed_time"),
        observer_role=message.attestation.observer_role,
        labels=tuple(message.labels),
        note=message.note,
        update_time=time_of(message, "update_time"),
        sequence=message.sequence,
        standing=message.standing,
        unresolved=message.unresolved,
        redacted=message.redacted,
    )


def judgement_of(message: pb.ListOpinionsResponse) -> ItemJudgement:
    """The opinions on an item, and what holds for it."""
    return ItemJudgement(
        opinions=tuple(opinion_of(each) for each in message.opinions),
        status=convert.STATUSES.word(message.status),
        act_stopped=message.act_stopped,
        limit=LIMIT_CAUSES.word(message.limit),
        dispute=message.dispute,
        judging_groups=message.judging_groups,
        groups_needed=message.groups_needed,
    )


def dispute_of(message: pb.Dispute) -> Dispute:
    """A dispute."""
    return Dispute(
        dispute=message.dispute,
        item=message.item,
        opener=message.opener,
        grounds=DISPUTE_GROUNDS.word(message.grounds),
        statement=message.statement,
        open_time=time_of(message, "open_time"),
        due_time=time_of(message, "due_time"),
        outcome=DISPUTE_OUTCOMES.word(message.outcome),
        close_time=time_of(message, "close_time"),
        votes=tuple(_vote_of(each) for each in message.votes),
        challenge=message.challenge,
        redacted=message.redacted,
    )


def _vote_of(message: pb.Vote) -> Vote:
    return Vote(
        member=message.member,
        verdict=VERDICTS.word(message.verdict),
        labels=tuple(message.labels),
        statement=message.statement,
        update_time=time_of(message, "update_time"),
        redacted=message.redacted,
    )


def challenge_of(message: pb.Challenge) -> Challenge:
    """A challenge."""
    return Challenge(
        challenge=message.challenge,
        item=message.item,
        lodger=message.lodger,
        grounds=CHALLENGE_GROUNDS.word(message.grounds),
        statement=message.statement,
        reference=message.reference,
        lodge_time=time_of(message, "lodge_time"),
        due_time=time_of(message, "due_time"),
        outcome=CHALLENGE_OUTCOMES.word(message.outcome),
        close_time=time_of(message, "close_time"),
        answer=message.answer,
        answered_by=message.answered_by,
        dispute=message.dispute,
        by_signals=message.by_signals,
        redacted=message.redacted,
    )


def counts_of(message: pb.GetJudgementCountsResponse) -> JudgementCounts:
    """The public figures."""
    return JudgementCounts(
        {DISPUTE_OUTCOMES.word(each.outcome): each.count for each in message.disputes},
        {CHALLENGE_OUTCOMES.word(each.outcome): each.count for each in message.challenges},
    )
