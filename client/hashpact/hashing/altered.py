"""A picture as uploaders change it: to prove that copies are found."""

from __future__ import annotations

from io import BytesIO

from PIL import Image

QUALITY = 50


def altered_copy(picture: bytes) -> bytes:
    """A copy in half the width and height, as JPEG of quality 50.

    Args:
        picture: a file's bytes, of a picture of ours: it is decoded without the care that strangers' files take.
    """
    copy = BytesIO()
    with Image.open(BytesIO(picture)) as opened:
        opened.convert("RGB").reduce(2).save(copy, "JPEG", quality=QUALITY)
    return copy.getvalue()
