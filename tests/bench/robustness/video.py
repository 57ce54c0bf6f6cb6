"""Videos on the list, and what uploaders make of them: recall per edit and level, and false matches.

``python -m tests.bench.robustness.video [--quick]`` prints the rows; ``measure`` gives them to the whole table.
Asked through a real server and the public client, as uploads are.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from hashpact import Client
from hashpact.results import CheckResult, Match

from tests.bench.robustness import clips
from tests.bench.robustness.clips import Clip, Frames
from tests.integration.harness import Forum, ServerInside

LABELS: Final = ("behaviour:glorification_of_terrorist_acts",)
MATCHES_MAX: Final = 100
TARGET: Final = 0.97

Edit = Callable[[Clip], Frames]


def _cut(frames: Frames, start: float, end: float) -> Frames:
    return frames[int(start * len(frames)) : int(end * len(frames))]


EDITS: Final[tuple[tuple[str, Edit, float | None], ...]] = (
    ("re-encode, quality 36", lambda clip: clip.frames, TARGET),
    ("re-encode, begun 0.31 s later", lambda clip: clip.frames[round(0.31 * clip.fps) :], TARGET),
    ("resize 0.5", lambda clip: clips.resized(clip.frames, 0.5), TARGET),
    ("resize 0.25", lambda clip: clips.resized(clip.frames, 0.25), None),
    ("half of the frames", lambda clip: clip.frames[::2], None),
    ("padding 20 % of the sides", lambda clip: clips.padded(clip.frames, 0.2, 0.0), TARGET),
    ("letterbox 15 %", lambda clip: clips.padded(clip.frames, 0.0, 0.15), TARGET),
    ("padding 10 %, mirrored", lambda clip: [f[:, ::-1] for f in clips.padded(clip.frames, 0.1, 0.1)], TARGET),
    ("blurred copy as bars", lambda clip: clips.blur_padded(clip.frames), None),
    ("logo and caption", lambda clip: clips.with_logo(clip.frames), None),
    ("trimmed 20 %", lambda clip: _cut(clip.frames, 0.1, 0.9), TARGET),
    ("excerpt of 40 %", lambda clip: _cut(clip.frames, 0.31, 0.71), None),
    ("speed 1.25", lambda clip: clips.faster(clip.frames, 1.25), None),
    ("speed 1.5", lambda clip: clips.faster(clip.frames, 1.5), None),
    ("speed 2", lambda clip: clips.faster(clip.frames, 2.0), None),
    ("mirrored", lambda clip: [frame[:, ::-1] for frame in clip.frames], TARGET),
    ("slide show of stills", clips.slides, None),
    ("crop 5 %", lambda clip: [_cropped(frame, 0.05) for frame in clip.frames], None),
    ("in a picture at half width", lambda clip: clips.in_a_picture(clip.frames), None),
    ("filmed from a screen (simulated)", lambda clip: clips.filmed(clip.frames), None),
)


def _cropped(frame: Any, part: float) -> Any:
    height, width = frame.shape[:2]
    return frame[int(part * height / 2) : int((1 - part / 2) * height), int(part * width / 3) : int((1 - part) * width)]


@contextmanager
def _service() -> Any:
    with tempfile.TemporaryDirectory() as folder:
        forum = Forum.make(Path(folder) / "data")
        with (
            ServerInside(forum) as inside,
            Client(str(inside.address), token=forum.tokens["alpha"], ca=forum.ca, timeout_s=120) as client,
        ):
            yield client


def measure(quick: bool) -> dict[str, Any]:
    """The rows of the table.

    Args:
        quick: with few clips, to see that it works.
    """
    listed = clips.real_clips(2 if quick else 10) + clips.drawn_clips(0, 3 if quick else 10)
    unlisted = [] if quick else clips.drawn_clips(12, 24)
    cards = clips.template_clips(2 if quick else 6)
    with _service() as client:
        items = {
            client.contribute(clips.encoded(clip.frames, clip.fps, crf=20), labels=LABELS).item: clip
            for clip in (*listed, *cards[::2])
        }
        photos = _False("edited copies of other clips", "clips", items, lambda clip: not clip.name.startswith("cards"))
        templates = _False("title cards of one template", "title cards", items, lambda clip: clip in cards)
        rows = []
        for name, edit, target in EDITS:
            found = {"near": 0, "strong": 0, "observed": 0, "percent": []}
            for clip in listed:
                answer = client.check(clips.encoded(edit(clip), clip.fps, crf=36), matches_max=MATCHES_MAX)
                _count(answer, items, clip, found)
                photos.take(answer, clip)
            rows.append(_row(name, found, len(listed), target))
        rows.append(_inside(client, items, listed, photos))
        for clip in unlisted:
            photos.take(client.check(clips.encoded(clip.frames, clip.fps), matches_max=MATCHES_MAX), clip)
        for clip in cards[1::2]:
            templates.take(client.check(clips.encoded(clip.frames, clip.fps), matches_max=MATCHES_MAX), clip)
    drawn = sum(clip.name.startswith("drawn") for clip in listed)
    notes = [
        f"{len(listed)} listed clips, {drawn} drawn (a camera that moves over photographs), the others recorded",
        "observed: found by a single frame, which nobody is asked to look at",
    ]
    return {"rows": rows, "false": [photos.figures(), templates.figures()], "notes": notes}


def _inside(client: Client, items: dict[int, Clip], listed: Sequence[Clip], photos: _False) -> dict[str, Any]:
    """Each clip between two others that are not listed, of about its shape, as long as they are together."""
    others = clips.drawn_clips(24, 28) or clips.template_clips(2)
    found: dict[str, Any] = {"near": 0, "strong": 0, "observed": 0, "percent": []}
    for number, clip in enumerate(listed):
        height, width = clip.frames[0].shape[:2]
        around = [
            clips.shaped(frame, width, height)
            for other in (others[number % len(others)], others[(number + 1) % len(others)])
            for frame in other.frames
        ]
        half = len(around) // 2
        frames = [*around[:half], *clip.frames, *around[half:]]
        answer = client.check(clips.encoded(frames, clip.fps, crf=32), matches_max=MATCHES_MAX)
        _count(answer, items, clip, found)
        photos.take(answer, clip)
    return _row("the clip inside a long upload", found, len(listed), None)


def _row(name: str, found: dict[str, Any], tried: int, target: float | None) -> dict[str, Any]:
    percent = sorted(found.pop("percent"))
    return {
        "edit": name,
        "tried": tried,
        **found,
        "item_percent_median": round(percent[len(percent) // 2], 1) if percent else 0.0,
        "target": target,
    }


def _of_frames(answer: CheckResult) -> Iterable[Match]:
    assert not answer.problems
    return answer.matches


def _count(answer: CheckResult, items: dict[int, Clip], clip: Clip, found: dict[str, Any]) -> None:
    for match in _of_frames(answer):
        if items[match.item].series != clip.series:
            continue
        if match.advice == "observe":
            found["observed"] += 1
        else:
            found["near"] += 1
            found["strong"] += match.level == "strong"
        if match.overlap is not None:
            found["percent"].append(match.overlap.item_percent)


class _False:
    """Matches with items of other series."""

    def __init__(self, probes: str, kind: str, items: dict[int, Clip], counted: Callable[[Clip], bool]) -> None:
        self._names = {"probes": probes, "items": kind}
        self._items = {item: clip for item, clip in items.items() if counted(clip)}
        self._counts = {"tried": 0, "pairs": 0, "near": 0, "strong": 0, "observed": 0}

    def take(self, answer: CheckResult, clip: Clip) -> None:
        """What one upload matched."""
        others = {item for item, other in self._items.items() if other.series != clip.series}
        self._counts["tried"] += 1
        self._counts["pairs"] += len(others)
        for match in _of_frames(answer):
            if match.item in others:
                print(f"    {clip.name} matches {self._items[match.item].name}: {match.level}", file=sys.stderr)
                self._counts["observed" if match.advice == "observe" else "near"] += 1
                self._counts["strong"] += match.level == "strong"

    def figures(self) -> dict[str, Any]:
        """As a row."""
        return {**self._names, **self._counts}


if __name__ == "__main__":
    began = time.process_time()
    json.dump(measure("--quick" in sys.argv), sys.stdout, indent=1)
    print(f"\n{time.process_time() - began:.0f} s of processor time", file=sys.stderr)
