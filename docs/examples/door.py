"""A door of plain HTTP for programs that are no web application: POST requests to functions, standard library only."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import hook

BYTES_MAX = 50_000_000
AGAIN_S = 60

Route = Callable[[Mapping[str, str], bytes], int]
"""From headers and body to a status code."""


def events(headers: Mapping[str, str], body: bytes) -> int:
    """What the sidecar finds out later."""
    try:
        hook.event(headers, body)
    except ValueError:
        return 401
    return 204


def serve(routes: Mapping[str, Route], again: Callable[[], object] = hook.check_again) -> None:
    """Answer on 127.0.0.1, on the port that the command line names, for ever."""

    class Handler(BaseHTTPRequestHandler):
        timeout = 30
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            try:
                route = routes.get(self.path)
                body = self._body() if route else None
                status = 404 if route is None else 413 if body is None else route(dict(self.headers.items()), body)
            except Exception:  # the disk is full, the store is away: the caller comes again
                logging.exception("not taken")
                status = 500
            self.send_response(status)
            if status >= 400:  # a body may be left unread; whoever sends again must know that this line is closed
                self.send_header("connection", "close")
            self.send_header("content-length", "0")
            self.end_headers()

        def _body(self) -> bytes | None:
            """The body, in one piece or in chunks; None when it is too long."""
            if self.headers.get("transfer-encoding", "").lower() != "chunked":
                length = int(self.headers.get("content-length") or 0)
                return self.rfile.read(length) if 0 <= length <= BYTES_MAX else None
            body = b""
            while length := int(self.rfile.readline(64).partition(b";")[0], 16):
                if length < 0 or len(body) + length > BYTES_MAX:
                    return None
                body += self.rfile.read(length)
                self.rfile.readline(64)
            while self.rfile.readline(8192).strip():
                pass  # what may follow the last chunk
            return body

        def log_message(self, *_: object) -> None:
            """Say nothing: requests name uploads."""

    threading.Thread(target=_repeat, args=(again,), daemon=True).start()
    with ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler) as server:
        print(f"listening on {server.server_port}", flush=True)  # noqa: T201
        server.serve_forever()


def _repeat(again: Callable[[], object]) -> None:
    while True:
        try:
            again()
        except Exception:  # a store that is away, a full disk: next time
            logging.exception("not checked again")
        time.sleep(AGAIN_S)
