"""PDQ the slow and obvious way: the reference twin of ``hashpact.hashing.pdq``.

Filters the whole picture in floating point, pass by pass, as the published description says, and knows
nothing of integer weights, kept rows or symmetric tables.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float64]


def reference_pdq(luma: NDArray[np.uint8]) -> tuple[bytes, int, Plane]:
    """(value, quality, coefficients) of a plane of luma whose sides are at least 5."""
    plane = luma.astype(np.float64)
    for _ in range(2):
        plane = _box_along_rows(plane)
        plane = _box_along_rows(plane.T).T
    height, width = plane.shape
    rows = [int((cell + 0.5) * height / 64) for cell in range(64)]
    columns = [int((cell + 0.5) * width / 64) for cell in range(64)]
    cells = plane[np.ix_(rows, columns)]
    cosines = np.array(
        [
            [math.sqrt(2 / 64) * math.cos(math.pi / 128 * frequency * (2 * at + 1)) for at in range(64)]
            for frequency in range(1, 17)
        ]
    )
    coefficients = cosines @ cells @ cosines.T
    median = sorted(coefficients.ravel())[127]
    bits = "".join("1" if value > median else "0" for value in coefficients.ravel()[::-1])
    return int(bits, 2).to_bytes(32, "big"), _quality(cells), coefficients


def _box_along_rows(plane: Plane) -> Plane:
    length = plane.shape[1]
    size = -(-length // 128)
    result = np.empty_like(plane)
    for at in range(length):
        first, last = max(0, at - (size + 1) // 2 + 1), min(length - 1, at + size // 2)
        result[:, at] = plane[:, first : last + 1].mean(axis=1)
    return result


def _quality(cells: Plane) -> int:
    total = 0
    for i in range(64):
        for j in range(64):
            if i < 63:
                total += abs(int((cells[i, j] - cells[i + 1, j]) * 100 / 255))
            if j < 63:
                total += abs(int((cells[i, j] - cells[i, j + 1]) * 100 / 255))
    return min(100, total // 90)
