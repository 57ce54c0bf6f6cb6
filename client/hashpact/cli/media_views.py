"""What ``hashpact hash`` shows of each kind of media: as JSON for programs, as lines for people."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from hashpact.cli.output import say
from hashpact.document_signals import DocumentSignals, TextSignals
from hashpact.signals import ImageSignals, Signal
from hashpact.video_signals import VideoSignals

if TYPE_CHECKING:
    from hashpact.media_signals import FileSignals

_ROWS_MAX: Final = 20
"""Frames or pages that a person is shown; --json has all."""


def as_dict(path: str, signals: FileSignals) -> dict[str, Any]:
    """One line of --json. What is no picture says its ``kind``."""
    if isinstance(signals, VideoSignals):
        return _video_dict(path, signals)
    if isinstance(signals, DocumentSignals):
        return _document_dict(path, signals)
    if isinstance(signals, TextSignals):
        return _text_dict(path, signals)
    return _image_dict(path, signals)


def show(path: str, signals: FileSignals) -> None:
    """The lines for a person."""
    if isinstance(signals, VideoSignals):
        _show_video(path, signals)
    elif isinstance(signals, DocumentSignals):
        _show_document(path, signals)
    elif isinstance(signals, TextSignals):
        _show_text(path, signals)
    else:
        _show_image(path, signals)
    for remark in signals.notes:
        say(f"  note: {remark}")


def _image_dict(path: str, signals: ImageSignals) -> dict[str, Any]:
    result: dict[str, Any] = {
        "path": path,
        "signals": {signal.signal_type: signal.hex for signal in signals},
        "pdq_quality": signals.pdq.quality,
        "width_px": signals.width_px,
        "height_px": signals.height_px,
        "frames": signals.frames,
        "notes": list(signals.notes),
    }
    if signals.pdq_dihedral:
        result["pdq_dihedral"] = [signal.hex for signal in signals.pdq_dihedral]
    return result


def _video_dict(path: str, signals: VideoSignals) -> dict[str, Any]:
    return {
        "path": path,
        "kind": "video",
        "signals": {"sha256": signals.sha256.hex, "md5": signals.md5.hex, **_added(signals.added)},
        "duration_s": signals.duration_s,
        "width_px": signals.width_px,
        "height_px": signals.height_px,
        "container": signals.container,
        "codec": signals.codec,
        "complete": signals.complete,
        "samples": signals.samples,
        "frames": len(signals.frames),
        "frame_signals": [
            {
                "time_s": frame.time_s,
                "until_s": frame.until_s,
                "samples": frame.samples,
                "pdq": frame.pdq.hex,
                "pdq_quality": frame.pdq.quality,
            }
            for frame in signals.frames
        ],
        "notes": list(signals.notes),
    }


def _document_dict(path: str, signals: DocumentSignals) -> dict[str, Any]:
    exact = {"sha256": signals.sha256.hex, "md5": signals.md5.hex, **_added(signals.added)}
    return {
        "path": path,
        "kind": "document",
        "signals": exact if signals.tlsh is None else {"tlsh": signals.tlsh.hex, **exact},
        "letters": signals.letters,
        "complete": signals.complete,
        "pages": signals.page_count,
        "page_signals": [
            {
                "page": page.number,
                "letters": page.letters,
                "pdq": page.pdq.hex,
                "pdq_quality": page.pdq.quality,
                "pdq_straightened": None if page.straightened is None else page.straightened.pdq.hex,
                "listed": len(page.telling),
            }
            for page in signals.pages
        ],
        "notes": list(signals.notes),
    }


def _text_dict(path: str, signals: TextSignals) -> dict[str, Any]:
    return {
        "path": path,
        "kind": "text",
        "signals": {signal.signal_type: signal.hex for signal in signals.listed()},
        "letters": signals.letters,
        "notes": list(signals.notes),
    }


def _added(signals: Iterable[Signal]) -> dict[str, str]:
    return {signal.signal_type: signal.hex for signal in signals}


def _show_image(path: str, signals: ImageSignals) -> None:
    say(f"{path}  {signals.width_px} x {signals.height_px}, PDQ quality {signals.pdq.quality}")
    for signal in signals:
        _show_signal(signal)
    for signal in signals.pdq_dihedral[1:]:
        say(f"  {'variant':<8}  {signal.hex}")


def _show_video(path: str, signals: VideoSignals) -> None:
    say(
        f"{path}  video of {signals.duration_s:.1f} s, {signals.width_px} x {signals.height_px}, {signals.codec}: "
        f"{len(signals.frames):,} of {signals.samples:,} sampled frames kept"
    )
    _show_signal(signals.sha256)
    _show_signal(signals.md5)
    for signal in signals.added:
        _show_signal(signal)
    for frame in signals.frames[:_ROWS_MAX]:
        say(f"  {frame.time_s:>7.1f}s  {frame.pdq.hex}  quality {frame.pdq.quality}")
    _show_rest(len(signals.frames), "frames")


def _show_document(path: str, signals: DocumentSignals) -> None:
    say(f"{path}  document of {signals.page_count:,} pages, {signals.letters:,} letters")
    for signal in (signals.sha256, signals.md5, signals.tlsh, *signals.added):
        if signal is not None:
            _show_signal(signal)
    for page in signals.pages[:_ROWS_MAX]:
        say(f"  page {page.number:<5}{page.pdq.hex}  quality {page.pdq.quality}")
    _show_rest(len(signals.pages), "pages")


def _show_text(path: str, signals: TextSignals) -> None:
    say(f"{path}  text of {signals.letters:,} letters")
    for signal in signals.listed():
        _show_signal(signal)


def _show_signal(signal: Signal) -> None:
    say(f"  {signal.signal_type:<8}  {signal.hex}")


def _show_rest(count: int, what: str) -> None:
    if count > _ROWS_MAX:
        say(f"  ... and {count - _ROWS_MAX:,} more {what}: --json shows all")
