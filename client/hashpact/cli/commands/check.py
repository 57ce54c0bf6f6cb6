"""``hashpact check``: is this on the list?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from hashpact.cli.answers import Answers
from hashpact.cli.batching import ask_in_batches
from hashpact.cli.command import AsJson, service
from hashpact.cli.commands.hashing import FileSeconds, Hidden, MediaPaths, Urls, Workers, count_of, say_empty
from hashpact.cli.exits import Exit
from hashpact.cli.media import SECONDS_MAX, checked_inputs
from hashpact.cli.paths import Input, everything
from hashpact.cli.progress import progress
from hashpact.cli.resuming import Answered, Resumed
from hashpact.cli.settings import Settings
from hashpact.cli.words import completing, one_of
from hashpact.errors import ConfigError
from hashpact.media_signals import MediaSignals
from hashpact.modes import CHECK_MODE, MODES, require_mode
from hashpact.results import CheckResult, FailedCheck
from hashpact.signals import SIGNAL_TYPES

BATCH = 32
"""Inputs in one look-up: answers keep flowing while the next ones are hashed."""
_WITH_DISTANCE = tuple(kind.name for kind in SIGNAL_TYPES.values() if kind.ranged)
_COLUMNS = ("path", "verdict", "advice", "item#", "because", "status", "labels")

Radius = Annotated[
    list[str] | None,
    typer.Option("--radius", metavar="TYPE=BITS", help="Other distance for a signal type, e.g. pdq=20."),
]
Use = Annotated[
    str, typer.Option("--use", metavar="NAME", help="A use of your member's policy: its radii and mode hold.")
]
Mode = Annotated[
    str,
    typer.Option(
        "--mode",
        parser=one_of(MODES),
        autocompletion=completing(MODES),
        metavar="MODE",
        help="How far to look into pictures: fast, standard or deep.",
    ),
]
Resume = Annotated[
    Path | None,
    typer.Option("--resume", metavar="FILE", help="Remember answers here, so that a run that was stopped goes on."),
]


@service
def check_command(
    settings: Settings,
    paths: MediaPaths = None,
    *,
    matches_max: Annotated[
        int, typer.Option("--matches", min=0, metavar="N", help="Most items per input.", show_default="the server's")
    ] = 0,
    radius: Radius = None,
    use: Use = "",
    mode: Mode = CHECK_MODE,
    url: Urls = None,
    resume: Resume = None,
    hidden: Hidden = False,
    workers: Workers = None,
    file_seconds: FileSeconds = SECONDS_MAX,
    as_json: AsJson = False,
) -> Exit:
    """Check pictures, videos, PDFs, texts and addresses against the list. They are hashed here; only hashes are sent.

    Exit code 10 when something matched, 0 when nothing did.
    """
    radii = parse_radii(radius or [])
    choices = ["check", settings.target, matches_max, radii, use, mode]
    with Resumed(resume, choices) as resumed, settings.client() as client:

        def ask(uploads: Sequence[tuple[Input, MediaSignals]]) -> list[Answered]:
            found = client.check_many(
                [signals for _, signals in uploads], radii=radii, matches_max=matches_max, use=use, workers=1
            )
            return [_answered(one, signals, answer) for (one, signals), answer in zip(uploads, found, strict=True)]

        inputs = resumed.known(everything(paths, url, hidden=hidden, on_empty=say_empty))
        with (
            Answers(_COLUMNS, resumed, as_json=as_json) as answers,
            progress("checking", count_of(paths, url, hidden=hidden, as_json=as_json)) as advance,
        ):
            hashed = checked_inputs(inputs, mode=require_mode(mode), workers=workers, seconds_max=file_seconds)
            for one, answer in ask_in_batches(hashed, ask, size=BATCH):
                advance(1)
                answers.add(one, answer)
        counts = {word: answers.words.get(word, 0) for word in ("match", "near", "none", "failed")}
        return answers.finish(
            f"{sum(counts.values()):,} checked{answers.of_kinds and f' ({answers.of_kinds})'}: "
            f"{counts['match']:,} matched, {counts['near']:,} near, "
            f"{counts['none']:,} not on the list, {counts['failed']:,} failed"
        )


def _answered(one: Input, signals: MediaSignals, answer: CheckResult | FailedCheck) -> Answered:
    if isinstance(answer, FailedCheck):
        raise answer.error
    rows = [
        (
            one.path,
            answer.verdict,
            match.advice,
            str(match.item),
            match.reason,
            match.status,
            ", ".join(match.labels),
        )
        for match in answer.matches
    ]
    line = {**replace(answer, path=Path(one.path)).to_dict(), "path": one.path, "kind": signals.kind}
    return Answered(
        line=line,
        rows=rows,
        plain=(one.path, "none", "none", "", "; ".join(line.get("notes", ())), "", ""),
        word=answer.verdict,
        kind=signals.kind,
        code=Exit.OK if answer.verdict == "none" else Exit.MATCHED,
    )


def parse_radii(texts: Sequence[str], option: str = "--radius") -> dict[str, int]:
    """``pdq=20`` -> {"pdq": 20}.

    Raises:
        ConfigError: of another shape, or of a type that has no distance.
    """
    radii = {}
    for text in texts:
        name, _, bits = text.partition("=")
        if not name or not (bits.isascii() and bits.isdigit()):
            raise ConfigError(f"{option}: radii are TYPE=BITS, e.g. pdq=20; {text!r} is not")
        if name not in _WITH_DISTANCE:
            raise ConfigError(f"{option} {text}: the signal types with a distance are {', '.join(_WITH_DISTANCE)}")
        radii[name] = int(bits)
    return radii
