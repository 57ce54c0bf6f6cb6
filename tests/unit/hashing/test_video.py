"""hash_video as a whole: what comes out, from which containers, and what it refuses."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hashpact import Probe, Signal, hash_video
from hashpact._media import listed_signals
from hashpact.errors import UnreadableMediaError
from hashpact.hashing.limits import VideoLimits
from hashpact.hashing.video import CHECK, hash_video_as
from hashpact.hashing.video_file import VideoFile
from hashpact.signals import hamming
from PIL import Image, ImageOps

from tests.data import shared_data
from tests.pictures import encoded, photo
from tests.videos import scenes, sound_only, video, with_display_matrix

SECONDS = 4


@pytest.fixture(scope="module")
def mp4() -> bytes:
    return video()


def test_a_frame_per_second_with_times_quality_and_digests(mp4: bytes, tmp_path: Path) -> None:
    path = tmp_path / "drift.bin"  # the name says nothing
    path.write_bytes(mp4)
    signals = hash_video(path)
    assert [frame.time_s for frame in signals.frames] == [0.0, 1.0, 2.0, 3.0]
    assert [frame.until_s for frame in signals.frames] == [1.0, 2.0, 3.0, 4.0]
    assert all((frame.pdq.quality or 0) >= 90 for frame in signals.frames)
    assert (signals.duration_s, signals.samples, signals.complete, signals.notes) == (4.0, 4, True, ())
    assert (signals.width_px, signals.height_px, signals.container, signals.codec) == (160, 120, "mov", "h264")
    assert signals.sha256.hex == hashlib.sha256(mp4).hexdigest()
    assert signals.md5.hex == hashlib.md5(mp4).hexdigest()
    assert signals == hash_video(str(path)) == hash_video(mp4)
    assert signals.telling == signals.frames


def test_a_frame_has_the_pdq_of_the_picture_it_shows(mp4: bytes) -> None:
    from hashpact.hashing import hash_image  # noqa: PLC0415  # beside what it is compared with

    frames = hash_video(mp4, interval_s=0, prune_bits=None).frames
    assert len(frames) == SECONDS * 10
    for frame, picture in zip(frames, scenes(), strict=True):
        shown = hash_image(picture)
        assert hamming(frame.pdq.value, shown.pdq.value) <= 20
        assert abs((frame.pdq.quality or 0) - (shown.pdq.quality or 0)) <= 3


def test_near_equal_frames_are_kept_once() -> None:
    still = photo("coffee.png").resize((160, 120))
    other = photo("chelsea.png").resize((160, 120))
    flat = Image.new("RGB", (160, 120), (90, 90, 90))
    data = video(pictures=iter([still] * 40 + [flat] * 20 + [other] * 10))
    signals = hash_video(data)
    assert [(frame.time_s, frame.until_s, frame.samples) for frame in signals.frames] == [
        (0.0, 4.0, 4),
        (4.0, 6.0, 2),
        (6.0, 7.0, 1),
    ]
    assert [frame.time_s for frame in signals.telling] == [0.0, 6.0]
    assert signals.samples == len(hash_video(data, prune_bits=None).frames) == 7


# (container, codec, pixel format): how people, cameras, broadcasters and editors store video.
CODINGS = (
    ("mp4", "mpeg4", "yuv420p"),
    ("mov", "prores_ks", "yuv422p10le"),
    ("mov", "qtrle", "rgb24"),
    ("matroska", "libx265", "yuv420p"),
    ("matroska", "libx264", "yuv444p"),
    ("matroska", "ffv1", "gray"),
    ("webm", "libvpx", "yuv420p"),
    ("webm", "libvpx-vp9", "yuv420p"),
    ("webm", "libsvtav1", "yuv420p"),
    ("avi", "mjpeg", "yuvj420p"),
    ("avi", "rawvideo", "bgr24"),
    ("mpegts", "mpeg2video", "yuv420p"),
    ("flv", "flv", "yuv420p"),
    ("asf", "wmv2", "yuv420p"),
    ("nut", "mpeg4", "yuv420p"),
    ("yuv4mpegpipe", "rawvideo", "yuv420p"),
    ("ivf", "libvpx", "yuv420p"),
    ("h264", "libx264", "yuv420p"),
)


@pytest.mark.parametrize("coding", CODINGS, ids="-".join)
def test_containers_and_codecs_show_the_same_pictures(mp4: bytes, coding: tuple[str, str, str]) -> None:
    size = (160, 128)  # what every codec can do
    try:
        data = video(*coding, pictures=scenes(size=size))
    except (av.error.FFmpegError, av.codec.codec.UnknownCodecError) as error:
        pytest.skip(f"this PyAV cannot write it: {error}")
    ours = hash_video(data, prune_bits=None)
    assert [frame.time_s for frame in ours.frames] == pytest.approx([0, 1, 2, 3], abs=0.15)
    for one, other in zip(ours.frames, hash_video(mp4).frames, strict=True):
        assert hamming(one.pdq.value, other.pdq.value) <= 31
        assert (one.pdq.quality or 0) >= 90


def test_limited_and_full_range_luma_are_one_picture() -> None:
    """Levels so low that whole hundredths of the range, which PDQ's quality counts, depend on what white is."""
    low = photo("coffee.png").convert("L").resize((160, 120)).point(lambda value: 100 + value // 4)
    limited, full = (
        hash_video(video("matroska", "libx264", pixels, pictures=iter([low] * 2))).frames[0].pdq
        for pixels in ("yuv420p", "yuvj420p")
    )
    assert hamming(limited.value, full.value) <= 8
    assert 20 < (full.quality or 0) < 90
    assert abs((limited.quality or 0) - (full.quality or 0)) <= 2


# Display matrix (a, b, c, d) -> how the stored picture is turned for showing.
TURNS = {
    (1, 0, 0, 1): None,
    (-1, 0, 0, 1): Image.Transpose.FLIP_LEFT_RIGHT,
    (-1, 0, 0, -1): Image.Transpose.ROTATE_180,
    (1, 0, 0, -1): Image.Transpose.FLIP_TOP_BOTTOM,
    (0, 1, 1, 0): Image.Transpose.TRANSPOSE,
    (0, 1, -1, 0): Image.Transpose.ROTATE_270,  # a telephone held upright
    (0, -1, -1, 0): Image.Transpose.TRANSVERSE,
    (0, -1, 1, 0): Image.Transpose.ROTATE_90,
}


@pytest.mark.parametrize("matrix", TURNS)
def test_rotation_that_the_file_asks_for(mp4: bytes, matrix: tuple[int, int, int, int]) -> None:
    signals = hash_video(with_display_matrix(mp4, matrix))
    turn = TURNS[matrix]
    pictures = [picture if turn is None else picture.transpose(turn) for picture in scenes()][::10]
    wanted = hash_video(video(pictures=iter(pictures)), interval_s=0)
    assert (signals.width_px, signals.height_px) == pictures[0].size
    for one, other in zip(signals.frames, wanted.frames, strict=True):
        assert hamming(one.pdq.value, other.pdq.value) <= 16


def test_a_senseless_display_matrix_is_upright(mp4: bytes) -> None:
    for matrix in ((0, 0, 0, 0), (1, 1, 1, 1), (1, 1, -1, 1), (0, 1, 1, 1)):
        assert hash_video(with_display_matrix(mp4, matrix)).frames == hash_video(mp4).frames


def test_limits(mp4: bytes) -> None:
    some = hash_video(mp4, limits=VideoLimits(frames_max=2))
    assert (len(some.frames), some.complete) == (2, False)
    assert "frames_max" in some.notes[0]
    for limits, said in (
        (VideoLimits(pixels_max=19_199), "160 x 120"),
        (VideoLimits(bytes_max=100), "bytes_max"),
        (VideoLimits(seconds_max=0.0), "seconds_max"),
    ):
        with pytest.raises(UnreadableMediaError, match=said):
            hash_video(mp4, limits=limits)


def cover_only() -> bytes:
    buffer = BytesIO()
    with av.open(buffer, "w", format="mp4") as out:
        stream: Any = out.add_stream("mjpeg", rate=1)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuvj420p"
        stream.disposition = av.stream.Disposition.attached_pic
        frame = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24").reformat(format="yuvj420p")
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return buffer.getvalue()


def test_what_is_no_video_is_told_why(tmp_path: Path) -> None:
    playlist = b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"
    for data, said in (
        (b"", "empty"),
        (b"\x00" * 5000, "not a video"),
        (b"G" * 100, "not a video"),
        (encoded(photo(), "JPEG"), "hash_image"),
        (sound_only(), "no moving picture"),
        (playlist, "not a video"),
        (b"ffconcat version 1.0\nfile '/etc/passwd'\n", "not a video"),
    ):
        with pytest.raises(UnreadableMediaError, match=said):
            hash_video(data)
    for place in (tmp_path, tmp_path / "absent", "/dev/null", "a\0b"):
        with pytest.raises(UnreadableMediaError):
            hash_video(place)
    with pytest.raises(TypeError):
        hash_video(7)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="interval_s"):
        hash_video(b"", interval_s=-1)


def test_a_cover_picture_is_no_video() -> None:
    with pytest.raises(UnreadableMediaError, match="cover picture"):
        hash_video(cover_only())


def test_the_moving_picture_and_not_the_cover_is_hashed() -> None:
    signals = hash_video(shared_data("videos", "perception__extra_channel_attached_pic_audio.mp4"))
    assert (signals.codec, signals.width_px, signals.samples, signals.notes) == ("h264", 640, 10, ())


def test_a_file_that_changes_meanwhile_is_refused(mp4: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "growing.mp4"
    path.write_bytes(mp4)
    digests = VideoFile.digests

    def grow(file: VideoFile) -> tuple[bytes, bytes]:
        path.write_bytes(mp4 + b"more")
        return digests(file)

    monkeypatch.setattr(VideoFile, "digests", grow)
    with pytest.raises(UnreadableMediaError, match="changed while"):
        hash_video(path)


def test_what_is_listed_of_a_video_is_no_picture(mp4: bytes) -> None:
    """The PDQ of a frame would identify an item, and meet every photograph of the list."""
    sha256, md5, *frames = listed_signals(mp4)
    assert (sha256.signal_type, md5.signal_type) == ("sha256", "md5")
    assert {frame.signal_type for frame in frames} == {"pdq_frame"}
    stretches = [frame.stretch_ms for frame in frames if frame.stretch_ms is not None]
    assert len(stretches) == len(frames)
    assert stretches[0][0] == 0
    assert stretches == sorted(stretches)
    assert stretches[-1][1] == round(1000 * hash_video(mp4).duration_s)
    assert len(frames) > len(hash_video(mp4).frames)


def test_of_a_long_video_evenly_chosen_frames_are_listed(mp4: bytes) -> None:
    whole = hash_video(mp4, interval_s=0, prune_bits=None)
    few = whole.listed(12)
    assert len(few) <= 12
    stretches = [signal.stretch_ms for signal in few if signal.stretch_ms is not None]
    assert (stretches[0][0], stretches[-1][1]) == (0, round(1000 * whole.duration_s))
    assert all(before[1] == after[0] for before, after in itertools.pairwise(stretches))
    blank = replace(whole.frames[5], pdq=Signal("pdq", bytes(32), 0))
    dark = replace(whole, frames=(*whole.frames[:5], blank, *whole.frames[6:]))
    shown = [signal.stretch_ms for signal in dark.listed() if signal.stretch_ms is not None]
    assert shown[4][1] == blank.time_ms < shown[5][0]


def test_an_upload_is_looked_up_by_its_moments(mp4: bytes) -> None:
    probe = Probe.of(hash_video_as(mp4, CHECK))
    values = dict(probe.signal_sets)["pdq_frame"]
    assert len(values) == 32 * len(probe.times_ms)
    assert probe.values == 2 + len(probe.times_ms)
    plain = hash_video(mp4, interval_s=0.1, prune_bits=12).frames
    assert [probe.times_ms.count(time) for time in sorted(set(probe.times_ms))] == [2] * len(plain)
    mirrored = hash_video(video(pictures=(ImageOps.mirror(each) for each in scenes())), interval_s=0, prune_bits=None)
    mine = [values[at : at + 32] for at in range(32, len(values), 64)]
    assert min(hamming(mine[0], frame.pdq.value) for frame in mirrored.frames) <= 12
    few = probe.within(2 + 20)
    assert few.values <= 22
    assert len(few.times_ms) == few.values - 2 == len(dict(few.signal_sets)["pdq_frame"]) // 32
    assert (few.times_ms[0], max(few.times_ms) - min(few.times_ms) > 2000) == (0, True)
    assert probe.within(probe.values) is probe


@pytest.mark.parametrize("border", [(0.2, 0.0), (0.0, 0.15), (0.1, 0.1)])
def test_borders_are_taken_off(border: tuple[float, float]) -> None:
    """Letterbox, pillarbox, and padding on all sides, after an encoder went over it."""
    size = (320, 240)
    wide, high = (round(part * side / 2) * 2 for part, side in zip(border, size, strict=True))

    def padded() -> Iterator[Image.Image]:
        for picture in scenes(2, size):
            yield ImageOps.expand(picture, (wide, high), fill=(12, 12, 12))

    plain = hash_video(video(pictures=scenes(2, size)), interval_s=0, prune_bits=None).frames
    found = hash_video(video(pictures=padded()), interval_s=0, prune_bits=None).frames
    assert all(frame.trimmed is None for frame in plain)
    distances = [
        hamming(there.pdq.value, here.trimmed.value)
        for there, here in zip(plain, found, strict=True)
        if here.trimmed is not None
    ]
    assert len(distances) == len(found)
    assert sorted(distances)[len(distances) * 9 // 10] <= 20
    assert min(hamming(there.pdq.value, here.pdq.value) for there, here in zip(plain, found, strict=True)) > 31


def test_reprs_show_no_hash(mp4: bytes) -> None:
    signals = hash_video(mp4)
    assert signals.frames[0].pdq.hex not in repr(signals)
