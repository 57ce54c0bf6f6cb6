"""``hashpact contribute`` and ``hashpact withdraw``: putting media on the list, and taking items off."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Final

import typer

from hashpact.cli.answers import Answers
from hashpact.cli.batching import ask_in_batches
from hashpact.cli.command import AsJson, report, service
from hashpact.cli.commands.check import Resume
from hashpact.cli.commands.hashing import FileSeconds, Hidden, MediaPaths, Urls, Workers, count_of, say_empty
from hashpact.cli.exits import Exit, exit_of, strongest
from hashpact.cli.media import SECONDS_MAX, ListedMedia, listed_inputs
from hashpact.cli.output import json_line, say
from hashpact.cli.paths import Input, everything
from hashpact.cli.progress import progress
from hashpact.cli.resuming import Answered, Resumed
from hashpact.cli.settings import Settings
from hashpact.cli.words import BASES, WITHDRAWAL_REASONS, completing, one_of
from hashpact.errors import HashpactError
from hashpact.items import ContributionOutcome

BATCH = 32
"""Contributions in one call: each call is one durable write."""
_COLUMNS = ("path", "outcome", "item#", "status", "remark")

DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would happen; write nothing.")]
Items = Annotated[list[int], typer.Argument(metavar="ITEM...", min=1, help="Ids of items.")]


@service
def contribute_command(
    settings: Settings,
    paths: MediaPaths = None,
    *,
    label: Annotated[
        list[str], typer.Option("--label", metavar="LABEL", help="What it is; give it again for more labels.")
    ],
    basis: Annotated[
        str,
        typer.Option(
            "--basis",
            metavar="BASIS",
            parser=one_of(BASES),
            autocompletion=completing(BASES),
            help="How you know: person-looked, automatic, found-through-list or import.",
        ),
    ] = "person-looked",
    observer_role: Annotated[
        str,
        typer.Option("--observer-role", metavar="ROLE", help="Function of the person who looked; never a name."),
    ] = "",
    attach_to: Annotated[
        int, typer.Option("--attach-to", min=0, metavar="ITEM", help="Attach to this item.", show_default="by identity")
    ] = 0,
    dry_run: DryRun = False,
    url: Urls = None,
    resume: Resume = None,
    hidden: Hidden = False,
    workers: Workers = None,
    file_seconds: FileSeconds = SECONDS_MAX,
    as_json: AsJson = False,
) -> Exit:
    """Put pictures, videos, PDFs, texts and addresses on the list. They are hashed here; only hashes are sent."""
    from hashpact._media import Contribution  # noqa: PLC0415  # the service's modules are loaded when needed

    choices = ["contribute", settings.target, label, basis, observer_role, attach_to, dry_run]
    with Resumed(resume, choices) as resumed, settings.client() as client:

        def ask(uploads: Sequence[tuple[Input, ListedMedia]]) -> list[Answered]:
            outcomes = client.contribute_many(
                [Contribution(got.signals, label, basis, observer_role, None, attach_to) for _, got in uploads],
                validate_only=dry_run,
            )
            return [
                _answered(one, got.kind, outcome, dry_run=dry_run)
                for (one, got), outcome in zip(uploads, outcomes, strict=True)
            ]

        inputs = resumed.known(everything(paths, url, hidden=hidden, on_empty=say_empty))
        with (
            Answers(_COLUMNS, resumed, as_json=as_json) as answers,
            progress("contributing", count_of(paths, url, hidden=hidden, as_json=as_json)) as advance,
        ):
            hashed = listed_inputs(inputs, workers=workers, seconds_max=file_seconds)
            for one, answer in ask_in_batches(hashed, ask, size=BATCH):
                advance(1)
                answers.add(one, answer)
        counts = ", ".join(f"{count:,} {outcome}" for outcome, count in answers.words.items())
        ending = " (dry run: nothing was written)" if dry_run else ""
        return answers.finish(
            f"{counts or 'nothing to contribute'}{answers.of_kinds and f' ({answers.of_kinds})'}{ending}"
        )


def _answered(one: Input, kind: str, outcome: ContributionOutcome, *, dry_run: bool) -> Answered:
    row = (one.path, outcome.outcome, str(outcome.item or ""), outcome.status, remark(outcome, dry_run=dry_run))
    return Answered(
        line={"path": one.path, **outcome.to_dict(), "kind": kind},
        rows=[row],
        plain=row,
        word=outcome.outcome,
        kind=kind,
        code=Exit.OK if outcome.taken else Exit.INPUT_FAILED,
    )


def remark(outcome: ContributionOutcome, *, dry_run: bool = False) -> str:
    """What a person should know about an outcome, and can do about it, in a few words."""
    remarks = []
    if outcome.message:
        remarks.append(outcome.message)
    if outcome.outcome == "pending":
        remarks.append(f"waits for a colleague: hashpact pending approve {outcome.pending or 'NUMBER'}")
    if outcome.candidates:
        remarks.append(f"could be {_list(outcome.candidates)}: choose with --attach-to")
    if outcome.near_duplicates:
        remarks.append(
            f"looks like {_list([near.item for near in outcome.near_duplicates])}{_joining(outcome, dry_run)}"
        )
    remarks += _merged([problem.message or problem.reason.lower() for problem in outcome.problems])
    return "; ".join(remarks)


def _joining(outcome: ContributionOutcome, dry_run: bool) -> str:
    """How a new item becomes a variant of the one it looks like: its signals can belong to one item only."""
    if outcome.outcome != "created":
        return ""
    first = outcome.near_duplicates[0].item
    if dry_run:
        return f" (--attach-to {first} makes it a variant of that)"
    return f" (if it is a variant of that: withdraw {outcome.item}, then contribute with --attach-to {first})"


_ABOUT_A_VALUE: Final = re.compile(r"the (\S+) value ")


def _merged(messages: Sequence[str]) -> list[str]:
    """Messages that differ only in the signal type, as one that names all of them."""
    types: dict[str, list[str]] = {}
    for message in messages:
        about = _ABOUT_A_VALUE.match(message)
        rest = message[about.end() :] if about else message
        types.setdefault(rest, []).extend([about[1]] if about else [])
    return [
        f"the {named[0]} value {rest}" if len(named) == 1 else f"each of {', '.join(named)} {rest}" if named else rest
        for rest, named in types.items()
    ]


def _list(items: Sequence[int]) -> str:
    return ("item " if len(items) == 1 else "items ") + ", ".join(str(item) for item in items)


@service
def withdraw_command(
    settings: Settings,
    items: Items,
    *,
    reason: Annotated[
        str | None,
        typer.Option(
            "--reason",
            metavar="REASON",
            parser=one_of(WITHDRAWAL_REASONS),
            autocompletion=completing(WITHDRAWAL_REASONS),
            help="mistake, overturned-on-appeal, legitimate-context, benign-collision or legal.",
        ),
    ] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> Exit:
    """Take back your contribution to an item. A steward withdraws it for everybody."""
    code = Exit.OK
    with settings.client() as client:
        for item in items:
            try:
                result = client.withdraw(item, reason=reason, validate_only=dry_run)
            except HashpactError as error:
                code = strongest(code, exit_of(error))
                report(error, as_json=as_json, item=item)
                if exit_of(error) is not Exit.INPUT_FAILED and error.reason != "NOT_CONTRIBUTOR":
                    break
                continue
            if as_json:
                json_line(result.to_dict())
            else:
                left = f", contributions of others that stand: {result.contributions_left}" * bool(
                    result.contributions_left
                )
                say(f"item {item}: {result.status}{left}{' (dry run)' * dry_run}")
    return code
