"""From a refusal to the wire: the one table of canonical codes, and the ``google.rpc.Status`` that carries the reason.

The table is what the comments of ``error_reason.proto`` say; a test compares the two.
"""

from __future__ import annotations

from typing import Final, cast

from google.protobuf import any_pb2
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2
from hashpact.v1 import error_reason_pb2 as reasons

from hashpact_server.refusal import Refusal

DOMAIN: Final = "hashpact"

CODES: Final[dict[int, int]] = {
    reasons.ERROR_REASON_FIELD_INVALID: code_pb2.INVALID_ARGUMENT,
    reasons.ERROR_REASON_LIMIT_EXCEEDED: code_pb2.RESOURCE_EXHAUSTED,
    reasons.ERROR_REASON_TOO_MANY_REQUESTS: code_pb2.RESOURCE_EXHAUSTED,
    reasons.ERROR_REASON_STORE_FULL: code_pb2.RESOURCE_EXHAUSTED,
    reasons.ERROR_REASON_TOKEN_MISSING: code_pb2.UNAUTHENTICATED,
    reasons.ERROR_REASON_TOKEN_INVALID: code_pb2.UNAUTHENTICATED,
    reasons.ERROR_REASON_MEMBER_SUSPENDED: code_pb2.PERMISSION_DENIED,
    reasons.ERROR_REASON_ROLE_MISSING: code_pb2.PERMISSION_DENIED,
    reasons.ERROR_REASON_ITEM_NOT_FOUND: code_pb2.NOT_FOUND,
    reasons.ERROR_REASON_ITEM_CLOSED: code_pb2.FAILED_PRECONDITION,
    reasons.ERROR_REASON_NOT_CONTRIBUTOR: code_pb2.PERMISSION_DENIED,
    reasons.ERROR_REASON_MEMBER_NOT_FOUND: code_pb2.NOT_FOUND,
    reasons.ERROR_REASON_MEMBER_EXISTS: code_pb2.ALREADY_EXISTS,
    reasons.ERROR_REASON_LAST_STEWARD: code_pb2.FAILED_PRECONDITION,
    reasons.ERROR_REASON_TOKEN_NOT_FOUND: code_pb2.NOT_FOUND,
    reasons.ERROR_REASON_REQUEST_ID_REUSED: code_pb2.ABORTED,
    reasons.ERROR_REASON_PAGE_TOKEN_INVALID: code_pb2.INVALID_ARGUMENT,
    reasons.ERROR_REASON_TOKEN_UNKNOWN_HISTORY: code_pb2.FAILED_PRECONDITION,
    reasons.ERROR_REASON_TOKEN_FROM_FUTURE: code_pb2.FAILED_PRECONDITION,
    reasons.ERROR_REASON_WRITE_OUTCOME_UNKNOWN: code_pb2.UNAVAILABLE,
    reasons.ERROR_REASON_NOT_SERVING: code_pb2.UNAVAILABLE,
    reasons.ERROR_REASON_DEADLINE_EXCEEDED: code_pb2.DEADLINE_EXCEEDED,
    reasons.ERROR_REASON_INTERNAL: code_pb2.INTERNAL,
    reasons.ERROR_REASON_TOKEN_MALFORMED: code_pb2.INVALID_ARGUMENT,
    reasons.ERROR_REASON_WATCHER_TOO_SLOW: code_pb2.RESOURCE_EXHAUSTED,
    reasons.ERROR_REASON_REPLICA_READ_ONLY: code_pb2.FAILED_PRECONDITION,
    reasons.ERROR_REASON_UPLOADS_NOT_REMEMBERED: code_pb2.FAILED_PRECONDITION,
    reasons.ERROR_REASON_MOTION_NOT_FOUND: code_pb2.NOT_FOUND,
    reasons.ERROR_REASON_MOTION_CLOSED: code_pb2.FAILED_PRECONDITION,
    reasons.ERROR_REASON_SECONDER_NOT_INDEPENDENT: code_pb2.PERMISSION_DENIED,
    reasons.ERROR_REASON_PROPOSER_NOT_FULL: code_pb2.FAILED_PRECONDITION,
    reasons.ERROR_REASON_RULEBOOK_INVALID: code_pb2.INVALID_ARGUMENT,
    reasons.ERROR_REASON_RULEBOOK_NOT_FOUND: code_pb2.NOT_FOUND,
    reasons.ERROR_REASON_ROLLBACK_RUNNING: code_pb2.FAILED_PRECONDITION,
    reasons.ERROR_REASON_ENTRY_NOT_FOUND: code_pb2.NOT_FOUND,
    reasons.ERROR_REASON_QUOTA_EXCEEDED: code_pb2.RESOURCE_EXHAUSTED,
    reasons.ERROR_REASON_ALERT_NOT_FOUND: code_pb2.NOT_FOUND,
    reasons.ERROR_REASON_BENIGN_NOT_FOUND: code_pb2.NOT_FOUND,
    reasons.ERROR_REASON_DECOYS_OFF: code_pb2.FAILED_PRECONDITION,
    reasons.ERROR_REASON_OPINION_NOT_FOUND: code_pb2.NOT_FOUND,
    reasons.ERROR_REASON_DISPUTE_NOT_FOUND: code_pb2.NOT_FOUND,
    reasons.ERROR_REASON_DISPUTE_IS_OPEN: code_pb2.FAILED_PRECONDITION,
    reasons.ERROR_REASON_DISPUTE_IS_CLOSED: code_pb2.FAILED_PRECONDITION,
    reasons.ERROR_REASON_VOTE_NOT_ALLOWED: code_pb2.PERMISSION_DENIED,
    reasons.ERROR_REASON_DAY_LIMIT_REACHED: code_pb2.RESOURCE_EXHAUSTED,
    reasons.ERROR_REASON_CHALLENGE_NOT_FOUND: code_pb2.NOT_FOUND,
    reasons.ERROR_REASON_CHALLENGE_IS_CLOSED: code_pb2.FAILED_PRECONDITION,
    reasons.ERROR_REASON_ITEM_NOT_LIMITED: code_pb2.FAILED_PRECONDITION,
    reasons.ERROR_REASON_INCIDENT_NOT_FOUND: code_pb2.NOT_FOUND,
    reasons.ERROR_REASON_INCIDENT_CLOSED: code_pb2.FAILED_PRECONDITION,
    reasons.ERROR_REASON_INCIDENT_EXISTS: code_pb2.ALREADY_EXISTS,
    reasons.ERROR_REASON_INCIDENT_NEEDS_SECOND: code_pb2.FAILED_PRECONDITION,
    reasons.ERROR_REASON_SIGNAL_NOT_DETACHABLE: code_pb2.FAILED_PRECONDITION,
    reasons.ERROR_REASON_ITEM_NOT_MERGEABLE: code_pb2.FAILED_PRECONDITION,
    reasons.ERROR_REASON_TWO_STEWARDS_NEEDED: code_pb2.FAILED_PRECONDITION,
    reasons.ERROR_REASON_PENDING_NOT_FOUND: code_pb2.NOT_FOUND,
    reasons.ERROR_REASON_FOUR_EYES: code_pb2.PERMISSION_DENIED,
    reasons.ERROR_REASON_TRIAL_QUOTA: code_pb2.RESOURCE_EXHAUSTED,
    reasons.ERROR_REASON_MEMBER_LEFT: code_pb2.FAILED_PRECONDITION,
    # An outcome of Contribute, and the error of an Amend that could add nothing.
    reasons.ERROR_REASON_SIGNAL_TAKEN: code_pb2.FAILED_PRECONDITION,
}

_QUOTAS: Final = (
    reasons.ERROR_REASON_LIMIT_EXCEEDED,
    reasons.ERROR_REASON_TOO_MANY_REQUESTS,
    reasons.ERROR_REASON_STORE_FULL,
    reasons.ERROR_REASON_WATCHER_TOO_SLOW,
    reasons.ERROR_REASON_QUOTA_EXCEEDED,
)


def reason_name(reason: int) -> str:
    """The reason as ``ErrorInfo.reason`` says it."""
    return reasons.ErrorReason.Name(cast("reasons.ErrorReason.ValueType", reason)).removeprefix("ERROR_REASON_")


def code_name(code: int) -> str:
    """The canonical code's name, e.g. ``RESOURCE_EXHAUSTED``."""
    return str(code_pb2.Code.Name(code))


def code_of(refusal: Refusal) -> int:
    """The canonical code.

    Reasons that are outcomes of a batch's members have none; a rule that raises one for a whole request says that the
    request breaks a rule of the interface.
    """
    code: int = CODES.get(refusal.reason, code_pb2.INVALID_ARGUMENT)
    return code


def status_of(refusal: Refusal) -> status_pb2.Status:
    """The status: one ``ErrorInfo``, then ``BadRequest``, ``QuotaFailure`` and ``RetryInfo`` where they say more."""
    details: list[Message] = [
        error_details_pb2.ErrorInfo(reason=reason_name(refusal.reason), domain=DOMAIN, metadata=refusal.metadata)
    ]
    if refusal.violations:
        fields = [
            error_details_pb2.BadRequest.FieldViolation(field=field, description=description)
            for field, description in refusal.violations
        ]
        details.append(error_details_pb2.BadRequest(field_violations=fields))
    if refusal.reason in _QUOTAS:
        violation = error_details_pb2.QuotaFailure.Violation(
            subject=refusal.metadata.get("limit", ""), description=refusal.message
        )
        details.append(error_details_pb2.QuotaFailure(violations=[violation]))
    if refusal.retry_after_s is not None:
        wait = Duration()
        wait.FromNanoseconds(round(refusal.retry_after_s * 1e9))
        details.append(error_details_pb2.RetryInfo(retry_delay=wait))
    return status_pb2.Status(
        code=code_of(refusal), message=refusal.message, details=[_packed(each) for each in details]
    )


def _packed(message: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed
