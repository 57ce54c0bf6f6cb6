"""Files named by path: only regular ones, and only those that truly lie below an allowed folder."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from hashpact.sidecar.refusals import RefusedError


def open_allowed(path: str, folders: Sequence[Path], bytes_max: int) -> BinaryIO:
    """Open a file for reading.

    It is looked at twice: before, since opening alone does something to some devices, and once it is open, since
    links can be exchanged between looking and opening.

    Args:
        path: absolute; links and ``..`` are followed.
        folders: resolved; what lies below one of them may be read.
        bytes_max: its largest size.

    Raises:
        RefusedError: not absolute, not there, not below an allowed folder, no regular file, or too large. Which files
            exist elsewhere is not told.
    """
    if not path.startswith("/") or "\0" in path:
        raise RefusedError(400, "PATH_INVALID", "path: give an absolute path")
    try:
        real = Path(os.path.realpath(path))
        if not _below(real, folders):
            raise _not_allowed()
        # O_NONBLOCK: opening a pipe without a writer would otherwise wait for ever.
        handle = os.open(real, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NOCTTY)
    except (OSError, ValueError) as error:  # ValueError: no name that a file could have
        raise RefusedError(404, "PATH_NOT_FOUND", "path: cannot be opened") from error
    try:
        status = os.fstat(handle)
        if not _below(Path(f"/proc/self/fd/{handle}").readlink(), folders) or not stat.S_ISREG(status.st_mode):
            raise _not_allowed()
        if status.st_size > bytes_max:
            raise RefusedError(413, "UPLOAD_TOO_LARGE", f"the file has over {bytes_max:,} bytes (upload_bytes_max)")
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def _not_allowed() -> RefusedError:
    return RefusedError(403, "PATH_REFUSED", "path: not a file below one of the allowed folders (folders)")


def _below(path: Path, folders: Sequence[Path]) -> bool:
    return any(folder in path.parents for folder in folders)
