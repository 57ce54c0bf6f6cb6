"""What hashing a document or a text gives. Pure Python, as :mod:`hashpact.signals` is."""

from __future__ import annotations

from dataclasses import dataclass

from hashpact.signals import PDQ_QUALITY_MIN, Signal


@dataclass(frozen=True, slots=True)
class TextSignals:
    """What :func:`hashpact.hash_text` finds in one text.

    Attributes:
        sha256: digest of the bytes (of a ``str``: of its UTF-8).
        md5: digest of the same.
        tlsh: of the letters and digits; None where there are fewer than 256, or only a few different ones.
        letters: how many letters and digits there are.
        notes: what a person should know.
        added: signals of types that other packages add.
    """

    sha256: Signal
    md5: Signal
    tlsh: Signal | None
    letters: int
    notes: tuple[str, ...] = ()
    added: tuple[Signal, ...] = ()


@dataclass(frozen=True, slots=True)
class DocumentPage:
    """One page.

    Attributes:
        number: from 1.
        pdq: PDQ with quality, of the page's picture.
        letters: letters and digits of its text.
    """

    number: int
    pdq: Signal
    letters: int


@dataclass(frozen=True, slots=True)
class DocumentSignals:
    """What :func:`hashpact.hash_document` finds in one PDF.

    It is not iterable as ``ImageSignals`` is: the PDQ of a page does not identify a document.

    Attributes:
        sha256: digest of the file's bytes.
        md5: digest of the file's bytes.
        pages: the hashed pages in order. Pages of text in one layout resemble each other: see ``docs/documents.md``.
        page_count: pages that the document has.
        tlsh: of the letters and digits of the hashed pages; None where there are fewer than 256: a scan has none.
        letters: how many letters and digits there are.
        complete: False when the document goes on beyond ``DocumentLimits.pages_max`` or ``letters_max``.
        notes: what a person should know, e.g. that a page could not be drawn.
        added: signals of types that other packages add.
    """

    sha256: Signal
    md5: Signal
    pages: tuple[DocumentPage, ...]
    page_count: int
    tlsh: Signal | None
    letters: int
    complete: bool = True
    notes: tuple[str, ...] = ()
    added: tuple[Signal, ...] = ()

    @property
    def telling(self) -> tuple[DocumentPage, ...]:
        """The pages with enough on them to be compared: PDQ quality of at least 50."""
        return tuple(page for page in self.pages if (page.pdq.quality or 0) >= PDQ_QUALITY_MIN)
