"""Where the projection cuts: for each plane the median of its sums over the points of 84 photographs, rounded.

A plane and its mirrored twin have one threshold: their photographs were looked at mirrored, too.
Part of the published format: other numbers are another signal type.
"""

from __future__ import annotations

from typing import Final

import numpy as np

# fmt: off
_MEDIANS = (
    150, -15, 494, 683, -863, 1640, 392, -278, -812, 43, -642, 3113, -1952, 460, -886, 653, -879, -9, -1031, -1274,
    -7, 23, 844, -126, 217, -824, 570, 674, 596, 72, 959, 1013, -287, 2387, 416, -238, 1331, 407, -1193, -1742, 307,
    -658, 1452, -594, 187, 446, -1935, 1827, 1839, -256, -375, 45, -513, 292, -1654, -436, 684, -201, -454, 1051, -23,
    -46, -910, -303, 951, 1670, 1207, -2104, 410, -730, -1620, -451, 952, -1139, -131, -1291, -977, -516, 204, 1177,
    101, -952, -1848, -769, -1288, -45, 1043, -191, 2384, -1118, 327, 13, -367, 841, -1694, 426, 292, 198, 1585, -14,
    -534, -1766, 1141, 741, 34, -552, -1156, -1474, 507, 1468, 636, 71, -1704, 1596, 693, 1593, -1007, 967, 262, 232,
    224, 275, -217, 1823, -1349, 430, -609, -1223,
)
# fmt: on

THRESHOLDS: Final = np.array(_MEDIANS, dtype=np.float32)
"""float32[128] of whole numbers, in the units of ``projection.sums``."""

THRESHOLDS.flags.writeable = False
