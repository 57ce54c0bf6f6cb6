"""Asks a sidecar over HTTP, with nothing but the standard library."""

from __future__ import annotations

import http.client
import json
import socket
from typing import Any, Final
from urllib.parse import urlsplit

from hashpact._target import is_local
from hashpact.canary.proof import Check, Seen, seen_in
from hashpact.errors import ConfigError, NotAllowedError, ServiceError, UnavailableError

ANSWER_BYTES_MAX: Final = 1 << 20


class Sidecar:
    """A sidecar on this machine.

    Args:
        url: ``http://127.0.0.1:PORT``, or ``unix:/path``.
        secret: that it wants from its callers; "" for none.
        timeout_s: deadline of each call.

    Raises:
        ConfigError: another machine, or no address.
    """

    def __init__(self, url: str, secret: str = "", timeout_s: float = 10.0) -> None:
        self._timeout_s = timeout_s
        self._headers = {"authorization": f"Bearer {secret}"} if secret else {}
        self._socket, self._host, self._port = "", "localhost", 80
        if url.startswith("unix:"):
            self._socket = url.removeprefix("unix:")
            return
        try:
            parts = urlsplit(url)
            self._host, self._port = parts.hostname or "", parts.port or 80
        except ValueError:
            self._host = ""
        host = f"[{self._host}]" if ":" in self._host else self._host
        if not url.startswith("http://") or not is_local(f"{host}:{self._port}"):
            raise ConfigError(
                "--sidecar is http://127.0.0.1:PORT or unix:/path, on this machine", reason="SIDECAR_INVALID"
            )

    def ready(self) -> str:
        """It says that it can check."""
        self._ask("GET", "/readyz")
        return "ready"

    @property
    def check(self) -> Check:
        """Checks by sending the file to ``POST /v1/check``."""

        def check(media: bytes) -> Seen:
            seen = seen_in(self._ask("POST", "/v1/check", media))
            if seen.verdict == "unchecked":
                raise UnavailableError(
                    "the sidecar could not check it in time: look at its log and its replica", reason="UNCHECKED"
                )
            return seen

        return check

    def _ask(self, method: str, path: str, body: bytes | None = None) -> dict[str, Any]:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout_s)
        try:
            if self._socket:
                connection.sock = socket.socket(socket.AF_UNIX)
                connection.sock.settimeout(self._timeout_s)
                connection.sock.connect(self._socket)
            kind = {"content-type": "application/octet-stream"} if body is not None else {}
            connection.request(method, path, body, {**self._headers, **kind})
            answer = connection.getresponse()
            status, raw = answer.status, answer.read(ANSWER_BYTES_MAX)
        except (OSError, http.client.HTTPException) as error:
            why = getattr(error, "strerror", None) or type(error).__name__
            raise UnavailableError(
                f"the sidecar does not answer ({why}): is it running, is this its address?"
            ) from error
        finally:
            connection.close()
        return _read(status, raw)


def _read(status: int, raw: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(raw)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise ServiceError(
            f"HTTP {status} without JSON: this is no sidecar, check the address", reason="ANSWER_INVALID"
        )
    if status == http.HTTPStatus.OK:
        return answer
    told = answer.get("error")
    told = told if isinstance(told, dict) else {}
    reason, message = str(told.get("reason", f"HTTP_{status}")), str(told.get("message", f"HTTP {status}"))
    if status in {http.HTTPStatus.UNAUTHORIZED, http.HTTPStatus.FORBIDDEN}:
        raise NotAllowedError(f"the sidecar: {message} (HASHPACT_SIDECAR_SECRET)", reason=reason)
    if status == http.HTTPStatus.SERVICE_UNAVAILABLE:
        raise UnavailableError(f"the sidecar: {message}", reason=reason)
    raise ServiceError(f"the sidecar: {message}", reason=reason)
