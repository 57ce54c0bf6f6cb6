"""Decoding as little as possible gives what decoding everything gives, also when the file lies about itself."""

from __future__ import annotations

import gc
import os
import random
from typing import Any

import pytest
from hashpact import hash_video
from hashpact.errors import UnreadableMediaError
from hashpact.hashing import sampling
from hashpact.hashing import video as video_module
from hashpact.hashing.limits import VideoLimits
from hashpact.signals import hamming
from hashpact.video_signals import VideoSignals

from tests.data import effort, shared_data
from tests.videos import one_scene, scenes, video, with_frame_duration


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """For each pass over a file: whether it leapt from key frame to key frame."""
    seen: list[bool] = []
    look = video_module._look

    def watched(*arguments: Any, leap: bool) -> Any:
        seen.append(leap)
        return look(*arguments, leap=leap)

    monkeypatch.setattr(video_module, "_look", watched)
    return seen


def all_decoded(data: bytes, monkeypatch: pytest.MonkeyPatch, **options: Any) -> VideoSignals:
    """The reference: no leaps, nothing left out."""
    look = video_module._look
    with monkeypatch.context() as patch:
        patch.setattr(video_module, "_look", lambda *arguments, leap: look(*arguments, leap=False))  # noqa: ARG005
        return hash_video(data, prune_bits=None, **options)


CODINGS = (("mp4", "libx264"), ("mp4", "mpeg4"), ("webm", "libvpx-vp9"), ("mpegts", "mpeg2video"), ("avi", "mjpeg"))


@pytest.mark.parametrize("gop", [3, 10, 25])
@pytest.mark.parametrize("coding", CODINGS, ids="-".join)
def test_leaps_change_nothing(
    coding: tuple[str, str], gop: int, passes: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = "yuvj420p" if coding[1] == "mjpeg" else "yuv420p"
    data = video(*coding, pixels, pictures=one_scene(), gop=gop)
    for interval_s in (0.35, 1.0, 1.7):
        passes.clear()
        assert hash_video(data, prune_bits=None, interval_s=interval_s) == all_decoded(
            data, monkeypatch, interval_s=interval_s
        )
        assert passes == [True, False]  # one each: nothing had to be done twice


def test_leaps_decode_less(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded = []
    decode = sampling.Sampler._decode

    def counted(self: Any, packet: Any) -> Any:
        decoded.append(packet)
        return decode(self, packet)

    monkeypatch.setattr(sampling.Sampler, "_decode", counted)
    data = video("avi", "mjpeg", "yuvj420p")
    assert len(hash_video(data).frames) == 4
    assert len(decoded) == 4 + 1  # the samples, and what empties the decoder


def test_real_videos_too(passes: list[bool], monkeypatch: pytest.MonkeyPatch) -> None:
    for path in sorted(shared_data("videos").iterdir()):
        passes.clear()
        assert hash_video(path.read_bytes(), prune_bits=None) == all_decoded(path.read_bytes(), monkeypatch)
        assert passes == [True, False]


@pytest.mark.parametrize("coding", [("flv", "flv"), ("asf", "wmv2"), ("avi", "h263p")], ids="-".join)
def test_false_key_frames_do_not_hide_anything(
    coding: tuple[str, str], passes: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every packet says that it is a key frame; players do not care and show the film."""
    honest = video(*coding, pictures=one_scene(), gop=100)
    lying = video(*coding, pictures=one_scene(), gop=100, every_packet_a_key=True)
    assert hash_video(lying, prune_bits=None).frames == all_decoded(honest, monkeypatch).frames
    assert passes[:2] == [True, False]


def test_times_that_stand_still(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "PACKETS_BETWEEN_MAX", 10)
    data = with_frame_duration(video("mp4", "mpeg4"), 1)  # ten thousandths of a second
    wanted = hash_video(video("mp4", "mpeg4"), prune_bits=None)
    found = hash_video(data, prune_bits=None)
    assert max(frame.time_s for frame in found.frames) < 0.01
    distances = [hamming(a.pdq.value, b.pdq.value) for a, b in zip(found.frames, wanted.frames, strict=True)]
    assert max(distances) <= 31  # from the same scenes, though not the same frames


def test_times_that_begin_anew() -> None:
    """Two recordings in one file, as cameras and cat make them: the second one's clock begins at nothing."""
    first, second = video("mpegts", "mpeg2video"), video("mpegts", "mpeg2video", pictures=one_scene())
    signals = hash_video(first + second, prune_bits=None)
    alone = [frame.pdq for part in (first, second) for frame in hash_video(part, prune_bits=None).frames]
    assert [frame.pdq for frame in signals.frames] == alone
    times = [frame.time_s for frame in signals.frames]
    assert times == sorted(times)
    assert signals.duration_s == pytest.approx(8, abs=0.5)


def test_files_without_times() -> None:
    data = video("h264", "libx264")
    assert [frame.time_s for frame in hash_video(data).frames] == pytest.approx([0, 1, 2, 3], abs=0.2)


def test_the_last_frames_are_there() -> None:
    data = video(pictures=scenes(2))  # with B-frames: the decoder holds the last ones back
    assert len(hash_video(data, interval_s=0, prune_bits=None).frames) == 20


def test_damage_in_the_middle_costs_what_it_hit() -> None:
    data = bytearray(video(gop=10))
    middle = len(data) // 2
    data[middle : middle + 1500] = bytes(1500)
    signals = hash_video(bytes(data), interval_s=0)
    assert signals.frames[0].time_s == 0.0
    assert signals.frames[-1].until_s == pytest.approx(4.0, abs=0.2)
    assert "damaged" in signals.notes[0]


@pytest.mark.timeout(240)
def test_broken_files_are_hashed_as_far_as_they_go_or_refused(capfd: pytest.CaptureFixture[str]) -> None:
    """Cut, with bytes turned over and left out: signals or a typed error; no output, no open file left behind."""
    codings = (("mp4", "libx264"), ("matroska", "libvpx"), ("avi", "mpeg4"), ("mpegts", "mpeg2video"), ("flv", "flv"))
    whole = [video(*coding, pictures=scenes(2)) for coding in codings]
    capfd.readouterr()  # encoders talk
    rng = random.Random(20261123)
    hash_video(whole[0])
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208  # entries, not paths, are wanted
    outcomes = {"whole": 0, "noted": 0, "refused": 0}
    for number in range(effort(200)):
        data = bytearray(whole[number % len(whole)])
        damage = rng.randrange(4)
        if damage == 0:
            del data[rng.randrange(len(data)) :]
        elif damage == 1:
            start = rng.randrange(len(data))
            del data[start : start + rng.randrange(4000)]
        else:
            reach = len(data) if damage == 2 else min(len(data), 1500)
            for _ in range(rng.choice((1, 5, 50))):
                data[rng.randrange(reach)] ^= 1 << rng.randrange(8)
        try:
            signals = hash_video(bytes(data), limits=VideoLimits(seconds_max=60))
            outcomes["noted" if signals.notes else "whole"] += 1
        except UnreadableMediaError:
            outcomes["refused"] += 1
    assert min(outcomes.values()) > 5, outcomes
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208  # as above
    assert capfd.readouterr() == ("", "")
