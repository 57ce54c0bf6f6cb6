"""Votes: where a listed picture lies in a probe, by the points that both have, as machine code.

A point has a place, a size and a direction, so each pair of points that look alike says by itself where the listed
picture would lie in the probe: a similarity (turned, scaled, shifted). The one on which most pairs agree wins, is
fitted to all of them by least squares, and counts its votes: each point of either side once.
"""

from __future__ import annotations

from math import cos, sin, sqrt
from typing import TYPE_CHECKING, Final

import numpy as np
from numba import types

from hashpact_server.index.compiling import kernel, part

if TYPE_CHECKING:
    from numpy.typing import NDArray

GROUP_MAX: Final = 96
"""Pairs of one picture that are looked at: the closest."""

HYPOTHESES_MAX: Final = 48
"""Pairs that are asked where the picture lies."""

# In pixels of the listed picture, whose longer side has 384 at most. One pair's direction is good to a few degrees.
TOLERANCES: Final = (24.0, 16.0, 12.0)
"""How far a pair may lie off what another one says; off the first fit; and off the last one."""

TURN_COS_MIN: Final = 0.8
"""Directions may differ by 37 degrees."""

SIZES_RATIO_MAX: Final = 1.8
SCALE_MAX: Final = 32.0
SIZE_MIN_PX: Final = 0.1
SAME_PLACE_PX: Final = 3.0
"""Points as near as this are one: a corner with two directions must not vote twice."""

IN_F32: Final = types.Array(types.float32, 2, "C", readonly=True)
IN_I64: Final = types.Array(types.int64, 1, "C", readonly=True)
IN_I32: Final = types.Array(types.int32, 1, "C", readonly=True)
OUT_F64: Final = types.Array(types.float64, 2, "C")
OUT_I32: Final = types.Array(types.int32, 1, "C")
OUT_U8: Final = types.Array(types.uint8, 1, "C")


@part
def agrees(
    listed: NDArray[np.float32], asked: NDArray[np.float32], at: int, a: float, b: float, c: float, d: float,
    tolerance: float,
) -> bool:  # fmt: skip
    """Whether a pair of points fits a similarity: place, size and direction."""
    x, y, size, angle = listed[at, 0], listed[at, 1], listed[at, 2], listed[at, 3]
    off_x, off_y = a * x - b * y + c - asked[at, 0], b * x + a * y + d - asked[at, 1]
    scale = sqrt(a * a + b * b)
    if scale * SCALE_MAX < 1.0 or size < SIZE_MIN_PX:
        return False
    if off_x * off_x + off_y * off_y > (tolerance * scale) ** 2 + 4.0:
        return False
    ratio = asked[at, 2] / (size * scale)
    if ratio > SIZES_RATIO_MAX or ratio * SIZES_RATIO_MAX < 1.0:
        return False
    turn = asked[at, 3] - angle
    return a * cos(turn) + b * sin(turn) >= TURN_COS_MIN * scale


@part
def fitted(
    listed: NDArray[np.float32], asked: NDArray[np.float32], begin: int, end: int, inside: NDArray[np.uint8]
) -> tuple[float, float, float, float]:
    """The similarity that fits the pairs inside best, by least squares; all zero where they say nothing."""
    count, mx, my, mu, mv = 0.0, 0.0, 0.0, 0.0, 0.0
    for at in range(begin, end):
        if inside[at]:
            count += 1.0
            mx += listed[at, 0]
            my += listed[at, 1]
            mu += asked[at, 0]
            mv += asked[at, 1]
    if count < 2.0:
        return 0.0, 0.0, 0.0, 0.0
    mx, my, mu, mv = mx / count, my / count, mu / count, mv / count
    spread, dot, cross = 0.0, 0.0, 0.0
    for at in range(begin, end):
        if inside[at]:
            x, y, u, v = listed[at, 0] - mx, listed[at, 1] - my, asked[at, 0] - mu, asked[at, 1] - mv
            spread += x * x + y * y
            dot += x * u + y * v
            cross += x * v - y * u
    if spread < 1.0:
        return 0.0, 0.0, 0.0, 0.0
    a, b = dot / spread, cross / spread
    return a, b, mu - a * mx + b * my, mv - b * mx - a * my


@part
def near_used(places: NDArray[np.float32], at: int, begin: int, taken: NDArray[np.uint8]) -> bool:
    """Whether a place lies beside one that voted already."""
    for other in range(begin, at):
        if taken[other]:
            x, y = places[at, 0] - places[other, 0], places[at, 1] - places[other, 1]
            if x * x + y * y < SAME_PLACE_PX * SAME_PLACE_PX:
                return True
    return False


@part
def take_inside(
    listed: NDArray[np.float32], asked: NDArray[np.float32], begin: int, end: int, a: float, b: float, c: float,
    d: float, tolerance: float, inside: NDArray[np.uint8],
) -> int:  # fmt: skip
    """Mark the pairs that fit; how many they are."""
    count = 0
    for at in range(begin, end):
        inside[at] = agrees(listed, asked, at, a, b, c, d, tolerance)
        count += inside[at]
    return count


@part
def best_of(
    listed: NDArray[np.float32], asked: NDArray[np.float32], begin: int, end: int
) -> tuple[float, float, float, float]:
    """The similarity that one pair states and most agree with; all zero where there is none."""
    best, best_a, best_b, best_c, best_d = 0, 0.0, 0.0, 0.0, 0.0
    for at in range(begin, min(end, begin + HYPOTHESES_MAX)):
        scale = float(asked[at, 2]) / float(listed[at, 2])
        if not scale <= SCALE_MAX or scale * SCALE_MAX < 1.0:
            continue
        turn = float(asked[at, 3]) - float(listed[at, 3])
        a, b = scale * cos(turn), scale * sin(turn)
        c = asked[at, 0] - a * listed[at, 0] + b * listed[at, 1]
        d = asked[at, 1] - b * listed[at, 0] - a * listed[at, 1]
        count = 0
        for other in range(begin, end):
            count += agrees(listed, asked, other, a, b, c, d, TOLERANCES[0])
        if count > best:
            best, best_a, best_b, best_c, best_d = count, a, b, c, d
        if best == end - begin:
            break
    return best_a, best_b, best_c, best_d


@part
def thin_out(
    listed: NDArray[np.float32], asked: NDArray[np.float32], begin: int, end: int, voting: NDArray[np.uint8]
) -> int:
    """Leave one vote to each point of either side, to the closest pair; how many votes are left."""
    count = 0
    for at in range(begin, end):
        if voting[at]:
            if near_used(listed, at, begin, voting) or near_used(asked, at, begin, voting):
                voting[at] = 0
            else:
                count += 1
    return count


@kernel(IN_I64, types.int64, IN_F32, IN_F32, OUT_I32, OUT_F64, OUT_U8)
def count_votes(
    starts: NDArray[np.int64],
    groups: int,
    listed: NDArray[np.float32],
    asked: NDArray[np.float32],
    votes: NDArray[np.int32],
    placements: NDArray[np.float64],
    voting: NDArray[np.uint8],
) -> None:
    """The best similarity of each group of pairs.

    Args:
        starts: int64 [groups + 1], where each group's pairs begin; within a group the closest pairs come first.
        groups: how many there are: one per listed picture.
        listed: float32 [pairs, 4], x, y, size in pixels and direction in radians of the listed point.
        asked: float32 [pairs, 4], of the probe's.
        votes: int32 [groups], written.
        placements: float64 [groups, 4], written: a, b, c, d of the similarity from listed to asked.
        voting: uint8 [pairs], written: 1 for the pairs that were counted.
    """
    voting[:] = 0
    for group in range(groups):
        begin = starts[group]
        end = min(starts[group + 1], begin + GROUP_MAX)
        a, b, c, d = best_of(listed, asked, begin, end)
        for step in range(2):
            take_inside(listed, asked, begin, end, a, b, c, d, TOLERANCES[step], voting)
            a, b, c, d = fitted(listed, asked, begin, end, voting)
        take_inside(listed, asked, begin, end, a, b, c, d, TOLERANCES[2], voting)
        votes[group] = thin_out(listed, asked, begin, end, voting)
        placements[group, 0], placements[group, 1], placements[group, 2], placements[group, 3] = a, b, c, d
