"""What a file of hashes says, record by record, whatever its format."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Final

from hashpact.errors import HashpactError, InvalidSignalError
from hashpact.signals import PDQ_QUALITY_MIN, QUALITY_MAX, SIGNAL_TYPES, Signal

_NAME: Final = re.compile(r"[a-z][a-z0-9_+.-]{0,23}")
_LIST_PREFIXES: Final = ("hash_", "video_", "photo_", "image_")


class ListFileError(HashpactError):
    """A file of hashes that cannot be used as a whole: not there, compressed, or nothing in it says what it holds."""

    reason = "LIST_FILE"


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands.

    Attributes:
        file: the path as given; "-" for standard input.
        number: line, or position of the element in a JSON document; both count from 1.
        unit: ``line`` or ``element``.
    """

    file: str
    number: int
    unit: str = "line"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Something in a file that was not taken.

    Attributes:
        place: where it stands.
        reason: a word: of ``ErrorReason`` where the service said no, else one of ``docs/exchange.md``.
        message: one sentence for people. Never a hash value.
    """

    place: Place
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Value:
    """One hash as the file states it, not checked yet.

    Attributes:
        signal_type: name as in :func:`type_name`.
        text: the value as written.
        quality: as written, or None.
        stretch_ms: likewise, of a video's frame.
    """

    signal_type: str
    text: str = field(repr=False)
    quality: object = None
    stretch_ms: object = None


@dataclass(frozen=True, slots=True)
class Record:
    """One record of a file.

    Attributes:
        place: where it stands.
        group: records with the same group are one item; "" for a record of its own.
        values: its hashes.
        labels: labels as this service knows them.
        tags: tags of another list, still to be translated.
    """

    place: Place
    group: str
    values: tuple[Value, ...]
    labels: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


def type_name(text: str) -> str:
    """A signal type by the names that lists use: ``HASH_PDQ``, ``video_md5``, ``SHA-256``; else in small letters."""
    name = text.strip().lower().replace("-", "").replace(" ", "_")
    while prefix := next((one for one in _LIST_PREFIXES if name.startswith(one)), ""):
        name = name.removeprefix(prefix)
    return name


def shown_type(name: str) -> str:
    """A type's name for a message; a value that slipped into its column is not shown."""
    return name if _NAME.fullmatch(name) else "what stands there"


def signal_of(value: Value, place: Place, pdq_quality: int | None) -> Signal | Refusal:
    """The signal that a value of a known type states.

    Args:
        value: as the file states it.
        place: where.
        pdq_quality: what to state for PDQ values without quality; None: they are refused.
    """
    stated = value.quality not in (None, "")
    quality = _quality(value.quality) if stated else pdq_quality
    try:
        if not SIGNAL_TYPES[value.signal_type].quality_min:
            return Signal.from_hex(value.signal_type, value.text)
        signal = Signal.from_hex(value.signal_type, value.text, quality)
        if (stretch := _stretch(value.stretch_ms)) is not None:
            signal = replace(signal, stretch_ms=stretch)
    except InvalidSignalError as error:
        return Refusal(place, "SIGNAL_MALFORMED", error.message)
    if quality is not None:
        return signal
    if stated:
        return Refusal(place, "SIGNAL_MALFORMED", f"the quality is no whole number from 0 to {QUALITY_MAX}")
    return Refusal(
        place,
        "PDQ_QUALITY_UNKNOWN",
        f"the file states no quality for this {value.signal_type} value: if its owner kept only values of "
        f"{PDQ_QUALITY_MIN} and more, say so with --pdq-quality {PDQ_QUALITY_MIN}",
    )


def _stretch(given: object) -> tuple[int, int] | None:
    """``[start, end]`` or ``start-end``, in ms; None where it is neither, and the service says that it is missing."""
    if isinstance(given, list):
        given = "-".join(str(one) for one in given)
    found = re.fullmatch(r"([0-9]{1,10})-([0-9]{1,10})", given.strip()) if isinstance(given, str) else None
    return None if found is None else (int(found[1]), int(found[2]))


def _quality(given: object) -> int | None:
    text = str(given).strip() if isinstance(given, int | str) and not isinstance(given, bool) else ""
    if not re.fullmatch(r"[0-9]{1,3}", text) or int(text) > QUALITY_MAX:
        return None
    return int(text)


def is_known(name: str) -> bool:
    """Whether this version can contribute values of a type."""
    return name in SIGNAL_TYPES
