"""Signals of the types that other packages add (:mod:`hashpact.plugins`), of media that is being hashed anyway.

A hasher is somebody else's code that reads a stranger's bytes. What it raises about one file costs that file this one
signal, and is noted; what it answers is checked, and an answer that no value of its type can be is a fault of its
package, and said to be.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeVar

from hashpact.errors import InvalidSignalError, PluginError, UnreadableMediaError
from hashpact.plugins import Media, SignalTypePlugin, added, hashers
from hashpact.signals import ImageSignals, Signal

if TYPE_CHECKING:
    from PIL.Image import Image

    from hashpact.document_signals import DocumentSignals, TextSignals
    from hashpact.video_signals import VideoSignals

VALUES_MAX: Final = 64
"""Signals of one added type in one file; what is beyond is left out, and noted."""

Hashed = TypeVar("Hashed", "ImageSignals", "VideoSignals", "DocumentSignals", "TextSignals")


def with_added(
    signals: Hashed,
    kind: str,
    *,
    picture: Image | None = None,
    data: bytes | None = None,
    path: str | os.PathLike[str] | None = None,
) -> Hashed:
    """The signals, with those of added types.

    Args:
        signals: what our own hashing gave.
        kind: ``image``, ``video``, ``document`` or ``text``.
        picture: of an image: upright and grey; each hasher gets a copy.
        data: the bytes, where they are at hand.
        path: the file, where it was named.

    Raises:
        PluginError: a package that adds a type cannot be used, or answers what is no value of its type.
    """
    found: list[Signal] = []
    notes: list[str] = []
    for plugin in hashers(kind):
        media = Media(
            kind,
            picture=None if picture is None else picture.copy(),
            data=data,
            path=None if path is None else os.fspath(path),
        )
        try:
            values = checked(plugin, plugin.hash(media))
        except UnreadableMediaError as error:
            notes.append(f"{plugin.kind.name}: {error.message}")
        except (InvalidSignalError, PluginError) as error:
            raise PluginError(
                f"the signal type {plugin.kind.name!r} of the package {added().packages[plugin.kind.name]} gave no "
                f"value of its own: {error.message}"
            ) from error
        except Exception as error:  # noqa: BLE001  # as the module says
            notes.append(f"{plugin.kind.name}: its package could not hash this file ({type(error).__name__})")
        else:
            found += values[:VALUES_MAX]
            if len(values) > VALUES_MAX:
                notes.append(f"{plugin.kind.name}: only {VALUES_MAX} of {len(values)} values are taken")
    if not found and not notes:
        return signals
    return replace(signals, added=tuple(found), notes=(*signals.notes, *notes))


def checked(plugin: SignalTypePlugin, answer: Iterable[Signal]) -> list[Signal]:
    """What a hasher gave, if it is what it has to be.

    Raises:
        PluginError: it is not.
    """
    values = list(answer)
    for value in values:
        if not isinstance(value, Signal):
            raise PluginError(f"a hasher gives Signal objects, not {type(value).__name__}")
        if value.signal_type != plugin.kind.name:
            raise PluginError(f"a signal of the type {value.signal_type!r}")
        if len(value.value) != plugin.kind.size_bytes:
            raise PluginError(f"a value of {len(value.value)} bytes, where {plugin.kind.size_bytes} belong")
    return values
