"""``grpc.health.v1.Health``: whether the server and each service of it take calls.

Readiness is told here: ``NOT_SERVING`` while the index is built and while the server drains. Liveness is that anything
answers at all. Names are known beforehand and never grow, so that asking for names that do not exist costs nothing
that stays (the package's own servicer keeps a row per name that anybody asked for).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

_STATUS = health_pb2.HealthCheckResponse

READY: Final = "ready"
"""The name under which a replica that is too far behind says NOT_SERVING, while it answers look-ups all the same."""


class HealthService(health_pb2_grpc.HealthServicer):  # type: ignore[misc] # the package has no types
    """Answers for the server as a whole (the empty name) and for each service by name; all rise and fall together.

    Besides for ``ready``, which on a replica falls as well while the list there is old.

    Args:
        services: full names, e.g. ``hashpact.v1.LookupService``.
    """

    def __init__(self, services: Sequence[str]) -> None:
        self._names = frozenset(["", READY, *services])
        self._changed = threading.Condition()
        self._serving = False
        self._behind = False
        self._ended = False

    def set_serving(self, *, serving: bool) -> None:
        """Tell everybody who asks, and everybody who watches; after :meth:`end` it stays as it is.

        A replica may get level with its hub while it stops.
        """
        with self._changed:
            self._serving = serving and not self._ended
            self._changed.notify_all()

    def set_behind(self, *, behind: bool) -> None:
        """Whether the list here is older than the operator wants it to be."""
        with self._changed:
            if behind != self._behind:
                self._behind = behind
                self._changed.notify_all()

    def end(self) -> None:
        """Say NOT_SERVING and end every Watch, so that none keeps the server from stopping."""
        with self._changed:
            self._serving, self._ended = False, True
            self._changed.notify_all()

    def Check(  # noqa: N802 - the name in the wire
        self, request: health_pb2.HealthCheckRequest, context: grpc.ServicerContext
    ) -> health_pb2.HealthCheckResponse:
        """Say whether a name takes calls; NOT_FOUND for a name that does not exist."""
        if request.service not in self._names:
            context.set_code(grpc.StatusCode.NOT_FOUND)
            return _STATUS()
        with self._changed:
            return _STATUS(status=self._status(request.service))

    def Watch(  # noqa: N802 - the name in the wire
        self, request: health_pb2.HealthCheckRequest, context: grpc.ServicerContext
    ) -> Iterator[health_pb2.HealthCheckResponse]:
        """Say it, and again whenever it changes; SERVICE_UNKNOWN for a name that does not exist."""
        context.add_callback(self._wake)
        told = None
        while context.is_active():
            with self._changed:
                status, ended = self._status(request.service), self._ended
                if status == told:
                    if ended:
                        return
                    # The callback wakes this at once when the caller goes; the time limit is for a caller that
                    # went between is_active() and here.
                    self._changed.wait(timeout=5)
                    continue
            told = status
            yield _STATUS(status=status)

    def List(  # noqa: N802 - the name in the wire
        self, request: health_pb2.HealthListRequest, context: grpc.ServicerContext
    ) -> health_pb2.HealthListResponse:
        """Say it of every name."""
        del request, context
        with self._changed:
            return health_pb2.HealthListResponse(
                statuses={name: _STATUS(status=self._status(name)) for name in self._names}
            )

    def _status(self, name: str) -> int:
        if name not in self._names:
            return int(_STATUS.SERVICE_UNKNOWN)
        serving = self._serving and not (self._behind and name == READY)
        return int(_STATUS.SERVING if serving else _STATUS.NOT_SERVING)

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()
