"""Texts that people write: bounded, printable, trimmed."""

from __future__ import annotations

from hashpact_server.refusal import invalid_field


def clean_text(field: str, sent: str, characters_max: int, *, required: bool = False) -> str:
    """The text without blanks around it; line breaks and tabs may stand within.

    Raises:
        Refusal: FIELD_INVALID: too long, characters that cannot be shown, or nothing where something is needed.
    """
    cleaned = sent.replace("\r\n", "\n").strip()
    if required and not cleaned:
        raise invalid_field(field, "say why: this text must not be empty")
    if len(cleaned) > characters_max or not cleaned.translate(_LAYOUT).isprintable():
        raise invalid_field(field, f"at most {characters_max} printable characters")
    return cleaned


_LAYOUT = str.maketrans("", "", "\n\t")
