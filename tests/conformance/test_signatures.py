"""Local signatures are for ever: kept vectors == an independent computation == our code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from hashpact.hashing.local import projection
from hashpact.hashing.local.thresholds import THRESHOLDS
from hashpact.local_signature import LocalSignature, Measurement, Places, ProbePoints, compare, mirrored

from tests.conformance import independent_signatures as independent

KEPT: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "proto" / "vectors" / "signatures-1.json").read_text(encoding="utf-8")
)


def test_kept_vectors_equal_the_independent_computation() -> None:
    made = json.loads(json.dumps(independent.vectors()))
    assert {name: KEPT[name] for name in made} == made
    assert independent.projected(KEPT["histogram"], KEPT["thresholds"]).hex() == KEPT["descriptor"]


def test_the_projection_is_the_kept_one() -> None:
    assert THRESHOLDS.tolist() == KEPT["thresholds"]
    for row in (0, 1, 127, 128, 255):
        assert projection.planes()[row].tolist() == independent.plane(row)
    histogram = np.array([KEPT["histogram"]], np.float32)
    assert projection.bits(histogram).tobytes().hex() == KEPT["descriptor"]
    assert projection.bits(histogram[:, projection.MIRROR]).tobytes() == mirrored(projection.bits(histogram)).tobytes()


def test_the_kept_bytes_are_read_and_written() -> None:
    signature = LocalSignature.decode(bytes.fromhex(KEPT["signature"]))
    assert signature.encode().hex() == KEPT["signature"]
    assert [signature.width_px, signature.height_px] == KEPT["frame"]
    assert (signature.places.xy[3] * 64).tolist() == KEPT["places"][3][:2]
    assert Places.decode(signature.places.encode()).encode() == independent.places(KEPT["places"])
    points = ProbePoints.decode(bytes.fromhex(KEPT["probe_points"]))
    assert points.encode().hex() == KEPT["probe_points"]
    measured = Measurement.decode(bytes.fromhex(KEPT["measurement"]))
    assert measured.encode().hex() == KEPT["measurement"]
    found = compare(signature, measured)
    assert {name: getattr(found, name) for name in KEPT["compared"]} == KEPT["compared"]
    assert found.thumbnail_percent == 100 * 246 / 248
