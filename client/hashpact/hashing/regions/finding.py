"""From a plane of luma to the few pictures inside it that are worth a hash of their own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from hashpact.hashing.regions.cutting import pieces
from hashpact.hashing.regions.detail import is_picture
from hashpact.hashing.regions.ground import Box, Sketch, trimmed
from hashpact.hashing.regions.tilt import tilted, turned_upright

REGIONS_MAX: Final = 3
"""Regions of one picture: each costs eight values in every look-up."""

_SHEET_PX: Final = 2048
"""Longer side of what regions are cut out of, at most."""
_SKETCH_PX: Final = 512
"""Longer side of what they are found in, at most."""
_SAME_SHARE: Final = 0.985
"""A region that has at least so much of the picture in both directions is the picture."""
_AREA_MIN: Final = 0.03
_ELONGATION_MAX: Final = 4.0


def find_regions(luma: NDArray[np.uint8]) -> list[Sketch]:
    """The pictures inside a picture, the largest first; none where it is a picture and nothing else.

    Args:
        luma: uint8[height, width], upright.

    Returns:
        At most ``REGIONS_MAX`` planes of luma. A title card, a line of text or a logo is not among them.
    """
    sheet = _shrunk(luma, _SHEET_PX)
    sketch = _shrunk(sheet, _SKETCH_PX)
    whole = Box(0, sketch.shape[0], 0, sketch.shape[1])
    frame = trimmed(sketch, whole)
    askew = _upright(sheet, sketch, frame)
    found = [] if askew is None or not is_picture(askew) else [askew]
    taken: list[Box] = []
    for box in sorted(set(pieces(sketch, whole)), key=lambda each: -each.area):
        if len(found) == REGIONS_MAX:
            break
        if not _is_worth_it(box, whole) or any(box.resembles(each) for each in taken):
            continue
        part = _snapped(sheet, sketch, box)  # in the sketch small text is grey, as pictures are
        if is_picture(part):
            taken.append(box)
            found.append(part)
    return found


def unframed(luma: NDArray[np.uint8]) -> Sketch | None:
    """A picture without the even frame around it, upright; None where it has none.

    What a list is told of a picture: unlike :func:`find_regions` never one of several pictures that it shows, which
    may be lawful ones.

    Args:
        luma: as for :func:`find_regions`.
    """
    sheet = _shrunk(luma, _SHEET_PX)
    sketch = _shrunk(sheet, _SKETCH_PX)
    whole = Box(0, sketch.shape[0], 0, sketch.shape[1])
    frame = trimmed(sketch, whole)
    askew = _upright(sheet, sketch, frame)
    part = askew
    if part is None and _is_worth_it(frame, whole):
        part = _snapped(sheet, sketch, frame)
    return part if part is not None and is_picture(part) else None


def _shrunk(luma: Sketch, side_px: int) -> Sketch:
    """Its longer side brought to ``side_px`` or less, by a whole factor, which costs a tenth of others."""
    factor = -(-max(luma.shape) // side_px)
    height, width = luma.shape[0] // factor, luma.shape[1] // factor
    if factor == 1 or not (height and width):
        return luma
    whole = luma[: height * factor, : width * factor]
    result: Sketch = cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    return result


def _is_worth_it(box: Box, whole: Box) -> bool:
    same = box.height >= _SAME_SHARE * whole.height and box.width >= _SAME_SHARE * whole.width
    return (
        not same
        and box.area >= _AREA_MIN * whole.area
        and max(box.height, box.width) <= _ELONGATION_MAX * min(box.height, box.width)
    )


def _upright(sheet: Sketch, sketch: Sketch, frame: Box) -> Sketch | None:
    """What lies askew on the ground, turned upright."""
    if min(frame.height, frame.width) < 64:
        return None
    askew = tilted(frame.of(sketch))
    if askew is None:
        return None
    scale = sheet.shape[1] / sketch.shape[1]
    corners = (askew + (frame.left, frame.top) + 0.5) * scale - 0.5
    return turned_upright(sheet, corners)


def _snapped(sheet: Sketch, sketch: Sketch, box: Box) -> Sketch:
    """A box of the sketch, cut out of the sheet along the strongest edges beside its sides."""
    scale_y, scale_x = sheet.shape[0] / sketch.shape[0], sheet.shape[1] / sketch.shape[1]
    if scale_x <= 1.01 and scale_y <= 1.01:
        return box.of(sheet)
    rows = [round(box.top * scale_y), round(box.bottom * scale_y)]
    columns = [round(box.left * scale_x), round(box.right * scale_x)]
    for at in _near_edges(sheet[:, columns[0] : columns[1]], rows, scale_y):
        rows[at[0]] = at[1]
    for at in _near_edges(sheet[rows[0] : rows[1]].T, columns, scale_x):
        columns[at[0]] = at[1]
    return sheet[rows[0] : rows[1], columns[0] : columns[1]]


def _near_edges(part: Sketch, ends: list[int], reach: float) -> Iterator[tuple[int, int]]:
    around = int(np.ceil(reach)) + 1
    for which, end in enumerate(ends):
        first, last = max(1, end - around), min(len(part) - 1, end + around)
        if end <= 0 or end >= len(part) or last <= first:
            continue
        lines = part[first - 1 : last + 1].astype(np.int16)
        steps = np.abs(np.diff(lines, axis=0)).mean(axis=1)
        yield which, first + int(np.argmax(steps))
