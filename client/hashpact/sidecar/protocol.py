"""HTTP as uvicorn speaks it, with bounds that it lacks: time for a request's head, open connections, errors as JSON."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle


class _Bounded(H11Protocol):
    header_s: float
    connections_max: int
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if len(self.connections) > self.connections_max:
            transport.abort()
        else:
            self._begin()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        cycle: RequestResponseCycle | None = self.cycle  # None before the first request, whatever its type says
        if cycle is not None and not cycle.response_complete:
            self._end()
        elif self._timer is None:
            self._begin()

    def on_response_complete(self) -> None:
        self._end()
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end()
        super().connection_lost(exc)

    def _begin(self) -> None:
        self._timer = self.loop.call_later(self.header_s, self.transport.abort)

    def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def send_400_response(self, msg: str) -> None:
        body = json.dumps({"error": {"reason": "HTTP_INVALID", "message": msg}}).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            for event in (
                h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
                h11.Data(data=body),
                h11.EndOfMessage(),
            ):
                if out := self.conn.send(event):
                    self.transport.write(out)
        self.transport.close()


def bounded_protocol(*, header_s: float, connections_max: int) -> type[asyncio.Protocol]:
    """The protocol class for ``uvicorn.Config(http=...)``.

    Args:
        header_s: time for the head of a request to arrive, from the opening of the connection or its first byte.
        connections_max: open connections; one more is closed at once.
    """
    return type("BoundedProtocol", (_Bounded,), {"header_s": header_s, "connections_max": connections_max})
