"""From the paths on the command line to the files behind them: folders are walked, in a stable order, as needed."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Final

from hashpact.errors import ConfigError, UnreadableMediaError

if TYPE_CHECKING:
    from hashpact.cli.resuming import Answered

STDIN: Final = "-"


@dataclass(frozen=True, slots=True)
class Input:
    """One input.

    Attributes:
        path: as given, or the folder as given and what is below it; undecodable bytes as surrogates (PEP 383).
        data: the bytes, for standard input.
        error: why it cannot be read, when that is known already.
        in_folder: whether it was found in a folder, and not named.
        answered: what was answered when it was met in an earlier run.
        is_address: whether ``path`` is no path but a web address.
        facts: what tells whether it is the same file again, where that is asked: path, size, time of change.
    """

    path: str
    data: bytes | None = field(default=None, repr=False)
    error: UnreadableMediaError | None = None
    in_folder: bool = False
    answered: Answered | None = None
    is_address: bool = False
    facts: tuple[bytes, int, int] | None = field(default=None, repr=False)


def expand(
    paths: Iterable[str], *, hidden: bool = False, on_empty: Callable[[str], None] | None = None
) -> Iterator[Input]:
    """The inputs behind some paths, in the order given.

    A folder gives the regular files in it and below it, sorted by name; hidden ones only if asked for. Links to
    files are followed; links to folders are not, except for a folder that was named itself, so there are no loops and
    nothing is seen twice. Pipes, sockets and devices in folders are left out. The names of one folder at a time are
    held in memory.

    Args:
        paths: files, folders, or ``-`` for standard input.
        hidden: whether to take files and folders whose name starts with a dot.
        on_empty: called with each named folder in which there was nothing.
    """
    for path in paths:
        if path == STDIN:
            yield Input(path, data=_stdin())
            continue
        if not os.path.isdir(path):  # noqa: PTH112  # the path is echoed exactly as given
            yield Input(path)
            continue
        found = False
        for one in _walk(path, hidden=hidden):
            found = True
            yield one
        if not found and on_empty is not None:
            on_empty(path)


def everything(
    paths: Sequence[str] | None,
    urls: Sequence[str] | None,
    *,
    hidden: bool = False,
    on_empty: Callable[[str], None] | None = None,
) -> Iterator[Input]:
    """As :func:`expand` of some paths, then web addresses.

    Raises:
        ConfigError: there is neither.
    """
    if not paths and not urls:
        raise ConfigError("name a file or a folder, or a web address with --url")
    addresses = (Input(url, is_address=True) for url in urls or ())
    return chain(expand(paths or (), hidden=hidden, on_empty=on_empty), addresses)


def _stdin() -> bytes:
    from hashpact.hashing import DEFAULT_LIMITS  # noqa: PLC0415  # needs the media extra

    return sys.stdin.buffer.read(DEFAULT_LIMITS.bytes_max + 1)  # one more than allowed: hashing says so


def _walk(folder: str, *, hidden: bool) -> Iterator[Input]:
    """Files below a folder; a loop with a stack of its own, because folders can be nested deeper than calls may."""
    waiting = [folder]
    while waiting:
        path = waiting.pop()
        kind = _kind(path, follow=path == folder)
        if kind == "file":
            yield Input(path, in_folder=True)
        elif kind == "folder":
            try:
                names = os.listdir(path)  # noqa: PTH208  # names as text with surrogates, never normalised
            except OSError as error:
                reason = UnreadableMediaError(f"the folder cannot be read: {error.strerror}")
                yield Input(path, error=reason, in_folder=True)
                continue
            kept = sorted((name for name in names if hidden or not name.startswith(".")), key=os.fsencode)
            waiting.extend(os.path.join(path, name) for name in reversed(kept))  # noqa: PTH118  # as above


def _kind(path: str, *, follow: bool) -> str:
    try:
        status = os.lstat(path)
        if stat.S_ISLNK(status.st_mode):
            target = os.stat(path)  # noqa: PTH116  # the path is echoed exactly as given
            if stat.S_ISDIR(target.st_mode) and not follow:
                return "link to a folder"
            status = target
    except OSError:
        return "file"  # A broken link or a file that just vanished: reading it will say so.
    if stat.S_ISDIR(status.st_mode):
        return "folder"
    return "file" if stat.S_ISREG(status.st_mode) else "special"
