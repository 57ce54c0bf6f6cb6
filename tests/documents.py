"""PDFs for tests, made here: text set in one of the fonts that every PDF reader has, in lines of any length; scans."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Sequence
from io import BytesIO

import pypdfium2
import pypdfium2.raw as pdfium
from PIL import Image

WIDTH, HEIGHT = 595, 842
MARGIN = 50


def typeset(
    text: str,
    font: str = "Helvetica",
    *,
    size: float = 11,
    columns: int = 80,
    hyphenate: bool = False,
    header: str = "",
    page_numbers: bool = False,
) -> bytes:
    """A PDF of a text, broken into lines of at most ``columns`` characters."""
    document = pypdfium2.PdfDocument.new()
    per_page = int((HEIGHT - 3 * MARGIN) / (1.3 * size))
    all_lines = list(lines(text, columns, hyphenate=hyphenate))
    loaded = pdfium.FPDFText_LoadStandardFont(document, font.encode())
    for number, start in enumerate(range(0, max(1, len(all_lines)), per_page), 1):
        page = document.new_page(WIDTH, HEIGHT)
        shown = [header, *all_lines[start : start + per_page], str(number) if page_numbers else ""]
        for row, line in enumerate(shown):
            if line:
                _write(document, page, loaded, size, line, HEIGHT - MARGIN - 1.3 * size * row)
        pdfium.FPDFPage_GenerateContent(page)
        page.close()
    pdfium.FPDFFont_Close(loaded)
    return _saved(document)


def lines(text: str, columns: int, *, hyphenate: bool) -> Iterable[str]:
    """Words in lines; with hyphens where a word does not fit."""
    line = ""
    for word in text.split():
        rest = word
        while rest:
            room = columns - len(line) - bool(line)
            if len(rest) <= room:
                line, rest = f"{line} {rest}".strip(), ""
            elif hyphenate and room > 3 and len(rest) > 5:
                yield f"{line} {rest[: room - 1]}-".strip()
                line, rest = "", rest[room - 1 :]
            elif line:
                yield line
                line = ""
            else:
                yield rest[:columns]
                rest = rest[columns:]
    if line:
        yield line


def _write(
    document: pypdfium2.PdfDocument, page: pypdfium2.PdfPage, font: object, size: float, line: str, height: float
) -> None:
    written = pdfium.FPDFPageObj_CreateTextObj(document, font, ctypes.c_float(size))
    units = (line + "\0").encode("utf-16-le")
    pdfium.FPDFText_SetText(written, ctypes.cast(ctypes.c_char_p(units), ctypes.POINTER(ctypes.c_ushort)))
    pdfium.FPDFPageObj_Transform(written, 1, 0, 0, 1, MARGIN, height)
    pdfium.FPDFPage_InsertObject(page, written)


def scanned(pictures: Sequence[Image.Image]) -> bytes:
    """A PDF whose pages are pictures."""
    buffer = BytesIO()
    first, *others = [picture.convert("RGB") for picture in pictures]
    first.save(buffer, "PDF", save_all=True, append_images=others)
    return buffer.getvalue()


def _saved(document: pypdfium2.PdfDocument) -> bytes:
    buffer = BytesIO()
    document.save(buffer)
    document.close()
    return buffer.getvalue()
