"""Signatures, probe points and measurements as bytes: what is written is read, and nothing else is."""

from __future__ import annotations

import numpy as np
import pytest
from hashpact.errors import InvalidSignalError
from hashpact.local_signature import (
    MEASUREMENT_BYTES,
    LocalSignature,
    Measurement,
    Placement,
    Places,
    ProbePoints,
)
from hashpact.signals import LOCAL_SIGNATURE_BYTES, PROBE_POINT_BYTES

from tests.unit.local_signature import drawn


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20_261_123)


@pytest.mark.parametrize("count", [8, 9, 95, 96])
def test_a_signature_is_read_as_it_was_written(rng: np.random.Generator, count: int) -> None:
    written = drawn.signature(rng, count)
    data = written.encode()
    assert len(data) == LOCAL_SIGNATURE_BYTES
    read = LocalSignature.decode(data)
    assert read.encode() == data
    assert len(read) == count
    for mine, theirs in ((written.places.xy, read.places.xy), (written.descriptors, read.descriptors)):
        np.testing.assert_array_equal(mine, theirs)
    np.testing.assert_allclose(read.places.size, written.places.size, rtol=1e-6)
    np.testing.assert_array_equal(read.thumbnail, written.thumbnail)
    assert (read.pdq, read.pdq_quality) == (written.pdq, written.pdq_quality)


@pytest.mark.parametrize("count", [0, 1, 1200])
def test_probe_points_are_read_as_they_were_written(rng: np.random.Generator, count: int) -> None:
    written = drawn.probe_points(rng, count)
    data = written.encode()
    assert len(data) == 8 + count * PROBE_POINT_BYTES
    read = ProbePoints.decode(data)
    assert read.encode() == data
    np.testing.assert_array_equal(read.descriptors, written.descriptors)
    assert read.mirrored.tobytes() == b"".join(row[16:] + row[:16] for row in map(bytes, written.descriptors))


def test_a_measurement_is_read_as_it_was_written(rng: np.random.Generator) -> None:
    for pdq in (rng.bytes(32), None):
        whole = drawn.seen(drawn.signature(rng))
        written = Measurement(
            71, whole.visible, whole.descriptors, whole.thumbnail, drawn.bits(rng, 248), pdq, 60 if pdq else 0
        )
        data = written.encode()
        assert len(data) == MEASUREMENT_BYTES
        read = Measurement.decode(data)
        assert read.encode() == data
        assert (read.visible_percent, read.pdq, read.pdq_quality) == (71, pdq, written.pdq_quality)
        np.testing.assert_array_equal(read.visible, written.visible)
        np.testing.assert_array_equal(read.clear, written.clear)


def test_bytes_that_are_no_signature_are_refused(rng: np.random.Generator) -> None:
    good = drawn.signature(rng, 60).encode()
    for name, bad in (
        ("short", good[:-1]),
        ("long", good + b"\0"),
        ("empty", b""),
        ("version", b"\2" + good[1:]),
        ("too few points", good[:1] + b"\7" + good[2:]),
        ("too many points", good[:1] + b"\x61" + good[2:]),
        ("no width", good[:2] + b"\0\0" + good[4:]),
        ("tall", good[:4] + b"\4\0" + good[6:]),
        ("quality", good[:6] + b"\x65" + good[7:]),
        ("reserved", good[:7] + b"\1" + good[8:]),
        ("a point outside", good[:288] + b"\xff\xff" + good[290:]),
        ("behind the places", good[:863] + b"\1" + good[864:]),
        ("behind the descriptors", good[:-1] + b"\1"),
    ):
        with pytest.raises(InvalidSignalError):
            pytest.fail(f"{name}: {LocalSignature.decode(bad)}")


def test_bytes_that_are_no_probe_points_are_refused(rng: np.random.Generator) -> None:
    good = drawn.probe_points(rng, 20).encode()
    many = drawn.probe_points(rng, 1201).encode()
    for bad in (b"", good[:7], good[:-1], good + b"\0", b"\2" + good[1:], good[:1] + b"\1" + good[2:], many):
        with pytest.raises(InvalidSignalError):
            ProbePoints.decode(bad)
    with pytest.raises(InvalidSignalError):
        ProbePoints.decode(good[:8] + b"\xff\xff" + good[10:])


def test_bytes_that_are_no_measurement_are_refused(rng: np.random.Generator) -> None:
    good = drawn.seen(drawn.signature(rng)).encode()
    for bad in (
        b"",
        good[:-1],
        good + b"\0",
        b"\0" + good[1:],
        good[:1] + b"\x65" + good[2:],
        good[:2] + b"\x65" + good[3:],
    ):
        with pytest.raises(InvalidSignalError):
            Measurement.decode(bad)
    with pytest.raises(InvalidSignalError):
        Measurement.decode(good[:3] + b"\1" + good[4:])


def test_places_keep_a_64th_of_a_pixel() -> None:
    places = Places(
        np.array([[0.0, 0.004], [1023.0, 511.99]], np.float32),
        np.array([1.0, 77.0], np.float32),
        np.array([359.9, 90.0], np.float32),
    )
    read = Places.decode(places.encode())
    assert np.abs(read.xy - places.xy).max() <= 1 / 128
    assert np.abs(np.log2(read.size / places.size)).max() <= 1 / 64
    assert read.direction.tolist() == [0.0, 90.0]
    twice = read.mirrored(1023).mirrored(1023)
    np.testing.assert_array_equal(twice.xy, read.xy)
    np.testing.assert_array_equal(twice.direction, read.direction)


def test_a_placement_turns_what_a_turned_picture_turns() -> None:
    quarter = Placement.of([0.0, -2.0, 100.0, 2.0, 0.0, 0.0], mirrored=False)
    places = quarter.places(
        Places(np.array([[10.0, 5.0]], np.float32), np.array([4.0], np.float32), np.array([30.0], np.float32))
    )
    assert places.xy.tolist() == [[90.0, 20.0]]
    assert places.size.tolist() == [8.0]
    assert places.direction[0] == pytest.approx(120.0)


@pytest.mark.parametrize(
    "numbers",
    [[1, 0, 0, 0, 1], [1, 0, 0, 0, 1, 0, 0], [float("nan"), 0, 0, 0, 1, 0], [1, 0, float("inf"), 0, 1, 0], [0] * 6,
     [1, 2, 0, 2, 4, 0], [-1, 0, 0, 0, 1, 0], [1e5, 0, 0, 0, 1e5, 0]],
)  # fmt: skip
def test_a_placement_that_cannot_be_is_refused(numbers: list[float]) -> None:
    with pytest.raises(InvalidSignalError):
        Placement.of(numbers, mirrored=False)


def test_no_repr_shows_a_descriptor(rng: np.random.Generator) -> None:
    signature = drawn.signature(rng)
    shown = [repr(signature), repr(drawn.probe_points(rng)), repr(drawn.seen(signature)), repr(signature.places)]
    assert all(len(text) < 60 and "[" not in text for text in shown)
