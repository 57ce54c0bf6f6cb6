"""The client's calls that read items; the client has them by inheritance."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hashpact._operations import reading
from hashpact._operations.session import Session
from hashpact._transport import Transport
from hashpact.items import Item, ItemPage


class ItemCalls:
    """One item, all of them, and what a copy needs to keep up."""

    _transport: Transport
    _session: Session

    def get_item(self, item: int, *, at_least_as_fresh: str = "") -> Item:
        """One item, withdrawn ones too.

        Args:
            item: its id.
            at_least_as_fresh: an ``as_of`` token that the answer has to reflect.

        Raises:
            NotFoundError: no such item.
        """
        return self._transport.run(reading.get_item(self._session, item, at_least_as_fresh=at_least_as_fresh))

    def list_items(
        self,
        *,
        statuses: Iterable[str] = (),
        label: str = "",
        member: str = "",
        page_size: int = 0,
        at_least_as_fresh: str = "",
        signals: bool = False,
    ) -> Iterator[Item]:
        """Items by growing id; pages are asked for as they are needed.

        Args:
            statuses: only these; empty: all that can match.
            label: only items with this label.
            member: only items with a standing contribution of this member.
            page_size: items per call; 0 for the server's default.
            at_least_as_fresh: an ``as_of`` token that the answer has to reflect.
            signals: whether to tell their signals; values as :meth:`get_item` tells them.
        """
        which = reading.ItemFilter(tuple(statuses), label, member, page_size, at_least_as_fresh, signals)
        page = ItemPage(())
        while True:
            page = self._transport.run(reading.list_items_page(self._session, which, page.next_page_token))
            yield from page.items
            if not page.next_page_token:
                return

    def items_page(
        self, page_token: str = "", *, changed_after: str = "", statuses: Iterable[str] = (), page_size: int = 0
    ) -> ItemPage:
        """One page of items with their signals, for those who keep a copy: list all, then ask for what changed.

        Args:
            page_token: ``next_page_token`` of the page before; "" for the first.
            changed_after: ``as_of`` of the *first* page of the last time; "" lists all items.
            statuses: see :meth:`list_items`; name the states that match nothing too, to learn what was taken off.
            page_size: see :meth:`list_items`.

        Raises:
            ConflictError: ``TOKEN_UNKNOWN_HISTORY``: the list was restored or moved; begin the copy anew.
        """
        which = reading.ItemFilter(tuple(statuses), "", "", page_size, "", True, changed_after)
        return self._transport.run(reading.list_items_page(self._session, which, page_token))
