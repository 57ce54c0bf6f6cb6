"""Any media file -> its signals: what :func:`hashpact.hash_media` does. Content tells the kind, never a name."""

from __future__ import annotations

import os
from pathlib import Path

from hashpact.document_signals import TextSignals
from hashpact.errors import UnreadableMediaError
from hashpact.hashing.containers import CONTAINER_HEAD_BYTES, container_format
from hashpact.hashing.formats import HEAD_BYTES, describe_unknown, is_document, is_heif, is_image
from hashpact.hashing.image import hash_image
from hashpact.hashing.limits import DEFAULT_VIDEO_LIMITS
from hashpact.hashing.source import display_name, open_file
from hashpact.hashing.text import LETTERS_MIN, hash_text, is_text
from hashpact.media_signals import FileSignals
from hashpact.modes import Mode


def hash_media(
    source: str | os.PathLike[str] | bytes, *, dihedral: bool = False, mode: Mode = "fast", listing: bool = False
) -> FileSignals:
    """The signals of a picture, a video, a PDF or a plain text, whichever it is, within the default limits of its kind.

    Text is what can be read as such (UTF-8, or UTF-16 with its mark) and is long enough to be told from others: of
    256 letters and digits. :func:`hashpact.hash_text` takes shorter ones.

    Args:
        source: a path, or the bytes of a file.
        dihedral: for a picture, also PDQ of the 7 turned and mirrored variants.
        mode: for a picture, as in :func:`hashpact.hash_image`.
        listing: for a picture, as in :func:`hashpact.hash_image`. A video that is listed has all of its frames, and one
            that is looked up (``dihedral``) has them as a mirror shows them, too: ``docs/video.md``.

    Returns:
        What ``hash_image``, ``hash_video``, ``hash_document`` or ``hash_text`` gives.

    Raises:
        UnreadableMediaError: the file is missing, of another kind, broken, or over a limit.
        MissingExtraError: a library of the media extra is missing that this kind needs.
        TypeError: a mistake of the caller.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        source = bytes(source)
        head, name = source[:CONTAINER_HEAD_BYTES], "file"
    elif isinstance(source, str | os.PathLike):
        head, name = _head(source), display_name(source)
    else:
        raise TypeError(f"a media file is a path or bytes, not {type(source).__name__}")
    start = head[:HEAD_BYTES]
    if is_image(start):
        return hash_image(source, dihedral=dihedral, mode=mode, listing=listing)
    if container_format(head) is not None:
        # A library that folders of pictures do without; its absence is told by the name that everybody imports.
        from hashpact import hash_video  # noqa: PLC0415
        from hashpact.hashing.video import CHECK, LISTING, hash_video_as  # noqa: PLC0415

        if not (listing or dihedral):
            return hash_video(source)
        return hash_video_as(source, LISTING if listing else CHECK)
    if is_document(head):
        from hashpact import hash_document  # noqa: PLC0415  # as above

        return hash_document(source)
    if not head or is_heif(start):
        raise UnreadableMediaError(f"{name}: {describe_unknown(start)}")
    if is_text(head):
        return _text(source if isinstance(source, bytes) else Path(source), name)
    raise UnreadableMediaError(
        f"{name}: not a picture, a video, a PDF or a text that is read here: save it as JPEG, PNG, MP4 or PDF"
    )


def _text(source: bytes | Path, name: str) -> TextSignals:
    signals = hash_text(source)
    if signals.letters < LETTERS_MIN:
        raise UnreadableMediaError(
            f"{name}: a text of {signals.letters} letters and digits is too short to be found again: it takes "
            f"{LETTERS_MIN}"
        )
    return signals


def _head(path: str | os.PathLike[str]) -> bytes:
    with open_file(path, DEFAULT_VIDEO_LIMITS.bytes_max) as file:  # the widest of the kinds
        try:
            return file.read(CONTAINER_HEAD_BYTES) or b""
        except OSError as error:
            raise UnreadableMediaError(f"{display_name(path)}: cannot be read: {error.strerror}") from error
