"""How much of two videos is the same: made-up frames, of which is known what they are."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest
from hashpact_server import videos
from hashpact_server.rules.advice import LONE_FRAME
from hashpact_server.rules.levels import FRAMES_IN_ORDER, Level, frames_say, level_of
from hashpact_server.videos import Frames, Overlap, overlap_of

RADIUS = 31
FRAME_MS = 100
"""The item is listed with ten frames per second."""


def drifting(seed: int, count: int) -> list[bytes]:
    """Frames of one scene: each 12 bits from the one before, and far from those a second away."""
    source = random.Random(seed)
    values = [source.getrandbits(256)]
    while len(values) < count:
        values.append(values[-1] ^ sum(1 << bit for bit in source.sample(range(256), 12)))
    return [value.to_bytes(32, "big") for value in values]


def changed(values: Sequence[bytes], bits: int, seed: int = 1) -> list[bytes]:
    """The same after another encoder."""
    source = random.Random(seed)
    return [
        (int.from_bytes(value, "big") ^ sum(1 << bit for bit in source.sample(range(256), bits))).to_bytes(32, "big")
        for value in values
    ]


def item_of(values: Sequence[bytes], frame_ms: int = FRAME_MS) -> Frames:
    starts = np.arange(len(values)) * frame_ms
    return Frames(np.frombuffer(b"".join(values), np.uint64).reshape(-1, 4), starts, starts + frame_ms)


@pytest.fixture(scope="module")
def item() -> list[bytes]:
    """Thirty seconds."""
    return drifting(7, 300)


def found(values: Sequence[bytes], times_ms: Sequence[int], item: Sequence[bytes]) -> Overlap:
    overlap = overlap_of(values, times_ms, item_of(item), RADIUS)
    assert overlap is not None
    return overlap


def sampled(values: Sequence[bytes], step: int = 10, start_ms: int = 0) -> tuple[list[bytes], list[int]]:
    taken = changed(values[::step], 8)
    return taken, [start_ms + place * 1000 for place in range(len(taken))]


def test_the_whole(item: list[bytes]) -> None:
    overlap = found(*sampled(item), item)
    assert (overlap.query_percent, overlap.item_percent) == (100, 100)
    assert (len(overlap.stretches), overlap.moments, overlap.pictures) == (1, 30, 8)
    assert abs(overlap.offset_ms) <= 100
    assert overlap.speed == pytest.approx(1, abs=0.01)
    assert frames_say(overlap) == FRAMES_IN_ORDER


def test_a_part_of_a_longer_upload(item: list[bytes]) -> None:
    before, after = drifting(8, 200), drifting(9, 150)
    overlap = found(*sampled([*before, *item[100:200], *after]), item)
    assert overlap.query_percent == pytest.approx(100 * 10 / 45, abs=3)
    assert overlap.item_percent == pytest.approx(100 / 3, abs=4)
    ((query, shown),) = overlap.stretches
    assert query == (20_000, 30_000)
    assert shown[0] == pytest.approx(10_000, abs=150)
    assert shown[1] == pytest.approx(20_000, abs=150)
    assert overlap.offset_ms == pytest.approx(10_000, abs=150)
    assert frames_say(overlap) == "pdq_frame"


@pytest.mark.parametrize("speed", [0.5, 1.25, 2.0, 3.0])
def test_another_speed(item: list[bytes], speed: float) -> None:
    steps = round(30 / speed)
    values = changed([item[min(299, int(place * 10 * speed))] for place in range(steps)], 8)
    overlap = found(values, [place * 1000 for place in range(steps)], item)
    assert overlap.speed == pytest.approx(speed, rel=0.05)
    assert min(overlap.query_percent, overlap.item_percent) > 95
    assert len(overlap.stretches) == 1


def test_cut_reordered_and_repeated(item: list[bytes]) -> None:
    cut = found(*sampled([*item[:100], *item[200:]]), item)
    assert [each.query for each in cut.stretches] == [(0, 10_000), (10_000, 20_000)]
    assert cut.item_percent == pytest.approx(200 / 3, abs=4)
    turned = found(*sampled([*item[200:], *item[:100]]), item)
    assert [round(each.item[0], -3) for each in turned.stretches] == [20_000, 0]
    assert turned.query_percent == 100
    assert turned.moments == 10  # only one of the parts goes forward
    thrice = found(*sampled([*item[:100]] * 3), item)
    assert [round(each.item[0], -3) for each in thrice.stretches] == [0, 0, 0]
    assert (thrice.query_percent, round(thrice.item_percent, -1)) == (100, 30)
    back = found(*sampled(item[::-1]), item)
    assert back.moments < 5


def test_variants_of_a_moment_are_one_moment(item: list[bytes]) -> None:
    values, times = sampled(item)
    noise = drifting(11, len(values))
    both = [value for pair in zip(noise, values, strict=True) for value in pair]
    overlap = found(both, [time for time in times for _ in range(2)], item)
    assert (overlap.moments, overlap.query_percent) == (30, 100)


def test_nothing_is_the_same(item: list[bytes]) -> None:
    assert overlap_of(*sampled(drifting(12, 300)), item_of(item), RADIUS) is None
    assert overlap_of([], [], item_of(item), RADIUS) is None
    assert overlap_of(*sampled(item), item_of([]), RADIUS) is None


def test_what_frames_are_evidence_of(item: list[bytes]) -> None:
    """One frame is none that a person is asked about; different pictures in order, most of the item, are enough."""
    one = found(*sampled([*drifting(8, 50), *[item[150]] * 10, *drifting(9, 50)]), item)
    assert frames_say(one) == LONE_FRAME
    assert level_of([LONE_FRAME]) is Level.NEAR
    still = [drifting(13, 1)[0]] * 100
    whole = overlap_of(*sampled(still), item_of(still[:1], 10_000), RADIUS)
    assert whole is not None
    assert (whole.pictures, whole.item_percent, frames_say(whole)) == (1, 100, "pdq_frame")
    # A studio: every frame is near every other one. However much of it agrees, it shows one picture.
    studio = changed([drifting(14, 1)[0]] * 300, 6)
    talking = found(*sampled(studio), studio)
    assert (talking.pictures, frames_say(talking)) == (1, "pdq_frame")
    assert frames_say(None) == LONE_FRAME
    for overlap, says in (
        ((100, 59, (), 0, 1, 9, 8), "pdq_frame"),
        ((5, 61, (), 0, 1, 9, 8), FRAMES_IN_ORDER),
        ((100, 100, (), 0, 1, 9, 3), "pdq_frame"),
        ((100, 100, (), 0, 1, 4, 4), "pdq_frame"),
        ((100, 79, (), 0, 1, 1, 1), LONE_FRAME),
        ((100, 80, (), 0, 1, 1, 1), "pdq_frame"),
    ):
        assert frames_say(Overlap._make(overlap)) == says
    assert level_of([FRAMES_IN_ORDER]) is Level.STRONG
    assert level_of(["pdq_frame"]) is Level.NEAR
    assert level_of(["pdq_frame", "md5"]) is Level.STRONG


def test_the_work_is_bounded(item: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a longer upload evenly chosen moments are compared, each with all of its variants."""
    alike = changed([item[0]] * 4096, 2)
    uploaded = changed([item[0]] * 10_000, 2, seed=3)
    overlap = overlap_of(uploaded, range(0, 10_000_000, 1000), item_of(alike), RADIUS)
    assert overlap is not None
    assert overlap.pictures == 1
    compared: list[int] = []
    listed, words = item_of(alike), videos._words

    def counted(values: Sequence[bytes]) -> videos.Values:
        compared.append(len(values))
        return words(values)

    with monkeypatch.context() as patch:  # all of them are variants of one moment
        patch.setattr(videos, "_words", counted)
        assert overlap_of(uploaded, [5] * len(uploaded), listed, RADIUS) is not None
    assert max(compared) * len(alike) <= videos.PAIRS_MAX
    values, times = sampled(item)
    noise = drifting(11, len(values))
    both = [value for pair in zip(noise, values, strict=True) for value in pair]
    monkeypatch.setattr(videos, "PAIRS_MAX", 20 * len(item))
    few = found(both, [time for time in times for _ in range(2)], item)
    assert few.moments == 10
    assert min(few.query_percent, few.item_percent) > 85
