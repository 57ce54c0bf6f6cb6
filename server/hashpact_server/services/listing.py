"""Pages of items: by growing id, or what changed after a position; filtered, with bounded work per page.

A page ends when it is full, when the list ends, or when enough was looked at: a filter that hardly anything passes
gives short pages with a token for the next one, never a call that runs for minutes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final

from hashpact.v1 import contribution_service_pb2, item_pb2

from hashpact_server.config import Limits
from hashpact_server.ledger.base import Head
from hashpact_server.ledger.codec import texts, u64
from hashpact_server.refusal import invalid_field
from hashpact_server.rules.labels import clean_label
from hashpact_server.rules.members import existing_member
from hashpact_server.services.reading import bad_page_token, page_key, page_size, page_token
from hashpact_server.state.reach import items_of
from hashpact_server.state.rows import ItemRow, Status
from hashpact_server.state.view import View
from hashpact_server.tokens import Position

ITEM_MAX: Final = 2**64 - 1
PAGE_SCAN_ITEMS_MAX: Final = 20_000
PAGE_BYTES_MAX: Final = 1 << 20
"""Items with signals on one page, in bytes; the item that reaches it is the last."""
_ORDINAL_BITS: Final = 16
_ORDINAL_MAX: Final = (1 << _ORDINAL_BITS) - 1
"""An entry is about fewer items than this."""

_BLOCK_ITEMS: Final = 500

Found = Iterator[tuple[int, ItemRow | None]]
"""(place to go on after, the item that was found there)."""


def list_items(
    view: View,
    head: Head,
    request: contribution_service_pb2.ListItemsRequest,
    limits: Limits,
    encode: Callable[[ItemRow], item_pb2.Item],
) -> tuple[list[item_pb2.Item], str]:
    """The items of a page, and the token of the next one ("" on the last).

    Args:
        view: where they stand.
        head: tells the list.
        request: what is asked for; ``changed_after`` was checked to be a token of this history.
        limits: limits in force.
        encode: an item as the caller may see it.

    Raises:
        Refusal: PAGE_TOKEN_INVALID, FIELD_INVALID, MEMBER_NOT_FOUND.
    """
    passes, scope = _filter(view, request)
    after = _after(request.page_token, head, scope)
    found = _changed(view, after, request.changed_after) if request.changed_after else _every(view, after or 0)
    size = page_size(request.page_size, limits.page_size_max)
    items: dict[int, item_pb2.Item] = {}
    page_bytes = 0
    for place, row in islice(found, PAGE_SCAN_ITEMS_MAX):
        after = place
        if row is None or row.item in items or not passes(row):
            continue
        items[row.item] = item = encode(row)
        page_bytes += item.ByteSize() if request.with_signals else 0
        if len(items) == size or page_bytes >= PAGE_BYTES_MAX:
            break
    if after is None or next(found, None) is None:
        return list(items.values()), ""
    return list(items.values()), page_token(head, scope, u64(after))


def _filter(view: View, request: contribution_service_pb2.ListItemsRequest) -> tuple[Callable[[ItemRow], bool], bytes]:
    """Whether an item is asked for; and what a page token stays bound to."""
    statuses = _statuses(request)
    label = clean_label(request.label) if request.label else ""
    if label is None:
        raise invalid_field("label", "1 to 64 characters of a-z 0-9 _ - . : /, starting with a letter or digit")
    pseudonym = existing_member(view, request.member).pseudonym if request.member else b""

    def passes(row: ItemRow) -> bool:
        return (
            row.status in statuses
            and (not pseudonym or view.contribution(row.item, pseudonym) is not None)
            and (not label or label in view.labels(row.item))
        )

    numbers = (str(int(status)) for status in sorted(statuses))
    return passes, texts(("ListItems", label, request.member, request.changed_after, *numbers))


def _every(view: View, after: int) -> Found:
    """Items by growing id."""
    while block := view.items(after=after, limit=_BLOCK_ITEMS):
        for row in block:
            after = row.item
            yield after, row


def _changed(view: View, after: int | None, token: str) -> Found:
    """Items that entries are about, by the number of the entry and the item's place among those of the entry."""
    if after is None:
        after = Position.decode(token).sequence << _ORDINAL_BITS | _ORDINAL_MAX
    for entry in view.entries(after >> _ORDINAL_BITS):
        first = entry.sequence << _ORDINAL_BITS
        items = sorted(items_of(entry, view))
        if not items and first > after:
            yield first, None  # so that a scan of entries about no item gets on
        for place, item in enumerate(items, first + 1):
            if place > after:
                yield place, view.item(item)


def _statuses(request: contribution_service_pb2.ListItemsRequest) -> frozenset[Status]:
    if not request.statuses:
        return frozenset(status for status in Status if status.matches)
    known = frozenset(item_pb2.ItemStatus.values()) - {item_pb2.ITEM_STATUS_UNSPECIFIED}
    if not known.issuperset(request.statuses):
        raise invalid_field("statuses", "names a status that this server does not know")
    return frozenset(Status(status) for status in request.statuses)


def _after(token: str, head: Head, scope: bytes) -> int | None:
    if not token:
        return None
    key = page_key(token, head, scope)
    after = int.from_bytes(key, "big")
    if len(key) != 8 or after == ITEM_MAX:
        raise bad_page_token()  # there is nothing behind the last number: we never gave out such a token
    return after
