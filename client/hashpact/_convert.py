"""Between messages of the wire and the client's objects, both ways. No decisions here."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Protocol

from google.protobuf.timestamp_pb2 import Timestamp

from hashpact.errors import InvalidRequestError, ServiceError
from hashpact.items import ContributionOutcome, Item, ItemContribution, ItemSignal, NearDuplicate
from hashpact.membership import Capabilities, Limits, Member, MemberToken, ReplicaStatus, SignalTypeInfo
from hashpact.pending import PendingContribution
from hashpact.results import Problem
from hashpact.signals import Signal
from hashpact.v1 import capabilities_service_pb2 as capabilities_pb2
from hashpact.v1 import contribution_service_pb2 as contribution_pb2
from hashpact.v1 import (
    error_reason_pb2,
    item_pb2,
    member_service_pb2,
    pending_service_pb2,
    signal_pb2,
)


class _EnumType(Protocol):
    def Name(self, number: Any) -> str:  # noqa: N802  # protobuf's own spelling
        """The full name of a number."""

    def Value(self, name: str) -> Any:  # noqa: N802  # protobuf's own spelling
        """The number of a full name."""

    def keys(self) -> Iterable[str]:
        """All full names."""


class Words:
    """The words of one enum: ``ITEM_STATUS_PROVISIONAL`` on the wire is ``provisional`` here."""

    def __init__(self, kind: object, prefix: str) -> None:
        self._kind: _EnumType = kind  # type: ignore[assignment]  # generated wrappers share no public type
        self._prefix = prefix

    def word(self, number: int) -> str:
        """The word of a number; "" for unspecified."""
        if number == 0:
            return ""
        try:
            return self._kind.Name(number).removeprefix(self._prefix).lower()
        except ValueError:
            return f"unknown-{number}"

    def number(self, word: str, field: str) -> Any:
        """The number of a word; dashes stand for underscores.

        Raises:
            InvalidRequestError: no such word; the message lists them.
        """
        known = self.known()
        normal = word.strip().lower().replace("-", "_")
        if normal not in known:
            raise InvalidRequestError.about(field, f"{field} is one of {', '.join(known)}; {word!r} is not")
        return self._kind.Value(f"{self._prefix}{normal.upper()}")

    def known(self) -> tuple[str, ...]:
        """Every word."""
        names = (name.removeprefix(self._prefix).lower() for name in self._kind.keys())  # noqa: SIM118  # not a dict
        return tuple(name for name in names if name != "unspecified")


STATUSES = Words(item_pb2.ItemStatus, "ITEM_STATUS_")
BASES = Words(item_pb2.AttestationBasis, "ATTESTATION_BASIS_")
ADVICE = Words(signal_pb2.Advice, "ADVICE_")
TIERS = Words(member_service_pb2.MemberTier, "MEMBER_TIER_")
ROLES = Words(member_service_pb2.Role, "ROLE_")
WITHDRAWAL_REASONS = Words(contribution_pb2.WithdrawalReason, "WITHDRAWAL_REASON_")
OUTCOMES = Words(contribution_pb2.ContributionOutcome.Result, "RESULT_")
_REASONS = Words(error_reason_pb2.ErrorReason, "ERROR_REASON_")


def reason(number: int) -> str:
    return _REASONS.word(number).upper()


def nonsense(what: str) -> ServiceError:
    """The error for an answer that no Hashpact server gives: ours must not be an ``IndexError`` of somebody's loop."""
    return ServiceError(
        f"the service answered something that makes no sense ({what}): it is broken, or no Hashpact server",
        reason="ANSWER_INVALID",
    )


def time_of(message: Any, name: str) -> datetime | None:
    """A timestamp field as UTC, or None when it is absent.

    Raises:
        ServiceError: a time that does not exist.
    """
    if not message.HasField(name):
        return None
    stamp: Timestamp = getattr(message, name)
    try:
        return stamp.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise nonsense(f"{name} is no time") from error


def next_page(page_token: str, answered: str) -> str:
    """The token of the page after the one asked for by ``page_token``.

    Raises:
        ServiceError: the same page again, which would go on for ever.
    """
    if answered and answered == page_token:
        raise nonsense("a page that is followed by itself")
    return answered


def timestamp(time: datetime, field: str) -> Timestamp:
    """A time for the wire.

    Raises:
        InvalidRequestError: a time without zone, which means something else on every machine.
    """
    if time.tzinfo is None:
        raise InvalidRequestError.about(
            field, f"{field} has no time zone: give it one, e.g. datetime.now(timezone.utc)"
        )
    stamp = Timestamp()
    stamp.FromDatetime(time.astimezone(UTC))
    return stamp


# --- to the wire ----------------------------------------------------------------------------------------------------


def number(field: str, value: int) -> int:
    """A number for the wire.

    Raises:
        InvalidRequestError: it is negative, or too large.
    """
    if not 0 <= value < 1 << 32:
        raise InvalidRequestError.about(field, f"{field} is a number, 0 or more")
    return value


def signal_message(signal: Signal) -> signal_pb2.Signal:
    """A signal."""
    stretch = signal.stretch_ms
    return signal_pb2.Signal(
        signal_type=signal.signal_type,
        value=signal.value,
        quality=signal.quality,
        stretch=None if stretch is None else signal_pb2.Stretch(start_ms=stretch[0], end_ms=stretch[1]),
    )


# --- from the wire --------------------------------------------------------------------------------------------------


def problems_of(messages: Iterable[contribution_pb2.SignalProblem]) -> tuple[Problem, ...]:
    """Signals that were not listed."""
    return tuple(Problem(one.signal_index, reason(one.reason), one.message) for one in messages)


def batch_problems(messages: Iterable[Any], field: str, start: int, count: int) -> list[Problem]:
    """Members of a batch that were not taken, where one part of the batch begins at ``start``.

    Raises:
        ServiceError: it names a member that was not sent.
    """
    if any(getattr(one, field) >= count for one in messages):
        raise nonsense("a member of the batch that was not sent")
    return [Problem(start + getattr(one, field), reason(one.reason), one.message) for one in messages]


def outcome_of(message: contribution_pb2.ContributionOutcome) -> ContributionOutcome:
    """What became of one contribution."""
    return ContributionOutcome(
        outcome=OUTCOMES.word(message.result),
        item=message.item,
        status=STATUSES.word(message.status),
        candidates=tuple(message.candidates),
        near_duplicates=tuple(
            NearDuplicate(near.item, near.signal_type, near.distance) for near in message.near_duplicates
        ),
        problems=problems_of(message.problems),
        reason=reason(message.reason),
        message=message.message,
        pending=message.pending,
    )


def stretch_of(message: item_pb2.ItemSignal | signal_pb2.Signal) -> tuple[int, int] | None:
    """The stretch of a video that a signal stands for.

    Raises:
        ServiceError: it ends before it begins.
    """
    if not message.HasField("stretch"):
        return None
    start_ms, end_ms = message.stretch.start_ms, message.stretch.end_ms
    if end_ms < start_ms:
        raise nonsense("a stretch that ends before it begins")
    return start_ms, end_ms


def item_of(message: item_pb2.Item) -> Item:
    """An item."""
    return Item(
        item=message.item,
        status=STATUSES.word(message.status),
        advice=ADVICE.word(message.advice),
        labels=tuple(message.labels),
        contributions=tuple(
            ItemContribution(
                member=one.member,
                labels=tuple(one.labels),
                basis=BASES.word(one.attestation.basis),
                observed_time=time_of(one.attestation, "observed_time"),
                observer_role=one.attestation.observer_role,
                update_time=time_of(one, "update_time"),
                sequence=one.sequence,
            )
            for one in message.contributions
        ),
        signals=tuple(
            ItemSignal(
                one.signal_type,
                one.value or None,
                one.quality if one.HasField("quality") else None,
                one.sequence,
                one.vouching_groups,
                stretch_of(one),
            )
            for one in message.signals
        ),
        create_time=time_of(message, "create_time"),
        redacted=message.redacted,
        review_time=time_of(message, "review_time"),
    )


def token_of(message: member_service_pb2.MemberToken) -> MemberToken:
    """What is known of a token."""
    return MemberToken(
        message.token_id,
        time_of(message, "create_time"),
        time_of(message, "expire_time"),
        tuple(ROLES.word(role) for role in message.roles),
        message.issued_by,
    )


def member_of(message: member_service_pb2.Member) -> Member:
    """A member."""
    return Member(
        name=message.name,
        roles=tuple(ROLES.word(role) for role in message.roles),
        group=message.group,
        suspended=message.suspended,
        create_time=time_of(message, "create_time"),
        tokens=tuple(token_of(token) for token in message.tokens),
        tier=TIERS.word(message.tier),
        four_eyes=message.four_eyes,
        next_review_time=time_of(message, "next_review_time"),
        agreement=message.agreement,
        contact_day=message.contact_day,
        contact_night=message.contact_night,
        leave_time=time_of(message, "leave_time"),
        copies_deleted_time=time_of(message, "copies_deleted_time"),
        contributions_withdrawn=message.contributions_withdrawn,
    )


def pending_of(message: pending_service_pb2.PendingContribution) -> PendingContribution:
    """What waits for a colleague."""
    return PendingContribution(
        pending=message.pending,
        signals=tuple(
            Signal(one.signal_type, one.value, one.quality if one.HasField("quality") else None, stretch_of(one))
            for one in message.signals
        ),
        labels=tuple(message.labels),
        basis=BASES.word(message.attestation.basis),
        observed_time=time_of(message.attestation, "observed_time"),
        observer_role=message.attestation.observer_role,
        attach_to=message.attach_to,
        amends=message.amends,
        token_id=message.token_id,
        create_time=time_of(message, "create_time"),
        lapse_time=time_of(message, "lapse_time"),
        redacted=message.redacted,
    )


def capabilities_of(message: capabilities_pb2.GetCapabilitiesResponse) -> Capabilities:
    """What the server can do."""
    return Capabilities(
        server_version=message.server_version,
        ledger_id=message.ledger_id,
        signal_types=tuple(
            SignalTypeInfo(
                kind.name,
                kind.size_bytes,
                kind.exact,
                kind.radius_default,
                kind.radius_max,
                kind.identifies,
                kind.quality_min,
                kind.comparison,
                kind.witness,
            )
            for kind in message.signal_types
        ),
        limits=Limits(**{name: getattr(message.limits, name) for name in Limits.__dataclass_fields__}),
        caller=message.caller,
        caller_roles=tuple(ROLES.word(role) for role in message.caller_roles),
        as_of=message.as_of,
        replica=_replica_of(message.replica) if message.HasField("replica") else None,
        server_time=time_of(message, "server_time"),
    )


def _replica_of(message: capabilities_pb2.ReplicaStatus) -> ReplicaStatus:
    lag_s = message.lag.ToMilliseconds() / 1000
    return ReplicaStatus(message.connected, message.upstream_sequence, message.lag_entries, lag_s)
