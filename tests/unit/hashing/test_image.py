"""hash_image as a whole."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import imagehash
import pytest
from hashpact.hashing import hash_image
from hashpact.signals import hamming
from PIL import Image

from tests.pictures import PHOTOS, encoded, pattern, photo


@pytest.fixture(scope="module")
def data() -> bytes:
    return encoded(photo("coffee.png").convert("RGB"), "JPEG", quality=90)


def test_all_signals_of_a_file(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "coffee.jpg"
    path.write_bytes(data)
    signals = hash_image(path)
    assert [signal.signal_type for signal in signals] == ["sha256", "md5", "pdq", "phash", "phash256"]
    assert signals.sha256 is not None
    assert signals.md5 is not None
    assert signals.sha256.hex == hashlib.sha256(data).hexdigest()
    assert signals.md5.hex == hashlib.md5(data).hexdigest()
    assert signals.pdq.quality == 100
    assert (signals.width_px, signals.height_px, signals.frames, signals.notes) == (600, 400, 1, ())
    assert signals.pdq_dihedral == ()
    assert signals == hash_image(str(path)) == hash_image(data)


def test_a_picture_object_has_no_digests(data: bytes) -> None:
    signals = hash_image(Image.open(BytesIO(data)))
    assert (signals.sha256, signals.md5) == (None, None)
    assert [signal.signal_type for signal in signals] == ["pdq", "phash", "phash256"]
    assert hamming(signals.pdq.value, hash_image(data).pdq.value) <= 2


def test_dihedral_values_carry_the_quality(data: bytes) -> None:
    signals = hash_image(data, dihedral=True)
    assert len(signals.pdq_dihedral) == 8
    assert signals.pdq_dihedral[0] == signals.pdq
    assert {signal.quality for signal in signals.pdq_dihedral} == {signals.pdq.quality}


@pytest.mark.parametrize("name", PHOTOS)
def test_phash_is_that_of_imagehash(name: str) -> None:
    picture = photo(name).convert("L")
    signals = hash_image(picture)
    assert hamming(signals.phash256.value, bytes.fromhex(str(imagehash.phash(picture, hash_size=16)))) <= 4
    assert hamming(signals.phash.value, bytes.fromhex(str(imagehash.phash(picture)))) <= 2


def test_phash_of_a_small_picture_is_exactly_that_of_imagehash() -> None:
    picture = photo("coffee.png").convert("L").resize((180, 120))
    assert hash_image(picture).phash256.hex == str(imagehash.phash(picture, hash_size=16))
    assert hash_image(pattern()).phash.hex == "8000010fff8cefff"


@pytest.mark.parametrize("name", PHOTOS)
def test_reduced_decoding_stays_close(name: str) -> None:
    large = photo(name).convert("RGB").resize((3000, 2200), Image.Resampling.BICUBIC)
    signals = hash_image(encoded(large, "JPEG", quality=85))
    full = hash_image(large)
    assert hamming(signals.pdq.value, full.pdq.value) <= 10
    assert hamming(signals.phash.value, full.phash.value) <= 2
    assert hamming(signals.phash256.value, full.phash256.value) <= 8
    assert (signals.width_px, signals.height_px) == (3000, 2200)


def test_threads_get_what_one_thread_gets() -> None:
    files = [encoded(photo(name).convert("RGB"), "JPEG") for name in PHOTOS]
    alone = [hash_image(file, dihedral=True) for file in files]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda file: hash_image(file, dihedral=True), files * 4)) == alone * 4


def test_no_value_in_a_repr(data: bytes) -> None:
    signals = hash_image(data, dihedral=True)
    for signal in (*signals, *signals.pdq_dihedral):
        assert signal.hex not in repr(signals)
        assert repr(signal.value) not in repr(signals)
