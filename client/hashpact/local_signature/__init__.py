"""Local signatures: what the list and a probe say of the details of a picture, and how the two are compared.

::

    list side    picture --hashing.local--> LocalSignature --contributed as `local_sift`--> the list
    look-up      upload  --hashing.local--> ProbePoints ----Lookup----> candidates: Placement, Places
    confirming   upload  --hashing.local, at those places--> Measurement --Confirm--> compare() -> LocalComparison

Bytes and numbers only: NumPy, no picture is ever decoded here, so that the server and its replicas stand on it.
The layouts are published in ``docs/signatures.md``. Descriptors are hash values: no ``repr`` shows one.
"""

from hashpact.local_signature.comparing import CONFIRMED_DISTANCE, LocalComparison, compare
from hashpact.local_signature.measurement import MEASUREMENT_BYTES, Measurement
from hashpact.local_signature.placement import Placement
from hashpact.local_signature.places import PLACE_BYTES, SIDE_MAX_PX, Places, joined
from hashpact.local_signature.probe_points import PROBE_POINTS_MAX, ProbePoints
from hashpact.local_signature.signature import POINTS_MAX, POINTS_MIN, LocalSignature, mirrored

__all__ = [
    "CONFIRMED_DISTANCE",
    "MEASUREMENT_BYTES",
    "PLACE_BYTES",
    "POINTS_MAX",
    "POINTS_MIN",
    "PROBE_POINTS_MAX",
    "SIDE_MAX_PX",
    "LocalComparison",
    "LocalSignature",
    "Measurement",
    "Placement",
    "Places",
    "ProbePoints",
    "compare",
    "joined",
    "mirrored",
]
