"""Local signatures, probe points and measurements drawn at random, of no picture."""

from __future__ import annotations

import numpy as np
from hashpact.local_signature import LocalSignature, Measurement, Places, ProbePoints
from numpy.typing import NDArray

WIDTH, HEIGHT = 384, 256


def places(rng: np.random.Generator, count: int) -> Places:
    """Points anywhere in the frame, on the grid that the layout keeps."""
    xy = rng.integers(0, [WIDTH * 64, HEIGHT * 64], size=(count, 2)) / 64
    size = np.exp2(rng.integers(32, 200, size=count) / 32)
    return Places(
        xy.astype(np.float32),
        size.astype(np.float32),
        (rng.integers(0, 256, size=count) * 360 / 256).astype(np.float32),
    )


def signature(rng: np.random.Generator, count: int = 60, quality: int = 90) -> LocalSignature:
    return LocalSignature(
        WIDTH, HEIGHT, places(rng, count), bits(rng, count, 32), bits(rng, 248), rng.bytes(32), quality
    )


def probe_points(rng: np.random.Generator, count: int = 200) -> ProbePoints:
    return ProbePoints(WIDTH, HEIGHT, places(rng, count), bits(rng, count, 32))


def seen(of: LocalSignature, visible: NDArray[np.bool_] | None = None) -> Measurement:
    """What measuring the listed picture itself would give."""
    shown = np.zeros(96, dtype=np.bool_)
    shown[: len(of)] = True if visible is None else visible
    descriptors = np.zeros((96, 32), dtype=np.uint8)
    descriptors[: len(of)] = of.descriptors
    descriptors[~shown] = 0
    clear = np.full(248, 255, dtype=np.uint8)
    return Measurement(100, shown, descriptors, of.thumbnail.copy(), clear, of.pdq, of.pdq_quality)


def bits(rng: np.random.Generator, *shape: int) -> NDArray[np.uint8]:
    return rng.integers(0, 256, size=shape, dtype=np.uint8)
