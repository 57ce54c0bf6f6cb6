"""Reading a file that may be anything: a folder, a pipe that never answers, a terabyte."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from hashpact.errors import UnreadableMediaError
from hashpact.hashing.limits import ImageLimits

BYTES_NAME: Final = "picture"
"""What a message calls a picture that was given as bytes."""


def read_file(path: str | os.PathLike[str], limits: ImageLimits) -> bytes:
    """The bytes of a picture's file: see :func:`read_bytes`."""
    return read_bytes(path, limits.bytes_max)


def read_bytes(path: str | os.PathLike[str], bytes_max: int) -> bytes:
    """The bytes of a regular file.

    The file is read once: the digests and the picture are of the same bytes, even when somebody
    replaces the file meanwhile.

    Raises:
        UnreadableMediaError: missing, not allowed, not a regular file, or of more than ``bytes_max`` bytes.
    """
    name = display_name(path)
    with open_file(path, bytes_max) as file:
        try:
            # One more than allowed, since the file may have grown. None: it has nothing to say now, which files that
            # the kernel makes up can do (/proc/kmsg), and a link in a folder can lead to one.
            data = file.read(bytes_max + 1) or b""
        except OSError as error:
            raise UnreadableMediaError(f"{name}: cannot be read: {_os_reason(error)}") from error
    check_size(name, len(data), bytes_max)
    return data


@contextmanager
def open_file(path: str | os.PathLike[str], bytes_max: int) -> Iterator[BinaryIO]:
    """A regular file, open for reading.

    Raises:
        UnreadableMediaError: missing, not allowed, not a regular file, or of more than ``bytes_max`` bytes.
    """
    name = display_name(path)
    try:
        # O_NONBLOCK: opening a pipe without a writer would otherwise wait for ever.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise UnreadableMediaError(f"{name}: cannot be opened: {_os_reason(error)}") from error
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            kind = "a folder: give the files in it" if stat.S_ISDIR(status.st_mode) else "not a regular file"
            raise UnreadableMediaError(f"{name}: is {kind}")
        check_size(name, status.st_size, bytes_max)
        with os.fdopen(handle, "rb", closefd=False) as file:
            yield file
    finally:
        os.close(handle)


def check_size(name: str, size_bytes: int, bytes_max: int) -> None:
    """Refuse more than ``bytes_max`` bytes.

    Raises:
        UnreadableMediaError: the limit is exceeded.
    """
    if size_bytes > bytes_max:
        raise UnreadableMediaError(
            f"{name}: has {size_bytes:,} bytes, over the limit bytes_max of {bytes_max:,}: give a smaller copy"
        )


def display_name(path: str | os.PathLike[str]) -> str:
    """The file's name for a message: the last part of the path, without control characters."""
    name = Path(os.fsdecode(path)).name or "file"
    return "".join(character if character.isprintable() else "?" for character in name)


def _os_reason(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or "the path is not a valid one"
