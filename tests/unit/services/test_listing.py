"""Lists of items with their signals, and lists of what changed: what a copy is made and kept by."""

from __future__ import annotations

import pytest
from hashpact.v1 import contribution_service_pb2 as pb
from hashpact.v1 import error_reason_pb2 as reasons
from hashpact.v1 import item_pb2
from hashpact_server.ledger.entry import Draft, Kind
from hashpact_server.refusal import Refusal
from hashpact_server.rules.signals import OfferedSignal
from hashpact_server.scene import Scene
from hashpact_server.services import listing
from hashpact_server.state.rows import MemberRow, Role

from tests.forum import Forum, offer, signal, value

EVERY_STATUS = [number for number in item_pb2.ItemStatus.values() if number]


def add(forum: Forum, member: MemberRow, *signals: OfferedSignal) -> int:
    return forum.contribute(member, offer(*signals))[0].item


class Copy:
    """A list kept by pages, as the wire's comment says: continued from the first page of the last time."""

    def __init__(self, forum: Forum, page_size: int) -> None:
        self.items: dict[int, item_pb2.Item] = {}
        self._forum, self._size, self._since = forum, page_size, ""

    def refresh(self) -> int:
        """Ask for what changed; the number of items that came."""
        token, first, came = "", "", 0
        while True:
            request = pb.ListItemsRequest(
                page_size=self._size,
                page_token=token,
                changed_after=self._since,
                statuses=EVERY_STATUS,
                with_signals=True,
            )
            answer = self._forum.as_(self._forum.b).contribution.ListItems(request, None)
            first = first or answer.as_of
            for item in answer.items:
                came += 1
                self.items[item.item] = item
            token = answer.next_page_token
            if not token:
                self._since = first
                return came


@pytest.mark.parametrize("page_size", [1, 2, 100])
def test_a_copy_is_kept_by_pages(forum: Forum, page_size: int) -> None:
    items = [add(forum, forum.a, signal("md5", n), signal("pdq", n)) for n in range(5)]
    copy = Copy(forum, page_size)
    assert copy.refresh() == 5
    assert {one.value for one in copy.items[items[2]].signals} == {value("md5", 2), value("pdq", 2)}
    assert copy.refresh() == 0

    forum.as_(forum.a).contribution.Withdraw(pb.WithdrawRequest(item=items[0]), None)
    add(forum, forum.b, signal("md5", 1), signal("sha256", 1))  # corroborates and adds
    forum.as_(forum.a).contribution.Amend(pb.AmendRequest(item=items[3], labels=["research"]), None)
    forum.admit("late", [Role.CHECK])
    new = add(forum, forum.b, signal("sha256", 9))
    copy.refresh()
    assert copy.items[items[0]].status == item_pb2.ITEM_STATUS_WITHDRAWN
    assert not copy.items[items[0]].signals
    assert [one.signal_type for one in copy.items[items[1]].signals] == ["md5", "pdq", "sha256"]
    assert list(copy.items[items[3]].labels) == ["research"]
    assert sorted(copy.items) == [*items, new]
    get = forum.as_(forum.b).contribution
    for item, kept in copy.items.items():
        assert kept == get.GetItem(pb.GetItemRequest(item=item), None).item


def test_a_redaction_is_a_change(forum: Forum) -> None:
    """Of an entry that added to an item made earlier: the redaction names the entry, and the item has changed."""
    item = add(forum, forum.a, signal("md5", 1))
    add(forum, forum.b, signal("md5", 1), signal("sha256", 1))
    added = forum.head()
    copy = Copy(forum, 10)
    copy.refresh()

    def redact(scene: Scene) -> None:
        scene.record(Draft(Kind.REDACTED, subject=added, clear=b"\x01"))

    forum.decide(redact)
    assert copy.refresh() == 1
    assert copy.items[item].redacted
    assert [one.signal_type for one in copy.items[item].signals] == ["md5"]


def test_values_are_for_those_who_may_hold_them(forum: Forum) -> None:
    outsider = forum.admit("outsider", [Role.REVIEW])
    item = add(forum, forum.a, signal("md5", 1))
    request = pb.ListItemsRequest(with_signals=True)
    (told,) = forum.as_(outsider).contribution.ListItems(request, None).items
    assert [(one.signal_type, one.value) for one in told.signals] == [("md5", b"")]
    assert not forum.as_(forum.a).contribution.ListItems(pb.ListItemsRequest(), None).items[0].signals
    assert told.item == item


def test_a_page_of_signals_is_bounded_in_bytes(forum: Forum, monkeypatch: pytest.MonkeyPatch) -> None:
    items = [add(forum, forum.a, signal("md5", n)) for n in range(4)]
    monkeypatch.setattr(listing, "PAGE_BYTES_MAX", 100)
    service, token, found = forum.as_(forum.a).contribution, "", []
    while True:
        answer = service.ListItems(pb.ListItemsRequest(with_signals=True, page_token=token), None)
        assert len(answer.items) == 1
        found.append(answer.items[0].item)
        token = answer.next_page_token
        if not token:
            break
    assert found == items


def test_work_per_page_is_bounded(forum: Forum, monkeypatch: pytest.MonkeyPatch) -> None:
    item = add(forum, forum.a, signal("md5", 1))
    monkeypatch.setattr(listing, "PAGE_SCAN_ITEMS_MAX", 2)
    service = forum.as_(forum.a).contribution
    since = service.ListItems(pb.ListItemsRequest(), None).as_of
    for n in range(5):
        service.Amend(pb.AmendRequest(item=item, labels=[f"label-{n}"]), None)
    token, calls, came = "", 0, 0
    while True:
        answer = service.ListItems(pb.ListItemsRequest(changed_after=since, page_token=token), None)
        calls, came, token = calls + 1, came + len(answer.items), answer.next_page_token
        if not token:
            break
    assert (calls, came) == (3, 3)  # five entries, two at a time, each page names the item once


def test_tokens_of_changes_are_checked(forum: Forum) -> None:
    add(forum, forum.a, signal("md5", 1))
    service = forum.as_(forum.a).contribution
    with pytest.raises(Refusal) as refusal:
        service.ListItems(pb.ListItemsRequest(changed_after="x"), None)
    assert refusal.value.reason == reasons.ERROR_REASON_TOKEN_MALFORMED
    since = service.ListItems(pb.ListItemsRequest(), None).as_of
    for n in (2, 3):
        add(forum, forum.a, signal("md5", n))
    token = service.ListItems(pb.ListItemsRequest(changed_after=since, page_size=1), None).next_page_token
    with pytest.raises(Refusal) as refusal:
        service.ListItems(pb.ListItemsRequest(page_token=token), None)
    assert refusal.value.reason == reasons.ERROR_REASON_PAGE_TOKEN_INVALID
