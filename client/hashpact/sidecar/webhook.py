"""The webhook: tells the platform what came out later, at least once each, signed, however often things fail.

::

    post(event) -> outbox (on the disk) -> run(): sign, POST -> 2xx: out of the outbox
                                                             -> anything else: again, later, with the same webhook-id

The receiver is asked gently: while it fails, one event at a time is tried, after pauses that grow to a minute. An
event that alone fails waits longer from time to time, up to ten minutes, and holds up no other.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import hashlib
import ipaddress
import json
import logging
import random
import secrets
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import Any, Final

import httpx

from hashpact.errors import ConfigError, InvalidRequestError, StorageError
from hashpact.sidecar.memory import REFERENCE_BYTES_MAX, require_text
from hashpact.sidecar.outbox import Letter, Outbox
from hashpact.sidecar.signing import Signer

EVENT_TYPES: Final = ("check.completed", "upload.retro_match", "upload.undo")
BODY_BYTES_MAX: Final = 256 << 10
ANSWER_BYTES_MAX: Final = 64 << 10
"""What is read of an answer's body, so that its connection can be used again; nobody looks at it."""
TIMEOUT_S: Final = 15.0
CONCURRENCY: Final = 8
PAUSE_S_MAX: Final = 60.0
DELAY_S_MAX: Final = 600.0
_PAUSE_S: Final = 0.5
_DELAY_S: Final = 5.0

_log = logging.getLogger(__name__)
# httpx logs the URL of every request, which may hold a secret of the receiver's.
logging.getLogger("httpx").setLevel(logging.WARNING)
logging.getLogger("httpcore").setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that the platform is told.

    Attributes:
        type: one of ``EVENT_TYPES``.
        reference: the caller's own word for the upload; not in the repr.
        data: the rest of the JSON object: ``advice``, ``matches`` and so on; not in the repr.
        key: events with the same key are one event, with the same webhook-id, also when one is posted again after a
            crash (the id of the upload in the re-check queue, say). "": it is one of its own.
    """

    type: str
    reference: str = field(repr=False)
    data: Mapping[str, Any] = field(default_factory=dict, repr=False)
    key: str = field(default="", repr=False)


class Webhook:
    """A receiver and the events that wait for it.

    Args:
        url: where to POST; ``https``, or ``http`` on this machine.
        secrets: see :class:`~hashpact.sidecar.signing.Signer`; each signs.
        folder: where events wait; see :mod:`hashpact.sidecar.memory`.
        bytes_max: bytes of events that may wait.
        entries_max: events that may wait.
        timeout_s: deadline of one attempt.
        ca: certificate authority of the receiver (PEM); None for the system's.
        clock: seconds since 1970.

    Raises:
        ConfigError: the URL, a secret or the certificate authority cannot be used.
        StorageError: the folder cannot be used, is damaged, or another process has the outbox open.
    """

    def __init__(
        self,
        url: str,
        secrets: Sequence[str],
        folder: Path,
        *,
        bytes_max: int = 64 << 20,
        entries_max: int = 100_000,
        timeout_s: float = TIMEOUT_S,
        ca: Path | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._url = require_url(url)
        self._signer = Signer(secrets)
        self._timeout_s = timeout_s
        self._clock = clock
        self._tls = trust(ca)
        self._failures = 0
        self._wake = asyncio.Event()
        self._outbox = Outbox(folder, bytes_max, entries_max, clock)
        self.delivered = 0
        """Events that were confirmed, since the start."""
        self.failed_attempts = 0
        """Attempts that were not, since the start."""

    async def post(self, event: Event) -> str:
        """Take an event for delivery; it is on the disk when this returns.

        Returns:
            its webhook-id.

        Raises:
            InvalidRequestError: of no known type, or too large.
            QueueFullError: too much waits already, or the disk is full: nothing was kept.
            StorageError: the disk fails.
        """
        body = self._body(event)
        stem = hashlib.sha256(f"{event.type}\n{event.key}".encode()).hexdigest() if event.key else secrets.token_hex(16)
        letter_id = f"msg_{stem[:32]}"
        await asyncio.to_thread(self._outbox.add, letter_id, event.reference, body)
        self._wake.set()
        return letter_id

    async def forget(self, reference: str) -> int:
        """Delete every event about this reference; returns how many there were. What is under way still arrives."""
        return await asyncio.to_thread(self._outbox.forget, reference)

    async def run(self) -> None:
        """Deliver until cancelled. What is under way then is delivered by the next run, with the same webhook-id."""
        async with httpx.AsyncClient(
            verify=self._tls,
            timeout=self._timeout_s,
            follow_redirects=False,
            # A proxy of the environment would see what goes to this machine in the clear; TLS passes through it.
            trust_env=self._url.scheme == "https",
            limits=httpx.Limits(max_connections=CONCURRENCY),
            # None are kept: a letter is told by its signature alone, and nothing a receiver says is sent back to it.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            headers={"content-type": "application/json", "user-agent": "hashpact-sidecar"},
        ) as client:
            while True:
                self._wake.clear()
                try:
                    await self._round(client)
                except StorageError as error:
                    # Confirmed events may still stand in the outbox: the pause keeps them from being sent in a loop.
                    _log.error("webhook: %s", error.message)  # the sentence says it all
                    await self._pause()

    async def _round(self, client: httpx.AsyncClient) -> None:
        """Try what is due, or wait until something is."""
        letters = await asyncio.to_thread(self._outbox.due, 1 if self._failures else CONCURRENCY)
        if not letters:
            due_s = await asyncio.to_thread(self._outbox.until_due_s)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), due_s)
            return
        answers = await asyncio.gather(*(self._attempt(client, letter) for letter in letters))
        delivered, failed = [], []
        for letter, asked_s in zip(letters, answers, strict=True):
            if asked_s is None:
                delivered.append(letter.id)
            else:
                failed.append((letter.id, max(asked_s, _grown(_DELAY_S, letter.attempts, DELAY_S_MAX))))
        self.delivered += len(delivered)
        self.failed_attempts += len(failed)
        if delivered and self._failures:
            _log.info("webhook: the receiver confirms again")
        await asyncio.to_thread(self._outbox.settle, delivered, failed)
        if failed and not delivered:
            await self._pause()
            return
        self._failures = 0

    async def _pause(self) -> None:
        self._failures += 1
        await asyncio.sleep(_grown(_PAUSE_S, self._failures, PAUSE_S_MAX))

    async def _attempt(self, client: httpx.AsyncClient, letter: Letter) -> float | None:
        """Send once. None: confirmed; else the pause that the receiver asked for, in seconds."""
        headers = self._signer.headers(letter.id, int(self._clock()), letter.body)
        confirmed = False
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                client.stream("POST", self._url, content=letter.body, headers=headers) as answer,
            ):
                confirmed = answer.is_success
                if not confirmed:
                    self._complain(letter, f"answered with {answer.status_code}")
                    asked = answer.headers.get("retry-after", "")
                    return min(float(asked), DELAY_S_MAX) if asked.isascii() and asked.isdigit() else 0.0
                await _drain(answer)
        except (TimeoutError, OSError, httpx.HTTPError, httpx.StreamError) as error:
            if not confirmed:  # else it is one, however its body ended
                self._complain(letter, f"got no answer ({type(error).__name__})")  # a message may hold the URL
                return 0.0
        return None

    @staticmethod
    def _complain(letter: Letter, what: str) -> None:
        _log.warning("webhook: %s, attempt %d: %s", letter.id, letter.attempts + 1, what)

    def _body(self, event: Event) -> bytes:
        if event.type not in EVENT_TYPES:
            raise InvalidRequestError.about("type", f"an event is one of {', '.join(EVENT_TYPES)}")
        require_text("reference", event.reference, REFERENCE_BYTES_MAX)
        when = dt.datetime.fromtimestamp(self._clock(), dt.UTC).isoformat(timespec="milliseconds")
        about = {"type": event.type, "timestamp": when.replace("+00:00", "Z"), "reference": event.reference}
        body = json.dumps({**event.data, **about}, separators=(",", ":")).encode("ascii")
        if len(body) > BODY_BYTES_MAX:
            raise InvalidRequestError.about("data", f"an event of {len(body)} bytes is over {BODY_BYTES_MAX}")
        return body

    def __len__(self) -> int:
        return len(self._outbox)

    @property
    def bytes_waiting(self) -> int:
        """Bytes of events that wait."""
        return self._outbox.bytes_waiting

    @property
    def oldest_age_s(self) -> float:
        """Time since the oldest waiting event was posted, in seconds; 0 when nothing waits."""
        return self._outbox.oldest_age_s

    def close(self) -> None:
        """Close the outbox, after :meth:`run` was cancelled."""
        self._outbox.close()


def require_url(url: str) -> httpx.URL:
    """The receiver's address.

    Raises:
        ConfigError: no http or https address, one that holds a password, or plain http to another machine.
    """
    try:
        found = httpx.URL(url)
    except httpx.InvalidURL:
        raise ConfigError("the webhook's url is none: write https://HOST/PATH", reason="URL_INVALID") from None
    if found.scheme not in {"http", "https"} or not found.host:
        raise ConfigError("the webhook's url starts with https:// and names a host", reason="URL_INVALID")
    if found.userinfo:
        raise ConfigError("the webhook's url holds a name or password: the signature replaces it", reason="URL_INVALID")
    if found.scheme == "http" and not _is_loopback(found.host):
        raise ConfigError(
            "plain http is for 127.0.0.1, [::1] and localhost only: what a webhook says would cross the network in "
            "the clear. Use https",
            reason="PLAINTEXT_REFUSED",
        )
    return found


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def trust(ca: Path | None) -> ssl.SSLContext:
    """Whom a receiver has to be certified by; raises ConfigError."""
    try:
        return ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"{str(ca)!r} holds no certificate authority in PEM form", reason="CA_UNREADABLE") from error


async def _drain(answer: httpx.Response) -> None:
    """Read a short body to its end."""
    read = 0
    async for chunk in answer.aiter_raw():
        read += len(chunk)
        if read > ANSWER_BYTES_MAX:
            return


def _grown(start_s: float, failures: int, most_s: float) -> float:
    """A pause that doubles with each failure, and is never twice the same."""
    return min(most_s, start_s * 2.0 ** min(failures, 32)) * random.uniform(0.75, 1.0)  # noqa: S311  # spreads load
