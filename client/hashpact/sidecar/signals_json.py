"""Signals between processes: as JSON, so that nothing that was decoded from a stranger's bytes is ever unpickled."""

from __future__ import annotations

from typing import Any, Final

from hashpact.errors import HashpactError, InvalidSignalError
from hashpact.plugins import added
from hashpact.signals import ImageSignals, Signal

_NOTES_MAX: Final = 16
_NOTE_CHARACTERS_MAX: Final = 200
_VARIANTS: Final = 8
_NUMBER_MAX: Final = 1 << 31
_ADDED_MAX: Final = 512


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
            added=tuple(_added(*each) for each in list(value["added"])[:_ADDED_MAX]),
        )
    except HashpactError:
        raise
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise InvalidSignalError("signals of another shape") from error


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
