"""The small grey copy of a picture that its details are taken from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from hashpact.local_signature import SIDE_MAX_PX, Places

FRAME_PIXELS: Final = 384 * 256
"""Area of a frame. By area and not by side: a tall screenshot keeps as much of the photograph in it as it can."""

DETAIL: Final = 2
"""Pixels of the canvas per pixel of the frame, where the picture has so many."""


@dataclass(frozen=True, slots=True, eq=False)
class LocalCanvas:
    """A grey copy, with twice the detail of its frame where the picture has it.

    Attributes:
        grey: uint8[height, width], at most ``4 * FRAME_PIXELS`` values.
        width_px: of the frame in which points are stated.
        height_px: of the frame.
    """

    grey: NDArray[np.uint8]
    width_px: int
    height_px: int

    def __repr__(self) -> str:
        return f"LocalCanvas({self.width_px} x {self.height_px})"

    def frame(self) -> NDArray[np.uint8]:
        """uint8[height_px, width_px]: the picture in its frame."""
        return shrunk(self.grey, self.width_px, self.height_px)

    def places(self, within_frame: Places) -> Places:
        """Points of the frame, in pixels of ``grey``."""
        height, width = self.grey.shape
        factor = np.array([width / self.width_px, height / self.height_px], np.float32)
        size = within_frame.size * np.sqrt(factor.prod())
        return Places(within_frame.xy * factor, size, within_frame.direction)


def canvas(luma: Image.Image | NDArray[np.uint8]) -> LocalCanvas:
    """The canvas of an upright picture.

    Args:
        luma: mode ``L``, or uint8[height, width]; each side at least 1. Small pictures are not enlarged.
    """
    plane: NDArray[np.uint8] = np.asarray(luma)
    height, width = plane.shape
    scale = min(1.0, math.sqrt(FRAME_PIXELS / (height * width)), SIDE_MAX_PX / max(height, width))
    frame = _sides(width, height, scale)
    grey = shrunk(plane, *_sides(width, height, min(1.0, DETAIL * scale)))
    return LocalCanvas(grey, *frame)


def shrunk(plane: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """A smaller copy, each pixel the mean of what it covers."""
    if plane.shape == (height, width):
        return np.ascontiguousarray(plane)
    return np.asarray(cv2.resize(plane, (width, height), interpolation=cv2.INTER_AREA))


def _sides(width: int, height: int, scale: float) -> tuple[int, int]:
    return max(1, round(width * scale)), max(1, round(height * scale))
