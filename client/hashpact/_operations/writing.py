"""Contributing, amending, withdrawing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from hashpact import _convert as convert
from hashpact import _wire as wire
from hashpact._media import Contribution
from hashpact._operations.chunks import cut
from hashpact._operations.session import BUSY, Session, limits_may_be_old, limits_of, new_request_id, require_id
from hashpact._wire import Operation, ask
from hashpact.errors import InvalidRequestError
from hashpact.items import AmendResult, ContributeResult, WithdrawResult
from hashpact.signals import Signal
from hashpact.v1 import contribution_service_pb2, item_pb2

REQUEST_ID_CHARACTERS_MAX: Final = 64


def contribute(
    session: Session,
    contributions: Sequence[tuple[Contribution, tuple[Signal, ...]]],
    *,
    request_id: str | None,
    validate_only: bool,
) -> Operation[ContributeResult]:
    """Contribute a batch, split by the server's limits.

    The parts go one after the other: each contribution sees those before it, as within one call, so the outcome
    does not depend on how the batch was cut. Each part has its own id, made from the caller's: the same batch sent
    again with the same id does nothing twice.
    """
    given_id = new_request_id(request_id)
    if not contributions:
        return ContributeResult((), "", given_id)
    messages = [_contribution_message(contribution, signals) for contribution, signals in contributions]
    chunks = [messages]
    if len(messages) > 1:
        limits = yield from limits_of(session)
        chunks = cut(
            messages,
            [(0, message.ByteSize()) for message in messages],
            members_max=limits.contributions_max,
            values_max=0,
            message_bytes_max=limits.message_bytes_max,
        )
    outcomes = []
    as_of = ""
    for number, chunk in enumerate(chunks):
        part_id = _part_id(given_id, number, len(chunks))
        request = contribution_service_pb2.ContributeRequest(
            request_id=part_id, validate_only=validate_only, contributions=chunk
        )
        with limits_may_be_old(session):
            response = yield from ask(write(wire.CONTRIBUTE, request, part_id))
        session.wrote(response.as_of)
        as_of = response.as_of
        if len(response.outcomes) != len(chunk):
            raise convert.nonsense(f"{len(response.outcomes)} outcomes for {len(chunk)} contributions")
        outcomes += [convert.outcome_of(outcome) for outcome in response.outcomes]
    return ContributeResult(tuple(outcomes), as_of, given_id)


def _part_id(given_id: str, number: int, parts: int) -> str:
    if not given_id or parts == 1:
        return given_id
    part_id = f"{given_id}-{number + 1}of{parts}"
    if len(part_id) > REQUEST_ID_CHARACTERS_MAX:
        raise InvalidRequestError(
            f"this batch goes out in {parts} parts, so its request_id has at most "
            f"{REQUEST_ID_CHARACTERS_MAX - len(part_id) + len(given_id)} characters",
            reason="FIELD_INVALID",
            violations=[("request_id", "too long for a batch in parts")],
        )
    return part_id


def _contribution_message(
    contribution: Contribution, signals: tuple[Signal, ...]
) -> contribution_service_pb2.Contribution:
    if isinstance(contribution.labels, str):
        raise _one_text()
    if contribution.attach_to:
        require_id("attach_to", contribution.attach_to)
    observed = contribution.observed_time
    return contribution_service_pb2.Contribution(
        signals=[convert.signal_message(signal) for signal in signals],
        labels=list(contribution.labels),
        attestation=item_pb2.Attestation(
            basis=convert.BASES.number(contribution.basis, "basis"),
            observed_time=None if observed is None else convert.timestamp(observed, "observed_time"),
            observer_role=contribution.observer_role,
        ),
        attach_to=contribution.attach_to,
    )


def _one_text() -> InvalidRequestError:
    return InvalidRequestError.about("labels", "labels is a list of labels, not one text")


def amend(
    session: Session,
    item: int,
    *,
    labels: Iterable[str],
    signals: tuple[Signal, ...],
    request_id: str | None,
    validate_only: bool,
) -> Operation[AmendResult]:
    """Change the caller's own contribution."""
    require_id("item", item)
    if isinstance(labels, str):
        raise _one_text()
    given_id = new_request_id(request_id)
    request = contribution_service_pb2.AmendRequest(
        request_id=given_id,
        validate_only=validate_only,
        item=item,
        labels=list(labels),
        attach_signals=[convert.signal_message(signal) for signal in signals],
    )
    response = yield from ask(write(wire.AMEND, request, given_id))
    session.wrote(response.as_of)
    problems = convert.problems_of(response.problems)
    return AmendResult(convert.item_of(response.item), problems, response.as_of, response.pending)


def withdraw(
    session: Session, item: int, *, reason: str | None, request_id: str | None, validate_only: bool
) -> Operation[WithdrawResult]:
    """Take back."""
    require_id("item", item)
    given_id = new_request_id(request_id)
    why: contribution_service_pb2.WithdrawalReason.ValueType = (
        convert.WITHDRAWAL_REASONS.number(reason, "reason")
        if reason
        else contribution_service_pb2.WITHDRAWAL_REASON_UNSPECIFIED
    )
    request = contribution_service_pb2.WithdrawRequest(
        request_id=given_id,
        validate_only=validate_only,
        item=item,
        reason=why,
    )
    response = yield from ask(write(wire.WITHDRAW, request, given_id))
    session.wrote(response.as_of)
    status = convert.STATUSES.word(response.status)
    return WithdrawResult(item, status, response.contributions_left, response.as_of)


def write(method: wire.Method[wire.Response], request: Any, request_id: str) -> wire.Call[wire.Response]:
    """A write: repeated only when the server can tell that it is the same one."""
    return wire.Call(method, request, repeatable=bool(request_id), wait_for=BUSY if request_id else frozenset())
