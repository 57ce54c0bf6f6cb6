"""Writing the list out: a file that appears whole or not at all, for its owner alone."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final

from hashpact.errors import ConfigError
from hashpact.exchange.source import STDIN
from hashpact.items import Item, ItemSignal

CSV_COLUMNS: Final = ("item", "signal_type", "value", "quality", "stretch_ms", "labels", "status")


@dataclass(slots=True)
class Exported:
    """What an export wrote.

    Attributes:
        items: items written.
        signals: their hashes.
        left_out: items without a hash that the caller may hold.
    """

    items: int = 0
    signals: int = 0
    left_out: int = 0


def export(items: Iterable[Item], out: IO[str], export_format: str) -> Exported:
    """Write items.

    Args:
        items: with signals; taken as they are written.
        out: where to.
        export_format: ``csv``, ``jsonl`` or ``threatexchange``.
    """
    done = Exported()
    write = {"csv": _csv, "jsonl": _jsonl, "threatexchange": _threatexchange}[export_format]
    write(_with_values(items, done), out)
    return done


def _with_values(items: Iterable[Item], done: Exported) -> Iterator[tuple[Item, list[tuple[ItemSignal, str]]]]:
    """Items, each with (signal, hex) of the hashes that the caller may hold."""
    for item in items:
        held = [(one, one.value.hex()) for one in item.signals if one.value is not None]
        if not held:
            done.left_out += 1
            continue
        done.items += 1
        done.signals += len(held)
        yield item, held


Held = Iterable[tuple[Item, list[tuple[ItemSignal, str]]]]


def _csv(items: Held, out: IO[str]) -> None:
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(CSV_COLUMNS)
    for item, held in items:
        for one, value in held:
            quality = "" if one.quality is None else one.quality
            stretch = "" if one.stretch_ms is None else f"{one.stretch_ms[0]}-{one.stretch_ms[1]}"
            rows.writerow((item.item, one.signal_type, value, quality, stretch, " ".join(item.labels), item.status))


def _jsonl(items: Held, out: IO[str]) -> None:
    for item, held in items:
        signals = [
            {"signal_type": one.signal_type, "value": value, "quality": one.quality, **_stretch(one)}
            for one, value in held
        ]
        line = {"item": item.item, "status": item.status, "labels": list(item.labels), "signals": signals}
        out.write(json.dumps(line) + "\n")


def _threatexchange(items: Held, out: IO[str]) -> None:
    """One document of the shape that ``threat_updates`` answers with; our own facts stand under ``hashpact``."""
    separator = '{"data": [\n'
    for item, held in items:
        for position, (one, value) in enumerate(held):
            out.write(separator + json.dumps(_update(item, one, value, one.sequence * 65_536 + position)))
            separator = ",\n"
    out.write(("" if separator == ",\n" else separator) + "\n]}\n")


def _update(item: Item, signal: ItemSignal, value: str, number: int) -> dict[str, Any]:
    created = item.create_time or datetime.fromtimestamp(0, UTC)
    # What no independent second member has looked at is a lead there, no verdict.
    status = "MALICIOUS" if item.status == "corroborated" else "SUSPICIOUS"
    descriptor = {
        "id": str(number),
        "owner": {"id": "0"},  # members are no apps of ThreatExchange
        "status": status,
        "tags": list(item.labels),
        "added_on": created.strftime("%Y-%m-%dT%H:%M:%S+0000"),
    }
    return {
        "id": str(number),
        "indicator": value,
        "type": f"HASH_{signal.signal_type.upper()}",
        "last_updated": int(created.timestamp()),
        "should_delete": False,
        "descriptors": {"data": [descriptor]},
        "hashpact": {
            "item": item.item,
            "status": item.status,
            "labels": list(item.labels),
            "quality": signal.quality,
            **_stretch(signal),
        },
    }


def _stretch(signal: ItemSignal) -> dict[str, list[int]]:
    return {} if signal.stretch_ms is None else {"stretch_ms": list(signal.stretch_ms)}


@contextlib.contextmanager
def new_file(path: str) -> Iterator[IO[str]]:
    """A file that takes its name only when the block is through; ``-`` is standard output.

    Raises:
        ConfigError: it cannot be written.
    """
    if path == STDIN:
        yield sys.stdout
        return
    final = Path(path)
    try:
        if final.is_dir():
            raise ConfigError(f"{path!r} is a folder: name a file")
        handle, name = tempfile.mkstemp(dir=final.parent, prefix=f".{final.name}.")  # made with mode 0600
    except OSError as error:
        raise _trouble(path, error) from error
    try:
        with os.fdopen(handle, "w", encoding="ascii", newline="") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        Path(name).replace(final)
        folder = os.open(final.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise _trouble(path, error) from error
    finally:
        Path(name).unlink(missing_ok=True)


def _trouble(path: str, error: OSError) -> ConfigError:
    return ConfigError(f"{path!r} cannot be written: {error.strerror}")
