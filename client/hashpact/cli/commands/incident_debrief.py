"""``hashpact incident debrief``: how an incident went."""

from __future__ import annotations

from datetime import datetime

from hashpact.cli.command import AsJson, service
from hashpact.cli.commands.incident import Id, line, short
from hashpact.cli.output import Rows, json_line, say
from hashpact.cli.settings import Settings
from hashpact.incidents import Debrief, Percentiles


@service
def debrief_command(settings: Settings, incident: Id, *, as_json: AsJson = False) -> None:
    """Tell how an incident went: times, variants by hour, every member's part, how fast everybody knew."""
    with settings.client() as client:
        told = client.incident_debrief(incident)
    if as_json:
        json_line(told.to_dict())
        return
    _summary(told)
    hours = Rows()
    for hour in told.hours:
        hours.add(short(hour.start_time), hour.contributions, hour.signals, hour.items)
    say("")
    hours.show(("hour", "contributions#", "variants#", "new items#"))
    members = Rows()
    for one in told.members:
        members.add(
            one.member or "(redacted)",
            one.contributions,
            one.signals,
            _of_day(one.first_contribution_time),
            _of_day(one.first_match_hour)[:-3] if told.with_matches else "?",
            one.matches if told.with_matches else "?",
            _of_day(one.software_acknowledge_time),
            _of_day(one.person_acknowledge_time),
        )
    say("")
    members.show(
        (
            "member",
            "contributions#",
            "variants#",
            "first",
            "first match (hour)",
            "matches#",
            "software knew",
            "person knew",
        )
    )


def _summary(told: Debrief) -> None:
    incident = told.incident
    say(line(incident))
    say(f"  began {short(incident.create_time)}, open since {short(incident.open_time) or '-'}, by {incident.member}")
    say(
        f"  {incident.contributions} contributions, {told.items} items, {told.items_created} of them new: "
        f"{told.items_corroborated} corroborated, {told.items_closed} off the list again"
    )
    say(f"  software knew: {_spread(told.software_acknowledged)}")
    say(f"  people knew:   {_spread(told.person_acknowledged)}")


def _of_day(time: datetime | None) -> str:
    return time.strftime("%m-%d %H:%M:%S") if time else ""


def _spread(times: Percentiles) -> str:
    if not times.count:
        return "nobody acknowledged"
    return (
        f"{times.count} members; half within {times.p50_s:.3f} s, 95% within {times.p95_s:.3f} s, "
        f"99% within {times.p99_s:.3f} s, all within {times.max_s:.3f} s"
    )
