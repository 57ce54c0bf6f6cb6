"""Pictures are hashed the way people see them."""

from __future__ import annotations

import warnings
from io import BytesIO

import pytest
from hashpact.hashing import hash_image
from hashpact.hashing.exif import orientation
from hashpact.signals import hamming
from PIL import Image, ImageOps, features

from tests.pictures import STORED_FOR, encoded, exif_block, photo

LOSSLESS = {"PNG": {}, "WEBP": {"lossless": True}, "TIFF": {}}


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("kind", LOSSLESS)
def test_orientation_is_applied_exactly(kind: str, turn: int) -> None:
    picture = photo("coffee.png").convert("RGB")
    stored = encoded(STORED_FOR[turn](picture), kind, exif=exif_block(turn), **LOSSLESS[kind])
    signals, plain = hash_image(stored), hash_image(picture)
    assert signals.pdq == plain.pdq
    assert (signals.phash, signals.phash256) == (plain.phash, plain.phash256)
    assert (signals.width_px, signals.height_px) == picture.size


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "AVIF"])
def test_orientation_is_applied_to_lossy_formats(kind: str, turn: int) -> None:
    if kind == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    picture = photo("coffee.png").convert("RGB")
    signals = hash_image(encoded(STORED_FOR[turn](picture), kind, exif=exif_block(turn), quality=92))
    assert hamming(signals.pdq.value, hash_image(picture).pdq.value) <= 8
    assert (signals.width_px, signals.height_px) == picture.size


@pytest.mark.parametrize("turn", range(2, 9))
def test_a_picture_object_is_turned_once(turn: int) -> None:
    picture = photo("coffee.png").convert("RGB")
    opened = Image.open(BytesIO(encoded(STORED_FOR[turn](picture), "PNG", exif=exif_block(turn))))
    assert hash_image(opened).pdq == hash_image(picture).pdq
    assert hash_image(ImageOps.exif_transpose(opened)).pdq == hash_image(picture).pdq


@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"Exif\x00\x00",
        b"Exif\x00\x00garbage",
        b"Exif\x00\x00II*\x00",
        b"Exif\x00\x00II*\x00\xff\xff\xff\xff",
        b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\xff\xff",
        exif_block(6)[:-9],
        b"Exif\x00\x00II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x63\x00\x00\x00",  # 99
        b"Exif\x00\x00II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x02\x00\x01\x00\x00\x00\x06\x00\x00\x00",  # text
    ],
)
def test_broken_exif_means_upright_and_warns_nobody(block: bytes) -> None:
    picture = photo("coffee.png").convert("RGB")
    plain = hash_image(encoded(picture, "JPEG"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert hash_image(encoded(picture, "JPEG", exif=block)).pdq == plain.pdq


@pytest.mark.parametrize("turn", range(1, 9))
def test_both_byte_orders(turn: int) -> None:
    little = b"II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00" + bytes([turn, 0, 0, 0]) + bytes(4)
    big = b"MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01" + bytes([0, turn, 0, 0]) + bytes(4)
    assert orientation(little) == orientation(b"Exif\x00\x00" + big) == turn
