"""From what a caller gives (a path, bytes, a picture, signals) to signals, where the media extra is installed."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, cast

from hashpact.document_signals import Url
from hashpact.errors import HashpactError, InvalidRequestError, UnreadableMediaError
from hashpact.media_signals import MediaSignals
from hashpact.modes import Mode
from hashpact.signals import ImageSignals, Signal

if TYPE_CHECKING:
    from PIL.Image import Image

Media: TypeAlias = "str | os.PathLike[str] | bytes | Image"
"""A path, a file's bytes, or a decoded Pillow image."""

Source: TypeAlias = "Media | Url | MediaSignals"
"""A picture, a video, a document, a text or an address, or what hashing it gave."""

ContributionSource: TypeAlias = "Source | Iterable[Signal]"
"""What can be contributed."""


@dataclass(frozen=True, slots=True)
class Contribution:
    """One entry of :meth:`hashpact.Client.contribute_many`.

    Attributes:
        source: media (path, bytes, Pillow image, :class:`Url`), what hashing it gave, or any signals.
        labels: what it is; at least one.
        basis: how the member knows: ``person_looked``, ``automatic``, ``found_through_list``, ``import``.
        observer_role: function of the person who looked, e.g. ``reviewer``; never a name.
        observed_time: when the person looked; with a time zone.
        attach_to: the item to attach to whatever the signals identify; 0 decides by identity.
    """

    source: ContributionSource
    labels: Iterable[str]
    basis: str = "person_looked"
    observer_role: str = ""
    observed_time: datetime | None = None
    attach_to: int = 0


def path_of(source: object) -> Path | None:
    """The path, where a path was given."""
    return Path(os.fspath(source)) if isinstance(source, (str, os.PathLike)) else None


def signals_of(
    source: Media | ImageSignals, *, dihedral: bool = False, mode: Mode = "fast", listing: bool = False
) -> ImageSignals:
    """Hash a picture, or hand back what hashing gave.

    Args:
        source: a picture, or what hashing it gave.
        dihedral: whether to compute PDQ for all 8 rotated and mirrored variants too.
        mode: how far to look into it for a look-up.
        listing: whether to compute what is listed of it.

    Raises:
        UnreadableMediaError: not a picture that can be read.
        MissingExtraError: the media extra is not installed.
        InvalidRequestError: something that is no picture at all.
    """
    if isinstance(source, ImageSignals):
        return source
    from hashpact import hash_image  # noqa: PLC0415  # a thin installation has no Pillow; this says what to install

    try:
        return hash_image(source, dihedral=dihedral, mode=mode, listing=listing)
    except TypeError as error:
        raise InvalidRequestError(str(error), reason="FIELD_INVALID") from error


def checked_signals(source: Source, mode: Mode) -> MediaSignals:
    """The signals of any media, as they are looked up: with all variants. Raises as :func:`signals_of`."""
    return _any_signals(source, mode=mode, listing=False)


def media_to_list(source: Source) -> MediaSignals:
    """The signals of any media, as they are contributed: :func:`listed_signals` names them. Raises as that."""
    return _any_signals(source, mode="fast", listing=True)


def try_signals(source: Source, mode: Mode) -> MediaSignals | HashpactError:
    """The same; an input that cannot be read is a result, so that the others go on."""
    try:
        return checked_signals(source, mode)
    except UnreadableMediaError as error:
        return error


def _any_signals(source: Source, *, mode: Mode, listing: bool) -> MediaSignals:
    if isinstance(source, MediaSignals):
        return source
    if isinstance(source, Url):
        from hashpact import hash_address  # noqa: PLC0415  # as below

        return hash_address(source)
    if not isinstance(source, str | os.PathLike | bytes):
        return signals_of(source, dihedral=not listing, mode=mode, listing=listing)
    from hashpact import hash_media  # noqa: PLC0415  # a thin installation has no Pillow; this says what to install

    return hash_media(source, dihedral=not listing, mode=mode, listing=listing)


def listed_signals(source: ContributionSource) -> tuple[Signal, ...]:
    """The signals to contribute.

    Raises:
        UnreadableMediaError: no media that can be read.
        MissingExtraError: the media extra is not installed.
        InvalidRequestError: something that is neither media nor signals.
    """
    given: object = source
    if isinstance(given, str | os.PathLike | bytes) or not isinstance(given, Iterable):
        given = media_to_list(cast("Source", given))
    if isinstance(given, MediaSignals):
        return given.listed()
    signals = tuple(given)
    if not all(isinstance(signal, Signal) for signal in signals):
        raise InvalidRequestError("a contribution is a picture, or Signal objects", reason="FIELD_INVALID")
    return signals
