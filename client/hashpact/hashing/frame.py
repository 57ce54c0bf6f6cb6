"""A decoded video frame -> luma as displayed, ready for PDQ.

The usual formats store luma as a plane of its own, which is taken as it lies: no colour is converted. Video luma
mostly runs from 16 (black) to 235 (white); it is widened to 0-255 after the downscaling, where there are 4,096 cells
and not millions of pixels. Formats without a luma plane (RGB, palettes) go through RGB, as pictures do.
"""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray
from PIL import Image

from hashpact.hashing.borders import Borders
from hashpact.hashing.downscale import LUMA_BITS, downscale
from hashpact.hashing.luma import to_luma
from hashpact.hashing.pdq import SIDE_MIN_PX, PdqResult, mirrored_pdq_of_cells, pdq_of_cells

_LUMA_PLANE: Final = re.compile(
    r"yuva?(j?)4[0-4][0-4]p(?:(9|10|12|14|16)le)?|nv1[26]|nv2[14]|gray(?:(9|10|12|14|16)le)?"
)
_FULL_RANGE: Final = 2
_LIMITED_RANGE: Final = 1
_BLACK, _WHITE = 16, 235
_UNIT: Final = 1 << 16
"""Fixed point of a display matrix (ISO 14496-12, 8.3.2: 16.16)."""


class FramePdq(NamedTuple):
    """PDQ of a frame as displayed, and of it without uniform borders; None where it has none."""

    whole: PdqResult
    trimmed: PdqResult | None


class FrameHasher:
    """Hashes the frames of one video, in their order.

    Args:
        mirrored: whether to hash what a mirror shows, too.
    """

    def __init__(self, *, mirrored: bool) -> None:
        self._pdq = mirrored_pdq_of_cells if mirrored else pdq_of_cells
        self._count = 2 if mirrored else 1
        self._borders = Borders()

    def hash(self, frame: VideoFrame) -> FramePdq:
        """PDQ of the next frame."""
        plane, limited = _luma(frame)
        plane = upright(plane, display_matrix(frame))
        if min(plane.shape) < SIDE_MIN_PX:
            return FramePdq(PdqResult((bytes(32),) * self._count, 0), None)
        box = self._borders.inside(plane)
        return FramePdq(self._hash(plane, limited), None if box is None else self._hash(plane[box], limited))

    def _hash(self, plane: NDArray[np.uint8], limited: bool) -> PdqResult:
        cells = downscale(plane)
        return self._pdq(_widened(cells) if limited else cells)


def _luma(frame: VideoFrame) -> tuple[NDArray[np.uint8], bool]:
    """uint8[height, width], and whether black and white are at 16 and 235."""
    name = frame.format.name
    kind = _LUMA_PLANE.fullmatch(name)
    if kind is None:
        rgb: NDArray[np.uint8] = frame.reformat(format="rgb24").to_ndarray()
        return np.asarray(to_luma(Image.fromarray(rgb))), False
    bits = int(kind[2] or kind[3] or 8)
    stored: NDArray[Any] = np.frombuffer(frame.planes[0], "u1" if bits == 8 else "<u2")
    stride = frame.planes[0].line_size // stored.itemsize
    plane = stored[: stride * frame.height].reshape(frame.height, stride)[:, : frame.width]
    if bits > 8:
        plane = (plane >> (bits - 8)).astype(np.uint8)
    full = frame.color_range == _FULL_RANGE or kind[1] == "j"
    full |= name.startswith("gray") and frame.color_range != _LIMITED_RANGE
    return plane, not full


def _widened(cells: NDArray[np.int64]) -> NDArray[np.int64]:
    """16-235 -> 0-255, in integers, rounded."""
    span = _WHITE - _BLACK
    wide = ((cells - (_BLACK << LUMA_BITS)) * 255 + span // 2) // span
    return np.clip(wide, 0, 255 << LUMA_BITS)


def display_matrix(frame: VideoFrame) -> tuple[int, int, int, int]:
    """How stored pixels are turned for display: (a, b, c, d), each -1, 0 or 1, of x' = ax + cy, y' = bx + dy.

    A matrix that does not turn by quarters (or scales, or shears) counts as upright: players ignore those too.
    """
    data = frame.side_data.get("DISPLAYMATRIX")
    upright_matrix = (1, 0, 0, 1)
    if data is None or len(bytes(data)) < 20:
        return upright_matrix
    stored = np.frombuffer(bytes(data)[:20], "=i4").tolist()
    a, b, _, c, d = ((value > _UNIT // 2) - (value < -_UNIT // 2) for value in stored)
    quarter_turn = (a and d and not b and not c) or (b and c and not a and not d)
    return (a, b, c, d) if quarter_turn else upright_matrix


def upright(plane: NDArray[np.uint8], matrix: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    """Turn a plane as its display matrix says."""
    a, b, c, d = matrix
    if a == 0:  # the axes change places: x' comes from y and y' from x
        plane = plane.T
        a, d = c, b
    if a < 0:
        plane = plane[:, ::-1]
    if d < 0:
        plane = plane[::-1]
    return np.ascontiguousarray(plane)
