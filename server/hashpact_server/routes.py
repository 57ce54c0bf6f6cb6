"""Which handler answers which method, and what each method takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import grpc

from hashpact_server.inflight import Kind
from hashpact_server.interceptors import Handler, Method, Router
from hashpact_server.metrics import Metrics
from hashpact_server.services.roles import ROLES, STREAMS

METHODS: Final[Mapping[str, Method]] = {
    path: Method(path, frozenset(roles), Kind.STREAM if path in STREAMS else Kind.REQUEST)
    for path, roles in ROLES.items()
}
"""Every method that needs a token."""


def service_names() -> tuple[str, ...]:
    """Full names of the services that need a token, sorted."""
    return tuple(sorted({path.split("/")[1] for path in METHODS}))


class Routes(Router):
    """Which handler answers which method; may change while the server runs."""

    def __init__(self, metrics: Metrics) -> None:
        self.table: dict[str, Handler] = {}
        self._metrics = metrics

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Handler | None:
        """The handler of a method; None: there is no such method."""
        handler = self.table.get(handler_call_details.method)
        if handler is None:
            # Answered UNIMPLEMENTED. Its name is the caller's word and becomes no label.
            self._metrics.call("unknown", "UNIMPLEMENTED", 0.0)
        return handler


class Collector:
    """Looks to generated code as a server does, and keeps the handlers that it is given."""

    def __init__(self) -> None:
        self.table: dict[str, Handler] = {}

    def add_generic_rpc_handlers(self, handlers: Iterable[Router]) -> None:
        """Generated code calls both; the handlers arrive by the other."""

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Handler]) -> None:
        """Keep handlers by path."""
        self.table.update({f"/{service}/{name}": handler for name, handler in handlers.items()})
