"""Text -> its signals: what :func:`hashpact.hash_text` does.

What another typesetter changes is taken out before TLSH sees a text: line breaks, hyphens at line ends, spaces (which
PDF readers lose and invent), punctuation and quotation marks, capitals, ligatures, accents. What remains are the
letters and digits in their order.
"""

from __future__ import annotations

import codecs
import hashlib
import os
import re
import unicodedata
from typing import Final

from hashpact.document_signals import TextSignals
from hashpact.errors import UnreadableMediaError
from hashpact.hashing.added import with_added
from hashpact.hashing.limits import DEFAULT_TEXT_LIMITS, TextLimits
from hashpact.hashing.source import check_size, display_name, read_bytes
from hashpact.hashing.tlsh import tlsh
from hashpact.signals import Signal

LETTERS_MIN: Final = 256
"""Shorter texts have no TLSH: one line more moves more than four of five of them beyond 30 (docs/documents.md)."""
_NAME_OF_BYTES: Final = "text"
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_NO_TEXT: Final = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_NOT_A_LETTER: Final = re.compile(r"[\W_]+")


def hash_text(source: str | os.PathLike[str] | bytes, *, limits: TextLimits = DEFAULT_TEXT_LIMITS) -> TextSignals:
    """The signals of a plain text.

    Args:
        source: the text itself, the path of a file (as ``Path``; a ``str`` is text), or a file's bytes: UTF-8, or
            UTF-16 and UTF-32 with a byte order mark.
        limits: what it may cost.

    Raises:
        UnreadableMediaError: the file is missing, too large, or no text.
        TypeError: a mistake of the caller.
    """
    if isinstance(source, str):
        data, name = source.encode("utf-8", "surrogatepass"), _NAME_OF_BYTES
        check_size(name, len(data), limits.bytes_max)
        return _signals(data, source)
    if isinstance(source, bytes | bytearray | memoryview):
        data, name = bytes(source), _NAME_OF_BYTES
        check_size(name, len(data), limits.bytes_max)
    elif isinstance(source, os.PathLike):
        data, name = read_bytes(source, limits.bytes_max), display_name(source)
    else:
        raise TypeError(f"a text is a str, a Path or bytes, not {type(source).__name__}")
    return _signals(data, decoded_text(data, name))


def _signals(data: bytes, text: str) -> TextSignals:
    plain = plain_letters(text)
    signals = TextSignals(
        sha256=Signal("sha256", hashlib.sha256(data).digest()),
        md5=Signal("md5", hashlib.md5(data, usedforsecurity=False).digest()),
        tlsh=text_tlsh(plain),
        letters=len(plain),
    )
    return with_added(signals, "text", data=data)


def text_tlsh(plain: str) -> Signal | None:
    """TLSH of what :func:`plain_letters` left; None where there is too little of it."""
    value = tlsh(plain.encode()) if len(plain) >= LETTERS_MIN else None
    return None if value is None else Signal("tlsh", value)


def plain_letters(text: str) -> str:
    """Letters and digits in their order, in one form and one case."""
    apart = unicodedata.normalize("NFKD", text).casefold()
    # Accents stand apart now, and are no letters to the pattern: "e" stays of an accented one.
    return _NOT_A_LETTER.sub("", "".join(character for character in apart if not unicodedata.combining(character)))


def is_text(head: bytes) -> bool:
    """Whether a file that begins with these bytes may be plain text: UTF-8, or UTF-16 and UTF-32 with their mark."""
    coding = next((coding for mark, coding in _MARKS if head.startswith(mark)), "utf-8")
    try:
        text = codecs.getincrementaldecoder(coding)().decode(head)  # its last character may be cut in two
    except UnicodeDecodeError:
        return False
    return bool(text) and not _NO_TEXT.search(text)


def decoded_text(data: bytes, name: str) -> str:
    """The text in a file's bytes.

    Raises:
        UnreadableMediaError: it is none.
    """
    if not data:
        raise UnreadableMediaError(f"{name}: the file is empty")
    mark, coding = next(((mark, coding) for mark, coding in _MARKS if data.startswith(mark)), (b"", "utf-8"))
    try:
        text = data[len(mark) :].decode(coding)
    except UnicodeDecodeError as error:
        raise UnreadableMediaError(f"{name}: is not text in UTF-8: convert it first") from error
    if "\0" in text:
        raise UnreadableMediaError(f"{name}: is not text: it has zeros in it")
    return text
