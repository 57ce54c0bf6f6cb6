"""``hashpact incident ...``: opening, supporting, closing, acknowledging; the list of them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

import typer

from hashpact.cli.command import AsJson, service
from hashpact.cli.output import Rows, json_line, say
from hashpact.cli.settings import Settings
from hashpact.incidents import Incident, IncidentRules
from hashpact.signals import SIGNAL_TYPES

Id = Annotated[int, typer.Argument(metavar="INCIDENT", min=1, help="Id of the incident, as the list shows it.")]
Minutes = Annotated[
    float, typer.Option("--minutes", metavar="N", min=0.02, max=20_160, help="For how long from now on.")
]


def radius(text: str) -> tuple[str, int]:
    """``TYPE=BITS``."""
    name, _, bits = text.partition("=")
    if name not in SIGNAL_TYPES or not (bits.isascii() and bits.isdigit()):
        raise typer.BadParameter(f"{text!r} is not TYPE=BITS, with a perceptual signal type: pdq=40")
    return name, int(bits[:6])


@service
def open_command(
    settings: Settings,
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="a-z 0-9 -; a drill's begins with drill-. Labels say incident:NAME."),
    ],
    *,
    kind: Annotated[str, typer.Option("--type", metavar="TYPE", help="A word of the taxonomy.")],
    minutes: Minutes = 60,
    summary: Annotated[str, typer.Option("--summary", metavar="TEXT", help="What happened, in one line.")] = "",
    drill: Annotated[bool, typer.Option("--drill", help="A rehearsal: nothing is listed.")] = False,
    groups_min: Annotated[
        int, typer.Option("--groups-min", metavar="N", min=0, help="Groups that corroborate; 0: the policy's.")
    ] = 0,
    radii: Annotated[
        list[str] | None,
        typer.Option("--radius", metavar="TYPE=BITS", help="Wider radius for the incident's items; again for more."),
    ] = None,
    trial_items: Annotated[
        int,
        typer.Option("--trial-items", metavar="N", min=0, help="Items a day of members on trial; 0: the policy's."),
    ] = 0,
    expiry_hours: Annotated[
        float | None,
        typer.Option(
            "--expiry-hours",
            metavar="N",
            min=0.001,
            max=8760,
            help="Hours after which its items expire, unless corroborated.",
            show_default="never",
        ),
    ] = None,
    validate_only: Annotated[
        bool, typer.Option("--validate-only", help="Say what would happen, and do nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Open an incident (a steward), or call for one (others).

    One steward alone opens it for an hour with rules that are no laxer. What members call for opens when members of
    enough corporate groups support it.
    """
    rules = IncidentRules(
        groups_min,
        dict(radius(text) for text in radii or ()),
        trial_items,
        None if expiry_hours is None else timedelta(hours=expiry_hours),
    )
    with settings.client() as client:
        incident = client.open_incident(
            name,
            kind,
            timedelta(minutes=minutes),
            summary=summary,
            drill=drill,
            rules=rules,
            validate_only=validate_only,
        )
    show(incident, as_json=as_json)


@service
def support_command(settings: Settings, incident: Id, *, minutes: Minutes = 60, as_json: AsJson = False) -> None:
    """Want an incident to be open: so members open one that was called for, and prolong an open one."""
    with settings.client() as client:
        found = client.support_incident(incident, timedelta(minutes=minutes))
    show(found, as_json=as_json)


@service
def close_command(settings: Settings, incident: Id, *, as_json: AsJson = False) -> None:
    """End an incident. Its items stay, and expire as its rules say."""
    with settings.client() as client:
        found = client.close_incident(incident)
    show(found, as_json=as_json)


@service
def ack_command(settings: Settings, incident: Id, *, as_json: AsJson = False) -> None:
    """Say that a person here knows of an incident."""
    with settings.client() as client:
        found = client.acknowledge_incident(incident, "person")
    show(found, as_json=as_json)


@service
def list_command(
    settings: Settings,
    *,
    open_only: Annotated[bool, typer.Option("--open", help="Leave out those that are over.")] = False,
    as_json: AsJson = False,
) -> None:
    """List incidents: those that are not over, then the newest."""
    rows = Rows()
    with settings.client() as client:
        for each in client.list_incidents(open_only=open_only):
            if as_json:
                json_line(each.to_dict())
            else:
                acks = f"{each.software_acknowledgements}/{each.person_acknowledgements}"
                drill = "drill" if each.drill else ""
                end = short(each.end_time)
                rows.add(each.incident, each.name, each.state, each.type, drill, end, each.contributions, acks)
    if not as_json:
        rows.show(
            ("incident", "name", "state", "type", "", "until", "contributions#", "software/people"), empty="no incident"
        )


def show(incident: Incident, *, as_json: bool) -> None:
    """An incident, in a line."""
    if as_json:
        json_line(incident.to_dict())
    else:
        say(line(incident))


def line(incident: Incident) -> str:
    """An incident, for people."""
    until = {"called": "needs support until", "open": "until", "closed": "ended"}.get(incident.state, "until")
    what = "drill" if incident.drill else "incident"
    words = f"{what} {incident.incident} {incident.name} is {incident.state}, {until} {short(incident.end_time)}"
    return f"{words}: {incident.summary}" if incident.summary else words


def short(time: datetime | None) -> str:
    """A time in UTC, to the second."""
    return time.strftime("%Y-%m-%d %H:%M:%SZ") if time else ""
