"""Bytes of an untrusted file -> one decoded picture, within limits, or a clear error.

::

    bytes --format by content--> own header checks --Pillow reader of that format--> size checks
          --reduced-scale decode (JPEG)--> picture as stored + how to turn it

Nothing process-wide of Pillow is touched (``MAX_IMAGE_PIXELS``, ``LOAD_TRUNCATED_IMAGES``, registered
formats): other parts of the process may rely on it.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageFile

from hashpact.errors import UnreadableMediaError
from hashpact.hashing import exif, gif, jpeg, png, tiff
from hashpact.hashing.formats import HEAD_BYTES, describe_unknown, image_format, open_reader
from hashpact.hashing.limits import ImageLimits

REDUCED_SIDE_MIN_PX: Final = 512
"""A JPEG is decoded at 1/2, 1/4 or 1/8 as long as its shorter side stays at least this long."""

_JPEG_END: Final = b"\xff\xd9"


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture, as stored.

    Attributes:
        image: loaded, of any mode; a JPEG possibly at reduced scale and without its colour.
        turn: EXIF orientation (1-8) that is still to be applied.
        width_px: of the picture in the file, as displayed (turned).
        height_px: of the picture in the file, as displayed (turned).
        frames: frames or pages in the file, counted up to the limit.
        damaged: the file ends early or its data breaks off; what was there is decoded.
    """

    image: Image.Image
    turn: int
    width_px: int
    height_px: int
    frames: int
    damaged: bool


def decode(data: bytes, name: str, limits: ImageLimits) -> Picture:
    """Decode the first frame of a picture file.

    Args:
        data: the whole file.
        name: for messages.
        limits: what it may cost.

    Raises:
        UnreadableMediaError: unknown format, over a limit, or nothing to decode.
        Exception: whatever a Pillow reader raises on broken bytes; the caller turns it into the above.
    """
    head = data[:HEAD_BYTES]
    kind = image_format(head)
    if kind is None:
        raise UnreadableMediaError(f"{name}: {describe_unknown(head)}")
    if kind == "JPEG":
        return _decode_jpeg(data, name, limits)
    if kind == "WEBP":
        # Its reader sets memory for the whole canvas aside while opening.
        _check_pixels(name, _webp_canvas(head), limits)
    if kind == "PNG":
        png.check_chunks(data)
    if kind == "GIF":
        # Its reader widens the canvas for a frame that is larger, and warns by itself.
        _check_pixels(name, gif.gif_canvas(data), limits)
    if kind == "TIFF":
        _check_tiff(name, tiff.read_header(data, 1), limits)
    with _quiet() if _reader_warns(kind, data) else nullcontext():
        reader = open_reader(kind, data)
        size = reader.size
        _check_pixels(name, size, limits)
        damaged = _load(reader)
    # Pillow's TIFF reader turns the picture by itself while loading.
    turn = 1 if kind == "TIFF" else exif.orientation(reader.info.get("exif"))
    shown = reader.size if kind == "TIFF" else size
    return as_displayed(reader, turn, shown, _frames(kind, reader, data, limits), damaged=damaged)


def check_picture(image: Image.Image, limits: ImageLimits) -> None:
    """Refuse a picture object that is over the limits, before it is loaded.

    Raises:
        UnreadableMediaError: over a limit, or without pixels.
    """
    _check_pixels("picture", image.size, limits)


def _decode_jpeg(data: bytes, name: str, limits: ImageLimits) -> Picture:
    header = jpeg.read_header(data, limits.jpeg_scans_max)
    if header.scans > limits.jpeg_scans_max:
        raise UnreadableMediaError(
            f"{name}: asks for more than {limits.jpeg_scans_max} passes over the picture (jpeg_scans_max): "
            "save it again with a usual program"
        )
    plain = jpeg.without_exif(jpeg.without(data, header.colour))
    reader = open_reader("JPEG", plain)
    size = reader.size
    _check_pixels(name, size, limits, decoded=size if header.buffered else _draft(reader))
    _draft(reader)
    damaged = False
    try:
        reader.load()
    except OSError:
        # With an end marker the decoder delivers what it has, as browsers do, and fills up with grey.
        damaged = True
        reader = open_reader("JPEG", plain + _JPEG_END)
        _draft(reader)
        _load(reader)
    return as_displayed(reader, exif.orientation(header.exif), size, damaged=damaged)


def _draft(reader: ImageFile.ImageFile) -> tuple[int, int]:
    """Ask for the reduced scale, and for luma alone: a JPEG stores it apart from the colour."""
    reader.draft("L", (REDUCED_SIDE_MIN_PX, REDUCED_SIDE_MIN_PX))
    return reader.size


def _load(reader: ImageFile.ImageFile) -> bool:
    """Decode; True when the data broke off and only the part before it was decoded."""
    try:
        reader.load()
    except OSError:
        # What was decoded so far is in the picture; with nothing left to do, load() hands it out,
        # and raises again when there is none.
        reader.tile = []
        reader.load()
        return True
    return False


def as_displayed(
    image: Image.Image, turn: int, size: tuple[int, int], frame_count: int = 1, *, damaged: bool = False
) -> Picture:
    """Put a picture together; ``size`` is (width, height) as stored, before ``turn`` is applied."""
    width, height = reversed(size) if exif.swaps_sides(turn) else size
    return Picture(image, turn, width, height, frame_count, damaged)


def _frames(kind: str, reader: ImageFile.ImageFile, data: bytes, limits: ImageLimits) -> int:
    if kind == "GIF":
        return gif.gif_frames(data, limits.frames_max)
    if kind == "TIFF":
        return tiff.read_header(data, limits.frames_max).pages
    # APNG, WebP and AVIF state the number in their header.
    return max(1, min(int(getattr(reader, "n_frames", 1)), limits.frames_max))


def _check_pixels(
    name: str, size: tuple[int, int], limits: ImageLimits, decoded: tuple[int, int] | None = None
) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise UnreadableMediaError(f"{name}: the picture has no pixels")
    held_width, held_height = decoded or size
    for limit_name, limit, pixels in (
        ("pixels_max", limits.pixels_max, width * height),
        ("decoded_pixels_max", limits.decoded_pixels_max, held_width * held_height),
    ):
        if pixels > limit:
            raise UnreadableMediaError(
                f"{name}: the picture is {width} x {height}; {pixels:,} pixels are over the limit "
                f"{limit_name} of {limit:,}: give a smaller copy"
            )


def _check_tiff(name: str, header: tiff.TiffHeader, limits: ImageLimits) -> None:
    if header.compression not in tiff.COMPRESSIONS or header.samples > tiff.SAMPLES_MAX:
        raise UnreadableMediaError(f"{name}: an unusual kind of TIFF: save it again as JPEG or PNG")
    if header.tile_px > limits.decoded_pixels_max:
        raise UnreadableMediaError(f"{name}: has tiles larger than decoded_pixels_max: save it again without tiles")


def _webp_canvas(head: bytes) -> tuple[int, int]:
    """Width and height that a WebP file states (RFC 9649, sections 2.5-2.7)."""
    chunk, body = head[12:16], head[20:]
    if chunk == b"VP8X":
        return int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1
    if chunk == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF


def _reader_warns(kind: str, data: bytes) -> bool:
    return kind in {"TIFF", "AVIF"} or (kind == "PNG" and b"acTL" in data[:65536])


_QUIET_LOCK: Final = threading.Lock()


@contextmanager
def _quiet() -> Iterator[None]:
    """Hold back the warnings of readers that print one per broken tag.

    Before Python 3.14 warning filters belong to the process, not to the thread; hence the lock, and
    hence only for the rare formats whose readers warn at all. The other formats are kept from warning
    by not giving them what they would warn about.
    """
    with _QUIET_LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
