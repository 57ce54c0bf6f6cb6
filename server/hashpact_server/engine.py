"""The list, opened: what services read from and write to.

::

    Engine.create(data_dir, ...)  ->  a new list and the token of its first steward
    Engine.open(data_dir, config) ->  .writer   the one way to change the list
                                      .state    .read() is the state as of now
                                      .matcher  searches by distance
                                      .published  head and roster, as far as the world may know
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from hashpact_server.config import Config
from hashpact_server.core import INDEX_FOLDER, Core, Published, open_store, wall_clock_ms
from hashpact_server.feed import Feed
from hashpact_server.following import Following
from hashpact_server.keeper import Keeper
from hashpact_server.ledger.base import Committed
from hashpact_server.ledger.embedded import LedgerReader, LedgerWriter
from hashpact_server.ledger.entry import PSEUDONYM_BYTES, Draft, Kind
from hashpact_server.ledger.payloads import MemberClear, MemberPayload, TokenPayload
from hashpact_server.ledger.store import Store, StoreError
from hashpact_server.matcher import Matcher
from hashpact_server.presence import Presence
from hashpact_server.state.apply import apply
from hashpact_server.state.row_store import WritableRows
from hashpact_server.state.rows import Role
from hashpact_server.state.scope import Changes, Scope
from hashpact_server.tokens import member_token_hash, new_member_token
from hashpact_server.writer import Writer

LEDGER_ID_BYTES: Final = 16


class Engine:
    """An open list. Make one with :meth:`open`; end it with :meth:`close`."""

    def __init__(self, core: Core, config: Config, on_fatal: Callable[[BaseException], None] | None = None) -> None:
        self.state = core
        self.writer = Writer(
            core,
            queue_max=config.write_queue_max,
            group_max=config.write_group_max,
            request_id_ttl_s=config.limits.request_id_ttl_s,
            on_fatal=on_fatal,
        )
        self.following: Following | None = None
        """On a replica: how far it is behind. What an upstream has may come here any moment."""
        self.waits = threading.BoundedSemaphore(max(1, config.limits.requests_max // 2))
        """Calls that may wait for that, each in a thread of its own."""
        self.presence = Presence()
        """Who called, and who follows."""
        self._keeper = Keeper(core)
        self.feed = Feed(core)

    @classmethod
    def open(cls, data_dir: Path, config: Config, on_fatal: Callable[[BaseException], None] | None = None) -> Engine:
        """Open the list of a data directory; returns when the indexes are built.

        Args:
            data_dir: the data directory; its lock is held by the caller.
            config: limits and settings.
            on_fatal: called once, from the writer's thread, when the store cannot be used any more.

        Raises:
            StoreError: there is no list, or the store cannot be read.
        """
        store = open_store(data_dir, store_bytes_max=config.limits.store_bytes_max)
        try:
            return cls(Core(store, index_folder=data_dir / INDEX_FOLDER), config, on_fatal)
        except BaseException:
            store.close()
            raise

    @staticmethod
    def is_empty(data_dir: Path) -> bool:
        """Whether there is no list yet."""
        store = open_store(data_dir)
        try:
            with store.read() as tx:
                return LedgerReader(tx).tip().sequence < 0
        finally:
            store.close()

    @staticmethod
    def create(data_dir: Path, steward: str) -> str:
        """Make a new list with its first steward; returns the steward's token, which is stored nowhere.

        Raises:
            StoreError: there is a list already.
        """
        store = open_store(data_dir)
        try:
            return _create_list(store, steward)
        finally:
            store.close()

    @property
    def store(self) -> Store:
        """The store, for figures about it."""
        return self.state.store

    @property
    def matcher(self) -> Matcher:
        """Searches by distance."""
        return self.state.matcher

    @property
    def published(self) -> Published:
        """Head and roster, as far as the world may know."""
        return self.state.published

    def follow(self, following: Following) -> None:
        """Be a replica's list; to be called before anybody is served."""
        self.following = following
        self.feed.lag_s = following.lag_s

    def close(self) -> None:
        """Carry out the writes that wait, write down where the indexes stand, and close everything."""
        self.feed.close()
        self.writer.stop()
        self._keeper.stop()
        self.store.close()
        self.matcher.close()


def _create_list(store: Store, steward: str) -> str:
    token, pseudonym = new_member_token(), os.urandom(PSEUDONYM_BYTES)
    drafts = [
        Draft(Kind.GENESIS, clear=os.urandom(LEDGER_ID_BYTES)),
        Draft(
            Kind.MEMBER_CREATED,
            clear=MemberClear(pseudonym, (Role.STEWARD,)).encode(),
            payload=MemberPayload(steward, steward).encode(),
        ),
        Draft(
            Kind.TOKEN_ISSUED,
            clear=pseudonym,
            payload=TokenPayload(member_token_hash(token), 0).encode(),
        ),
    ]
    tx = store.write()
    try:
        tip = LedgerReader(tx).tip()
        if tip.sequence >= 0:
            raise StoreError("this store holds a list already")
        rows, ledger = WritableRows(tx), LedgerWriter(tx, tip, wall_clock_ms)
        appended = ledger.append(drafts, tip.sequence)
        if not isinstance(appended, Committed):
            raise AssertionError("nobody else appends to an embedded ledger")
        for entry in appended.entries:
            apply(entry, Scope(rows, ledger, Changes()))
        rows.finish(ledger.finish(ledger.right_edge()).sequence)
    except BaseException:
        tx.abort()
        raise
    store.commit(tx)
    return token
