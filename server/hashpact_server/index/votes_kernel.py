"""Votes: where a listed picture lies in a probe, by the points that both have, as machine code.

A point has a place, a size and a direction, so each pair of points that look alike says by itself where the listed
picture would lie in the probe: a similarity (turned, scaled, shifted). The one on which most pairs agree wins, is
fitted to all of them by least squares (with six pairs or more as an affine map: copies are squashed, too), and counts
its votes: each point of either side once. Before, it is made exact, by pairs that lie ever closer, one of each listed
point: what is measured afterwards is measured at these very places.
"""

from __future__ import annotations

from math import cos, sin, sqrt
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
from numba import types

from hashpact_server.index.compiling import kernel, part

if TYPE_CHECKING:
    from numpy.typing import NDArray

GROUP_MAX: Final = 96
"""Pairs of one picture that are looked at: the closest."""

HYPOTHESES_MAX: Final = 48
"""Pairs that are asked where the picture lies."""

# In pixels of the listed picture, whose longer side has some 400. One pair's direction is good to a few degrees.
TOLERANCES: Final = (24.0, 16.0, 12.0)
"""How far a pair may lie off what another one says; off the first fit; and off the second one."""

SIMILAR_STEPS: Final = 4
"""Of the refits of what one pair states, so many look for a similarity: a few pairs bend an affine map at will."""

ATTEMPTS: Final = 4
"""Places that are tried until one explains half of the pairs: in a repeated pattern one step aside explains many."""

STATED_WIDTH: Final = 4.0
"""Of what one pair states: a pair that lies as far off counts half."""

WIDTHS: Final = (12.0, 7.0, 4.0, 2.5, 1.5, 1.5)
"""Of the refits: a pair that lies as far off as this counts a quarter, one twice as far a twenty-fifth."""

AFFINE_PAIRS_MIN: Final = 6
SQUASH_MAX: Final = 2.2
"""Ratio of the longest to the shortest direction of an affine map: a stronger one is a fit to noise."""

TURN_COS_MIN: Final = 0.8
"""Directions may differ by 37 degrees."""

SIZES_RATIO_MAX: Final = 1.8
SIZE_MIN_PX: Final = 0.1
SCALE_MAX: Final = 32.0
SAME_PLACE_PX: Final = 3.0
"""Points as near as this are one: a corner with two directions must not vote twice."""

Map: TypeAlias = tuple[float, float, float, float, float, float]
"""(a, b, c, d, e, f): (x, y) lies at (a x + b y + c, d x + e y + f)."""

NOWHERE: Final = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)

IN_F32: Final = types.Array(types.float32, 2, "C", readonly=True)
IN_I64: Final = types.Array(types.int64, 1, "C", readonly=True)
OUT_F64: Final = types.Array(types.float64, 2, "C")
OUT_I32: Final = types.Array(types.int32, 1, "C")
OUT_U8: Final = types.Array(types.uint8, 1, "C")


@part
def off_by(listed: NDArray[np.float32], asked: NDArray[np.float32], at: int, placed: Map) -> float:
    """Pixels of the probe by which a pair's place lies off a map."""
    a, b, c, d, e, f = placed
    x, y = listed[at, 0], listed[at, 1]
    off_x, off_y = a * x + b * y + c - asked[at, 0], d * x + e * y + f - asked[at, 1]
    return sqrt(off_x * off_x + off_y * off_y)


@part
def scale_of(placed: Map) -> float:
    """Pixels of the probe per listed pixel; 0 for a map that turns the picture over, or flattens it."""
    a, b, _, d, e, _ = placed
    area = a * e - b * d
    return sqrt(area) if area > 0.0 else 0.0


@part
def agrees(listed: NDArray[np.float32], asked: NDArray[np.float32], at: int, placed: Map, tolerance: float) -> bool:
    """Whether a pair of points fits a map: place, size and direction; ``tolerance`` in listed pixels."""
    scale, size = scale_of(placed), listed[at, 2]
    if scale * SCALE_MAX < 1.0 or size < SIZE_MIN_PX or off_by(listed, asked, at, placed) > tolerance * scale + 2.0:
        return False
    ratio = asked[at, 2] / (size * scale)
    if ratio > SIZES_RATIO_MAX or ratio * SIZES_RATIO_MAX < 1.0:
        return False
    a, b, _, d, e, _ = placed
    x, y = cos(listed[at, 3]), sin(listed[at, 3])
    ahead_x, ahead_y = a * x + b * y, d * x + e * y
    along = ahead_x * cos(asked[at, 3]) + ahead_y * sin(asked[at, 3])
    return along >= TURN_COS_MIN * sqrt(ahead_x * ahead_x + ahead_y * ahead_y)


@part
def fitted(
    listed: NDArray[np.float32], asked: NDArray[np.float32], begin: int, end: int, weights: NDArray[np.float64],
    affine: bool,
) -> Map:  # fmt: skip
    """What fits the pairs best, by least squares: an affine map if asked for and if they carry one, or a similarity."""
    count, mx, my, mu, mv = 0.0, 0.0, 0.0, 0.0, 0.0
    for at in range(begin, end):
        weight = weights[at]
        count += weight
        mx += weight * listed[at, 0]
        my += weight * listed[at, 1]
        mu += weight * asked[at, 0]
        mv += weight * asked[at, 1]
    if count < 2.0:
        return NOWHERE
    mx, my, mu, mv = mx / count, my / count, mu / count, mv / count
    xx, xy, yy, xu, xv, yu, yv = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for at in range(begin, end):
        x, y, u, v = listed[at, 0] - mx, listed[at, 1] - my, asked[at, 0] - mu, asked[at, 1] - mv
        wx, wy = weights[at] * x, weights[at] * y
        xx, xy, yy = xx + wx * x, xy + wx * y, yy + wy * y
        xu, xv, yu, yv = xu + wx * u, xv + wx * v, yu + wy * u, yv + wy * v
    if xx + yy < 1.0:
        return NOWHERE
    a, d = (xu + yv) / (xx + yy), (xv - yu) / (xx + yy)
    b, e = -d, a
    spread = xx * yy - xy * xy
    if affine and count >= AFFINE_PAIRS_MIN and spread > 0.01 * (xx + yy) * (xx + yy):
        free = (xu * yy - yu * xy) / spread, (yu * xx - xu * xy) / spread
        free_2 = (xv * yy - yv * xy) / spread, (yv * xx - xv * xy) / spread
        area = free[0] * free_2[1] - free[1] * free_2[0]
        lengths = free[0] ** 2 + free[1] ** 2 + free_2[0] ** 2 + free_2[1] ** 2
        if area > 0.0 and lengths <= area * (SQUASH_MAX + 1.0 / SQUASH_MAX):
            a, b, d, e = free[0], free[1], free_2[0], free_2[1]
    return a, b, mu - a * mx - b * my, d, e, mv - d * mx - e * my


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
    listed: NDArray[np.float32], asked: NDArray[np.float32], begin: int, end: int, placed: Map, tolerance: float,
    inside: NDArray[np.uint8],
) -> None:  # fmt: skip
    """Mark the pairs that fit."""
    for at in range(begin, end):
        inside[at] = agrees(listed, asked, at, placed, tolerance)


@part
def best_of(
    listed: NDArray[np.float32], asked: NDArray[np.float32], begin: int, end: int, tried: NDArray[np.uint8]
) -> Map:
    """The similarity that one pair states and most agree with; pairs that were ``tried`` state none."""
    best, best_placed = 0.0, NOWHERE
    for at in range(begin, min(end, begin + HYPOTHESES_MAX)):
        scale = float(asked[at, 2]) / float(listed[at, 2])
        if tried[at] or not scale <= SCALE_MAX or scale * SCALE_MAX < 1.0:
            continue
        turn = float(asked[at, 3]) - float(listed[at, 3])
        a, d = scale * cos(turn), scale * sin(turn)
        x, y = float(listed[at, 0]), float(listed[at, 1])
        placed = a, -d, asked[at, 0] - a * x + d * y, d, a, asked[at, 1] - d * x - a * y
        count = 0.0
        for other in range(begin, end):
            if agrees(listed, asked, other, placed, TOLERANCES[0]):
                off = off_by(listed, asked, other, placed) / (STATED_WIDTH * scale)
                count += 1.0 / (1.0 + off * off)
        if count > best:
            best, best_placed = count, placed
    return best_placed


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


@part
def weigh(
    listed: NDArray[np.float32], asked: NDArray[np.float32], begin: int, end: int, placed: Map, width: float,
    weights: NDArray[np.float64],
) -> float:  # fmt: skip
    """Weigh pairs by how well a map explains them, and of a listed point the best pair alone; the sum of the weights.

    In what repeats itself (tiles, leaves) a point has partners one step away, too: they would pull the map along.
    """
    scale, total = scale_of(placed), 0.0
    for at in range(begin, end):
        weights[at] = 0.0
        if agrees(listed, asked, at, placed, TOLERANCES[2]):
            off = off_by(listed, asked, at, placed) / (width * scale)
            weights[at] = 1.0 / ((1.0 + off * off) * (1.0 + off * off))
            for other in range(begin, at):
                if weights[other] > 0.0 and listed[at, 0] == listed[other, 0] and listed[at, 1] == listed[other, 1]:
                    if weights[other] < weights[at]:
                        weights[other] = 0.0
                    else:
                        weights[at] = 0.0
                        break
    for at in range(begin, end):
        total += weights[at]
    return total


@part
def made_exact(
    listed: NDArray[np.float32], asked: NDArray[np.float32], begin: int, end: int, placed: Map,
    weights: NDArray[np.float64], affine_from: int,
) -> Map:  # fmt: skip
    """A map, fitted again to the pairs that it explains ever better; ``weights`` is scratch."""
    for step in range(len(WIDTHS)):
        if weigh(listed, asked, begin, end, placed, WIDTHS[step], weights) < 1.0:
            return placed
        better = fitted(listed, asked, begin, end, weights, step >= affine_from)
        if scale_of(better) * SCALE_MAX < 1.0:
            return placed
        placed = better
    return placed


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
    """Where each listed picture lies by most of its pairs.

    Args:
        starts: int64 [groups + 1], where each group's pairs begin; within a group the closest pairs come first.
        groups: how many there are: one per listed picture.
        listed: float32 [pairs, 4], x, y, size in pixels and direction in radians of the listed point.
        asked: float32 [pairs, 4], of the probe's.
        votes: int32 [groups], written.
        placements: float64 [groups, 6], written: the map from listed to asked.
        voting: uint8 [pairs], written: 1 for the pairs that were counted.
    """
    voting[:] = 0
    weights, tried = np.empty(voting.shape[0], np.float64), np.empty(voting.shape[0], np.uint8)
    for group in range(groups):
        begin = starts[group]
        end = min(starts[group + 1], begin + GROUP_MAX)
        tried[begin:end] = 0
        placed, explained = NOWHERE, 0.0
        for attempt in range(ATTEMPTS):
            stated = best_of(listed, asked, begin, end, tried)
            if scale_of(stated) * SCALE_MAX < 1.0:
                break
            # A squashed copy needs a wide fit to begin with, a repeated pattern goes wrong by it: the better counts.
            for wide in range(1 if attempt else 2):
                fit = stated
                for step in range(2 * wide):
                    take_inside(listed, asked, begin, end, fit, TOLERANCES[step], voting)
                    weights[begin:end] = voting[begin:end]
                    fit = fitted(listed, asked, begin, end, weights, True)
                fit = made_exact(listed, asked, begin, end, fit, weights, 0 if wide else SIMILAR_STEPS)
                total = weigh(listed, asked, begin, end, fit, WIDTHS[len(WIDTHS) - 1], weights)
                for at in range(begin, end):
                    tried[at] |= weights[at] > 0.25
                if total > explained:
                    placed, explained = fit, total
            if 2.0 * explained > end - begin:
                break
        take_inside(listed, asked, begin, end, placed, TOLERANCES[2], voting)
        votes[group] = thin_out(listed, asked, begin, end, voting)
        for number in range(6):
            placements[group, number] = placed[number]
