"""``hashpact steward``: what one steward may do, and motions, which take two; ``hashpact rollback``."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import typer

from hashpact.cli.command import AsJson, service
from hashpact.cli.output import Rows, json_line, note, say
from hashpact.cli.settings import Settings
from hashpact.cli.words import REDACTION_REASONS, STEWARD_ACTS, completing, one_of
from hashpact.errors import InvalidRequestError
from hashpact.governing import Motion, Proposal
from hashpact.items import iso

_AGO: Final = re.compile(r"(\d{1,5})\s*(m|h|d)")
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}

Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for the other stewards.")]
Rehearse = Annotated[bool, typer.Option("--validate-only", help="Check everything and write nothing.")]
MotionNumber = Annotated[int, typer.Argument(metavar="MOTION", min=1, help="Number of the motion, as the list has it.")]
Item = Annotated[int, typer.Argument(metavar="ITEM", min=1, help="Id of the item.")]


def _time_since(text: str) -> datetime:
    """A time as people write it: ISO 8601 with its zone, or minutes, hours or days ago."""
    if ago := _AGO.fullmatch(text.strip()):
        return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        time = datetime.fromisoformat(text.strip())
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise typer.BadParameter(f"{text!r} is no time with its zone, as 2026-01-31T12:00:00Z, nor 90m, 6h, 3d ago")
    return time


@service
def propose_command(
    settings: Settings,
    act: Annotated[
        str,
        typer.Argument(
            metavar="ACT",
            parser=one_of(STEWARD_ACTS),
            autocompletion=completing(STEWARD_ACTS),
            help=f"What it would do: {', '.join(STEWARD_ACTS)}.",
        ),
    ],
    fields: Annotated[
        list[str] | None, typer.Argument(metavar="[FIELD=VALUE]...", help="The act's fields; a value may be JSON.")
    ] = None,
    *,
    reason: Reason = "",
    validate_only: Rehearse = False,
    as_json: AsJson = False,
) -> None:
    """Propose a motion; a steward of another corporate group has to second it."""
    with settings.client() as client:
        proposal = client.propose(act, _fields_of(fields or []), reason=reason, validate_only=validate_only)
    show_proposal(proposal, as_json=as_json)


@service
def second_command(
    settings: Settings, motion: MotionNumber, *, validate_only: Rehearse = False, as_json: AsJson = False
) -> None:
    """Second a motion of another steward. That carries it out."""
    with settings.client() as client:
        done = client.second(motion, validate_only=validate_only)
    if as_json:
        json_line(done.to_dict())
    elif validate_only:
        say(f"motion {motion} ({_word(done.act)}) could be carried out")
    else:
        say(f"motion {done.motion} ({_word(done.act)}) is carried out")


@service
def withdraw_command(settings: Settings, motion: MotionNumber, *, as_json: AsJson = False) -> None:
    """Take a motion back."""
    with settings.client() as client:
        done = client.withdraw_motion(motion)
    if as_json:
        json_line(done.to_dict())
    else:
        say(f"motion {done.motion} is {done.state}")


@service
def motions_command(
    settings: Settings,
    *,
    everything: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """List motions that wait for a second steward."""
    rows = Rows()
    with settings.client() as client:
        for motion in client.list_motions(open_only=not everything):
            if as_json:
                json_line(motion.to_dict())
            else:
                second = motion.closed_by or f"until {iso(motion.lapse_time)}"
                what, who = _told(motion), motion.proposed_by
                rows.add(str(motion.motion), motion.state, _word(motion.act), what, who, second, motion.reason)
    if not as_json:
        rows.show(
            ("motion", "state", "act", "what", "proposed by", "second", "reason"),
            empty="no motion waits" if not everything else "no motion yet",
        )


@service
def limit_command(
    settings: Settings,
    item: Item,
    *,
    text: Annotated[str, typer.Option("--note", metavar="TEXT", help="Why, for the other stewards.")] = "",
    as_json: AsJson = False,
) -> None:
    """Limit an item to review at once: nobody is advised to act on it."""
    with settings.client() as client:
        done = client.limit_item(item, text)
    if as_json:
        json_line(done.to_dict())
    else:
        say(f"item {item} ({done.status}) {'is limited to review' if done.changed else 'was limited already'}")


@service
def lift_command(settings: Settings, item: Item, *, reason: Reason = "", as_json: AsJson = False) -> None:
    """Propose to lift the limit of an item."""
    with settings.client() as client:
        proposal = client.propose("lift_limit", {"item": item}, reason=reason)
    show_proposal(proposal, as_json=as_json)


@service
def redact_command(
    settings: Settings,
    entry: Annotated[int, typer.Argument(metavar="ENTRY", min=1, help="Number of the ledger entry.")],
    *,
    why: Annotated[
        str,
        typer.Option(
            "--why",
            metavar="WORD",
            parser=one_of(REDACTION_REASONS),
            autocompletion=completing(REDACTION_REASONS),
            help=f"Public: {', '.join(REDACTION_REASONS)}.",
        ),
    ],
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Propose to delete the private part of an entry, everywhere and for ever."""
    with settings.client() as client:
        proposal = client.propose("redact_entry", {"sequence": entry, "reason": why}, reason=reason)
    show_proposal(proposal, as_json=as_json)


@service
def rollback_command(
    settings: Settings,
    *,
    member: Annotated[str, typer.Option("--member", metavar="NAME", help="Whose acts are undone.")],
    since: Annotated[
        datetime,
        typer.Option(
            "--since",
            metavar="TIME",
            parser=_time_since,
            help="A time with its zone, as 2026-01-31T12:00:00Z; or 90m, 6h, 3d ago.",
        ),
    ],
    reason: Reason = "",
    validate_only: Rehearse = False,
    as_json: AsJson = False,
) -> None:
    """Propose to undo what a member did to items since a time; a second steward has to agree."""
    fields = {"member": member, "since_time": since}
    with settings.client() as client:
        proposal = client.propose("roll_back", fields, reason=reason, validate_only=validate_only)
    show_proposal(proposal, as_json=as_json)
    if not as_json and not validate_only:
        note(f"what {member} does from now on is not undone: hashpact member suspend {member}")


@service
def rollbacks_command(settings: Settings, *, as_json: AsJson = False) -> None:
    """List rollbacks, and how far they are."""
    rows = Rows()
    with settings.client() as client:
        for each in client.list_rollbacks():
            if as_json:
                json_line(each.to_dict())
            else:
                state = f"finished {iso(each.finish_time)}" if each.finish_time else "goes on"
                rows.add(
                    str(each.rollback), state, each.member, iso(each.since_time), str(each.undone), each.ordered_by
                )
    if not as_json:
        rows.show(("rollback", "state", "member", "since", "undone#", "seconded by"), empty="no rollback yet")


@service
def digest_command(
    settings: Settings,
    *,
    concerns_max: Annotated[
        int, typer.Option("--max", metavar="COUNT", min=0, help="Most lines of a kind; 0: the server's default.")
    ] = 0,
    as_json: AsJson = False,
) -> None:
    """Show what waits for stewards, the oldest of each kind first."""
    with settings.client() as client:
        found = client.steward_digest(concerns_max=concerns_max)
    if as_json:
        json_line(found.to_dict())
        return
    if not found.concerns:
        say("nothing waits")
        return
    rows = Rows()
    for each in found.concerns:
        subject = str(each.subject) if each.subject else ""
        rows.add(_word(each.kind), subject, each.member, each.detail, iso(each.since_time), iso(each.due_time) or "")
    rows.show(("what", "number", "member", "detail", "since", "until"))
    say(", ".join(f"{count} {_word(kind)}" for kind, count in found.counts.items()))


def show_proposal(proposal: Proposal, *, as_json: bool) -> None:
    """Say what was proposed, or would be."""
    motion, extent = proposal.motion, proposal.extent
    if as_json:
        json_line(proposal.to_dict())
        return
    if extent is not None:
        least = "at least " if extent.more else ""
        say(
            f"would undo {least}{extent.entries} entries on {extent.items} items; "
            f"{extent.items_unlisted} of these nobody else speaks for, and they would leave the list"
        )
    if motion.motion:
        say(f"motion {motion.motion}: another steward has to second it, with hashpact steward second {motion.motion}")
    else:
        say(f"{_word(motion.act)} could be proposed")


def _fields_of(words: list[str]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            raise InvalidRequestError.about(word, f"{word!r} is no FIELD=VALUE")
        fields[name] = _value_of(value)
    return fields


def _value_of(text: str) -> Any:
    if text[:1] in ("{", "["):
        try:
            return json.loads(text)
        except ValueError as error:
            raise InvalidRequestError.about("fields", f"a value is no JSON: {error}") from error
    return {"true": True, "false": False}.get(text, text)


def _told(motion: Motion) -> str:
    if motion.fields is None:
        return "redacted"
    shown = {name: value if len(str(value)) <= 60 else "..." for name, value in motion.fields.items()}
    if motion.act == "dismiss_member":  # what is not said is false on the wire, and seconders have to see it
        shown["items"] = "withdraw" if shown.pop("withdraw_contributions", False) else "stay"
    return ", ".join(f"{name}={_field(value)}" for name, value in shown.items())


def _field(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(_field, value))
    return json.dumps(value) if isinstance(value, dict) else str(value)


def _word(name: str) -> str:
    return name.replace("_", "-")
