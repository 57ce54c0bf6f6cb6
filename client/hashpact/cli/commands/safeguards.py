"""``hashpact alert``, ``hashpact benign`` and ``hashpact trace``: what stewards look after."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Final

import typer

from hashpact.cli.command import AsJson, service
from hashpact.cli.exits import Exit
from hashpact.cli.output import Rows, json_line, note, say
from hashpact.cli.settings import Settings
from hashpact.errors import InvalidRequestError
from hashpact.items import iso

_DIGEST: Final = re.compile(rb"(?<![0-9A-Fa-f])[0-9A-Fa-f]{64}(?![0-9A-Fa-f])")

Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for the other stewards.")]


@service
def alerts_command(
    settings: Settings,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Those that were acknowledged, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """List alerts that nobody acknowledged."""
    rows = Rows()
    with settings.client() as client:
        for alert in client.list_alerts(with_acknowledged=everything):
            if as_json:
                json_line(alert.to_dict())
            else:
                about = ", ".join(filter(None, (f"item {alert.item}" if alert.item else "", alert.member)))
                count = str(alert.count) if alert.count else ""
                cells = (str(alert.alert), alert.kind, about, count, alert.note, iso(alert.raise_time))
                seen = (alert.acknowledged_by, alert.acknowledgement) if everything else ()
                rows.add(*cells, *seen)
    if not as_json:
        seen = ("seen by", "who said") if everything else ()
        rows.show(("alert", "kind", "about", "count", "note", "raised", *seen), empty="no alert stands")


@service
def acknowledge_command(
    settings: Settings,
    alert: Annotated[int, typer.Argument(metavar="ALERT", min=1, help="Id of the alert, as the list shows it.")],
    *,
    text: Annotated[str, typer.Option("--note", metavar="TEXT", help="What is done about it.")] = "",
    as_json: AsJson = False,
) -> None:
    """Say that you have seen an alert and look after it."""
    with settings.client() as client:
        done = client.acknowledge_alert(alert, text)
    if as_json:
        json_line(done.to_dict())
    else:
        said = f": {done.acknowledgement}" if done.acknowledgement != text else ""  # the first acknowledgement stands
        say(f"alert {done.alert} ({done.kind}) is acknowledged by {done.acknowledged_by}{said}")


@service
def benign_list_command(settings: Settings, *, as_json: AsJson = False) -> None:
    """List known good media: what lies near them is not contributed, and not acted upon."""
    rows = Rows()
    with settings.client() as client:
        for benign in client.list_benign():
            if as_json:
                json_line(benign.to_dict())
            else:
                rows.add(str(benign.benign), benign.note, ", ".join(benign.signal_types), iso(benign.list_time))
    if not as_json:
        rows.show(("benign", "what", "signals", "listed"), empty="the benign list is empty")


@service
def benign_add_command(
    settings: Settings,
    file: Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="A picture.")],
    *,
    text: Annotated[str, typer.Option("--note", metavar="TEXT", help="What it is, e.g. the logo of a channel.")],
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Propose to put a picture on the benign list; a second steward has to agree."""
    with settings.client() as client:
        motion = client.propose_benign(file, text, reason=reason)
    _say_motion(motion, as_json=as_json)


@service
def benign_remove_command(
    settings: Settings,
    benign: Annotated[int, typer.Argument(metavar="BENIGN", min=1, help="Id, as the list shows it.")],
    *,
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Propose to take media off the benign list; a second steward has to agree."""
    with settings.client() as client:
        motion = client.propose_not_benign(benign, reason=reason)
    _say_motion(motion, as_json=as_json)


def _say_motion(motion: int, *, as_json: bool) -> None:
    if as_json:
        json_line({"motion": motion})
    else:
        say(f"motion {motion}: another steward has to second it, with hashpact steward second {motion}")


@service
def trace_command(
    settings: Settings,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="The leaked list, in any text form.")
    ],
    *,
    as_json: AsJson = False,
) -> Exit:
    """Say whose copy of the list a leaked one is, by the decoys in it. Exit code 10 when somebody's is found."""
    digests = [bytes.fromhex(found.decode()) for found in _DIGEST.findall(file.read_bytes())]
    if not digests:
        raise InvalidRequestError(f"{file} holds no SHA-256 digest in hex", reason="FIELD_INVALID")
    with settings.client() as client:
        members = client.trace_signals(digests)
    for each in members:
        if as_json:
            json_line(each.to_dict())
        else:
            say(f"{each.member or '(a member without a name)'}: {each.decoys} of its decoys")
    if not members:
        note(f"none of its {len(set(digests))} digests is a decoy: it tells nothing about whose copy it is")
    return Exit.MATCHED if members else Exit.OK
