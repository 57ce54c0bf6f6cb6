"""Hooks of ``hashpact incident watch``: a command and an address that are told of each incident, until they confirm.

::

    tell(incident) --> waiting: incident -> its newest state --thread--> hook --confirmed--> done(incident)
                                    ^                                     |
                                    '------ again, after a pause ---------'

Of an incident that changes while its hook fails, the newest state alone is told. After a restart of the watch the
incidents that are not over come again: whoever is told keeps the ids that it handled.
"""

from __future__ import annotations

import json
import os
import random
import shlex
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from hashpact.errors import ConfigError, MissingExtraError
from hashpact.incidents import Incident
from hashpact.items import iso

PAUSE_S_MAX: Final = 30.0
_PAUSE_S: Final = 0.5
_LAST_S: Final = 2.0
TIMEOUT_S: Final = 15.0
COMMAND_TIMEOUT_S: Final = 300.0
TYPES: Final = {"called": "incident.called", "open": "incident.open", "closed": "incident.closed"}


class Hook(Protocol):
    """Somebody who is told. ``tell`` raises nothing; it returns "" when that was confirmed, else what went wrong."""

    def tell(self, incident: Incident) -> str:
        """Tell once."""


def event_id(incident: Incident) -> str:
    """Identifies one state of an incident: the same however often it is told."""
    return f"msg_incident_{incident.incident}_{incident.sequence}"


def event_body(incident: Incident) -> bytes:
    """What hooks are told: JSON, as ``docs/webhooks.md`` describes it."""
    event = {
        "type": TYPES.get(incident.state, "incident.changed"),
        "timestamp": iso(incident.update_time),
        "incident": incident.to_dict(),
    }
    return json.dumps(event, separators=(",", ":")).encode("ascii")


class CommandHook:
    """A program of this machine: gets the event on its standard input, and confirms by ending with 0.

    Args:
        command: the program and its arguments, as a shell would split them; no shell is involved.

    Raises:
        ConfigError: it cannot be split, or names nothing.
    """

    def __init__(self, command: str) -> None:
        try:
            self._words = shlex.split(command)
        except ValueError as error:
            raise ConfigError(f"the command cannot be read: {error}") from error
        if not self._words:
            raise ConfigError("the command is empty")

    def tell(self, incident: Incident) -> str:
        """Run the program once."""
        about = {
            "HASHPACT_INCIDENT": str(incident.incident),
            "HASHPACT_INCIDENT_NAME": incident.name,
            "HASHPACT_INCIDENT_STATE": incident.state,
            "HASHPACT_INCIDENT_DRILL": "1" if incident.drill else "0",
            "HASHPACT_EVENT_ID": event_id(incident),
        }
        kept = {name: value for name, value in os.environ.items() if name != "HASHPACT_TOKEN"}
        try:
            done = subprocess.run(  # noqa: S603  # the user's own program
                self._words,
                input=event_body(incident),
                stdout=subprocess.DEVNULL,
                timeout=COMMAND_TIMEOUT_S,
                env=kept | about,
                check=False,
            )
        except (OSError, subprocess.SubprocessError) as error:
            return f"the command did not run to its end ({type(error).__name__})"
        return "" if done.returncode == 0 else f"the command ended with exit code {done.returncode}"


class WebHook:
    """An address: gets the event by POST, signed as ``docs/webhooks.md`` says, and confirms by answering 2xx.

    Args:
        url: ``https``, or ``http`` on this machine.
        secrets: ``whsec_...``; each signs.
        ca: certificate authority of the receiver (PEM); None for the system's.

    Raises:
        ConfigError: the address, a secret or the certificate authority cannot be used.
        MissingExtraError: the extra ``sidecar`` is not installed.
    """

    def __init__(self, url: str, secrets: Sequence[str], ca: Path | None = None) -> None:
        try:
            import httpx  # noqa: PLC0415  # of the extra; nobody else here needs it
        except ImportError as error:
            raise MissingExtraError(
                "--url needs an extra that is not installed: pip install 'hashpact[sidecar]'"
            ) from error

        from hashpact.sidecar.signing import Signer  # noqa: PLC0415  # as above
        from hashpact.sidecar.webhook import require_url, trust  # noqa: PLC0415  # as above

        self._url = require_url(url)
        self._signer = Signer(secrets)
        self._errors: tuple[type[Exception], ...] = (httpx.HTTPError, httpx.StreamError, OSError)
        self._client: Any = httpx.Client(
            verify=trust(ca),
            timeout=TIMEOUT_S,
            follow_redirects=False,
            trust_env=self._url.scheme == "https",
            headers={"content-type": "application/json", "user-agent": "hashpact-incident"},
        )

    def tell(self, incident: Incident) -> str:
        """POST once."""
        body = event_body(incident)
        headers = self._signer.headers(event_id(incident), int(time.time()), body)
        try:
            with self._client.stream("POST", self._url, content=body, headers=headers) as answer:
                return "" if answer.is_success else f"the address answered with {answer.status_code}"
        except self._errors as error:
            return f"the address gave no answer ({type(error).__name__})"  # a message may hold the URL


class Teller:
    """Tells one hook of incidents, in a thread of its own, again and again until it confirms.

    Args:
        hook: who is told.
        done: called with an incident when this state of it was confirmed.
        failed: called with what went wrong, after each attempt that did.
    """

    def __init__(self, hook: Hook, done: Callable[[Incident], None], failed: Callable[[str], None]) -> None:
        self._hook = hook
        self._done = done
        self._failed = failed
        self._waiting: dict[int, Incident] = {}
        self._changed = threading.Condition()
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="hashpact-hook", daemon=True)
        self._thread.start()

    def tell(self, incident: Incident) -> None:
        """Tell of an incident; of an earlier state that was not confirmed yet nobody hears any more."""
        with self._changed:
            self._waiting[incident.incident] = incident
            self._changed.notify()

    def close(self) -> None:
        """End; what is being told has a moment to be confirmed."""
        with self._changed:
            self._ended = True
            self._changed.notify()
        self._thread.join(_LAST_S)

    def _run(self) -> None:
        failures = 0
        while (incident := self._next(failures)) is not None:
            problem = self._hook.tell(incident)
            if problem:
                failures += 1
                self._failed(problem)
                continue
            failures = 0
            with self._changed:
                if self._waiting.get(incident.incident) == incident:
                    del self._waiting[incident.incident]
            self._done(incident)

    def _next(self, failures: int) -> Incident | None:
        """The incident whose turn it is: the one that waits longest; None at the end."""
        with self._changed:
            if failures:
                pause_s = min(PAUSE_S_MAX, _PAUSE_S * 2.0 ** min(failures - 1, 16)) * random.uniform(0.75, 1.0)  # noqa: S311
                self._changed.wait_for(lambda: self._ended, pause_s)
            self._changed.wait_for(lambda: self._ended or bool(self._waiting))
            if self._ended:
                return None
            place = failures % len(self._waiting)  # one that alone fails holds up no other
            return list(self._waiting.values())[place]
