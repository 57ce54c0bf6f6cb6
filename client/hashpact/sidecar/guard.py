"""The gate before every route: who may talk to a server on loopback, and how much at a time.

Programs of this machine may; web pages may not. A page in a browser of this machine can send requests to loopback, so
what bears an ``Origin`` or was sent across sites is refused, and so is a host name that is not ours: a page whose
name was pointed at 127.0.0.1 (DNS rebinding) sends its own. There is no CORS header anywhere.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hashpact.sidecar.refusals import RefusedError, error_response

LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
OPEN_PATHS: Final = frozenset({"/healthz", "/readyz"})
"""What needs no secret: it says nothing but how the sidecar is, to whoever starts and stops it."""

HEADERS: Final = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)


class Guard:
    """An ASGI application around another.

    Args:
        app: the other.
        hosts: names that callers may use; empty: any.
        secret: that callers must send; "" for none.
        uploads_max: requests with a body that are worked on at a time.
    """

    def __init__(self, app: ASGIApp, *, hosts: Iterable[str], secret: str, uploads_max: int) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)
        self._secret = secret.encode()
        self._uploads_max = uploads_max
        self.uploads = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] != "http":
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *HEADERS]}
            await send(message)

        try:
            self._check(scope)
        except RefusedError as refused:
            await error_response(refused)(scope, receive, send_with_headers)
            return
        uploading = scope["method"] == "POST"
        self.uploads += uploading
        try:
            await self._app(scope, receive, send_with_headers)
        finally:
            self.uploads -= uploading

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        if self._hosts and _name(headers.get("host", "")) not in self._hosts:
            raise RefusedError(421, "HOST_REFUSED", "this is not the host that you named: use 127.0.0.1 or localhost")
        # Asking what became known drops what was told before: that is not for pages either, though it is a GET.
        page = scope["method"] in {"GET", "HEAD"} and not scope["path"].startswith("/v1/")
        if not page and ("origin" in headers or headers.get("sec-fetch-site", "none") != "none"):
            raise RefusedError(403, "ORIGIN_REFUSED", "web pages may not send requests here: call from your server")
        if self._secret and scope["path"] not in OPEN_PATHS:
            kind, _, given = headers.get("authorization", "").partition(" ")
            if kind.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), self._secret):
                raise RefusedError(401, "SECRET_WRONG", "send the sidecar's secret: Authorization: Bearer SECRET")
        if scope["method"] == "POST" and self.uploads >= self._uploads_max:
            raise RefusedError(503, "TOO_MANY_REQUESTS", "uploads_max uploads are worked on: try again in a moment")


def _name(host: str) -> str:
    """The name in a Host header, without its port."""
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdigit() else host).lower()
