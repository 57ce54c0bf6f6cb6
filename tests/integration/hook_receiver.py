"""Who is told by a sidecar's webhook: keeps what came, and lets tests wait for it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.integration.harness import WAIT_S

SECRET = "whsec_" + "A" * 32


class Told:
    """What came: one event per type and reference, however often it came."""

    def __init__(self) -> None:
        self._events: dict[tuple[str, str], dict[str, Any]] = {}
        self.ids: dict[str, set[str]] = {}
        self._news = threading.Condition()

    def take(self, event_id: str, event: dict[str, Any]) -> None:
        """Keep an event."""
        with self._news:
            self._events[event["type"], event["reference"]] = event
            self.ids.setdefault(event["reference"], set()).add(event_id)
            self._news.notify_all()

    def wait_for(self, kind: str, references: set[str]) -> None:
        """Wait until an event of this type came about each."""
        wanted = {(kind, reference) for reference in references}
        with self._news:
            came = self._news.wait_for(lambda: wanted <= self._events.keys(), 2 * WAIT_S)
            assert came, f"{len(wanted - self._events.keys())} did not come"

    def event(self, kind: str, reference: str) -> dict[str, Any]:
        """The event of this type about it, once it came."""
        self.wait_for(kind, {reference})
        return self._events[kind, reference]


@contextmanager
def receiver() -> Iterator[tuple[str, Told]]:
    """A receiver on this machine: its address, and what came."""
    told = Told()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            told.take(self.headers["webhook-id"], json.loads(body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/", told
    finally:
        server.shutdown()
        server.server_close()
