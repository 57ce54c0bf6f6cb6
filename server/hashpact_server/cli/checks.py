"""``hashpact-server fsck``, ``replay-check`` and ``doctor``: is it whole, is it true, is it well?"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from hashpact_server.cli.common import EXIT_FAILED, DataOption, JsonOption, offline, say
from hashpact_server.datadir import DataDirectory
from hashpact_server.doctor import Verdict, examine
from hashpact_server.trouble import Trouble

if TYPE_CHECKING:
    from pathlib import Path

    from hashpact_server.replay import Report

_STYLES = {Verdict.FINE: "green", Verdict.WARN: "yellow", Verdict.BAD: "red"}


def fsck(data: DataOption, *, as_json: JsonOption = False) -> None:
    """Check that what is stored holds together: entries, tree, state, and what they say of each other."""

    def check(path: Path) -> Report:
        from hashpact_server import fsck as module  # noqa: PLC0415 - needs numba, see kernels

        return module.check(path)

    _report("fsck", data, check, as_json=as_json)


def replay_check(data: DataOption, *, as_json: JsonOption = False) -> None:
    """Apply the whole ledger to an empty store, and compare with the state that is stored, row by row."""

    def check(path: Path) -> Report:
        from hashpact_server import replay as module  # noqa: PLC0415 - as above

        return module.check(path)

    _report("replay-check", data, check, as_json=as_json)


def doctor(
    data: DataOption,
    *,
    target: Annotated[str, typer.Option(metavar="HOST:PORT", help="Ask the running server there how it is, too.")] = "",
    warm: Annotated[
        bool, typer.Option("--warm", help="Compile the search kernels of this version now, so that no start has to.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Check what is around the list: permissions, disk, clock, certificate, port; works beside a running server."""
    console = Console(highlight=False, soft_wrap=True)
    bad = False
    for finding in examine(DataDirectory(data), target, warm=warm):
        bad = bad or finding.verdict is Verdict.BAD
        if as_json:
            typer.echo(json.dumps({"topic": finding.topic, "verdict": finding.verdict, "text": finding.text}))
        else:
            console.print(f"{finding.verdict:<6}", style=_STYLES[finding.verdict], end="")
            console.print(f"{finding.topic:<12} {finding.text}", markup=False)
    if bad:
        raise typer.Exit(EXIT_FAILED)


def _report(name: str, path: Path, check: Callable[[Path], Report], *, as_json: bool) -> None:
    with offline(path) as data:
        from hashpact_server.apart import run_apart  # noqa: PLC0415 - as above
        from hashpact_server.ledger.store import StoreError  # noqa: PLC0415 - as above

        started = time.monotonic()
        try:
            report = run_apart(check, data.path)
        except StoreError as error:
            raise Trouble(f"cannot open the store in {data.path}: {error}") from error
        seconds = time.monotonic() - started
    if as_json:
        found = {"ok": report.ok, "entries": report.entries, "rows": report.rows, "problems": report.problems}
        typer.echo(json.dumps({**found, "root": report.root.hex(), "state_digest": report.digest.hex()}))
    else:
        for problem in report.problems:
            typer.echo(problem)
        verdict = "clean" if report.ok else f"{len(report.problems)} problems"
        say(f"{name}: {verdict} ({report.entries} entries, {report.rows} rows, {seconds:.1f} s)")
    if not report.ok:
        raise typer.Exit(EXIT_FAILED)
