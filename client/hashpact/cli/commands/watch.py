"""``hashpact watch``: what happens to the list, as it happens."""

from __future__ import annotations

from typing import Annotated

import typer

from hashpact.cli.command import AsJson, service
from hashpact.cli.exits import Exit
from hashpact.cli.output import json_line, note, say_at_once
from hashpact.cli.settings import Settings
from hashpact.cli.words import completing
from hashpact.entries import Entry
from hashpact.errors import ServiceError
from hashpact.items import iso
from hashpact.signals import SIGNAL_TYPES


@service
def watch_command(
    settings: Settings,
    *,
    start: Annotated[
        int | None,
        typer.Option(
            "--from",
            metavar="SEQUENCE",
            min=0,
            help="Number of the first entry to show; 0: all of them.",
            show_default="those that come from now on",
        ),
    ] = None,
    signal_type: Annotated[
        list[str] | None,
        typer.Option(
            "--signal-type",
            metavar="TYPE",
            autocompletion=completing(tuple(SIGNAL_TYPES)),
            help="Only entries about signals of this type; again for more.",
        ),
    ] = None,
    label_class: Annotated[
        list[str] | None,
        typer.Option("--label-class", metavar="CLASS", help="Only entries with labels of this class; again for more."),
    ] = None,
    as_json: AsJson = False,
) -> Exit:
    """Show what happens to the list, as it happens, until Ctrl-C. For members with the role replicate.

    What was taken off the list, and what is about members, is shown whatever is asked for. Comes back by itself when
    the connection breaks, and goes on where it was.
    """
    away = Away()
    with settings.client() as client:
        entries = client.watch(
            start=start, signal_types=signal_type or (), label_classes=label_class or (), on_away=away.tell
        )
        try:
            for entry in entries:
                away.back()
                if as_json:
                    json_line(entry.to_dict())
                else:
                    say_at_once(_line(entry))
        except KeyboardInterrupt:
            pass  # how a watch ends: nothing was broken off
    return Exit.OK


def _line(entry: Entry) -> str:
    about = f"item {entry.item} {entry.status}" if entry.item is not None else f"about {entry.subject}"
    if entry.item is None and entry.subject == entry.sequence:
        about = ""
    classes = ", ".join(entry.label_classes)
    words = (iso(entry.time) or "", f"{entry.sequence:>8}", f"{entry.kind.replace('_', ' '):<22}", about, classes)
    return "  ".join(words).rstrip()


class Away:
    """Says once that the service is away, and once that it is back."""

    def __init__(self) -> None:
        self._away = False

    def tell(self, error: ServiceError) -> None:
        """The connection broke, or could not be made again."""
        if not self._away:
            note(f"{error.message}; trying again until it answers")
        self._away = True

    def back(self) -> None:
        """Something came."""
        if self._away:
            note("connected again, nothing was missed")
        self._away = False
