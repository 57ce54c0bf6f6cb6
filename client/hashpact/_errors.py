"""From what gRPC reports to one of our errors: one reason, one class, one sentence that says what to do.

An answer of the service carries ``google.rpc.Status`` with an ``ErrorInfo`` of domain ``hashpact``: its reason
decides. Without one the error came from gRPC itself or from something between (a proxy, a wrong port): then the code
and the text of gRPC tell what happened.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, Protocol

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from hashpact import errors

DOMAIN: Final = "hashpact"
_DETAILS_KEY: Final = "grpc-status-details-bin"
_DIGITS_MAX: Final = 20

REASONS: Final[dict[str, type[errors.ServiceError]]] = {
    "FIELD_INVALID": errors.InvalidRequestError,
    "PAGE_TOKEN_INVALID": errors.InvalidRequestError,
    "TOKEN_MALFORMED": errors.InvalidRequestError,
    "SIGNAL_TYPE_UNKNOWN": errors.InvalidRequestError,
    "SIGNAL_MALFORMED": errors.InvalidRequestError,
    "SIGNAL_QUALITY_TOO_LOW": errors.InvalidRequestError,
    "SIGNAL_DEGENERATE": errors.InvalidRequestError,
    "NO_IDENTITY": errors.InvalidRequestError,
    "LABELS_INVALID": errors.InvalidRequestError,
    "ATTESTATION_MISSING": errors.InvalidRequestError,
    "SIGNALS_INVALID": errors.InvalidRequestError,
    "HOUR_OUT_OF_RANGE": errors.InvalidRequestError,
    "REFERENCE_INVALID": errors.InvalidRequestError,
    "ACTION_INVALID": errors.InvalidRequestError,
    "TOKEN_MISSING": errors.NotAllowedError,
    "TOKEN_INVALID": errors.NotAllowedError,
    "MEMBER_SUSPENDED": errors.NotAllowedError,
    "ROLE_MISSING": errors.NotAllowedError,
    "NOT_CONTRIBUTOR": errors.NotAllowedError,
    "ITEM_NOT_FOUND": errors.NotFoundError,
    "MEMBER_NOT_FOUND": errors.NotFoundError,
    "TOKEN_NOT_FOUND": errors.NotFoundError,
    "MOTION_NOT_FOUND": errors.NotFoundError,
    "MOTION_CLOSED": errors.ConflictError,
    "SECONDER_NOT_INDEPENDENT": errors.NotAllowedError,
    "PROPOSER_NOT_FULL": errors.NotAllowedError,
    "RULEBOOK_INVALID": errors.InvalidRequestError,
    "RULEBOOK_NOT_FOUND": errors.NotFoundError,
    "ROLLBACK_RUNNING": errors.ConflictError,
    "ENTRY_NOT_FOUND": errors.NotFoundError,
    "ITEM_CLOSED": errors.ConflictError,
    "SIGNAL_NOT_DETACHABLE": errors.ConflictError,
    "ITEM_NOT_MERGEABLE": errors.ConflictError,
    "SIGNAL_TAKEN": errors.ConflictError,
    "MEMBER_EXISTS": errors.ConflictError,
    "LAST_STEWARD": errors.ConflictError,
    "REQUEST_ID_REUSED": errors.ConflictError,
    "TOKEN_UNKNOWN_HISTORY": errors.ConflictError,
    "TOKEN_FROM_FUTURE": errors.ConflictError,
    "REPLICA_READ_ONLY": errors.ConflictError,
    "UPLOADS_NOT_REMEMBERED": errors.ConflictError,
    "SIGNAL_BENIGN": errors.InvalidRequestError,
    "ALERT_NOT_FOUND": errors.NotFoundError,
    "BENIGN_NOT_FOUND": errors.NotFoundError,
    "DECOYS_OFF": errors.ConflictError,
    "QUOTA_EXCEEDED": errors.LimitExceededError,
    "INCIDENT_NOT_FOUND": errors.NotFoundError,
    "INCIDENT_CLOSED": errors.ConflictError,
    "INCIDENT_EXISTS": errors.ConflictError,
    "INCIDENT_NEEDS_SECOND": errors.ConflictError,
    "LIMIT_EXCEEDED": errors.LimitExceededError,
    "TOO_MANY_REQUESTS": errors.LimitExceededError,
    "STORE_FULL": errors.LimitExceededError,
    "TWO_STEWARDS_NEEDED": errors.ConflictError,
    "PENDING_NOT_FOUND": errors.NotFoundError,
    "FOUR_EYES": errors.NotAllowedError,
    "TRIAL_QUOTA": errors.LimitExceededError,
    "MEMBER_LEFT": errors.ConflictError,
    "WATCHER_TOO_SLOW": errors.LimitExceededError,
    "WRITE_OUTCOME_UNKNOWN": errors.UnavailableError,
    "NOT_SERVING": errors.UnavailableError,
    "DEADLINE_EXCEEDED": errors.UnavailableError,
    "OPINION_NOT_FOUND": errors.NotFoundError,
    "DISPUTE_NOT_FOUND": errors.NotFoundError,
    "DISPUTE_IS_OPEN": errors.ConflictError,
    "DISPUTE_IS_CLOSED": errors.ConflictError,
    "VOTE_NOT_ALLOWED": errors.NotAllowedError,
    "DAY_LIMIT_REACHED": errors.LimitExceededError,
    "CHALLENGE_NOT_FOUND": errors.NotFoundError,
    "CHALLENGE_IS_CLOSED": errors.ConflictError,
    "ITEM_NOT_LIMITED": errors.ConflictError,
    "INTERNAL": errors.ServiceError,
}
"""The class of every reason of ``ErrorReason``."""

_CODES: Final[dict[grpc.StatusCode, type[errors.ServiceError]]] = {
    grpc.StatusCode.INVALID_ARGUMENT: errors.InvalidRequestError,
    grpc.StatusCode.OUT_OF_RANGE: errors.InvalidRequestError,
    grpc.StatusCode.UNAUTHENTICATED: errors.NotAllowedError,
    grpc.StatusCode.PERMISSION_DENIED: errors.NotAllowedError,
    grpc.StatusCode.NOT_FOUND: errors.NotFoundError,
    grpc.StatusCode.ALREADY_EXISTS: errors.ConflictError,
    grpc.StatusCode.ABORTED: errors.ConflictError,
    grpc.StatusCode.FAILED_PRECONDITION: errors.ConflictError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: errors.LimitExceededError,
    grpc.StatusCode.UNAVAILABLE: errors.UnavailableError,
    grpc.StatusCode.DEADLINE_EXCEEDED: errors.UnavailableError,
    grpc.StatusCode.CANCELLED: errors.UnavailableError,
}

# What gRPC writes about a connection that did not come about, in the order to look; checked against grpcio 1.76-1.85.
_UNREACHABLE: Final[tuple[tuple[str, str, str], ...]] = (
    (
        "Hostname Verification Check failed",
        "TLS_NAME_MISMATCH",
        "the server's certificate is for another name than {target}: connect by a name that it holds",
    ),
    (
        "is not in peer certificate",
        "TLS_NAME_MISMATCH",
        "the server's certificate is for another name than {target}: connect by a name that it holds",
    ),
    (
        "certificate has expired",
        "TLS_EXPIRED",
        "the server's certificate has expired: its operator has to renew it",
    ),
    (
        "CERTIFICATE_VERIFY_FAILED",
        "TLS_UNTRUSTED",
        "no trusted authority signed the certificate of {target}: give the server's ca.pem (ca, --ca, HASHPACT_CA)",
    ),
    (
        "certificate signature failure",
        "TLS_UNTRUSTED",
        "the certificate of {target} was not signed by the given authority: give the server's own ca.pem",
    ),
    (
        "WRONG_VERSION_NUMBER",
        "TLS_NOT_SPOKEN",
        "{target} does not speak TLS: check the port, or use plaintext on this machine",
    ),
    (
        "Failed parsing HTTP/2",
        "NOT_A_SERVICE",
        "{target} is not a gRPC service: check the port",
    ),
    (
        "http1.x server",
        "NOT_A_SERVICE",
        "{target} is not a gRPC service: check the port",
    ),
    (
        "Socket closed",
        "CONNECTION_CLOSED",
        "{target} closed the connection: it is stopping, or expects TLS where plaintext was used (or the reverse)",
    ),
    ("Connection refused", "UNREACHABLE", "nothing listens at {target}: is the server running, is the port right?"),
    ("No such file or directory", "UNREACHABLE", "there is no socket at {target}: is the server running?"),
    ("lookup failed", "UNREACHABLE", "the host name of {target} is unknown: check it"),
    ("handshake failed", "TLS_FAILED", "no TLS connection to {target} came about: check port and certificates"),
)

UNIDENTIFIED: Final = (
    "no token was given: set HASHPACT_TOKEN (token, --token-file); a steward of the forum gives tokens"
)

PERMANENT: Final = frozenset({"TLS_NAME_MISMATCH", "TLS_EXPIRED", "TLS_UNTRUSTED", "TLS_NOT_SPOKEN", "NOT_A_SERVICE"})
"""Unreachable for a reason that no second try changes."""


class FailedCall(Protocol):
    """What the sync and the async errors of gRPC have in common."""

    def code(self) -> grpc.StatusCode:
        """The status code."""

    def details(self) -> str | None:
        """Its text."""

    def trailing_metadata(self) -> Iterable[Any] | None:
        """(key, value) pairs."""


def from_rpc_error(failed: FailedCall, target: str) -> errors.ServiceError:
    """The error of ours that says what a failed call means."""
    code = failed.code()
    text = failed.details() or ""
    status = _status_of(failed)
    info = error_details_pb2.ErrorInfo()
    if status is not None:
        _unpack(status, info)
    if status is None or info.domain != DOMAIN:
        return _from_code(code, text, target)
    kind = REASONS.get(info.reason) or _CODES.get(code, errors.ServiceError)
    # The server speaks of metadata, which is the wire's business; a person gives a token in one of these ways.
    message = UNIDENTIFIED if info.reason == "TOKEN_MISSING" else status.message
    return _build(kind, info, status, message or text or info.reason)


def _build(
    kind: type[errors.ServiceError],
    info: error_details_pb2.ErrorInfo,
    status: status_pb2.Status,
    message: str,
) -> errors.ServiceError:
    if issubclass(kind, errors.InvalidRequestError):
        bad = error_details_pb2.BadRequest()
        _unpack(status, bad)
        violations = [(one.field, one.description) for one in bad.field_violations]
        return kind(message, reason=info.reason, violations=violations)
    if issubclass(kind, errors.LimitExceededError):
        retry = error_details_pb2.RetryInfo()
        waiting_helps = _unpack(status, retry)
        value, pause = info.metadata.get("limit_value", ""), retry.retry_delay
        return kind(
            message,
            reason=info.reason,
            limit_name=info.metadata.get("limit", ""),
            # Bounded: Python refuses to read numbers of thousands of digits.
            limit=int(value) if value.isascii() and value.isdigit() and len(value) <= _DIGITS_MAX else 0,
            retry_after_s=max(0.0, pause.seconds + pause.nanos / 1e9) if waiting_helps else None,
        )
    return kind(message, reason=info.reason)


def _from_code(code: grpc.StatusCode, text: str, target: str) -> errors.ServiceError:
    """An error that no Hashpact server wrote."""
    if code is grpc.StatusCode.UNAVAILABLE:
        for sign, reason, message in _UNREACHABLE:
            if sign in text:
                return errors.UnavailableError(message.format(target=target), reason=reason)
        return errors.UnavailableError(f"{target} cannot be reached: {text}", reason="UNAVAILABLE")
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return errors.UnavailableError(
            f"{target} did not answer in time: try again, with a longer timeout where the call is large",
            reason="DEADLINE_EXCEEDED",
        )
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return errors.ServiceError(
            f"{target} does not know this call: it is older than this client, or not a Hashpact server",
            reason="UNIMPLEMENTED",
        )
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and "larger than max" in text:
        return errors.LimitExceededError(
            f"a message is larger than the limit: send smaller batches ({text})",
            reason="LIMIT_EXCEEDED",
            limit_name="message_bytes_max",
        )
    kind = _CODES.get(code, errors.ServiceError)
    return kind(f"{target} answered {code.name}: {text}", reason=code.name)


def _status_of(failed: FailedCall) -> status_pb2.Status | None:
    for pair in failed.trailing_metadata() or ():
        key, value = pair[0], pair[1]
        if key == _DETAILS_KEY and isinstance(value, bytes):
            try:
                return status_pb2.Status.FromString(value)
            except DecodeError:
                return None
    return None


def _unpack(
    status: status_pb2.Status,
    into: error_details_pb2.ErrorInfo | error_details_pb2.BadRequest | error_details_pb2.RetryInfo,
) -> bool:
    for detail in status.details:
        if detail.Is(into.DESCRIPTOR):
            try:
                return bool(detail.Unpack(into))
            except DecodeError:
                return False
    return False
