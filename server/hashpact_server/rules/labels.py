"""Labels: their shape, and the public class that stands for each one in the ledger.

A label is a member's free word; its *class* is what the public part of an entry may say about it. Only the terms of
the taxonomy below are their own class, because they tell what kind of thing was listed and nothing about the media or
the people in it. Everything else is ``other``, every incident is ``incident``, and ``canary`` is itself, so that who
counts what is listed can leave test pictures out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from types import MappingProxyType
from typing import Final

from hashpact.canary.published import LABEL as CANARY
from hashpact.v1 import error_reason_pb2

from hashpact_server.refusal import Refusal

CHARACTERS_MAX: Final = 64

AXES: Final = MappingProxyType(
    {
        "producer": (
            "un_listed_entity",
            "other_listed_entity",
            "attack_perpetrator_or_accomplice",
            "manifesto_author",
            "branded_publication",
        ),
        "behaviour": (
            "imminent_credible_threat",
            "graphic_violence_against_defenseless_people",
            "glorification_of_terrorist_acts",
            "recruitment_and_instruction",
        ),
        "context": ("journalism", "documentation", "counter_speech", "research", "education", "art"),
        "list": ("un", "eu", "uk", "us"),
        "media": ("image", "video", "pdf", "url", "text"),
    }
)
"""The taxonomy: axis to terms. ``documentation`` is that of rights abuses; lists are those of designated entities."""

OTHER: Final = "other"
INCIDENT: Final = "incident"
GENERIC_CLASSES: Final = frozenset({OTHER, INCIDENT})

_LABEL: Final = re.compile(r"[a-z0-9][a-z0-9_\-.:/]{0,63}")
_TERMS: Final = MappingProxyType(
    {f"{axis}:{term}": f"{axis}:{term}" for axis, terms in AXES.items() for term in terms}
    # The names of lists are two letters: as bare words they could mean anything.
    | {term: f"{axis}:{term}" for axis, terms in AXES.items() if axis != "list" for term in terms}
)


def clean_label(raw: str) -> str | None:
    """The label in the form that is stored, or None when it cannot be one.

    Blanks around it are trimmed, upper case becomes lower case; what is left has 1 to 64 characters of
    ``a-z 0-9 _ - . : /`` and starts with a letter or digit.
    """
    trimmed = raw.strip()
    # Some characters beyond ASCII have an ASCII lower case (the Kelvin sign): they are refused, not converted.
    if not trimmed.isascii():
        return None
    label = trimmed.lower()
    return label if _LABEL.fullmatch(label) else None


def clean_labels(raw: Sequence[str], labels_max: int) -> tuple[str, ...]:
    """The labels in the form that is stored: sorted, each one once.

    Args:
        raw: as sent.
        labels_max: how many may be sent.

    Raises:
        Refusal: LABELS_INVALID: none, too many, or one of another shape. The message names its position, not the word.
    """
    if not raw:
        raise _invalid("give at least one label")
    if len(raw) > labels_max:
        raise _invalid(f"{len(raw)} labels are over the limit labels_max={labels_max}")
    cleaned = set()
    for position, each in enumerate(raw):
        label = clean_label(each)
        if label is None:
            raise _invalid(
                f"labels[{position}] is not a label: 1 to {CHARACTERS_MAX} characters of a-z 0-9 _ - . : /, "
                "starting with a letter or digit"
            )
        cleaned.add(label)
    return tuple(sorted(cleaned))


def class_of(label: str) -> str:
    """The public class of a stored label.

    A term of the taxonomy may be written bare (``journalism``) or with its axis (``context:journalism``), with ``-`` or
    ``_`` between words; both are the class ``context:journalism``.
    """
    if label.startswith("incident:"):
        return INCIDENT
    if label == CANARY:
        return CANARY
    return _TERMS.get(label.replace("-", "_"), OTHER)


def classes_of(labels: Iterable[str]) -> tuple[str, ...]:
    """The public classes of stored labels: sorted, each one once."""
    return tuple(sorted({class_of(label) for label in labels}))


def is_context(label: str) -> bool:
    """Whether the label says that the content may be lawful where it appears (journalism, research, art...)."""
    return class_of(label).startswith("context:")


def _invalid(message: str) -> Refusal:
    return Refusal(error_reason_pb2.ERROR_REASON_LABELS_INVALID, message)
