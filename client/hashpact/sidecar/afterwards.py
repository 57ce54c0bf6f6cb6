"""What comes out after the answer: the replica remembers uploads, and tells which match later entries and what to undo.

Only where the operator switched it on (``remember_hours``). Everything lies with the local server; here its two streams
become webhook events, each posted before the stream is told that it was taken care of.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, Final, Literal, cast

from hashpact.aio import AsyncClient
from hashpact.errors import ConflictError, HashpactError
from hashpact.probes import Probe
from hashpact.results import Match, ProbeResult, Problem
from hashpact.sidecar.logs import event
from hashpact.sidecar.modes import Modes
from hashpact.sidecar.settings import SidecarSettings
from hashpact.sidecar.webhook import Event, Webhook
from hashpact.uploads import Corrections, RetroMatches, UploadAction

Kind = Literal["retro", "corrections"]
KINDS: Final[tuple[Kind, ...]] = ("retro", "corrections")
REMEMBER_S_MAX: Final = 1.0
"""How long an answer waits for being remembered."""
POLL_S: Final = 1.0
"""How long one who asks for what there is waits for it."""
AGAIN_S: Final = 5.0
_POSITION: Final = re.compile(r"[A-Za-z0-9_-]{1,200}")


class Afterwards:
    """Remembering uploads, and telling of them.

    Args:
        client: of the local server.
        modes: how far advice may go.
        webhook: who is told; None: whoever asks.
        folder: where it is written down how far the streams were taken care of.
        until_serving: returns when the replica serves.
    """

    def __init__(
        self,
        client: AsyncClient,
        modes: Modes,
        webhook: Webhook | None,
        folder: Path,
        until_serving: Callable[[], Awaitable[None]],
    ) -> None:
        self._client = client
        self._modes = modes
        self._webhook = webhook
        self._folder = folder
        self._until_serving = until_serving
        self._dropped = 0

    async def remember(self, reference: str, probe: Probe, as_of: str) -> bool:
        """Let the replica remember an upload; whether it does, durably."""
        try:
            async with asyncio.timeout(REMEMBER_S_MAX):
                return not await self._client.remember_uploads([(reference, probe)], as_of=as_of)
        except (HashpactError, TimeoutError) as error:
            why = error.reason if isinstance(error, HashpactError) else "DEADLINE_EXCEEDED"
            event(logging.WARNING, "upload not remembered", why=why)
            return False

    async def record(self, action: UploadAction) -> Sequence[Problem]:
        """Write down what was done because of which items; what was not written down."""
        return await self._client.record_actions([action])

    async def forget(self, reference: str) -> int:
        """Let the replica forget an upload and what was done about it; how much there was."""
        gone = await self._client.forget_uploads([reference])
        return gone.uploads + gone.actions

    async def poll(self, kind: Kind, after: str) -> dict[str, Any]:
        """What waits to be told; what came up to ``after`` is taken care of, and dropped."""
        found: dict[str, Any] = {"events": [], "as_of": after}
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(POLL_S), aclosing(self._stream(kind, after)) as stream:
                async for message in stream:
                    told = [{"reference": reference, **data} for _, reference, data in self._events(message)]
                    found = {"events": told, "as_of": message.as_of}
                    break
        return found

    async def run(self) -> None:
        """Post what the replica tells, until cancelled. Does nothing without a webhook."""
        if self._webhook is not None:
            await asyncio.gather(*(self._follow(kind, self._webhook) for kind in KINDS))

    async def _follow(self, kind: Kind, webhook: Webhook) -> None:
        place = self._folder / f"{kind}.position"
        while True:
            try:
                await self._until_serving()
                while True:
                    await self._take(kind, webhook, place)
            except ConflictError as error:
                if error.reason == "TOKEN_UNKNOWN_HISTORY":
                    place.unlink(missing_ok=True)  # of a memory that was deleted
                event(logging.WARNING, "stream refused", kind=kind, why=error.reason)
            except HashpactError as error:
                event(logging.WARNING, "stream broken off", kind=kind, why=error.reason)
            except OSError as error:  # a full disk: what was posted comes again, under the same keys
                event(logging.ERROR, "position not written down", kind=kind, why=error.strerror)
            await asyncio.sleep(AGAIN_S)

    async def _take(self, kind: Kind, webhook: Webhook, place: Path) -> None:
        """Post the next events; coming back from there tells the replica that they were taken care of."""
        async with aclosing(self._stream(kind, _read(place))) as stream:
            async for message in stream:
                events = self._events(message)
                for type_, reference, data in events:
                    await webhook.post(Event(type_, reference, data, key=data["event"]))
                if events:
                    # Crash before this: they are told again, under the same keys.
                    _write(place, message.as_of)
                    return

    def _stream(self, kind: Kind, after: str) -> AsyncGenerator[RetroMatches | Corrections, None]:
        watch = self._client.watch_retro_matches if kind == "retro" else self._client.watch_corrections
        return cast("AsyncGenerator[RetroMatches | Corrections, None]", watch(after))

    def _events(self, message: RetroMatches | Corrections) -> list[tuple[str, str, dict[str, Any]]]:
        """(type, reference, data) of each."""
        if isinstance(message, Corrections):
            told = [("upload.undo", each.reference, each.to_dict()) for each in message.corrections]
        else:
            told = []
            if message.dropped > self._dropped:
                self._dropped = message.dropped
                event(logging.ERROR, "later matches dropped untold", since_the_memory_began=message.dropped)
            for found in message.matches:
                data = found.to_dict()
                data |= self._advised(found.match)
                del data["match"]
                told.append(("upload.retro_match", found.reference, data))
        return [(type_, reference, _without(data, "reference")) for type_, reference, data in told]

    def _advised(self, match: Match) -> dict[str, Any]:
        # The content's hash is not told, so a trial with a part of all contents leaves these to be counted.
        lowered = self._modes.lowered(match, in_trial=self._modes.trial_share >= 1)
        shown = {**lowered.to_dict(), "hub_advice": match.advice}
        verdict = ProbeResult((match,)).verdict
        return {"verdict": verdict, "advice": lowered.advice, "hub_advice": match.advice, "matches": [shown]}


def _without(data: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in data.items() if key != name}


def _read(place: Path) -> str:
    try:
        found = place.read_text(encoding="ascii")
    except (FileNotFoundError, UnicodeDecodeError):
        return ""
    # What a power cut left of it: told again, under the same keys, is better than refused for ever.
    return found if _POSITION.fullmatch(found) else ""


def _write(place: Path, as_of: str) -> None:
    part = place.with_suffix(".part")
    part.write_text(as_of, encoding="ascii")
    part.replace(place)


def server_settings(settings: SidecarSettings) -> str:
    """The local server's ``config.toml``: room for this one member, and what it remembers."""
    calls_max = max(64, settings.uploads_max)
    lines = [
        "# Written by hashpact sidecar at every start.",
        f'log_level = "{settings.log_level}"',
        "[limits]",
        f"requests_max = {calls_max}",
        f"member_requests_max = {calls_max}",
    ]
    if settings.remember_hours:
        lines += [
            "[uploads]",
            "enabled = true",
            f"window_hours = {settings.remember_hours}",
            f"uploads_max = {settings.remember_uploads_max}",
            f"bytes_max = {settings.remember_bytes_max}",
        ]
    return "\n".join(lines) + "\n"
