"""The pages of a PDF through pypdfium2: pictures -> PDQ, and text. Runs in a process of its own: :mod:`pdf_process`.

Scripts are not run, forms are not filled in, and nothing that a file names is fetched.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pypdfium2
import pypdfium2.raw as pdfium
from numpy.typing import NDArray

from hashpact.errors import UnreadableMediaError
from hashpact.hashing.pdq import PdqResult, pdq
from hashpact.hashing.straightening import straightened
from hashpact.hashing.text import plain_letters

LONG_SIDE_PX: Final = 1024
"""Pages are drawn with this many pixels along their longer side. Part of the contract: docs/documents.md."""
_PAGE_CHARACTERS_MAX: Final = 200_000
_CELLS: Final = 8
_CELL_DEVIATION_MIN: Final = 8.0
"""Standard deviation of the shades in a cell from which on there is something in it: one short word is enough."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page: the page as it is, the page straightened, and the letters of its text."""

    whole: PagePicture
    straight: PagePicture | None
    letters: str

    def told(self) -> list[Any]:
        """As it is told to the process that asked."""
        return [self.whole.told(), self.straight and self.straight.told(), self.letters]


@dataclass(frozen=True, slots=True)
class PagePicture:
    """A page as a picture: its PDQ, and how much of it is filled, in percent."""

    pdq: PdqResult
    filled: int

    def told(self) -> list[Any]:
        """As it is told to the process that asked."""
        return [self.pdq.values[0].hex(), self.pdq.quality, self.filled]


def read_pages(data: bytes, pages_max: int) -> tuple[int, list[Page | None]]:
    """How many pages a document has, and the first of them; None for one that cannot be drawn.

    Raises:
        UnreadableMediaError: it is broken or protected; without a name in front.
    """
    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        raise UnreadableMediaError(_why(error)) from error
    try:
        count = len(document)
        return count, [_page(document, index) for index in range(min(count, pages_max))]
    finally:
        document.close()


def _why(error: Any) -> str:
    code = getattr(error, "err_code", None)
    if code == pdfium.FPDF_ERR_PASSWORD:
        return "the document is protected by a password: give a copy without one"
    if code == pdfium.FPDF_ERR_SECURITY:
        return "the document is protected in a way that is not known here: print it into a new file"
    return "the document cannot be opened, it is damaged or not a PDF: print it into a new file"


def _page(document: Any, index: int) -> Page | None:
    try:
        page = document[index]
    except pypdfium2.PdfiumError:
        return None
    try:
        luma = _luma(page)
        if luma is None:
            return None
        straight = straightened(luma)
        return Page(_picture(luma), None if straight is None else _picture(straight), plain_letters(_text(page)))
    except pypdfium2.PdfiumError:
        return None
    finally:
        page.close()


def _luma(page: Any) -> NDArray[np.uint8] | None:
    """The page as a grey picture on white; None where it has no size."""
    width, height = page.get_size()
    longer = max(width, height)
    if not (math.isfinite(longer) and longer > 0 and min(width, height) > 0):
        return None
    columns, rows = (max(1, round(side * LONG_SIDE_PX / longer)) for side in (width, height))
    bitmap = pypdfium2.PdfBitmap.new_native(columns, rows, pdfium.FPDFBitmap_BGRx)
    try:
        bitmap.fill_rect((255, 255, 255, 255), 0, 0, columns, rows)
        pdfium.FPDF_RenderPageBitmap(bitmap, page, 0, 0, columns, rows, 0, pdfium.FPDF_ANNOT)
        drawn: NDArray[np.uint8] = bitmap.to_numpy()[:, :, :3].copy()
    finally:
        bitmap.close()
    # Rec. 601 in integers, as pictures have it; PDFium gives blue first.
    weighted = drawn[:, :, 2] * np.uint32(19595) + drawn[:, :, 1] * np.uint32(38470) + drawn[:, :, 0] * np.uint32(7471)
    luma: NDArray[np.uint8] = ((weighted + 0x8000) >> 16).astype(np.uint8)
    return luma


def _picture(luma: NDArray[np.uint8]) -> PagePicture:
    return PagePicture(pdq(luma), filled_percent(luma))


def filled_percent(luma: NDArray[np.uint8]) -> int:
    """In how many of 8 x 8 cells of a page there is anything, in percent: uint8 [rows, columns].

    Pages with little on them, such as a letterhead with ten lines, look like every other one of their template.
    """
    rows, columns = (side // _CELLS for side in luma.shape)
    if not rows or not columns:
        return 0
    cells = luma[: rows * _CELLS, : columns * _CELLS].reshape(_CELLS, rows, _CELLS, columns).astype(np.float32)
    return round(100 * int((cells.std(axis=(1, 3)) > _CELL_DEVIATION_MIN).sum()) / _CELLS**2)


def _text(page: Any) -> str:
    """The text of a page, in the order of the file; "" where there is none."""
    text_page = page.get_textpage()
    try:
        count = min(text_page.count_chars(), _PAGE_CHARACTERS_MAX)
        text: str = text_page.get_text_range(0, count) if count > 0 else ""
    finally:
        text_page.close()
    return text
