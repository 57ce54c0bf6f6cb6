"""``hashpact hash``: the signals of pictures, without asking anybody."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from hashpact.cli.command import AsJson, local
from hashpact.cli.exits import Exit
from hashpact.cli.media import hash_inputs
from hashpact.cli.output import error_dict, json_line, note, say
from hashpact.cli.paths import expand
from hashpact.cli.progress import progress
from hashpact.errors import HashpactError
from hashpact.signals import ImageSignals

Paths = Annotated[
    list[str],
    typer.Argument(metavar="PATH...", help="Files or folders; folders are walked in order. - is standard input."),
]
Hidden = Annotated[bool, typer.Option("--hidden", help="Take hidden files and folders too.")]
Workers = Annotated[
    int | None,
    typer.Option("--workers", min=1, metavar="N", help="Pictures hashed at a time.", show_default="as many as cores"),
]


@local
def hash_command(
    paths: Paths,
    *,
    dihedral: Annotated[
        bool, typer.Option("--dihedral", help="PDQ of all 8 rotated and mirrored variants too.")
    ] = False,
    hidden: Hidden = False,
    workers: Workers = None,
    as_json: AsJson = False,
) -> Exit:
    """Print the signals of pictures. Nothing leaves this machine."""
    code = Exit.OK
    inputs = expand(paths, hidden=hidden, on_empty=say_empty)
    # What is found is printed at once: on a terminal that is progress enough.
    count = None if sys.stdout.isatty() else count_of(paths, hidden=hidden, as_json=as_json)
    with progress("hashing", count) as advance:
        for one, got in hash_inputs(inputs, dihedral=dihedral, workers=workers):
            advance(1)
            if isinstance(got, HashpactError):
                code = Exit.INPUT_FAILED
                _failed(one.path, got, as_json=as_json)
            elif as_json:
                json_line(_as_dict(one.path, got))
            else:
                _show(one.path, got)
    return code


def say_empty(folder: str) -> None:
    """Tell about a folder without files, which is more often a mistake than meant."""
    note(f"{folder}: no files in this folder")


def count_of(paths: list[str], *, hidden: bool, as_json: bool) -> Any:
    """What a progress bar counts: None for programs, for one input, and where counting would use up the input."""
    if as_json or "-" in paths:
        return None
    return expand(paths, hidden=hidden)


def _failed(path: str, error: HashpactError, *, as_json: bool) -> None:
    if as_json:
        json_line({"path": path, "error": error_dict(error)})
    else:
        note(f"{path}: {error.message}")


def _as_dict(path: str, signals: ImageSignals) -> dict[str, Any]:
    result: dict[str, Any] = {
        "path": path,
        "signals": {signal.signal_type: signal.hex for signal in signals},
        "pdq_quality": signals.pdq.quality,
        "width_px": signals.width_px,
        "height_px": signals.height_px,
        "frames": signals.frames,
        "notes": list(signals.notes),
    }
    if signals.pdq_dihedral:
        result["pdq_dihedral"] = [signal.hex for signal in signals.pdq_dihedral]
    return result


def _show(path: str, signals: ImageSignals) -> None:
    say(f"{path}  {signals.width_px} x {signals.height_px}, PDQ quality {signals.pdq.quality}")
    for signal in signals:
        say(f"  {signal.signal_type:<8}  {signal.hex}")
    for signal in signals.pdq_dihedral[1:]:
        say(f"  {'variant':<8}  {signal.hex}")
    for remark in signals.notes:
        say(f"  note: {remark}")
