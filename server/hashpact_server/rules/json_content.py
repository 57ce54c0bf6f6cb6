"""Reading the JSON of taxonomies and policies: strictly, and with an error that names the field."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

CONTENT_BYTES_MAX: Final = 64 * 1024


class Fault(Exception):  # noqa: N818 - what is wrong with a document, told to whoever wrote it
    """A document that breaks its format.

    Attributes:
        where: the field, e.g. ``policy.groups_min``.
        what: what it has to be.
    """

    def __init__(self, where: str, what: str) -> None:
        super().__init__(f"{where}: {what}")
        self.where = where
        self.what = what


def parse(what: str, content: str) -> Any:
    """The document.

    Raises:
        Fault: it is too large, no JSON, or names something twice.
    """
    if len(content.encode()) > CONTENT_BYTES_MAX:
        raise Fault(what, f"at most {CONTENT_BYTES_MAX} bytes")

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        named = dict(pairs)
        if len(named) != len(pairs):
            raise Fault(what, "names a field twice")
        return named

    def no_constant(word: str) -> Any:
        raise Fault(what, f"{word} is no number of JSON")

    try:
        return json.loads(content, object_pairs_hook=members, parse_constant=no_constant)
    except RecursionError as error:
        raise Fault(what, "is nested too deeply") from error
    except ValueError as error:
        raise Fault(what, f"is no JSON: {error}") from error


def members_of(where: str, found: Any, known: Iterable[str] | None = None) -> Mapping[str, Any]:
    """The members of an object, all of which have to be known.

    Raises:
        Fault: it is no object, or has a member that is not known.
    """
    if not isinstance(found, dict):
        raise Fault(where, "an object of JSON, in braces")
    if known is not None:
        names = tuple(known)
        for name in found:
            if name not in names:
                raise Fault(
                    f"{where}.{name}" if name.isprintable() else where, f"not known; there are {', '.join(names)}"
                )
    return found
