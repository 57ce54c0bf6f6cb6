"""Where a listed picture lies in a probe, when most of what is said about it is right and some of it is wrong alike."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import pytest
from hashpact_server.index.votes_kernel import count_votes
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
TURN, SCALE, SHIFT = 0.3, 1.4, (30.0, -12.0)


def truth(listed: Floats) -> Floats:
    xy = SCALE * listed[:, :2] @ np.array([[np.cos(TURN), np.sin(TURN)], [-np.sin(TURN), np.cos(TURN)]]) + SHIFT
    return np.column_stack([xy, SCALE * listed[:, 2], listed[:, 3] + TURN])


def voted(listed: Floats, asked: Floats) -> tuple[int, Floats]:
    votes, placements = np.empty(1, np.int32), np.empty((1, 6))
    here, there = (np.ascontiguousarray(side, np.float32) for side in (listed, asked))
    count_votes(np.array([0, len(listed)]), 1, here, there, votes, placements, np.empty(len(listed), np.uint8))
    return int(votes[0]), placements[0]


@pytest.mark.parametrize("seed", range(12))
def test_a_repeated_pattern_does_not_pull_the_picture_aside(seed: int) -> None:
    """Tiles: most points have partners one tile to the right, and below, that look as much alike."""
    rng = np.random.default_rng(seed)
    listed = np.column_stack([rng.uniform(20, 330, (14, 2)), rng.uniform(2, 8, 14), rng.uniform(0, 6.28, 14)])
    right = truth(listed)
    steps = np.array([[25, 0, 0, 0], [0, 25, 0, 0]])
    aside = np.concatenate([right + steps[0], right + steps[1]])
    both = np.concatenate([listed, listed, listed])
    asked = np.concatenate([right, aside])
    kept = rng.permutation(np.concatenate([np.arange(14), 14 + rng.permutation(28)[:16]]))
    # What a point says of size and direction is never exact.
    asked[:, 2] *= rng.uniform(0.93, 1.07, len(asked))
    asked[:, 3] += rng.uniform(-0.06, 0.06, len(asked))
    votes, (a, b, c, d, e, f) = voted(both[kept], asked[kept])
    assert votes >= 12
    x, y = listed[:, 0], listed[:, 1]
    off = np.hypot(a * x + b * y + c - right[:, 0], d * x + e * y + f - right[:, 1])
    assert off.max() < 1.5


def test_nothing_agrees_on_nothing() -> None:
    rng = np.random.default_rng(3)
    sides = [np.column_stack([rng.uniform(0, 300, (40, 2)), rng.uniform(2, 8, 40), rng.uniform(0, 6.28, 40)])
             for _ in range(2)]  # fmt: skip
    assert voted(*sides)[0] <= 4
