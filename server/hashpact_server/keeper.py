"""The keeper: what an open list needs now and then.

It writes down where the indexes stand, so that the next start is short, and frees what killed readers hold.
"""

from __future__ import annotations

import logging
import threading
from typing import Final

from hashpact_server.core import Core
from hashpact_server.ledger.store import StoreError

INTERVAL_S: Final = 60.0
"""How much writing a start after a crash has to catch up with, at most."""

log: Final = logging.getLogger(__name__)


class Keeper:
    """Checkpoints the indexes of an open list, and tidies up its store, in a thread of its own.

    Args:
        core: the list.
    """

    def __init__(self, core: Core) -> None:
        self._core = core
        self._kept = -1
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hashpact-keeper", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Checkpoint once more, and end. Nothing may be written to the list any more."""
        self._stopping.set()
        self._thread.join()
        self._keep()

    def _run(self) -> None:
        while not self._stopping.wait(INTERVAL_S):
            self._keep()
            self._tidy()

    def _tidy(self) -> None:
        try:
            self._core.store.bury_readers()
        except StoreError as error:
            log.warning("the store could not be tidied up: %s", error)

    def _keep(self) -> None:
        sequence = self._core.matcher.sequence
        if sequence == self._kept:
            return
        try:
            with self._core.read() as view:
                self._core.matcher.checkpoint(view)
            self._kept = sequence
        except (OSError, StoreError, LookupError, ValueError) as error:
            # An index is disposable: without a checkpoint the next start takes longer, and that is all. A store that
            # is damaged (the last two) is for fsck to describe.
            log.warning("the indexes could not be written down: %s", error)
