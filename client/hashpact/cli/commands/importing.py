"""``hashpact import``: lists of hashes from files."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from hashpact.cli.command import AsJson, service
from hashpact.cli.commands.contribute import DryRun
from hashpact.cli.exits import Exit
from hashpact.cli.output import json_line, note, say
from hashpact.cli.progress import progress_bytes
from hashpact.cli.settings import Settings
from hashpact.cli.words import LIST_FORMATS, completing, one_of
from hashpact.errors import ConfigError, HashpactError
from hashpact.signals import QUALITY_MAX

TIMEOUT_S: Final = 120.0
"""Deadline of a call unless one is given: for hundreds of contributions, and waiting while the service is busy."""
_BATCHES_AS_OF: Final = 1
"""Grows when the same file would be cut into other batches, so that an old journal is not gone on with."""


@service
def import_command(
    settings: Settings,
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="Lists of hashes; - is standard input.", show_default=False)
    ],
    *,
    label: Annotated[
        list[str] | None,
        typer.Option("--label", metavar="LABEL", help="What everything in the files is; again for more labels."),
    ] = None,
    tag_map: Annotated[
        Path | None,
        typer.Option("--map", metavar="FILE", help="TOML table that translates the files' tags into labels."),
    ] = None,
    list_format: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            parser=one_of(LIST_FORMATS),
            autocompletion=completing(LIST_FORMATS),
            help="csv, jsonl, json or lines.",
            show_default="by name and content",
        ),
    ] = None,
    default_type: Annotated[
        str, typer.Option("--type", metavar="TYPE", help="Signal type of hashes whose type the file does not state.")
    ] = "",
    pdq_quality: Annotated[
        int | None,
        typer.Option(
            "--pdq-quality",
            metavar="N",
            min=0,
            max=QUALITY_MAX,
            help="Quality of PDQ values whose quality the file does not state.",
            show_default="they are refused",
        ),
    ] = None,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="FILE", help="Write every refusal here, as JSON lines.")
    ] = None,
    opaque: Annotated[
        Path | None,
        typer.Option("--opaque", metavar="FILE", help="Keep hashes of types that the service does not know here."),
    ] = None,
    journal: Annotated[
        Path | None,
        typer.Option(
            "--journal",
            metavar="FILE",
            help="Where to remember how far it is.",
            show_default="beside the first file; none for standard input",
        ),
    ] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> Exit:
    """Put lists of hashes on the list: CSV, JSON lines, ThreatExchange JSON, HMA banks, or a hash a line.

    A bad record never stops the others. Stopped half-way, the same command goes on where it was.
    """
    from hashpact.exchange.importing import Importer, read_batches  # noqa: PLC0415  # loaded when needed
    from hashpact.exchange.items import Batches  # noqa: PLC0415  # as above
    from hashpact.exchange.journal import Journal  # noqa: PLC0415  # as above
    from hashpact.exchange.labelling import Labelling, read_map  # noqa: PLC0415  # as above
    from hashpact.exchange.records import type_name  # noqa: PLC0415  # as above
    from hashpact.exchange.side_files import SideFile  # noqa: PLC0415  # as above
    from hashpact.exchange.source import STDIN, Source  # noqa: PLC0415  # as above

    tags = read_map(tag_map) if tag_map else {}
    labelling = Labelling(label or (), tags)
    if settings.timeout_s is None:
        settings = dataclasses.replace(settings, timeout_s=TIMEOUT_S)
    choices = [settings.target, list_format, default_type, label, tags, pdq_quality, bool(opaque), str(report)]
    written = [path for path in (report, opaque, journal) if path is not None]
    _require_different([*map(Path, files), *written])
    batches = Batches(labelling, pdq_quality=pdq_quality, keep_opaque=opaque is not None)
    with contextlib.ExitStack() as open_files:
        client = open_files.enter_context(settings.client())
        sources = [open_files.enter_context(Source(path)) for path in files]
        remembered = open_files.enter_context(
            Journal(_journal_path(files, journal, STDIN, dry_run=dry_run), _fingerprint(files, choices))
        )
        resumed = remembered.batches_done
        total = None if as_json else sum(_size(path) for path in files)
        advance = open_files.enter_context(progress_bytes("importing", total))
        importer = Importer(
            client,
            remembered,
            open_files.enter_context(SideFile(report, remembered.tally.report_bytes)),
            open_files.enter_context(
                SideFile(None if dry_run else opaque, remembered.tally.opaque_bytes, keep=remembered.fresh)
            ),
            dry_run=dry_run,
            advance=advance,
        )
        with _told_how_to_go_on(files, STDIN, dry_run=dry_run):
            importer.run(read_batches(sources, batches, list_format or "", type_name(default_type)))
        tally = remembered.tally
        remembered.finish()
    summary: dict[str, Any] = {
        **{name: value for name, value in tally.to_dict().items() if not name.endswith("_bytes")},
        "untranslated_tags": labelling.untranslated,
        "resumed": bool(resumed),
        "dry_run": dry_run,
    }
    if as_json:
        json_line(summary)
    else:
        _show(summary, report)
    return Exit.INPUT_FAILED if tally.refused else Exit.OK


def _journal_path(files: list[str], given: Path | None, stdin: str, *, dry_run: bool) -> Path | None:
    """Where to remember; nothing is remembered of what cannot be read twice."""
    if dry_run or stdin in files:
        return None
    return given or Path(f"{files[0]}.hashpact-journal")


def _require_different(paths: Sequence[Path]) -> None:
    """A list that is written over while it is read would be lost."""
    seen: set[str] = set()
    for path in paths:
        real = os.path.realpath(path)
        if real in seen:
            raise ConfigError(f"{str(path)!r} is named twice: what is read and what is written are different files")
        seen.add(real)


def _fingerprint(files: list[str], choices: Sequence[object]) -> str:
    """What has to be the same for an import to be gone on with."""
    facts = [(os.path.abspath(path), *_facts(path)) for path in files]  # noqa: PTH100  # the path as given
    return hashlib.sha256(json.dumps([_BATCHES_AS_OF, facts, choices]).encode()).hexdigest()


def _facts(path: str) -> tuple[int, int]:
    try:
        status = os.stat(path)  # noqa: PTH116  # the path as given
    except OSError:
        return 0, 0
    return status.st_size, status.st_mtime_ns


def _size(path: str) -> int:
    return _facts(path)[0]


@contextlib.contextmanager
def _told_how_to_go_on(files: list[str], stdin: str, *, dry_run: bool) -> Iterator[None]:
    try:
        yield
    except (HashpactError, KeyboardInterrupt):
        if not dry_run and stdin not in files:
            note("stopped before the end: the same command goes on where this one was, and lists nothing twice")
        raise


def _show(summary: dict[str, Any], report: Path | None) -> None:
    say(f"{summary['records']:,} records, {summary['items']:,} items: {_counts(summary['outcomes'])}")
    if summary["opaque"]:
        say(f"kept aside, of types that the service does not know: {summary['opaque']:,}")
    if summary["refusals"]:
        say(f"not taken: {_counts(summary['refusals'])}")
        if report is None:
            say("--report FILE tells where, and why")
    if summary["untranslated_tags"]:
        most = sorted(summary["untranslated_tags"].items(), key=lambda one: (-one[1], one[0]))[:5]
        say(f"tags that no --map translates, left out: {', '.join(f'{tag} ({count:,})' for tag, count in most)}")
    if summary["dry_run"]:
        say("dry run: nothing was written to the list")


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {word}" for word, count in sorted(counts.items())) or "none"
