"""``hashpact check``: is this on the list?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from hashpact.cli.batching import Upload, ask_in_batches
from hashpact.cli.command import AsJson, service
from hashpact.cli.commands.hashing import Hidden, Paths, Workers, count_of, say_empty
from hashpact.cli.exits import Exit, exit_of, strongest
from hashpact.cli.media import hash_inputs
from hashpact.cli.output import Complaints, Rows, error_dict, json_line, say
from hashpact.cli.paths import expand
from hashpact.cli.progress import progress
from hashpact.cli.settings import Settings
from hashpact.cli.words import completing, one_of
from hashpact.errors import ConfigError, HashpactError
from hashpact.modes import CHECK_MODE, MODES, require_mode
from hashpact.results import CheckResult
from hashpact.signals import SIGNAL_TYPES

BATCH = 32
"""Inputs in one look-up: answers keep flowing while the next ones are hashed."""
SHOW_ALL_MAX = 20
"""With so few inputs, those without a match have a row too."""
_WITH_DISTANCE = tuple(kind.name for kind in SIGNAL_TYPES.values() if kind.ranged)

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


@service
def check_command(
    settings: Settings,
    paths: Paths,
    *,
    matches_max: Annotated[
        int, typer.Option("--matches", min=0, metavar="N", help="Most items per input.", show_default="the server's")
    ] = 0,
    radius: Radius = None,
    use: Use = "",
    mode: Mode = CHECK_MODE,
    hidden: Hidden = False,
    workers: Workers = None,
    as_json: AsJson = False,
) -> Exit:
    """Check pictures against the list. They are hashed here; only hashes are sent.

    Exit code 10 when something matched, 0 when nothing did.
    """
    radii = parse_radii(radius or [])
    with settings.client() as client:

        def ask(uploads: Sequence[Upload]) -> list[CheckResult]:
            hashed = (signals for _, signals in uploads)
            found = client.check_many(hashed, radii=radii, matches_max=matches_max, use=use, workers=1)
            answers = [answer for answer in found if isinstance(answer, CheckResult)]  # hashed already: none fails
            return [replace(answer, path=Path(one.path)) for (one, _), answer in zip(uploads, answers, strict=True)]

        inputs = expand(paths, hidden=hidden, on_empty=say_empty)
        view = _View(as_json=as_json)
        with progress("checking", count_of(paths, hidden=hidden, as_json=as_json)) as advance:
            hashed = hash_inputs(inputs, dihedral=True, mode=require_mode(mode), workers=workers)
            for one, answer in ask_in_batches(hashed, ask, size=BATCH):
                advance(1)
                view.add(one.path, answer)
    return view.finish()


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


class _View:
    """Shows the answers, and keeps what the exit code and the summary need."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._code = Exit.OK
        self._matched = Rows()
        self._unmatched: list[str] = []
        self._counts = {"match": 0, "near": 0, "none": 0, "failed": 0}
        self._complaints = Complaints()

    def add(self, path: str, answer: CheckResult | HashpactError) -> None:
        if isinstance(answer, HashpactError):
            self._counts["failed"] += 1
            self._code = strongest(self._code, exit_of(answer))
        else:
            self._counts[answer.verdict] += 1
            self._code = strongest(self._code, Exit.OK if answer.verdict == "none" else Exit.MATCHED)
        if self._as_json:
            line = {"error": error_dict(answer)} if isinstance(answer, HashpactError) else answer.to_dict()
            json_line({**line, "path": path} if "error" not in line else {"path": path, **line})
        else:
            self._keep(path, answer)

    def _keep(self, path: str, answer: CheckResult | HashpactError) -> None:
        if isinstance(answer, HashpactError):
            self._complaints.tell(path, answer)
        elif not answer.matches:
            if len(self._unmatched) <= SHOW_ALL_MAX:
                self._unmatched.append(path)
        else:
            for match in answer.matches:
                about = "<= " if match.distance_is_bound and match.distance else ""
                self._matched.add(
                    path,
                    answer.verdict,
                    match.advice,
                    match.item,
                    match.signal_type,
                    f"{about}{match.distance}",
                    match.status,
                    ", ".join(match.labels),
                )

    def finish(self) -> Exit:
        if not self._as_json:
            if len(self._unmatched) <= SHOW_ALL_MAX:
                for path in self._unmatched:
                    self._matched.add(path, "none", "none", "", "", "", "", "")
            self._matched.show(("path", "verdict", "advice", "item#", "by", "distance#", "status", "labels"))
            counts = self._counts
            say(
                f"{sum(counts.values()):,} checked: {counts['match']:,} matched, {counts['near']:,} near, "
                f"{counts['none']:,} not on the list, {counts['failed']:,} failed"
            )
        return self._code
