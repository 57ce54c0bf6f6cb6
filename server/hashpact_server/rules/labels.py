"""Labels: their shape, whether the taxonomy in force takes them, and what the ledger says of them in public."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from hashpact.v1 import error_reason_pb2

from hashpact_server.refusal import Refusal
from hashpact_server.rules.taxonomy import BUILT_IN, CONTEXT, INCIDENT, OTHER, Taxonomy

CHARACTERS_MAX: Final = 64

GENERIC_CLASSES: Final = frozenset({OTHER, INCIDENT})

_LABEL: Final = re.compile(r"[a-z0-9][a-z0-9_\-.:/]{0,63}")


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


def check_known(labels: Iterable[str], taxonomy: Taxonomy) -> None:
    """Whether an item may be given these labels.

    Raises:
        Refusal: LABELS_INVALID: the taxonomy in force is closed and lacks one. The message does not say the word.
    """
    if not taxonomy.open and not all(map(taxonomy.takes, labels)):
        raise _invalid(
            "a label is not in the taxonomy in force, which takes no others: see `hashpact rulebook show taxonomy`"
        )


def class_of(label: str, taxonomy: Taxonomy = BUILT_IN) -> str:
    """The public class of a stored label."""
    return taxonomy.class_of(label)


def classes_of(labels: Iterable[str], taxonomy: Taxonomy = BUILT_IN) -> tuple[str, ...]:
    """The public classes of stored labels: sorted, each one once."""
    return tuple(sorted({taxonomy.class_of(label) for label in labels}))


def is_context(label: str, taxonomy: Taxonomy = BUILT_IN) -> bool:
    """Whether the label says that the content may be lawful where it appears (journalism, research, art...)."""
    return taxonomy.class_of(label).startswith(f"{CONTEXT}:")


def _invalid(message: str) -> Refusal:
    return Refusal(error_reason_pb2.ERROR_REASON_LABELS_INVALID, message)
