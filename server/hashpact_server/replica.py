"""What makes a node a replica: how it begins, what it follows, and what it says of its lag.

::

    empty:  snapshot of the upstream --> Engine.open --> follower --> level, or the upstream is away: SERVING
                                                            |
                                                   lag within replica_lag_s_max: ``ready`` SERVING too
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

from hashpact_server.adopting import DivergedError
from hashpact_server.config import Config
from hashpact_server.core import open_store
from hashpact_server.datadir import DataDirectory
from hashpact_server.engine import Engine
from hashpact_server.follower import Follower
from hashpact_server.following import Following
from hashpact_server.ledger.store import StoreFullError
from hashpact_server.logs import event
from hashpact_server.metrics import Reading
from hashpact_server.services.health import HealthService
from hashpact_server.snapshot import SnapshotError
from hashpact_server.trouble import Trouble
from hashpact_server.upstream import AwayError, Upstream, begin

_LOGGER = logging.getLogger(__name__)


def check_mark(data: DataDirectory, upstream: Upstream | None) -> None:
    """A replica must follow, and a hub must not: a list with two writers would be two lists; raises Trouble."""
    replica = data.replica_mark.exists()
    if replica and upstream is None:
        raise Trouble(
            f"{data.path} is a replica: serve it with --follow TARGET, or make it the hub with:"
            f" hashpact-server promote --data {data.path}"
        )
    if upstream is not None and not replica:
        raise Trouble(
            f"{data.path} holds a list of its own and cannot follow another: make a directory for a replica"
            " with: hashpact-server init DIR --replica"
        )


def begin_list(data: DataDirectory, config: Config, upstream: Upstream, ending: Callable[[float], bool]) -> None:
    """Fill a store that holds no list yet with the upstream's, as soon as it can be had.

    Args:
        data: the data directory.
        config: limits and settings.
        upstream: whose list.
        ending: waits so many seconds; whether the server shall end.

    Raises:
        Trouble: the server shall end, or the list is larger than the store may be.
        StoreError: the store cannot be written.
    """
    wait_s = 0.1
    while True:
        store = open_store(data.path, store_bytes_max=config.limits.store_bytes_max)
        try:
            told = begin(store, upstream)
        except AwayError as error:
            error.log()
        except SnapshotError as error:
            event(_LOGGER, logging.WARNING, "snapshot refused", why=str(error))
        except StoreFullError as error:
            raise Trouble(
                f"the list of {upstream.target} does not fit: {error}; make room, or raise store_bytes_max in"
                f" {data.config_file}"
            ) from error
        else:
            event(_LOGGER, logging.INFO, "list taken over", upstream=upstream.target, entries=told.head.sequence + 1)
            return
        finally:
            store.close()
        wait_s = min(2 * wait_s, 10.0)
        if ending(wait_s):
            raise Trouble(f"ended before {upstream.target} could be reached")


class Replica:
    """A list that follows another.

    Args:
        engine: the list here.
        upstream: whom to follow.
        health: where readiness is told.
        lag_s_max: age of the list from which on ``ready`` is NOT_SERVING; 0: none.
        on_fatal: called once when following has ended for good.
    """

    def __init__(
        self,
        engine: Engine,
        upstream: Upstream,
        health: HealthService,
        lag_s_max: float,
        on_fatal: Callable[[BaseException], None],
    ) -> None:
        self._engine = engine
        self._health = health
        self._lag_s_max = lag_s_max
        self.following = Following.since(engine.published.head.time_ms)
        engine.follow(self.following)
        self._follower = Follower(
            engine,
            upstream,
            self.following,
            on_first=self._on_first,
            on_tick=self._tell_lag,
            on_diverged=lambda _: on_fatal(DivergedError()),
        )

    def start(self) -> None:
        """Begin to follow."""
        self._follower.start()

    def stop(self) -> None:
        """End; what was taken over stays."""
        self._follower.stop()

    def readings(self) -> Iterator[Reading]:
        """Figures for operators."""
        following = self.following
        lag_entries = following.lag_entries(self._engine.published.head.sequence)
        yield Reading("hashpact_replica_connected", "1 while the upstream sends.", following.connected)
        yield Reading("hashpact_replica_lag_entries", "Entries that only the upstream has.", lag_entries)
        yield Reading("hashpact_replica_lag_seconds", "Age of the list here, at most.", following.lag_s())

    def _on_first(self) -> None:
        self._tell_lag()
        self._health.set_serving(serving=True)

    def _tell_lag(self) -> None:
        self._health.set_behind(behind=0 < self._lag_s_max < self.following.lag_s())
