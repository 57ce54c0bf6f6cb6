"""``hashpact rulebook``: the taxonomy and the policy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hashpact.cli.command import AsJson, service
from hashpact.cli.commands.governing import Reason, Rehearse, show_proposal
from hashpact.cli.output import Rows, json_line, note, say
from hashpact.cli.settings import Settings
from hashpact.cli.words import RULEBOOKS, completing, one_of
from hashpact.errors import InvalidRequestError
from hashpact.items import iso

CONTENT_BYTES_MAX = 64 * 1024

Kind = Annotated[
    str,
    typer.Argument(
        metavar="KIND", parser=one_of(RULEBOOKS), autocompletion=completing(RULEBOOKS), help="taxonomy or policy."
    ),
]


@service
def show_command(
    settings: Settings,
    kind: Kind,
    *,
    version: Annotated[
        int | None,
        typer.Option("--version", metavar="NUMBER", min=0, help="Which; 0: built in.", show_default="in force"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Print the taxonomy or the policy, as JSON."""
    with settings.client() as client:
        found = client.rulebook(kind, version)
    if as_json:
        json_line(found.to_dict())
        return
    told = found.version
    note(f"{found.kind}, version {told.version}{' (built in)' if not told.version else ''}, {_state(told.state)}")
    say_lines(found.content)


@service
def versions_command(settings: Settings, kind: Kind, *, as_json: AsJson = False) -> None:
    """List the versions of the taxonomy or the policy, the newest first."""
    with settings.client() as client:
        found = client.rulebook(kind)
    rows = Rows()
    for each in found.versions:
        if as_json:
            json_line(each.to_dict())
        else:
            adopted = iso(each.adopt_time) or "built in"
            rows.add(str(each.version), _state(each.state), adopted, iso(each.effect_time) or "")
    if not as_json:
        rows.show(("version", "state", "adopted", "takes effect"))


@service
def adopt_command(
    settings: Settings,
    kind: Kind,
    file: Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="The JSON.")],
    *,
    reason: Reason = "",
    validate_only: Rehearse = False,
    as_json: AsJson = False,
) -> None:
    """Propose to adopt a taxonomy or policy; a second steward has to agree."""
    with file.open("rb") as opened:
        raw = opened.read(CONTENT_BYTES_MAX + 1)
    if len(raw) > CONTENT_BYTES_MAX:
        raise InvalidRequestError.about("file", f"{file} is larger than {CONTENT_BYTES_MAX} bytes")
    try:
        content = raw.decode()
    except UnicodeDecodeError as error:
        raise InvalidRequestError.about("file", f"{file} is no UTF-8") from error
    with settings.client() as client:
        proposal = client.propose(f"adopt_{kind}", {"content": content}, reason=reason, validate_only=validate_only)
    show_proposal(proposal, as_json=as_json)


def say_lines(text: str) -> None:
    """Text of several lines on stdout."""
    for line in text.splitlines():
        say(line)


def _state(state: str) -> str:
    return state.replace("_", " ")
