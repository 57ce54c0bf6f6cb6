"""``hashpact hash``: the signals of pictures, videos and PDFs, without asking anybody."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from hashpact.cli.command import AsJson, local
from hashpact.cli.exits import Exit
from hashpact.cli.media import SECONDS_MAX, shown_inputs
from hashpact.cli.media_views import as_dict, show
from hashpact.cli.output import error_dict, json_line, note
from hashpact.cli.paths import everything, expand
from hashpact.cli.progress import progress
from hashpact.errors import HashpactError

Paths = Annotated[
    list[str],
    typer.Argument(metavar="PATH...", help="Files or folders; folders are walked in order. - is standard input."),
]
MediaPaths = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[PATH]...", help="Files or folders; folders are walked in order. - is standard input.", show_default=""
    ),
]
Urls = Annotated[
    list[str] | None,
    typer.Option("--url", metavar="URL", help="A web address, in any spelling; give it again for more."),
]
Hidden = Annotated[bool, typer.Option("--hidden", help="Take hidden files and folders too.")]
Workers = Annotated[
    int | None,
    typer.Option("--workers", min=1, metavar="N", help="Files hashed at a time.", show_default="as many as cores"),
]
FileSeconds = Annotated[
    float,
    typer.Option("--file-seconds", metavar="SECONDS", min=1, help="Longest that one file of many may take to hash."),
]


@local
def hash_command(
    paths: Paths,
    *,
    dihedral: Annotated[
        bool, typer.Option("--dihedral", help="Of pictures: PDQ of all 8 rotated and mirrored variants too.")
    ] = False,
    hidden: Hidden = False,
    workers: Workers = None,
    file_seconds: FileSeconds = SECONDS_MAX,
    as_json: AsJson = False,
) -> Exit:
    """Print the signals of pictures, videos and PDFs. Nothing leaves this machine."""
    code = Exit.OK
    inputs = expand(paths, hidden=hidden, on_empty=say_empty)
    # What is found is printed at once: on a terminal that is progress enough.
    count = None if sys.stdout.isatty() else count_of(paths, hidden=hidden, as_json=as_json)
    with progress("hashing", count) as advance:
        for one, got in shown_inputs(inputs, dihedral=dihedral, workers=workers, seconds_max=file_seconds):
            advance(1)
            if isinstance(got, HashpactError):
                code = Exit.INPUT_FAILED
                _failed(one.path, got, as_json=as_json)
            elif as_json:
                json_line(as_dict(one.path, got))
            else:
                show(one.path, got)
    return code


def say_empty(folder: str) -> None:
    """Tell about a folder without files, which is more often a mistake than meant."""
    note(f"{folder}: no files in this folder")


def count_of(paths: list[str] | None, urls: list[str] | None = None, *, hidden: bool, as_json: bool) -> Any:
    """What a progress bar counts: None for programs, for one input, and where counting would use up the input."""
    if as_json or "-" in (paths or ()):
        return None
    return everything(paths, urls, hidden=hidden)


def _failed(path: str, error: HashpactError, *, as_json: bool) -> None:
    if as_json:
        json_line({"path": path, "error": error_dict(error)})
    else:
        note(f"{path}: {error.message}")
