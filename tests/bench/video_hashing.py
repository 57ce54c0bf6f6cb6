"""How fast videos are hashed on one core, and which way of getting a frame per second is the fastest.

``python -m tests.bench.video_hashing [FILE...]``; without files, the sample videos. Processor time, best of three.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import av
from hashpact.hashing import video as video_module
from hashpact.hashing.frame import FrameHasher
from hashpact.hashing.video import hash_video

from tests.data import shared_data


def seconds(function: Callable[[], Any]) -> tuple[float, Any]:
    """Processor seconds of the fastest of three calls, and its result."""
    best, result = float("inf"), None
    for _ in range(3):
        begun = time.process_time()
        result = function()
        best = min(best, time.process_time() - begun)
    return best, result


def all_decoded(path: Path) -> Any:
    """Hash with every frame decoded."""
    look = video_module._look
    try:
        video_module._look = lambda *arguments, leap: look(*arguments, leap=False)  # noqa: ARG005
        return hash_video(path, prune_bits=None)
    finally:
        video_module._look = look


def sought(path: Path, duration_s: float) -> None:
    """A frame per second by seeking to each: decodes from the key frame before it, every time."""
    hasher = FrameHasher(mirrored=False)
    with av.open(path) as container:
        stream: Any = container.streams.video[0]
        stream.codec_context.thread_count = 1
        for second in range(int(duration_s) + 1):
            container.seek(int(second / stream.time_base), stream=stream)
            for frame in container.decode(stream):
                if frame.time is None or frame.time >= second - 1e-4:
                    hasher.hash(frame)
                    break


def pdq_seconds(path: Path) -> float:
    """Processor seconds of PDQ for one frame of this size, luma and downscaling included."""
    hasher = FrameHasher(mirrored=False)
    with av.open(path) as container:
        stream: Any = container.streams.video[0]
        stream.codec_context.thread_count = 1
        frame = next(iter(container.decode(stream)))
        return seconds(lambda: [hasher.hash(frame) for _ in range(20)])[0] / 20


def main() -> None:
    """Print the table."""
    given = [Path(name) for name in sys.argv[1:]]
    paths = given or sorted([*shared_data("videos").iterdir(), *shared_data("vpdq", "videos").iterdir()])
    print("| video | coding | frame | length, s | decode all, x real time | seek | ours | ours, frames/s | PDQ share |")
    print("|---|---|---|---|---|---|---|---|---|")
    for path in paths:
        took, signals = seconds(partial(hash_video, path, prune_bits=None))
        length = signals.duration_s
        whole, _ = seconds(partial(all_decoded, path))
        seeking, _ = seconds(partial(sought, path, length))
        with av.open(path) as container:
            rate = float(container.streams.video[0].average_rate or 0)
        print(
            f"| {path.stem} | {signals.codec} | {signals.width_px} x {signals.height_px} at {rate:.0f} | {length:.1f} "
            f"| {length / whole:.0f} | {length / seeking:.0f} | **{length / took:.0f}** | {length * rate / took:,.0f} "
            f"| {signals.samples * pdq_seconds(path) / took:.0%} |"
        )


if __name__ == "__main__":
    main()
