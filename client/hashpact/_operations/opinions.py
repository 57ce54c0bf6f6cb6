"""Opinions, disputes and challenges."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from hashpact import _convert as convert
from hashpact import _convert_opinions as told
from hashpact import _wire as wire
from hashpact._operations.reading import fresh
from hashpact._operations.session import Session, new_request_id, require_count, require_id
from hashpact._operations.writing import write
from hashpact._wire import Operation, ask
from hashpact.errors import InvalidRequestError
from hashpact.opinions import Challenge, Dispute, GivenOpinion, ItemJudgement, JudgementCounts
from hashpact.signals import Signal
from hashpact.v1 import item_pb2
from hashpact.v1 import opinion_service_pb2 as pb


def give(
    session: Session,
    item: int,
    code: str,
    *,
    basis: str,
    observer_role: str,
    observed_time: datetime | None,
    labels: Iterable[str],
    note: str,
    request_id: str | None,
    validate_only: bool,
) -> Operation[GivenOpinion]:
    """Give an opinion."""
    require_id("item", item)
    number = told.CODES.number(code, "code")
    attestation = None
    if number == pb.OPINION_CODE_AGREE:
        attestation = item_pb2.Attestation(
            basis=convert.BASES.number(basis, "basis"),
            observed_time=None if observed_time is None else convert.timestamp(observed_time, "observed_time"),
            observer_role=observer_role,
        )
    elif observer_role or observed_time is not None:
        raise InvalidRequestError.about("observed_time", "who looked, and when, goes with agree alone")
    given_id = new_request_id(request_id)
    request = pb.GiveOpinionRequest(
        request_id=given_id,
        validate_only=validate_only,
        item=item,
        code=number,
        attestation=attestation,
        labels=_labels(labels),
        note=note,
    )
    response = yield from ask(write(wire.GIVE_OPINION, request, given_id))
    session.wrote(response.as_of)
    return GivenOpinion(told.opinion_of(response.opinion), convert.STATUSES.word(response.status), response.as_of)


def revoke(session: Session, item: int, *, request_id: str | None, validate_only: bool) -> Operation[str]:
    """Take an opinion back."""
    require_id("item", item)
    given_id = new_request_id(request_id)
    request = pb.RevokeOpinionRequest(request_id=given_id, validate_only=validate_only, item=item)
    response = yield from ask(write(wire.REVOKE_OPINION, request, given_id))
    session.wrote(response.as_of)
    return convert.STATUSES.word(response.status)


def list_opinions(session: Session, item: int, *, at_least_as_fresh: str) -> Operation[ItemJudgement]:
    """Ask for the opinions on an item."""
    require_id("item", item)

    def read(token: str, wait_for: frozenset[str]) -> Operation[ItemJudgement]:
        request = pb.ListOpinionsRequest(item=item, at_least_as_fresh=token)
        response = yield from ask(wire.Call(wire.LIST_OPINIONS, request, wait_for=wait_for))
        return told.judgement_of(response)

    return (yield from fresh(session, at_least_as_fresh, read))


def open_dispute(
    session: Session, item: int, grounds: str, statement: str, *, request_id: str | None, validate_only: bool
) -> Operation[Dispute]:
    """Open a dispute."""
    require_id("item", item)
    given_id = new_request_id(request_id)
    request = pb.OpenDisputeRequest(
        request_id=given_id,
        validate_only=validate_only,
        item=item,
        grounds=told.DISPUTE_GROUNDS.number(grounds, "grounds"),
        statement=statement,
    )
    response = yield from ask(write(wire.OPEN_DISPUTE, request, given_id))
    session.wrote(response.as_of)
    return told.dispute_of(response.dispute)


def vote(
    session: Session,
    dispute: int,
    verdict: str,
    *,
    labels: Iterable[str],
    statement: str,
    request_id: str | None,
    validate_only: bool,
) -> Operation[Dispute]:
    """Vote on a dispute."""
    require_id("dispute", dispute)
    given_id = new_request_id(request_id)
    request = pb.VoteOnDisputeRequest(
        request_id=given_id,
        validate_only=validate_only,
        dispute=dispute,
        verdict=told.VERDICTS.number(verdict, "verdict"),
        labels=_labels(labels),
        statement=statement,
    )
    response = yield from ask(write(wire.VOTE_ON_DISPUTE, request, given_id))
    session.wrote(response.as_of)
    return told.dispute_of(response.dispute)


def list_disputes_page(
    session: Session, page_token: str, *, with_closed: bool, item: int, page_size: int, at_least_as_fresh: str
) -> Operation[tuple[list[Dispute], str]]:
    """Ask for a page of disputes."""
    require_count("page_size", page_size)
    _require_id_or_none("item", item)

    def read(token: str, wait_for: frozenset[str]) -> Operation[tuple[list[Dispute], str]]:
        request = pb.ListDisputesRequest(
            with_closed=with_closed, item=item, page_size=page_size, page_token=page_token, at_least_as_fresh=token
        )
        response = yield from ask(wire.Call(wire.LIST_DISPUTES, request, wait_for=wait_for))
        more = convert.next_page(page_token, response.next_page_token)
        return [told.dispute_of(each) for each in response.disputes], more

    return (yield from fresh(session, at_least_as_fresh, read))


def lodge(
    session: Session,
    item: int,
    signals: tuple[Signal, ...],
    *,
    grounds: str,
    statement: str,
    reference: str,
    request_id: str | None,
    validate_only: bool,
) -> Operation[list[Challenge]]:
    """Lodge a challenge."""
    _require_id_or_none("item", item)
    given_id = new_request_id(request_id)
    request = pb.LodgeChallengeRequest(
        request_id=given_id,
        validate_only=validate_only,
        item=item,
        signals=[convert.signal_message(signal) for signal in signals],
        grounds=told.CHALLENGE_GROUNDS.number(grounds, "grounds"),
        statement=statement,
        reference=reference,
    )
    response = yield from ask(write(wire.LODGE_CHALLENGE, request, given_id))
    session.wrote(response.as_of)
    return [told.challenge_of(each) for each in response.challenges]


def answer(
    session: Session,
    challenge: int,
    outcome: str,
    statement: str,
    *,
    labels: Iterable[str],
    request_id: str | None,
    validate_only: bool,
) -> Operation[Challenge]:
    """Answer a challenge."""
    require_id("challenge", challenge)
    given_id = new_request_id(request_id)
    request = pb.AnswerChallengeRequest(
        request_id=given_id,
        validate_only=validate_only,
        challenge=challenge,
        answer=told.CHALLENGE_OUTCOMES.number(outcome, "answer"),
        statement=statement,
        labels=_labels(labels),
    )
    response = yield from ask(write(wire.ANSWER_CHALLENGE, request, given_id))
    session.wrote(response.as_of)
    return told.challenge_of(response.challenge)


def list_challenges_page(
    session: Session,
    page_token: str,
    *,
    with_closed: bool,
    item: int,
    mine: bool,
    page_size: int,
    at_least_as_fresh: str,
) -> Operation[tuple[list[Challenge], str]]:
    """Ask for a page of challenges."""
    require_count("page_size", page_size)
    _require_id_or_none("item", item)

    def read(token: str, wait_for: frozenset[str]) -> Operation[tuple[list[Challenge], str]]:
        request = pb.ListChallengesRequest(
            with_closed=with_closed,
            item=item,
            mine=mine,
            page_size=page_size,
            page_token=page_token,
            at_least_as_fresh=token,
        )
        response = yield from ask(wire.Call(wire.LIST_CHALLENGES, request, wait_for=wait_for))
        more = convert.next_page(page_token, response.next_page_token)
        return [told.challenge_of(each) for each in response.challenges], more

    return (yield from fresh(session, at_least_as_fresh, read))


def counts(session: Session, *, at_least_as_fresh: str) -> Operation[JudgementCounts]:
    """Ask for the public figures."""

    def read(token: str, wait_for: frozenset[str]) -> Operation[JudgementCounts]:
        request = pb.GetJudgementCountsRequest(at_least_as_fresh=token)
        response = yield from ask(wire.Call(wire.GET_JUDGEMENT_COUNTS, request, wait_for=wait_for))
        return told.counts_of(response)

    return (yield from fresh(session, at_least_as_fresh, read))


def _labels(labels: Iterable[str]) -> list[str]:
    if isinstance(labels, str):
        raise InvalidRequestError.about("labels", "labels is a list of labels, not one text")
    return list(labels)


def _require_id_or_none(field: str, value: Any) -> None:
    if value != 0 or isinstance(value, bool):
        require_id(field, value)
