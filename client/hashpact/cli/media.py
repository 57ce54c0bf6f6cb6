"""Hashing what the command line named: many inputs at a time, in order, a file that fails never stops the others."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias

from hashpact._media import signals_of
from hashpact._parallel import OrderedMap
from hashpact.cli.paths import Input
from hashpact.errors import HashpactError, UnreadableMediaError
from hashpact.modes import Mode
from hashpact.signals import ImageSignals

if TYPE_CHECKING:
    from hashpact.hashing.media import MediaSignals

PROCESSES_FROM: Final = 64
"""Inputs from which processes pay: starting them takes about a second, then every core is used in full."""

Hashed = ImageSignals | HashpactError
HashedMedia: TypeAlias = "MediaSignals | HashpactError"


def require_hashing() -> None:
    """Fail before any work when hashing is not installed.

    Raises:
        MissingExtraError: says what to install.
    """
    import hashpact  # noqa: PLC0415  # its attribute does the checking

    _ = hashpact.hash_image


def hash_inputs(
    inputs: Iterable[Input],
    *,
    workers: int | None,
    dihedral: bool = False,
    mode: Mode = "fast",
    listing: bool = False,
) -> OrderedMap[Input, Hashed]:
    """(input, signals or error) pairs in order; what to compute as in :func:`hashpact.hash_image`."""
    require_hashing()
    return OrderedMap(
        partial(_hash, dihedral=dihedral, mode=mode, listing=listing),
        inputs,
        workers=workers,
        processes_from=PROCESSES_FROM if workers != 1 else None,
        on_crash=_crashed,
    )


def hash_any_inputs(inputs: Iterable[Input], *, dihedral: bool, workers: int | None) -> OrderedMap[Input, HashedMedia]:
    """(input, signals or error) pairs in order, of pictures, videos and documents."""
    require_hashing()
    return OrderedMap(
        partial(_hash_any, dihedral=dihedral),
        inputs,
        workers=workers,
        processes_from=PROCESSES_FROM if workers != 1 else None,
        on_crash=_crashed,
    )


def _crashed(_: Input) -> UnreadableMediaError:
    return UnreadableMediaError("the decoder crashed on it, or it needs more memory than there is")


def _hash_any(one: Input, *, dihedral: bool) -> HashedMedia:
    from hashpact import hash_media  # noqa: PLC0415  # needs the media extra
    from hashpact.hashing import DEFAULT_LIMITS  # noqa: PLC0415  # as above

    if one.error is not None:
        return one.error
    if one.data is not None and len(one.data) > DEFAULT_LIMITS.bytes_max:  # the rest was not read
        return UnreadableMediaError(f"has more than {DEFAULT_LIMITS.bytes_max:,} bytes: name the file instead")
    try:
        return hash_media(one.path if one.data is None else one.data, dihedral=dihedral)
    except UnreadableMediaError as error:
        return _without_name(one, error)
    except HashpactError as error:
        return error


def _hash(one: Input, *, dihedral: bool, mode: Mode, listing: bool) -> Hashed:
    if one.error is not None:
        return one.error
    try:
        media = one.path if one.data is None else one.data
        return signals_of(media, dihedral=dihedral, mode=mode, listing=listing)
    except UnreadableMediaError as error:
        return _without_name(one, error)
    except HashpactError as error:
        return error


def _without_name(one: Input, error: UnreadableMediaError) -> UnreadableMediaError:
    """The error without the file's name in front: the whole path stands beside it wherever it is shown."""
    from hashpact.hashing.source import display_name  # noqa: PLC0415  # needs the media extra

    if one.data is not None:  # "picture: ", "video: ": there was no name
        return UnreadableMediaError(error.message.partition(": ")[2] or error.message, reason=error.reason)
    return UnreadableMediaError(error.message.removeprefix(f"{display_name(one.path)}: "), reason=error.reason)
