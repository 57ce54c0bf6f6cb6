"""Rendered scenes: pictures with as much detail as photographs, all different, for a list as long as a forum's."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

WIDTH, HEIGHT = 512, 384
TEXTURE_PX: Final = 96


def scene(number: int, textures: list[Pixels]) -> Pixels:
    """Scene ``number``: ground and sky of noise, boxes, discs and blades in front, lit from one side.

    Args:
        number: which one; the same on every machine.
        textures: uint8[96, 96, 3] patches that surfaces are made of; none: surfaces of noise only.

    Returns:
        uint8[384, 512, 3].
    """
    rng = np.random.default_rng([20261122, number])
    canvas = _backdrop(rng)
    for _ in range(int(rng.integers(8, 22))):
        _surface(canvas, rng, textures)
    for _ in range(int(rng.integers(6, 30))):
        _blade(canvas, rng)
    light = np.linspace(rng.uniform(0.7, 1.0), rng.uniform(0.8, 1.2), WIDTH, dtype=np.float32)
    lit = cv2.multiply(canvas, np.repeat(np.tile(light, (HEIGHT, 1))[..., None], 3, 2), dtype=cv2.CV_8U)
    return np.asarray(cv2.GaussianBlur(lit, (3, 3), rng.uniform(0.4, 1.0)), np.uint8)


def _noise(rng: np.random.Generator, width: int, height: int, roughness: float) -> Pixels:
    """uint8[height, width]: details on every scale."""
    total = np.zeros((height, width), np.float32)
    weight, cells = 1.0, int(rng.integers(2, 5))
    while cells < max(width, height) / 2:
        grid = rng.random((cells + 1, cells + 2), dtype=np.float32) * np.float32(weight)
        cv2.add(total, cv2.resize(grid, (width, height), interpolation=cv2.INTER_LINEAR), total)
        weight *= roughness
        cells *= 2
    return np.asarray(cv2.normalize(total, None, 0, 255, cv2.NORM_MINMAX, cv2.CV_8U), np.uint8)


def _coloured(rng: np.random.Generator, noise: Pixels) -> Pixels:
    """uint8[height, width, 3]: the noise between two colours."""
    first, second = rng.uniform(0, 255, (2, 1, 3))
    table = first + np.linspace(0, 1, 256)[:, None, None] * (second - first)
    return np.asarray(cv2.LUT(cv2.merge([noise, noise, noise]), table.astype(np.uint8)), np.uint8)


def _backdrop(rng: np.random.Generator) -> Pixels:
    canvas = _coloured(rng, _noise(rng, WIDTH, HEIGHT, 0.45))
    horizon = int(rng.integers(HEIGHT // 4, 3 * HEIGHT // 4))
    profile = horizon + 80 * (_noise(rng, WIDTH, 1, 0.5)[0] / 255 - 0.5)
    ground = _coloured(rng, _noise(rng, WIDTH, HEIGHT, rng.uniform(0.5, 0.8)))
    below = np.arange(HEIGHT)[:, None] > profile[None, :]
    cv2.copyTo(ground, below.astype(np.uint8), canvas)
    return canvas


def _surface(canvas: Pixels, rng: np.random.Generator, textures: list[Pixels]) -> None:
    """A piece of some material in the shape of a disc or a quadrilateral."""
    size = int(rng.integers(30, 170))
    if textures and rng.random() < 0.7:
        patch = np.rot90(textures[int(rng.integers(len(textures)))], int(rng.integers(4)))
        part = int(rng.integers(32, TEXTURE_PX + 1))
        left, top = rng.integers(0, TEXTURE_PX - part + 1, 2)
        stuff = cv2.resize(np.ascontiguousarray(patch[top : top + part, left : left + part]), (size, size))
        stuff = cv2.multiply(stuff, (*rng.uniform(0.6, 1.3, 3), 1.0))
    else:
        stuff = _coloured(rng, _noise(rng, size, size, rng.uniform(0.4, 0.8)))
    mask = np.zeros((size, size), np.uint8)
    if rng.random() < 0.4:
        axes = (size // 2 - 1, max(4, int(size * rng.uniform(0.2, 0.5))))
        cv2.ellipse(mask, (size // 2, size // 2), axes, float(rng.uniform(0, 180)), 0, 360, 255, -1)
    else:
        corners = rng.uniform(0, 1, (4, 2)) * 0.3 * size + np.array([[0, 0], [0.7, 0], [0.7, 0.7], [0, 0.7]]) * size
        cv2.fillPoly(mask, [corners.astype(np.int32)], 255)
    left, top = int(rng.integers(0, WIDTH - size)), int(rng.integers(0, HEIGHT - size))
    cv2.copyTo(stuff, mask, canvas[top : top + size, left : left + size])


def _blade(canvas: Pixels, rng: np.random.Generator) -> None:
    """A line, as of grass, wire or a railing."""
    start = rng.integers(0, (WIDTH, HEIGHT), 2)
    end = start + rng.integers(-120, 121, 2)
    shade = tuple(float(each) for each in rng.uniform(0, 255, 3))
    ends = tuple(int(each) for each in start), tuple(int(each) for each in end)
    cv2.line(canvas, *ends, shade, int(rng.integers(1, 5)), cv2.LINE_AA)
