"""A PDF -> its signals: what :func:`hashpact.hash_document` does.

::

    file --read once, bounded--> bytes --> sha256, md5
                                   '--another process, page by page--+--drawn, grey--> pdq, quality; straightened: again
                                                                     '--text of all--> letters and digits --> tlsh

What is fixed about pages and text, so that two members get values that are close, is written down in
``docs/documents.md``.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
from typing import Any, Final

from hashpact.document_signals import DocumentPage, DocumentSignals, PagePicture
from hashpact.errors import HashpactError, UnreadableMediaError
from hashpact.hashing.added import with_added
from hashpact.hashing.formats import is_document
from hashpact.hashing.limits import DEFAULT_DOCUMENT_LIMITS, DocumentLimits
from hashpact.hashing.pdf_process import PDF_PROCESS
from hashpact.hashing.source import check_size, display_name, read_bytes
from hashpact.hashing.text import text_tlsh
from hashpact.signals import Signal

if importlib.util.find_spec("pypdfium2") is None:  # told here, since only the other process imports it
    raise ModuleNotFoundError("No module named 'pypdfium2'", name="pypdfium2")

_NAME_OF_BYTES: Final = "document"


def hash_document(
    source: str | os.PathLike[str] | bytes, *, limits: DocumentLimits = DEFAULT_DOCUMENT_LIMITS
) -> DocumentSignals:
    """The signals of one PDF. Safe on untrusted files; from several threads one document is read at a time.

    Args:
        source: a path, or the bytes of a file.
        limits: what one file may cost.

    Raises:
        UnreadableMediaError: the file is missing, broken, protected by a password, too large, too slow, or no PDF.
        TypeError: a mistake of the caller.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        data, name = bytes(source), _NAME_OF_BYTES
        check_size(name, len(data), limits.bytes_max)
    elif isinstance(source, str | os.PathLike):
        data, name = read_bytes(source, limits.bytes_max), display_name(source)
    else:
        raise TypeError(f"a document is a path or bytes, not {type(source).__name__}")
    if not data:
        raise UnreadableMediaError(f"{name}: the file is empty")
    if not is_document(data):
        raise UnreadableMediaError(f"{name}: not a PDF: print or export it as one")
    try:
        told = PDF_PROCESS.read(data, pages_max=limits.pages_max, seconds_max=limits.seconds_max)
        page_count, pages, plain = _understood(told)
    except UnreadableMediaError as error:
        raise UnreadableMediaError(f"{name}: {error.message}") from error
    if not pages:
        raise UnreadableMediaError(f"{name}: no page of it can be drawn: print it into a new file")
    failed = min(page_count, limits.pages_max) - len(pages)
    letters = min(len(plain), limits.letters_max)
    signals = DocumentSignals(
        sha256=Signal("sha256", hashlib.sha256(data).digest()),
        md5=Signal("md5", hashlib.md5(data, usedforsecurity=False).digest()),
        pages=tuple(pages),
        page_count=page_count,
        tlsh=text_tlsh(plain[:letters]),
        letters=letters,
        complete=page_count <= limits.pages_max and letters == len(plain),
        notes=tuple(_notes(page_count, failed, len(plain), limits)),
    )
    return with_added(signals, "document", data=data)


def _understood(told: dict[str, Any]) -> tuple[int, list[DocumentPage], str]:
    """How many pages there are, those that were drawn, and the letters of all.

    Raises:
        UnreadableMediaError: an answer of another shape.
    """
    pages: list[DocumentPage] = []
    plain: list[str] = []
    try:
        for number, page in enumerate(told["pages"], 1):
            if page is not None:
                whole, straight, letters = page
                straight = None if straight is None else _picture(straight)
                pages.append(DocumentPage(number, _picture(whole), len(letters), straight))
                plain.append(letters)
        return int(told["page_count"]), pages, "".join(plain)
    except (KeyError, TypeError, ValueError, HashpactError) as error:
        raise UnreadableMediaError("the process that reads documents answered nonsense") from error


def _picture(told: tuple[str, int, int]) -> PagePicture:
    value, quality, filled = told
    return PagePicture(Signal.from_hex("pdq", value, int(quality)), int(filled))


def _notes(page_count: int, failed: int, letters: int, limits: DocumentLimits) -> list[str]:
    told = []
    if page_count > limits.pages_max:
        told.append(f"{page_count:,} pages: only the first {limits.pages_max:,} were hashed (pages_max)")
    if letters > limits.letters_max:
        told.append(f"more than {limits.letters_max:,} letters: the rest of the text was not hashed (letters_max)")
    if failed:
        told.append(f"pages that cannot be drawn: {failed:,}")
    return told
