"""Videos for tests, made here: seconds of slowly moving photographs, in any container and codec that PyAV writes."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from io import BytesIO
from typing import Any

import av
import numpy as np
from PIL import Image

from tests.pictures import photo

RATE = 10


def scenes(seconds: int = 4, size: tuple[int, int] = (160, 120)) -> Iterator[Image.Image]:
    """A scene of one second per photograph, each drifting to the right."""
    width, height = size
    for second in range(seconds):
        whole = photo(("astronaut.png", "coffee.png", "rocket.jpg", "chelsea.png")[second % 4]).convert("RGB")
        wide = whole.resize((width + 2 * RATE, height))
        for step in range(RATE):
            yield wide.crop((2 * step, 0, 2 * step + width, height))


def one_scene(seconds: int = 4, size: tuple[int, int] = (160, 120)) -> Iterator[Image.Image]:
    """One photograph that drifts all the time, so that an encoder sees no reason for a key frame."""
    width, height = size
    wide = photo("coffee.png").convert("RGB").resize((width + seconds * RATE, height))
    return (wide.crop((step, 0, step + width, height)) for step in range(seconds * RATE))


def video(
    container: str = "mp4",
    codec: str = "libx264",
    pixels: str = "yuv420p",
    *,
    pictures: Iterator[Image.Image] | None = None,
    every_packet_a_key: bool = False,
    gop: int = 25,
) -> bytes:
    """The bytes of a video file at ``RATE`` frames per second."""
    buffer = BytesIO()
    with av.open(buffer, "w", format=container) as out:
        stream: Any = None
        for number, picture in enumerate(pictures or scenes()):
            if stream is None:
                stream = out.add_stream(codec, rate=RATE)
                stream.width, stream.height, stream.pix_fmt = picture.width, picture.height, pixels
                stream.codec_context.gop_size = gop
                stream.codec_context.thread_count = 1
            frame = av.VideoFrame.from_ndarray(np.asarray(picture.convert("RGB")), format="rgb24")
            frame = frame.reformat(format=pixels)
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            _mux(out, stream.encode(frame), every_packet_a_key)
        _mux(out, stream.encode(None), every_packet_a_key)
    return buffer.getvalue()


def _mux(out: Any, packets: Any, every_packet_a_key: bool) -> None:
    for packet in packets:
        if every_packet_a_key:
            packet.is_keyframe = True
        out.mux(packet)


def sound_only() -> bytes:
    """An MP4 with a second of silence and no picture."""
    buffer = BytesIO()
    with av.open(buffer, "w", format="mp4") as out:
        stream: Any = out.add_stream("aac", rate=8000)
        for number in range(8):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 8000, number * 1024
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return buffer.getvalue()


def with_display_matrix(mp4: bytes, matrix: tuple[int, int, int, int]) -> bytes:
    """An MP4 whose track is shown turned by (a, b, c, d): ISO 14496-12, 8.3.2, fixed point 16.16."""
    at = mp4.index(b"tkhd") + 4 + 40  # version 0: 40 bytes before the matrix
    a, b, c, d = (value << 16 for value in matrix)
    values = (a, b, 0, c, d, 0, 0, 0, 1 << 30)
    packed = b"".join(value.to_bytes(4, "big", signed=True) for value in values)
    return mp4[:at] + packed + mp4[at + 36 :]


def with_frame_duration(mp4: bytes, ticks: int) -> bytes:
    """An MP4 in which every frame is said to be shown for so many ticks."""
    at = mp4.index(b"stts") + 4
    changed = bytearray(mp4)
    for entry in range(int.from_bytes(mp4[at + 4 : at + 8], "big")):
        place = at + 8 + 8 * entry + 4
        changed[place : place + 4] = ticks.to_bytes(4, "big")
    return bytes(changed)
