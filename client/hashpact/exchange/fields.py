"""From the fields of one record, by whatever names lists give them, to what it says. CSV and JSON share it.

Understood are our own exports, descriptors and ``threat_updates`` of ThreatExchange, what ``tx`` prints, the contents
of HMA banks, and plain tables with a column per fact or a column per signal type.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from hashpact.exchange.records import Place, Record, Refusal, Value, is_known, type_name

VALUE_NAMES: Final = ("value", "signal_str", "signal_value", "raw_indicator", "indicator", "hash", "hex", "signal")
TYPE_NAMES: Final = ("signal_type", "indicator_type", "hash_type", "type", "algorithm")
QUALITY_NAMES: Final = ("quality", "pdq_quality")
STRETCH_NAMES: Final = ("stretch_ms",)
GROUP_NAMES: Final = ("item", "group", "group_id", "content_id", "id")
LABEL_NAMES: Final = ("labels", "label")
TAG_NAMES: Final = ("tags", "tag")
_NAMES: Final = frozenset((*VALUE_NAMES, *TYPE_NAMES, "signals"))
_OPAQUE_COLUMNS: Final = frozenset({"tmk", "tmk_pdqf", "pdq_ocr", "vpdq", "tlsh", "photodna", "sha1", "ssdeep"})
_SEPARATORS: Final = re.compile(r"[\s;|,]+")
VALUES_MAX: Final = 4096
"""Hashes in one record."""

_NOT_LISTED: Final = frozenset({"non_malicious", "negative_class", "withdrawn", "expired"})
_DISPUTED: Final = "disputed"

Fields = Mapping[str, Any]


def describes(names: frozenset[str]) -> bool:
    """Whether the names of some columns say where hashes stand."""
    return bool(names & _NAMES) or any(_type_column(name) for name in names)


def record_of(fields: Fields, place: Place, default_type: str = "") -> Record | Refusal:
    """What the fields of a record say, or why it is not taken.

    Args:
        fields: by name, in small letters for CSV.
        place: where the record stands.
        default_type: signal type of values whose type is not stated.
    """
    if "error" in fields and "signals" not in fields:
        return Refusal(place, "NOT_HASHED", "this file could not be hashed where the list was made")
    why = _why_not(fields)
    if why:
        return Refusal(place, *why)
    values = list(_values(fields, default_type))
    if not values:
        return Refusal(place, "NO_VALUE", "no hash in it")
    if len(values) > VALUES_MAX:
        return Refusal(place, "TOO_MANY_VALUES", f"more than {VALUES_MAX} hashes in one record")
    if any(not value.signal_type for value in values):
        return Refusal(place, "TYPE_MISSING", "nothing says which type of hash it is: name it with --type")
    ours = fields.get("hashpact")
    own = ours if isinstance(ours, Mapping) else {}
    return Record(
        place,
        _group(own) or _group(fields),
        tuple(values),
        labels=tuple(_words(_first(own, LABEL_NAMES)) or _words(_first(fields, LABEL_NAMES))),
        tags=() if own else tuple(_tags(fields)),
    )


# --- whether the source stands by it --------------------------------------------------------------------------------


def _why_not(fields: Fields) -> tuple[str, str] | None:
    """Reason and message where the list itself says that this does not, or not surely, belong on a list."""
    if _true(fields.get("should_delete")):
        return "NOT_LISTED_THERE", "the list itself says that this was taken off"
    said = {word for word in _standings(fields) if word in _NOT_LISTED or word == _DISPUTED}
    if not said:
        return None
    if said <= _NOT_LISTED and _all_say_so(fields):
        return "NOT_LISTED_THERE", "the list itself says that this is not, or no longer, what it lists"
    return "DISPUTED_THERE", "members of that list disagree about this: let a person decide"


def _standings(fields: Fields) -> Iterator[str]:
    for name in ("status", "category"):
        if isinstance(fields.get(name), str):
            yield fields[name].strip().lower()
    for descriptor in _descriptors(fields):
        yield str(descriptor.get("status", "")).strip().lower()
        for reactions in (descriptor.get("reactions"), descriptor.get("my_reactions")):
            if "DISAGREE_WITH_TAGS" in str(reactions):
                yield _DISPUTED


def _all_say_so(fields: Fields) -> bool:
    given = [str(one.get("status", "")).strip().lower() for one in _descriptors(fields)]
    return all(word in _NOT_LISTED for word in given)


def _descriptors(fields: Fields) -> list[Mapping[str, Any]]:
    outer = fields.get("descriptors")
    inner = outer.get("data") if isinstance(outer, Mapping) else outer
    return [one for one in inner if isinstance(one, Mapping)] if isinstance(inner, list) else []


def _true(given: object) -> bool:
    return given is True or (isinstance(given, str) and given.strip().lower() in {"true", "1", "yes"})


# --- hashes ---------------------------------------------------------------------------------------------------------


def _values(fields: Fields, default_type: str) -> Iterator[Value]:
    quality = _first(fields, QUALITY_NAMES)
    own = fields.get("hashpact")
    if isinstance(own, Mapping) and "quality" in own:
        quality = own["quality"]
    stretch = _first(own if isinstance(own, Mapping) else {}, STRETCH_NAMES) or _first(fields, STRETCH_NAMES)
    signals = fields.get("signals")
    if signals:
        yield from _nested(signals, quality)
        return
    text = _first(fields, VALUE_NAMES)
    if isinstance(text, str) and text.strip():
        stated = _first(fields, TYPE_NAMES)
        named = type_name(stated) if isinstance(stated, str) and stated.strip() else default_type
        yield Value(named, text, quality, stretch)
        return
    for column, given in fields.items():
        name = _type_column(str(column))
        if name:
            yield from _several(name, given, quality)


def _nested(signals: object, quality: object) -> Iterator[Value]:
    """``{"pdq": hex, ...}`` as banks and ``hashpact hash`` have it, or a list of objects with type and value."""
    if isinstance(signals, Mapping):
        for name, given in signals.items():
            yield from _several(type_name(str(name)), given, quality)
    elif isinstance(signals, list):
        for one in signals:
            if isinstance(one, Mapping):
                text, stated = _first(one, VALUE_NAMES), _first(one, TYPE_NAMES)
                known = type_name(stated) if isinstance(stated, str) else ""
                quality, stretch = _first(one, QUALITY_NAMES), _first(one, STRETCH_NAMES)
                yield Value(known, text if isinstance(text, str) else "", quality, stretch)


def _several(name: str, given: object, quality: object) -> Iterator[Value]:
    for one in given if isinstance(given, list) else [given]:
        if isinstance(one, Mapping):
            text = _first(one, VALUE_NAMES)
            yield Value(name, text if isinstance(text, str) else "", _first(one, QUALITY_NAMES))
        elif isinstance(one, str):
            if one.strip():
                yield Value(name, one, quality)
        elif one is not None:
            yield Value(name, "", quality)  # whatever it is, it is no hash: to be told, not to be lost


def _type_column(name: str) -> str:
    known = type_name(name)
    return known if is_known(known) or known in _OPAQUE_COLUMNS else ""


# --- words ----------------------------------------------------------------------------------------------------------


def _group(fields: Fields) -> str:
    given = _first(fields, GROUP_NAMES)
    return str(given).strip() if isinstance(given, str | int) and not isinstance(given, bool) else ""


def _tags(fields: Fields) -> list[str]:
    found = [*_words(_first(fields, TAG_NAMES))]
    for descriptor in _descriptors(fields):
        found += _words(descriptor.get("tags"))
    return list(dict.fromkeys(found))


def _words(given: object) -> list[str]:
    if isinstance(given, Mapping):  # the Graph API: {"data": [{"id": ..., "text": ...}]}
        given = given.get("data")
    if isinstance(given, str):
        return [word for word in _SEPARATORS.split(given.strip()) if word]
    if not isinstance(given, list):
        return []
    return [word for one in given if (word := _word(one))]


def _word(one: object) -> str:
    text = one.get("text") if isinstance(one, Mapping) else one
    return text.strip() if isinstance(text, str) else ""


def _first(fields: Fields, names: tuple[str, ...]) -> Any:
    """The first of some fields that is there and not empty."""
    for name in names:
        given = fields.get(name)
        if given is not None and given != "":
            return given
    return None
