"""Signals between processes: as JSON, so that nothing that was decoded from a stranger's bytes is ever unpickled."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final, cast

from hashpact.errors import HashpactError, InvalidSignalError
from hashpact.local_signature import PROBE_POINTS_MAX, SIDE_MAX_PX
from hashpact.plugins import added
from hashpact.signals import PROBE_POINT_BYTES, ImageSignals, Signal

if TYPE_CHECKING:
    from hashpact.hashing.local import LocalCanvas

_NOTES_MAX: Final = 16
_NOTE_CHARACTERS_MAX: Final = 200
_VARIANTS: Final = 8
_NUMBER_MAX: Final = 1 << 31
_ADDED_MAX: Final = 512
_REGIONS_MAX: Final = 8
_POINTS_BYTES_MAX: Final = 8 + PROBE_POINTS_MAX * PROBE_POINT_BYTES
_LISTING_MAX: Final = 8
_CANVAS_BYTES_MAX: Final = 1 << 19


def signals_to_json(signals: ImageSignals) -> dict[str, Any]:
    """What JSON can hold of them: all."""
    return {
        "sha256": _one(signals.sha256),
        "md5": _one(signals.md5),
        "pdq": _one(signals.pdq),
        "pdq_quality": signals.pdq.quality,
        "pdq_dihedral": [signal.hex for signal in signals.pdq_dihedral],
        "phash": _one(signals.phash),
        "phash256": _one(signals.phash256),
        "width_px": signals.width_px,
        "height_px": signals.height_px,
        "frames": signals.frames,
        "notes": list(signals.notes),
        "pdq_regions": [[signal.hex, signal.quality] for signal in signals.pdq_regions],
        "wide": signals.wide,
        "points": _text(signals.points),
        "canvas": None if signals.canvas is None else _canvas_to_json(cast("LocalCanvas", signals.canvas)),
        "listing": [[signal.signal_type, signal.hex, signal.quality] for signal in signals.listing],
        "added": [[signal.signal_type, signal.hex, signal.quality] for signal in signals.added],
    }


def _one(signal: Signal | None) -> str | None:
    return None if signal is None else signal.hex


def signals_from_json(value: Any) -> ImageSignals:
    """Read them back.

    Raises:
        InvalidSignalError: anything else than :func:`signals_to_json` writes.
    """
    try:
        quality = _number(value["pdq_quality"])
        variants = list(value["pdq_dihedral"])
        notes = [str(note)[:_NOTE_CHARACTERS_MAX] for note in list(value["notes"])[:_NOTES_MAX]]
        if len(variants) not in {0, _VARIANTS}:
            raise InvalidSignalError("a picture has eight variants")
        return ImageSignals(
            sha256=_maybe("sha256", value["sha256"]),
            md5=_maybe("md5", value["md5"]),
            pdq=Signal.from_hex("pdq", value["pdq"], quality),
            pdq_dihedral=tuple(Signal.from_hex("pdq", each, quality) for each in variants),
            phash=Signal.from_hex("phash", value["phash"]),
            phash256=Signal.from_hex("phash256", value["phash256"]),
            width_px=_number(value["width_px"]),
            height_px=_number(value["height_px"]),
            frames=_number(value["frames"]),
            notes=tuple(notes),
            pdq_regions=_regions(list(value["pdq_regions"])),
            wide=value["wide"] is True,
            points=_bytes(value["points"], _POINTS_BYTES_MAX),
            canvas=None if value["canvas"] is None else _canvas_from_json(value["canvas"]),
            listing=tuple(_listed(*each) for each in list(value["listing"])[:_LISTING_MAX]),
            added=tuple(_added(*each) for each in list(value["added"])[:_ADDED_MAX]),
        )
    except HashpactError:
        raise
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise InvalidSignalError("signals of another shape") from error


def _regions(values: list[Any]) -> tuple[Signal, ...]:
    if len(values) % _VARIANTS or len(values) > _VARIANTS * _REGIONS_MAX:
        raise InvalidSignalError("a picture inside a picture has eight variants")
    return tuple(Signal.from_hex("pdq", text, _number(quality)) for text, quality in values)


def _listed(signal_type: Any, text: Any, quality: Any) -> Signal:
    if signal_type not in {"pdq", "local_sift"}:
        raise InvalidSignalError("a signal that is not listed of a picture")
    return Signal.from_hex(signal_type, text, None if quality is None else _number(quality))


def _canvas_to_json(canvas: LocalCanvas) -> dict[str, Any]:
    height, width = canvas.grey.shape
    return {"grey": _text(canvas.grey.tobytes()), "size": [width, height], "frame": [canvas.width_px, canvas.height_px]}


def _canvas_from_json(value: Any) -> LocalCanvas:
    # Nothing is decoded by it: numbers, as many as they say.
    import numpy as np  # noqa: PLC0415  # a thin installation has none

    from hashpact.hashing.local import LocalCanvas  # noqa: PLC0415  # OpenCV, where uploads are looked into

    (width, height), frame = map(_number, value["size"]), [_number(side) for side in value["frame"]]
    grey = _bytes(value["grey"], _CANVAS_BYTES_MAX)
    if (
        len(frame) != 2
        or not all(1 <= side <= SIDE_MAX_PX for side in frame)
        or len(grey) != width * height
        or not grey
    ):
        raise InvalidSignalError("a copy of another size than it says")
    return LocalCanvas(np.frombuffer(grey, np.uint8).reshape(height, width), frame[0], frame[1])


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _bytes(text: Any, most: int) -> bytes:
    data = base64.b64decode(text, validate=True)
    if len(data) > most:
        raise InvalidSignalError("more bytes than there can be")
    return data


def _added(signal_type: Any, text: Any, quality: Any) -> Signal:
    if signal_type not in added().plugins:
        raise InvalidSignalError("a signal of a type that no package here adds")
    return Signal.from_hex(signal_type, text, None if quality is None else _number(quality))


def _maybe(signal_type: str, text: Any) -> Signal | None:
    return None if text is None else Signal.from_hex(signal_type, text)


def _number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < _NUMBER_MAX:
        raise InvalidSignalError("a number of another size")
    return value
