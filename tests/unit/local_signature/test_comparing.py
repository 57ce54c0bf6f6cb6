"""compare(): against a plain loop, and at the edges of what it counts."""

from __future__ import annotations

import numpy as np
import pytest
from hashpact.local_signature import CONFIRMED_DISTANCE, LocalComparison, LocalSignature, Measurement, compare
from hashpact.signals import hamming

from tests.unit.local_signature import drawn


def plainly(of: LocalSignature, measured: Measurement, counting: list[bool]) -> LocalComparison:
    """The same by loops."""
    seen: dict[tuple[int, int], list[bool]] = {}
    for point in range(len(of)):
        if not (measured.visible[point] and counting[point]):
            continue
        x, y = of.places.xy[point]
        cell = (min(int(4 * x / of.width_px), 3), min(int(4 * y / of.height_px), 3))
        distance = hamming(of.descriptors[point].tobytes(), measured.descriptors[point].tobytes())
        seen.setdefault(cell, []).append(distance <= CONFIRMED_DISTANCE)
    clear = [bit for bit in range(8 * 248) if measured.clear[bit // 8] >> (7 - bit % 8) & 1]
    same = [b for b in clear if (of.thumbnail[b // 8] ^ measured.thumbnail[b // 8]) >> (7 - b % 8) & 1 == 0]
    usable = measured.pdq is not None and min(of.pdq_quality, measured.pdq_quality) >= 50
    return LocalComparison(
        points=sum(map(sum, seen.values())),
        points_visible=sum(map(len, seen.values())),
        cells=sum(map(any, seen.values())),
        cell_percent=100 * sum(sum(cell) / len(cell) for cell in seen.values()) / len(seen) if seen else 0,
        thumbnail_percent=100 * len(same) / len(clear) if clear else 0,
        thumbnail_signs=len(clear),
        visible_percent=measured.visible_percent,
        pdq_distance=hamming(of.pdq, measured.pdq or b"") if usable else None,
    )


@pytest.mark.parametrize("seed", range(40))
def test_it_counts_what_a_plain_loop_counts(seed: int) -> None:
    rng = np.random.default_rng(seed)
    of = drawn.signature(rng, int(rng.integers(8, 97)), quality=int(rng.choice([49, 50, 90])))
    visible = rng.random(len(of)) < rng.random()
    whole = drawn.seen(of, visible)
    # About as many bits turned as a point may have and still count, so that both sides of the edge occur.
    turned = np.packbits(rng.random((96, 256)) < CONFIRMED_DISTANCE / 256, axis=1)
    measured = Measurement(
        int(rng.integers(0, 101)),
        whole.visible,
        whole.descriptors ^ turned,
        drawn.bits(rng, 248),
        drawn.bits(rng, 248) if seed % 5 else np.zeros(248, np.uint8),
        rng.bytes(32) if seed % 3 else None,
        int(rng.choice([49, 50, 90])) if seed % 3 else 0,
    )
    counting = rng.random(len(of)) < 0.7
    expected = plainly(of, measured, counting.tolist())
    found = compare(of, measured, counting)
    assert found.cell_percent == pytest.approx(expected.cell_percent)
    assert found.thumbnail_percent == pytest.approx(expected.thumbnail_percent)
    for field in ("points", "points_visible", "cells", "thumbnail_signs", "visible_percent", "pdq_distance"):
        assert getattr(found, field) == getattr(expected, field), field


def test_a_picture_confirms_itself() -> None:
    of = drawn.signature(np.random.default_rng(1), 96)
    found = compare(of, drawn.seen(of))
    assert (found.points, found.points_visible, found.cell_percent) == (96, 96, 100.0)
    assert (found.thumbnail_percent, found.thumbnail_signs, found.pdq_distance) == (100.0, 1984, 0)


def test_nothing_in_view_confirms_nothing() -> None:
    of = drawn.signature(np.random.default_rng(2), 96)
    found = compare(of, drawn.seen(of), np.zeros(96, np.bool_))
    assert (found.points, found.points_visible, found.cells, found.cell_percent) == (0, 0, 0, 0.0)
