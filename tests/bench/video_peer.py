"""A peer's way with a video, for ``video_hashing``: every frame decoded, one per second through the PDQ binding.

Run by the interpreter of the bench environment, which has PyAV and ``pdqhash``: ``python -m tests.bench.video_peer
FILE...`` prints a JSON object, file -> [seconds for all, seconds of PDQ per frame], processor time, best of three.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import av


def hashed(path: str) -> tuple[float, float]:
    """Processor seconds for the video, and of them per hashed frame for PDQ."""
    import pdqhash  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415  # only in the bench environment

    began, spent, count, next_s = time.process_time(), 0.0, 0, 0.0
    with av.open(path) as container:
        stream: Any = container.streams.video[0]
        stream.codec_context.thread_count = 1
        for frame in container.decode(stream):
            if (frame.time or 0.0) + 1e-4 >= next_s:
                picture = frame.to_ndarray(format="rgb24")
                start = time.process_time()
                pdqhash.compute(picture)
                spent, count, next_s = spent + time.process_time() - start, count + 1, next_s + 1.0
    return time.process_time() - began, spent / max(1, count)


if __name__ == "__main__":
    json.dump({path: min(hashed(path) for _ in range(3)) for path in sys.argv[1:]}, sys.stdout)
