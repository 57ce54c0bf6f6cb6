"""What hashing a document or a text gives. Pure Python, as :mod:`hashpact.signals` is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Final

from hashpact.signals import PDQ_QUALITY_MIN, Signal

PAGE_FILLED_PERCENT_MIN: Final = 60
"""Pages with less on them look like others of their template: two letters of ten lines on one letterhead are within
31 bits in one of four pairs; full pages of one layout in none of 2,500 (docs/documents.md)."""


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

    kind: ClassVar[str] = "text"

    sha256: Signal
    md5: Signal
    tlsh: Signal | None
    letters: int
    notes: tuple[str, ...] = ()
    added: tuple[Signal, ...] = ()

    def listed(self) -> tuple[Signal, ...]:
        """The signals to contribute."""
        return (self.sha256, self.md5, *(() if self.tlsh is None else (self.tlsh,)), *self.added)

    def probed(self) -> tuple[Signal, ...]:
        """The signals to look up: the same."""
        return self.listed()


@dataclass(frozen=True, slots=True)
class Url:
    """A web address, to be checked or contributed: ``client.check(Url("https://example.org/page"))``.

    Attributes:
        address: in any spelling. Not in the repr: it may lead to what is listed.
    """

    address: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class UrlSignals:
    """What hashing a :class:`Url` gives.

    Attributes:
        url_sha256: digest of the one form of all its spellings.
        notes: what a person should know.
    """

    kind: ClassVar[str] = "address"

    url_sha256: Signal
    notes: tuple[str, ...] = ()

    def listed(self) -> tuple[Signal, ...]:
        """The signals to contribute."""
        return (self.url_sha256,)

    def probed(self) -> tuple[Signal, ...]:
        """The signals to look up: the same."""
        return self.listed()


@dataclass(frozen=True, slots=True)
class PagePicture:
    """A page as a picture.

    Attributes:
        pdq: PDQ with quality.
        filled_percent: in how many of 8 x 8 cells of it there is anything.
    """

    pdq: Signal
    filled_percent: int

    @property
    def telling(self) -> bool:
        """Whether there is enough on it to be told from others: PDQ quality of at least 50, and filled for 60 %."""
        return (self.pdq.quality or 0) >= PDQ_QUALITY_MIN and self.filled_percent >= PAGE_FILLED_PERCENT_MIN


@dataclass(frozen=True, slots=True)
class DocumentPage:
    """One page.

    Attributes:
        number: from 1.
        whole: the page as it is.
        letters: letters and digits of its text.
        straightened: the page upright and without its margins, by which a scan is found; None where that is the page
            as it is, or next to nothing.
    """

    number: int
    whole: PagePicture
    letters: int
    straightened: PagePicture | None = None

    @property
    def pdq(self) -> Signal:
        """PDQ of the page as it is."""
        return self.whole.pdq

    @property
    def telling(self) -> tuple[PagePicture, ...]:
        """Those of its pictures with enough on them to be compared."""
        return tuple(each for each in (self.whole, self.straightened) if each is not None and each.telling)

    def listed(self) -> tuple[Signal, ...]:
        """The signals to contribute, and to look up; none of a page that tells nothing."""
        return tuple(Signal("pdq_page", each.pdq.value, each.pdq.quality) for each in self.telling)


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

    kind: ClassVar[str] = "document"

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
        """The pages with enough on them to be compared: see :attr:`DocumentPage.telling`."""
        return tuple(page for page in self.pages if page.telling)

    def listed(self) -> tuple[Signal, ...]:
        """The signals to contribute: digests, the text, and the pages that tell something."""
        pages = (signal for page in self.pages for signal in page.listed())
        text = () if self.tlsh is None else (self.tlsh,)
        return (self.sha256, self.md5, *text, *pages, *self.added)

    def probed(self) -> tuple[Signal, ...]:
        """The signals to look up: the same."""
        return self.listed()
