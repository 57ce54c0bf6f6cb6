"""Choosing whom to measure: few sightings of many, so that what many pictures share does not crowd out the one.

A probe that is a screenshot agrees with every listed screenshot of the same app, by dozens of points of its chrome, and
with the one picture inside it by a few. So the sighting with most votes is taken first, and then those votes count
half, and half again: soon the next one is a picture that explains other points of the probe.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

USED_AGAIN: Final = 0.5
"""What a point of the probe counts for the next sighting, once another that was chosen has it."""


def chosen(
    bounds: NDArray[np.int64],
    points: NDArray[np.int32],
    voting: NDArray[np.uint8],
    votes: NDArray[np.int32],
    limit: int,
    votes_min: int,
) -> list[int]:
    """Numbers of the groups to be measured, the likeliest first.

    Args:
        bounds: int64 [groups + 1], where each group's pairs begin.
        points: int32 [pairs], the probe's point of each.
        voting: uint8 [pairs], whether it is counted.
        votes: int32 [groups], how many are.
        limit: groups at most.
        votes_min: votes that a group needs.
    """
    groups = np.flatnonzero(votes >= votes_min)
    if len(groups) <= limit:
        return [int(each) for each in groups[np.argsort(-votes[groups], kind="stable")]]
    weights = np.ones(int(points.max()) + 1)
    left = np.zeros(len(votes), np.bool_)
    left[groups] = True
    found: list[int] = []
    while len(found) < limit:
        score = np.where(left, np.add.reduceat(np.where(voting, weights[points], 0.0), bounds[:-1]), -1.0)
        best = int(np.argmax(score))
        found.append(best)
        left[best] = False
        used = slice(int(bounds[best]), int(bounds[best + 1]))
        weights[points[used][voting[used] == 1]] *= USED_AGAIN
    return found
