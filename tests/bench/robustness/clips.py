"""Clips for the video rows: real ones, and drawn ones of several scenes; and what uploaders do to them."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any, Final

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from tests.data import find_shared_data
from tests.pictures import photo

Frame = NDArray[np.uint8]
Frames = Sequence[Frame]

SIDE_MAX: Final = 480
SECONDS_MAX: Final = 8.0
DRAWN_FPS: Final = 12
SCENES: Final = 4
_DRAWN: Final = ("astronaut.png", "coffee.png", "chelsea.png", "rocket.jpg", "camera.png", "coins.png", "ihc.png")


@dataclass(frozen=True)
class Clip:
    """A clip.

    Attributes:
        name: what it is called in reports.
        series: clips of one series show the same: none is a false match of another.
        fps: frames per second.
        frames: uint8[height, width, 3] each, RGB.
    """

    name: str
    series: str
    fps: float
    frames: Frames


def encoded(frames: Frames, fps: float, *, crf: int = 28) -> bytes:
    """An MP4 (H.264), as a platform makes one of an upload."""
    buffer = io.BytesIO()
    height, width = (side // 2 * 2 for side in frames[0].shape[:2])
    rate = Fraction(fps).limit_denominator(1000)
    with av.open(buffer, "w", format="mp4") as out:
        stream: Any = out.add_stream("libx264", rate=rate, options={"preset": "veryfast", "crf": str(crf)})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.thread_count = 1
        for number, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture[:height, :width]), format="rgb24")
            frame = frame.reformat(format="yuv420p")
            frame.pts, frame.time_base = number, 1 / rate
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return buffer.getvalue()


def real_clips(count_max: int) -> list[Clip]:
    """The sample videos, at most :data:`SECONDS_MAX` of each; none where they are absent."""
    root = find_shared_data()
    if root is None:
        return []
    paths = sorted((root / "videos").glob("*.m*")) + sorted((root / "vpdq" / "videos").rglob("*.mp4"))
    # Several of the published samples are one recording.
    distinct = [path for path in paths if not path.stem.startswith("pattern-")]
    distinct += [path for path in paths if path.stem == "pattern-longer-no-bar"]
    return [_decoded(path) for path in distinct[:count_max]]


def _decoded(path: Path) -> Clip:
    frames: list[Frame] = []
    with av.open(path) as container:
        stream: Any = container.streams.video[0]
        fps = float(stream.average_rate or stream.guessed_rate)
        scale = min(1.0, SIDE_MAX / max(stream.width, stream.height))
        for frame in container.decode(stream):
            picture = frame.reformat(
                width=int(frame.width * scale) // 2 * 2, height=int(frame.height * scale) // 2 * 2, format="rgb24"
            )
            frames.append(picture.to_ndarray())
            if len(frames) >= SECONDS_MAX * fps:
                break
    return Clip(path.stem.rpartition("__")[2], path.stem, fps, frames)


def drawn_clips(first: int, last: int) -> list[Clip]:
    """Clips ``first`` to ``last - 1`` of those that can be drawn: a camera moves over photographs, two seconds each.

    No two clips share a photograph; those that come in series of almost the same scene are left out. Without the
    photographs, there are a few from scikit-image's.
    """
    sources, scenes = _photographs(), SCENES
    if len(sources) <= len(_DRAWN):
        scenes = 1
    clips = []
    for number in range(first, min(last, len(sources) // scenes)):
        rng = np.random.default_rng(number)
        shown = sources[number * scenes : (number + 1) * scenes]
        frames = [frame for source in shown for frame in _panned(source().convert("RGB"), rng)]
        clips.append(Clip(f"drawn-{number}", f"drawn-{number}", DRAWN_FPS, frames))
    return clips


def _photographs() -> list[Callable[[], Image.Image]]:
    root = find_shared_data()
    if root is None:
        return [partial(photo, name) for name in _DRAWN]
    known = json.loads((root / "photos" / "manifest.json").read_text(encoding="utf-8"))
    alike = {each["file"] for each in known if each.get("hard_negative")}
    return [partial(Image.open, path) for path in sorted((root / "photos").glob("*.jpg")) if path.name not in alike]


def _panned(picture: Image.Image, rng: np.random.Generator) -> Iterator[Frame]:
    """Two seconds of a photograph, while the camera moves and zooms."""
    whole = np.asarray(picture.resize((480, round(480 * picture.height / picture.width))))
    height, width = whole.shape[:2]
    start, end = rng.uniform(0.0, 0.3, 2), rng.uniform(0.0, 0.3, 2)
    sizes = rng.uniform(0.55, 0.7, 2)
    for part in np.linspace(0, 1, 2 * DRAWN_FPS):
        left, top = (start + (end - start) * part) * (width, height)
        size = sizes[0] + (sizes[1] - sizes[0]) * part
        box = whole[int(top) : int(top + size * height), int(left) : int(left + size * width)]
        yield cv2.resize(box, (320, 240), interpolation=cv2.INTER_AREA)


def template_clips(count: int) -> list[Clip]:
    """Title cards of one template, other words on each: eight cards of one second."""
    clips = []
    for number in range(count):
        cards = [_card(f"{number}{card}", f"Chapter {card + 1}") for card in range(8)]
        clips.append(Clip(f"cards-{number}", f"cards-{number}", 8, [card for card in cards for _ in range(8)]))
    return clips


def _card(seed: str, title: str) -> Frame:
    rng = np.random.default_rng(int(seed))
    card = Image.new("RGB", (320, 240), (18, 32, 74))
    draw = ImageDraw.Draw(card)
    font = ImageFont.load_default(22)
    draw.rectangle((0, 0, 320, 44), fill=(200, 160, 40))
    draw.text((12, 8), title, fill="black", font=font)
    for line in range(5):
        words = " ".join("".join(rng.choice(list("aeioulnrst"), rng.integers(2, 9))) for _ in range(4))
        draw.text((16, 62 + 32 * line), words, fill="white", font=font)
    return np.asarray(card)


# --- what uploaders do ----------------------------------------------------------------------------------------------


def shaped(frame: Frame, width: int, height: int) -> Frame:
    """A frame of another shape."""
    return np.asarray(cv2.resize(frame, (width, height)), np.uint8)


def resized(frames: Frames, factor: float) -> Frames:
    """Each frame smaller."""
    height, width = (max(16, int(side * factor) // 2 * 2) for side in frames[0].shape[:2])
    return [cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA) for frame in frames]


def padded(frames: Frames, across: float, down: float) -> Frames:
    """Black bars, parts of the width and height on each side."""
    height, width = frames[0].shape[:2]
    x, y = int(across * width) // 2 * 2, int(down * height) // 2 * 2
    return [cv2.copyMakeBorder(frame, y, y, x, x, cv2.BORDER_CONSTANT, value=(0, 0, 0)) for frame in frames]


def blur_padded(frames: Frames) -> Frames:
    """An upright telephone's bars: the picture itself, enlarged and blurred."""
    height, width = frames[0].shape[:2]
    tall = width * 16 // 9 // 2 * 2
    found = []
    for frame in frames:
        back = cv2.GaussianBlur(cv2.resize(frame, (width, tall)), (0, 0), 12)
        top = (tall - height) // 2
        back[top : top + height] = frame
        found.append(back)
    return found


def with_logo(frames: Frames) -> Frames:
    """An opaque mark of 15 % of the width in a corner, and a line of text at the bottom."""
    height, width = frames[0].shape[:2]
    overlay = Image.new("RGBA", (width, height))
    draw = ImageDraw.Draw(overlay)
    side = int(0.15 * width)
    draw.ellipse((width - side - 8, 8, width - 8, 8 + side), fill=(220, 30, 30, 255))
    draw.text((width // 8, height - 24), "follow us for more of this", fill="white", font=ImageFont.load_default(16))
    mark = np.asarray(overlay)
    alpha = mark[..., 3:] / 255
    return [(frame * (1 - alpha) + mark[..., :3] * alpha).astype(np.uint8) for frame in frames]


def faster(frames: Frames, factor: float) -> Frames:
    """The same in less time: fewer frames at the same rate."""
    return [frames[int(at * factor)] for at in range(int(len(frames) / factor))]


def filmed(frames: Frames) -> Frames:
    """A telephone before a screen: seen from the side, with a dark room around, stripes, noise and wrong colours."""
    height, width = frames[0].shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    seen = np.array([[0.10, 0.12], [0.93, 0.06], [0.90, 0.90], [0.07, 0.86]], np.float32) * np.array(
        [width, height], np.float32
    )
    warp = cv2.getPerspectiveTransform(corners, seen)
    stripes = 1 + 0.06 * np.sin(np.arange(height) * 2.1)[:, None, None]
    rng = np.random.default_rng(5)
    noise = rng.normal(0, 6, (height, width, 1))
    found = []
    for frame in frames:
        screen = cv2.warpPerspective(frame, warp, (width, height), borderValue=(24, 22, 20))
        shades = 255 * (screen / 255) ** 0.85 * stripes * (1.04, 1.0, 0.9) + noise
        found.append(np.clip(cv2.GaussianBlur(shades, (0, 0), 0.8), 0, 255).astype(np.uint8))
    return found


def in_a_picture(frames: Frames) -> Frames:
    """Half as wide, in the middle of a still picture."""
    height, width = frames[0].shape[:2]
    rng = np.random.default_rng(11)
    back = cv2.resize(rng.integers(0, 255, (6, 8, 3), np.uint8), (width, height), interpolation=cv2.INTER_CUBIC)
    small = resized(frames, 0.5)
    y, x = height // 4, width // 4
    found = []
    for frame in small:
        canvas = back.copy()
        canvas[y : y + frame.shape[0], x : x + frame.shape[1]] = frame
        found.append(canvas)
    return found


def slides(clip: Clip) -> Frames:
    """A still of every second or so, each shown for a second and a half: what a report makes of a video."""
    step = max(1, round(1.1 * clip.fps))
    return [frame for frame in clip.frames[::step] for _ in range(round(1.5 * clip.fps))]
