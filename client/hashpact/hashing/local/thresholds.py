"""Where the projection cuts: for each plane the median of its sums over the points of 84 photographs, rounded.

A plane and its mirrored twin have one threshold: their photographs were looked at mirrored, too.
Part of the published format: other numbers are another signal type.
"""

from __future__ import annotations

from typing import Final

import numpy as np

# fmt: off
_MEDIANS = (
    958, -15, 128, -338, -601, 1872, -75, 173, -860, -386, -162, 3064, -1705, 7, -68, 1833, -1419, -347, -1625, -1076,
    94, 458, 1127, -478, 646, -771, 738, 69, 492, -162, 418, 1142, 355, 2157, 747, -17, 1366, 365, -1461, -1408, 369,
    -1014, 1248, -217, -93, 237, -1940, 1764, 1802, -733, -21, -261, -934, -267, -1508, -361, 116, -792, 67, 2160,
    -75, 346, -739, -69, 594, 708, 1603, -2679, 349, -819, -1308, -483, 553, -1322, -500, -1683, -545, -1326, 120,
    1155, 804, -1023, -1143, -628, -1066, -701, 716, -274, 1768, -1645, 283, 662, -387, 400, -2087, 497, 1192, 449,
    2060, 581, -24, -2032, 858, 664, 166, 131, -831, -1660, -482, 1269, 467, 514, -1619, 1898, 174, 1469, -954, 96,
    -348, 324, -151, 401, -331, 2078, -1584, -157, 136, -1151,
)
# fmt: on

THRESHOLDS: Final = np.array(_MEDIANS, dtype=np.float32)
"""float32[128] of whole numbers, in the units of ``projection.sums``."""

THRESHOLDS.flags.writeable = False
