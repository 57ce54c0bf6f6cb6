"""Which files we are willing to decode, recognised by their first bytes and never by their name.

The list is short on purpose: every decoder is a door. Left out are formats that start other programs
(EPS runs Ghostscript), that no upload service accepts, or whose Pillow reader is slow plain Python.
"""

from __future__ import annotations

from importlib import import_module
from io import BytesIO
from typing import Final, cast

from PIL import ImageFile, features

HEAD_BYTES: Final = 32
"""How many first bytes :func:`image_format` and :func:`is_image` want to see."""

DOCUMENT_HEAD_BYTES: Final = 1024
"""How many first bytes :func:`is_document` wants to see."""

_READERS: Final = {
    "JPEG": ("PIL.JpegImagePlugin", "JpegImageFile"),
    "PNG": ("PIL.PngImagePlugin", "PngImageFile"),
    "GIF": ("PIL.GifImagePlugin", "GifImageFile"),
    "WEBP": ("PIL.WebPImagePlugin", "WebPImageFile"),
    "BMP": ("PIL.BmpImagePlugin", "BmpImageFile"),
    "TIFF": ("PIL.TiffImagePlugin", "TiffImageFile"),
    "AVIF": ("PIL.AvifImagePlugin", "AvifImageFile"),
}

_MAGIC: Final = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"II+\x00", "TIFF"),  # BigTIFF
    (b"MM\x00+", "TIFF"),
)

_BMP_HEADER_SIZES: Final = (12, 16, 40, 52, 56, 64, 108, 124)
_AVIF_BRANDS: Final = (b"avif", b"avis")
_HEIF_BRANDS: Final = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")


def image_format(head: bytes) -> str | None:
    """The format that a file's first ``HEAD_BYTES`` bytes announce; None when it is not on the list."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if _brand(head) in _AVIF_BRANDS:
        return "AVIF" if features.check("avif") else None
    for magic, name in _MAGIC:
        if head.startswith(magic):
            # Two letters are a weak sign: prose can begin with BM as well.
            if name == "BMP" and int.from_bytes(head[14:18], "little") not in _BMP_HEADER_SIZES:
                return None
            return name
    return None


def is_image(head: bytes) -> bool:
    """Whether a file that begins with these bytes is worth giving to :func:`hashpact.hash_image`.

    Args:
        head: the first ``HEAD_BYTES`` bytes of the file; fewer when it is shorter.
    """
    return image_format(head) is not None


def is_document(head: bytes) -> bool:
    """Whether a file that begins with these bytes (``DOCUMENT_HEAD_BYTES``, or all of it) is a PDF.

    Readers let other things stand before its first line.
    """
    return b"%PDF-" in head[:DOCUMENT_HEAD_BYTES]


def is_heif(head: bytes) -> bool:
    """Whether a file that begins with these bytes is a HEIC picture, as some telephones make them."""
    return _brand(head) in _HEIF_BRANDS


def describe_unknown(head: bytes) -> str:
    """What to tell a person whose file is not on the list."""
    if not head:
        return "the file is empty"
    if is_heif(head):
        return "HEIC pictures cannot be read here: convert it to JPEG or PNG first"
    return f"not a picture in a format that is read here: give one of {', '.join(_READERS)}"


def open_reader(name: str, data: bytes) -> ImageFile.ImageFile:
    """Read the header of ``data`` with the Pillow reader of exactly this format.

    ``Image.open`` is avoided: it tries every format that some other part of the process registered,
    and warns by itself about large pictures, where our own limits are what counts.

    Raises:
        Exception: whatever the reader raises on broken bytes.
    """
    module, reader = _READERS[name]
    opened = getattr(import_module(module), reader)(BytesIO(data))
    return cast("ImageFile.ImageFile", opened)


def _brand(head: bytes) -> bytes:
    return head[8:12] if head[4:8] == b"ftyp" else b""
