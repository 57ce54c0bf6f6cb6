"""What waits for a colleague's approval."""

from __future__ import annotations

from hashpact import _convert as convert
from hashpact import _wire as wire
from hashpact._operations.session import BUSY, Session, new_request_id, require_count, require_id
from hashpact._operations.writing import write
from hashpact._wire import Operation, ask
from hashpact.items import ContributionOutcome
from hashpact.pending import PendingContribution
from hashpact.v1 import pending_service_pb2


def list_pending_page(page_size: int, page_token: str) -> Operation[tuple[list[PendingContribution], str]]:
    """Ask for one page of what waits."""
    require_count("page_size", page_size)
    request = pending_service_pb2.ListPendingRequest(page_size=page_size, page_token=page_token)
    response = yield from ask(wire.Call(wire.LIST_PENDING, request, wait_for=BUSY))
    found = [convert.pending_of(one) for one in response.pending]
    return found, convert.next_page(page_token, response.next_page_token)


def approve(
    session: Session, pending: int, *, request_id: str | None, validate_only: bool
) -> Operation[ContributionOutcome]:
    """Approve one."""
    require_id("pending", pending)
    given_id = new_request_id(request_id)
    request = pending_service_pb2.ApproveContributionRequest(
        request_id=given_id, validate_only=validate_only, pending=pending
    )
    response = yield from ask(write(wire.APPROVE_CONTRIBUTION, request, given_id))
    session.wrote(response.as_of)
    return convert.outcome_of(response.outcome)


def reject(session: Session, pending: int, *, reason: str, request_id: str | None) -> Operation[None]:
    """Reject one."""
    require_id("pending", pending)
    given_id = new_request_id(request_id)
    request = pending_service_pb2.RejectContributionRequest(request_id=given_id, pending=pending, reason=reason)
    response = yield from ask(write(wire.REJECT_CONTRIBUTION, request, given_id))
    session.wrote(response.as_of)
