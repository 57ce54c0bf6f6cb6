"""From a file to its records: formats, told by name and content, and how each is cut into records."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any, Final

from hashpact.exchange.fields import describes, record_of
from hashpact.exchange.json_elements import elements
from hashpact.exchange.records import ListFileError, Place, Record, Refusal, Value, type_name
from hashpact.exchange.source import RECORD_BYTES_MAX, Source

FORMATS: Final = ("csv", "jsonl", "json", "lines")
_SUFFIXES: Final = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".txt": "lines",
}
_TOO_LONG: Final = (
    "RECORD_TOO_LONG",
    f"longer than {RECORD_BYTES_MAX} bytes, which no record of hashes is: it was passed over",
)
_DELIMITERS: Final = (",", "\t", ";", "|")

Read = Iterator[Record | Refusal]


def read(source: Source, list_format: str = "", default_type: str = "") -> Read:
    """The records of a file, and what in it is none.

    Args:
        source: the file.
        list_format: one of ``FORMATS``; "" tells it by the name, else by the first bytes.
        default_type: signal type of values whose type is not stated.

    Raises:
        ListFileError: nothing in it says where hashes stand, or it cannot be read on.
    """
    known = list_format or format_of(source)
    if known == "json":
        return _json(source, default_type)
    if known == "jsonl":
        return _jsonl(source, default_type)
    return _csv(source, default_type) if known == "csv" else _lines(source, default_type)


def format_of(source: Source) -> str:
    """The format of a file by its name; where that says nothing, by its first bytes."""
    by_name = _SUFFIXES.get(PurePath(source.path).suffix.lower())
    if by_name:
        return by_name
    first, _, rest = source.head.lstrip().partition(b"\n")
    if first.startswith(b"["):
        return "json"
    if first.startswith(b"{"):
        whole_line = first.rstrip().endswith(b"}") and b'"data"' not in first
        return "jsonl" if whole_line and (not rest.strip() or rest.lstrip().startswith(b"{")) else "json"
    return "csv" if any(one.encode() in first for one in _DELIMITERS) else "lines"


def _json(source: Source, default_type: str) -> Read:
    for number, element in elements(source):
        place = Place(source.path, number, "element")
        yield Refusal(place, *_TOO_LONG) if element is None else _object(element, place, default_type)


def _jsonl(source: Source, default_type: str) -> Read:
    for number, line in source.lines():
        place = Place(source.path, number)
        if line is None:
            yield Refusal(place, *_TOO_LONG)
        elif line.strip():
            yield _object(line, place, default_type)


def _object(raw: bytes, place: Place, default_type: str) -> Record | Refusal:
    try:
        parsed: Any = json.loads(raw)
    except RecursionError:
        return Refusal(place, "NOT_JSON", "brackets inside brackets, deeper than any record of hashes")
    except UnicodeDecodeError:
        return Refusal(place, "NOT_TEXT", "not in UTF-8")
    except ValueError:  # JSON's own message may quote the record
        return Refusal(place, "NOT_JSON", "not JSON: a quote, comma or bracket is missing or too many")
    if isinstance(parsed, str):
        parsed = {"value": parsed}
    if not isinstance(parsed, dict):
        return Refusal(place, "NOT_A_RECORD", "JSON, but no object with fields")
    return record_of(parsed, place, default_type)


def _text_lines(source: Source) -> Iterator[tuple[Place, str | Refusal]]:
    """Lines with something in them, as text."""
    for number, line in source.lines():
        place = Place(source.path, number)
        if line is None:
            yield place, Refusal(place, *_TOO_LONG)
            continue
        if not line.strip():
            continue
        try:
            text = line.decode()
        except UnicodeDecodeError:
            yield place, Refusal(place, "NOT_TEXT", "not in UTF-8")
            continue
        if "\0" in text:
            yield place, Refusal(place, "NOT_TEXT", "holds a NUL character")
        elif not text.isspace():  # there are blanks beyond ASCII
            yield place, text


def _lines(source: Source, default_type: str) -> Read:
    """``VALUE`` or ``TYPE VALUE`` per line, as ``tx`` reads local files; ``#`` begins a remark."""
    for place, text in _text_lines(source):
        if isinstance(text, Refusal):
            yield text
            continue
        words = text.split()
        if words[0].startswith("#"):
            continue
        if len(words) > 2:
            yield Refusal(place, "NOT_A_RECORD", "more than a type and a hash on one line")
            continue
        stated = type_name(words[0]) if len(words) == 2 else default_type
        if stated:
            yield Record(place, "", (Value(stated, words[-1]),))
        else:
            yield Refusal(place, "TYPE_MISSING", "nothing says which type of hash it is: name it with --type")


def _csv(source: Source, default_type: str) -> Read:
    """A table whose first line names the columns. A record is one line: a break inside quotes is refused."""
    rows = _text_lines(source)
    columns: list[str] = []
    delimiter = ","
    for place, text in rows:
        if isinstance(text, Refusal):
            yield text
            continue
        if not columns:
            delimiter = max(_DELIMITERS, key=text.count)
            columns = [cell.strip().lower().replace(" ", "_") for cell in _cells(text, delimiter) or []]
            if not describes(frozenset(columns)):
                raise ListFileError(
                    f"{source.path!r}: its first line names no column that holds hashes, such as value and "
                    "signal_type, or pdq, md5 and sha256; for one hash a line say --format lines --type TYPE"
                )
            continue
        cells = _cells(text, delimiter)
        if cells is None:
            yield Refusal(place, "NOT_CSV", "a quote is not closed on this line")
        elif len(cells) != len(columns):
            yield Refusal(place, "NOT_CSV", f"{len(cells)} cells under {len(columns)} headings")
        else:
            yield record_of(dict(zip(columns, cells, strict=True)), place, default_type)


def _cells(line: str, delimiter: str) -> list[str] | None:
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True))
    except csv.Error:
        return None
