"""``hashpact incident watch``: tells programs and addresses of this member as soon as an incident is opened."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from hashpact.cli.command import AsJson, service
from hashpact.cli.commands.incident import line
from hashpact.cli.commands.watch import Away
from hashpact.cli.exits import Exit
from hashpact.cli.output import json_line, note, say_at_once
from hashpact.cli.settings import Settings
from hashpact.errors import ConfigError, HashpactError
from hashpact.incident_hooks import CommandHook, Hook, Teller, WebHook
from hashpact.incidents import Incident

if TYPE_CHECKING:
    from hashpact.client import Client

SECRET_BYTES_MAX: Final = 4096


@service
def watch_command(
    settings: Settings,
    *,
    command: Annotated[
        list[str] | None,
        typer.Option(
            "--command",
            metavar="COMMAND",
            help="A program that gets each event as JSON on its standard input, and confirms by ending with 0.",
        ),
    ] = None,
    url: Annotated[
        list[str] | None,
        typer.Option("--url", metavar="URL", help="An address that gets each event by POST, signed: docs/webhooks.md."),
    ] = None,
    secret_file: Annotated[
        Path | None,
        typer.Option(
            "--secret-file",
            metavar="FILE",
            help="File with the secrets that sign, one on each line. Else HASHPACT_WEBHOOK_SECRET.",
        ),
    ] = None,
    url_ca: Annotated[
        Path | None,
        typer.Option("--url-ca", metavar="FILE", help="Certificate authority of the address (PEM)."),
    ] = None,
    acknowledge: Annotated[
        bool,
        typer.Option(
            "--acknowledge/--no-acknowledge",
            help="Tell the forum that this member's software knows, once every hook has confirmed.",
        ),
    ] = True,
    as_json: AsJson = False,
) -> Exit:
    """Tell hooks of incidents as they are opened, called for, prolonged and closed, until Ctrl-C.

    First of those that are not over. A hook that fails is told again, after pauses that grow to half a minute. What
    the software acknowledges is no person's doing: for that there is `hashpact incident ack`.
    """
    secrets = _secrets(secret_file) if url else ()
    hooks: list[Hook] = [
        *(CommandHook(text) for text in command or ()),
        *(WebHook(address, secrets, url_ca) for address in url or ()),
    ]
    away = Away()
    with settings.client() as client:
        desk = Desk(client, hooks, acknowledge=acknowledge)
        try:
            for update in client.watch_incidents(on_away=away.tell):
                away.back()
                for incident in update.incidents:
                    desk.take(incident)
                    if as_json:
                        json_line(incident.to_dict())
                    else:
                        say_at_once(line(incident))
        except KeyboardInterrupt:
            pass  # how a watch ends: nothing was broken off
        finally:
            desk.close()
    return Exit.OK


class Desk:
    """Passes incidents on to hooks, and acknowledges those that all of them have confirmed."""

    def __init__(self, client: Client, hooks: list[Hook], *, acknowledge: bool) -> None:
        self._acknowledge = acknowledge
        self._left: dict[tuple[int, int], set[int]] = {}
        # Acknowledging is a hook, too: it may fail, and is tried again.
        self._acknowledger = Teller(_Acknowledging(client), lambda _: None, note)
        self._tellers = [
            Teller(hook, lambda incident, place=place: self._confirmed(incident, place), note)  # type: ignore[misc]
            for place, hook in enumerate(hooks)
        ]

    def take(self, incident: Incident) -> None:
        """Tell everybody."""
        self._left[incident.incident, incident.sequence] = set(range(len(self._tellers)))
        for teller in self._tellers:
            teller.tell(incident)
        if not self._tellers:
            self._settled(incident)

    def close(self) -> None:
        """End."""
        for teller in (*self._tellers, self._acknowledger):
            teller.close()

    def _confirmed(self, incident: Incident, place: int) -> None:
        state = incident.incident, incident.sequence
        left = self._left[state]
        left.discard(place)
        if not left:
            self._settled(incident)

    def _settled(self, incident: Incident) -> None:
        if self._acknowledge and incident.state != "closed":
            self._acknowledger.tell(incident)


class _Acknowledging:
    """Tells the forum that this member's software knows."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def tell(self, incident: Incident) -> str:
        """Acknowledge once."""
        try:
            self._client.acknowledge_incident(incident.incident, "software")
        except HashpactError as error:
            if error.reason in ("INCIDENT_CLOSED", "INCIDENT_NOT_FOUND"):
                return ""  # over meanwhile
            return f"not acknowledged yet: {error.message}"
        return ""


def _secrets(name: Path | None) -> tuple[str, ...]:
    if name is None:
        text = os.environ.get("HASHPACT_WEBHOOK_SECRET", "")
    else:
        try:
            with name.open(encoding="utf-8") as file:
                text = file.read(SECRET_BYTES_MAX)
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{str(name)!r} cannot be read: it should hold a secret on each line") from error
    return tuple(line.strip() for line in text.splitlines() if line.strip())
