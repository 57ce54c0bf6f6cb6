"""Hashing what the command line named: many inputs at a time, in order, a file that fails never stops the others."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Final

from hashpact._media import signals_of
from hashpact._parallel import OrderedMap
from hashpact.cli.paths import Input
from hashpact.errors import HashpactError, UnreadableMediaError
from hashpact.signals import ImageSignals

PROCESSES_FROM: Final = 64
"""Inputs from which processes pay: starting them takes about a second, then every core is used in full."""

Hashed = ImageSignals | HashpactError


def require_hashing() -> None:
    """Fail before any work when hashing is not installed.

    Raises:
        MissingExtraError: says what to install.
    """
    import hashpact  # noqa: PLC0415  # its attribute does the checking

    _ = hashpact.hash_image


def hash_inputs(inputs: Iterable[Input], *, dihedral: bool, workers: int | None) -> OrderedMap[Input, Hashed]:
    """(input, signals or error) pairs in order."""
    require_hashing()
    return OrderedMap(
        partial(_hash, dihedral=dihedral),
        inputs,
        workers=workers,
        processes_from=PROCESSES_FROM if workers != 1 else None,
        on_crash=lambda _: UnreadableMediaError("the decoder crashed on it, or it needs more memory than there is"),
    )


def _hash(one: Input, *, dihedral: bool) -> Hashed:
    if one.error is not None:
        return one.error
    try:
        return signals_of(one.path if one.data is None else one.data, dihedral=dihedral)
    except UnreadableMediaError as error:
        return _without_name(one, error)
    except HashpactError as error:
        return error


def _without_name(one: Input, error: UnreadableMediaError) -> UnreadableMediaError:
    """The error without the file's name in front: the whole path stands beside it wherever it is shown."""
    from hashpact.hashing.source import BYTES_NAME, display_name  # noqa: PLC0415  # needs the media extra

    name = BYTES_NAME if one.data is not None else display_name(one.path)
    return UnreadableMediaError(error.message.removeprefix(f"{name}: "), reason=error.reason)
