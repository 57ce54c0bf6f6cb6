"""Pages of items: by growing id, filtered, with bounded work per page.

A page ends when it is full, when the list ends, or when enough items were looked at: a filter that hardly anything
passes gives short pages with a token for the next one, never a call that runs for minutes.
"""

from __future__ import annotations

from typing import Final

from hashpact.v1 import contribution_service_pb2, item_pb2

from hashpact_server.config import Limits
from hashpact_server.ledger.base import Head
from hashpact_server.ledger.codec import texts, u64
from hashpact_server.refusal import invalid_field
from hashpact_server.rules.labels import clean_label
from hashpact_server.rules.members import existing_member
from hashpact_server.services.reading import bad_page_token, page_key, page_size, page_token
from hashpact_server.state.rows import ItemRow, Status
from hashpact_server.state.view import View

ITEM_MAX: Final = 2**64 - 1
PAGE_SCAN_ITEMS_MAX: Final = 20_000
_BLOCK_ITEMS: Final = 500


def list_items(
    view: View, head: Head, request: contribution_service_pb2.ListItemsRequest, limits: Limits
) -> tuple[list[ItemRow], str]:
    """The items of a page, and the token of the next one ("" on the last).

    Raises:
        Refusal: PAGE_TOKEN_INVALID, FIELD_INVALID, MEMBER_NOT_FOUND.
    """
    statuses = _statuses(request)
    label = clean_label(request.label) if request.label else ""
    if label is None:
        raise invalid_field("label", "1 to 64 characters of a-z 0-9 _ - . : /, starting with a letter or digit")
    pseudonym = existing_member(view, request.member).pseudonym if request.member else b""
    scope = texts(("ListItems", label, request.member, *(str(int(status)) for status in sorted(statuses))))
    after = _after(request.page_token, head, scope)
    size = page_size(request.page_size, limits.page_size_max)
    rows: list[ItemRow] = []
    scanned = 0
    while len(rows) < size and scanned < PAGE_SCAN_ITEMS_MAX:
        block = view.items(after=after, limit=_BLOCK_ITEMS)
        for row in block:
            after = row.item
            scanned += 1
            if (
                row.status in statuses
                and (not pseudonym or view.contribution(row.item, pseudonym) is not None)
                and (not label or label in view.labels(row.item))
            ):
                rows.append(row)
                if len(rows) == size:
                    break
        if len(block) < _BLOCK_ITEMS and (not block or after == block[-1].item):
            return rows, ""
    more = view.items(after=after, limit=1)
    return rows, page_token(head, scope, u64(after)) if more else ""


def _statuses(request: contribution_service_pb2.ListItemsRequest) -> frozenset[Status]:
    if not request.statuses:
        return frozenset(status for status in Status if status.matches)
    known = frozenset(item_pb2.ItemStatus.values()) - {item_pb2.ITEM_STATUS_UNSPECIFIED}
    if not known.issuperset(request.statuses):
        raise invalid_field("statuses", "names a status that this server does not know")
    return frozenset(Status(status) for status in request.statuses)


def _after(token: str, head: Head, scope: bytes) -> int:
    if not token:
        return 0
    key = page_key(token, head, scope)
    after = int.from_bytes(key, "big")
    if len(key) != 8 or after == ITEM_MAX:
        raise bad_page_token()  # there is nothing behind the last number: we never gave out such a token
    return after
