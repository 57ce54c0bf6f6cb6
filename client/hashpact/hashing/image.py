"""A picture -> its signals: what :func:`hashpact.hash_image` does.

::

    path --read once, bounded--> bytes --> sha256, md5
                                   '-----> decode --> upright 8-bit luma --+--> 64 x 64 --> pdq, quality
                                                                           |--> imagehash --> phash, phash256
                                           '--> further (by mode): pictures inside it, local points, what is listed

The preprocessing is a contract, written down in ``docs/hashing.md``: two members that hash one picture
must get values that are close, and an implementation that leaves it open loses more than the radius.
"""

from __future__ import annotations

import hashlib
import os
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from hashpact.errors import UnreadableMediaError
from hashpact.hashing import exif
from hashpact.hashing.added import with_added
from hashpact.hashing.decode import Picture, as_displayed, check_picture, decode
from hashpact.hashing.limits import DEFAULT_LIMITS, ImageLimits
from hashpact.hashing.luma import BLACK, WHITE, has_transparency, to_luma
from hashpact.hashing.pdq import SIDE_MIN_PX, PdqResult, pdq
from hashpact.hashing.phash import phashes
from hashpact.hashing.source import BYTES_NAME, check_size, display_name, read_file
from hashpact.modes import Mode, require_mode
from hashpact.signals import PDQ_QUALITY_MIN, ImageSignals, Signal


def hash_image(
    source: str | os.PathLike[str] | bytes | Image.Image,
    *,
    dihedral: bool = False,
    mode: Mode = "fast",
    listing: bool = False,
    limits: ImageLimits = DEFAULT_LIMITS,
) -> ImageSignals:
    """The signals of one picture. Safe on untrusted files, and to call from several threads.

    Args:
        source: a path, the bytes of a file, or a decoded picture (whose current frame is hashed; its
            EXIF orientation is applied when it still carries one).
        dihedral: also compute PDQ of the 7 turned and mirrored variants; costs next to nothing.
        mode: how far to look into it for a look-up: ``fast`` (the whole picture alone), ``standard`` or ``deep``.
        listing: also compute what is listed beside these signals, for a contribution.
        limits: what one file may cost.

    Returns:
        The signals. ``notes`` says what was special: an animation, a damaged file, transparency.

    Raises:
        UnreadableMediaError: the file is missing, broken, too large, or not a picture.
        TypeError: ``source`` is none of the above: a mistake of the caller, not of a file.
        InvalidRequestError: there is no such mode.
    """
    wish = _Wish(dihedral, require_mode(mode), listing)
    if isinstance(source, Image.Image):
        return _hash_picture(source, wish, limits)
    if isinstance(source, bytes | bytearray | memoryview):
        data, name = bytes(source), BYTES_NAME
        check_size(name, len(data), limits.bytes_max)
    elif isinstance(source, str | os.PathLike):
        data, name = read_file(source, limits), display_name(source)
    else:
        raise TypeError(f"a picture is a path, bytes or a PIL image, not {type(source).__name__}")
    return _hash_bytes(data, name, wish, limits)


class _Wish(NamedTuple):
    """What to compute beside the usual."""

    dihedral: bool
    mode: Mode
    listing: bool


class _Seen(NamedTuple):
    """What a decoded picture gave."""

    picture: Picture
    luma: Image.Image
    result: PdqResult
    phashes: tuple[bytes, bytes]
    notes: list[str]
    more: dict[str, Any]


def _see(picture: Picture, wish: _Wish) -> _Seen:
    luma, result, notes = _look_at(picture, dihedral=wish.dihedral)
    more: dict[str, Any] = {}
    if wish.mode != "fast" or wish.listing:
        from hashpact.hashing.further import look_further  # noqa: PLC0415  # OpenCV: a fast check does without

        more = look_further(np.asarray(luma), result, wish.mode, listing=wish.listing)._asdict()
    return _Seen(picture, luma, result, phashes(luma), notes, more)


def _hash_bytes(data: bytes, name: str, wish: _Wish, limits: ImageLimits) -> ImageSignals:
    try:
        seen = _see(decode(data, name, limits), wish)
    except UnreadableMediaError:
        raise
    except Exception as error:  # a decoder of untrusted bytes may raise anything: see tests of hostile files
        raise UnreadableMediaError(f"{name}: {_why(error)}") from error
    if seen.picture.damaged and seen.result.quality == 0:
        raise UnreadableMediaError(f"{name}: the file is cut short or damaged: nothing to see could be decoded")
    # Digests last: a file that is refused costs no time for them. They are not for security here.
    signals = _signals(
        seen,
        sha256=Signal("sha256", hashlib.sha256(data).digest()),
        md5=Signal("md5", hashlib.md5(data, usedforsecurity=False).digest()),
    )
    return with_added(signals, "image", picture=seen.luma, data=data)


def _hash_picture(image: Image.Image, wish: _Wish, limits: ImageLimits) -> ImageSignals:
    check_picture(image, limits)
    try:
        image.load()
        turn = exif.orientation(image.info.get("exif"))
        seen = _see(as_displayed(image, turn, image.size), wish)
    except Exception as error:  # a picture may be opened lazily: its decoder runs here
        raise UnreadableMediaError(f"picture: {_why(error)}") from error
    return with_added(_signals(seen, sha256=None, md5=None), "image", picture=seen.luma)


def _look_at(picture: Picture, *, dihedral: bool) -> tuple[Image.Image, PdqResult, list[str]]:
    """Upright luma and PDQ, on white; on black where there is nothing to see on white."""
    notes = _notes(picture)
    transparent = has_transparency(picture.image)
    luma = exif.upright(to_luma(picture.image, WHITE), picture.turn)
    result = pdq(np.asarray(luma), dihedral=dihedral)
    if not transparent or result.quality >= PDQ_QUALITY_MIN:
        return luma, result, notes
    # A white logo on a transparent ground is a flat picture on white, and would match any other.
    on_black = exif.upright(to_luma(picture.image, BLACK), picture.turn)
    other = pdq(np.asarray(on_black), dihedral=dihedral)
    if other.quality > result.quality:
        return (
            on_black,
            other,
            [*notes, "transparent picture: hashed on black, since it shows little on white"],
        )
    return luma, result, notes


def _notes(picture: Picture) -> list[str]:
    notes = []
    if picture.frames > 1:
        notes.append(f"{picture.frames} frames or pages: only the first one was hashed")
    if picture.damaged:
        notes.append("the file is cut short or damaged: what could be decoded was hashed")
    if min(picture.width_px, picture.height_px) < SIDE_MIN_PX:
        notes.append(f"smaller than {SIDE_MIN_PX} pixels: there is no PDQ of it")
    return notes


def _signals(seen: _Seen, *, sha256: Signal | None, md5: Signal | None) -> ImageSignals:
    picture, result, hashes = seen.picture, seen.result, seen.phashes
    values = tuple(Signal("pdq", value, result.quality) for value in result.values)
    return ImageSignals(
        sha256=sha256,
        md5=md5,
        pdq=values[0],
        pdq_dihedral=values if len(values) > 1 else (),
        phash=Signal("phash", hashes[0]),
        phash256=Signal("phash256", hashes[1]),
        width_px=picture.width_px,
        height_px=picture.height_px,
        frames=picture.frames,
        notes=tuple(seen.notes),
        **seen.more,
    )


def _why(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return "not enough memory to decode it: give a smaller copy"
    return "cannot be decoded, it is damaged or not what its first bytes say: save it again as JPEG or PNG"
