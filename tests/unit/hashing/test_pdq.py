"""PDQ itself: exact arithmetic, quality, dihedral variants, degenerate pictures."""

from __future__ import annotations

import numpy as np
import pytest
from hashpact.hashing.downscale import LUMA_BITS, WEIGHT_BITS, downscale, kept_weights, window
from hashpact.hashing.pdq import _TABLE, DIHEDRAL_ORDER, pdq
from hashpact.signals import hamming
from PIL import Image

from tests.pictures import PHOTOS, pattern, photo
from tests.reference_pdq import reference_pdq


def luma(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("L"))


def test_value_is_pinned() -> None:
    # Stored values outlive releases: if this turns red, hashes of listed pictures have changed.
    result = pdq(luma(pattern()))
    assert result.values[0].hex() == "91b05ddfa8944ddc7cdb3494529c7fffe00003ff7fc0e000c1ffc3f0cfc08700"
    assert result.quality == 100


@pytest.mark.parametrize("name", PHOTOS)
def test_agrees_with_the_slow_twin(name: str) -> None:
    picture = luma(photo(name))
    value, quality, _ = reference_pdq(picture)
    result = pdq(picture)
    assert hamming(result.values[0], value) <= 2
    assert abs(result.quality - quality) <= 1


@pytest.mark.parametrize("length", [5, 63, 64, 65, 127, 128, 129, 512, 1000, 4001])
def test_weights_sum_up_exactly_and_stay_inside(length: int) -> None:
    kept = kept_weights(length)
    assert len(kept) == 64
    for start, weights in kept:
        assert int(weights.sum()) == 1 << WEIGHT_BITS
        assert (weights == np.floor(weights)).all()
        assert (weights >= 0).all()
        assert 0 <= start <= start + weights.size <= length


def test_windows_of_even_size_lean_to_the_right() -> None:
    assert window(10, 1024) == (7, 14)  # 8 wide
    assert window(10, 896) == (7, 13)  # 7 wide
    assert window(0, 1024) == (0, 4)
    assert window(1023, 1024) == (1020, 1023)


def test_downscale_is_exact_integer_arithmetic() -> None:
    picture = luma(pattern(300, 200))
    rows = [
        [sum(int(w) * int(v) for w, v in zip(weights, picture[start:, x], strict=False)) for x in range(300)]
        for start, weights in kept_weights(200)
    ]
    shift = 2 * WEIGHT_BITS - LUMA_BITS
    cells = [
        [
            (sum(int(w) * v for w, v in zip(weights, row[start:], strict=False)) + (1 << (shift - 1))) >> shift
            for start, weights in kept_weights(300)
        ]
        for row in rows
    ]
    assert downscale(picture).tolist() == cells


def test_cosine_table_is_orthonormal_and_mirrors_exactly() -> None:
    product = _TABLE.astype(np.float64) @ _TABLE.T.astype(np.float64) / float(1 << 38)
    assert np.abs(product - np.eye(16)).max() < 1e-5
    signs = np.where(np.arange(16) % 2 == 0, -1, 1)
    assert (_TABLE[:, ::-1] == _TABLE * signs[:, None]).all()


def test_cosine_transform_cannot_overflow() -> None:
    largest = float(np.abs(_TABLE).sum(axis=1).max()) ** 2 * 255 * (1 << LUMA_BITS)
    assert largest < 2**63


@pytest.mark.parametrize("grey", [0, 1, 128, 255])
@pytest.mark.parametrize("size", [(5, 5), (64, 64), (300, 200)])
def test_flat_pictures_have_no_bits_and_no_quality(grey: int, size: tuple[int, int]) -> None:
    result = pdq(np.full(size, grey, dtype=np.uint8), dihedral=True)
    assert result.values == (bytes(32),) * 8
    assert result.quality == 0


@pytest.mark.parametrize("shape", [(1, 1), (4, 500), (500, 4)])
def test_tiny_pictures_have_no_pdq(shape: tuple[int, int]) -> None:
    result = pdq(np.arange(shape[0] * shape[1], dtype=np.uint8).reshape(shape), dihedral=True)
    assert (result.values, result.quality) == ((bytes(32),) * 8, 0)


def test_half_of_the_bits_are_set() -> None:
    for value in pdq(luma(photo()), dihedral=True).values:
        assert int.from_bytes(value, "big").bit_count() == 128


def test_symmetric_pictures_do_not_hash_noise() -> None:
    left = luma(pattern(32, 64))  # 64 x 64 is taken as it is: other sizes lean to one side
    mirrored = np.hstack([left, left[:, ::-1]])
    coefficients = reference_pdq(mirrored)[2]
    value = pdq(mirrored).values[0]
    bits = np.unpackbits(np.frombuffer(value, np.uint8))[::-1].reshape(16, 16)
    # Odd frequencies across (even columns of the table) vanish: they are equal, so all say the same.
    assert np.abs(coefficients[:, ::2]).max() < 1e-9
    assert len(set(bits[:, ::2].ravel().tolist())) == 1


TRANSPOSES = {
    "rotate_90": Image.Transpose.ROTATE_90,
    "rotate_180": Image.Transpose.ROTATE_180,
    "rotate_270": Image.Transpose.ROTATE_270,
    "flip_x": Image.Transpose.FLIP_TOP_BOTTOM,
    "flip_y": Image.Transpose.FLIP_LEFT_RIGHT,
    "flip_plus_1": Image.Transpose.TRANSPOSE,
    "flip_minus_1": Image.Transpose.TRANSVERSE,
}


@pytest.mark.parametrize("name", PHOTOS[:4])
def test_dihedral_variants_are_those_of_the_turned_pictures(name: str) -> None:
    picture = photo(name).convert("L")
    values = pdq(luma(picture), dihedral=True).values
    for turn, how in TRANSPOSES.items():
        turned = pdq(luma(picture.transpose(how))).values[0]
        # Not equal: the reference's windows and cell centres lean to one side.
        assert hamming(values[DIHEDRAL_ORDER.index(turn)], turned) <= 24, turn


def test_dihedral_variants_start_with_the_picture_itself() -> None:
    picture = luma(photo())
    assert pdq(picture, dihedral=True).values[0] == pdq(picture).values[0]


def test_quality_grows_with_detail() -> None:
    step = np.zeros((64, 64), np.uint8)
    step[:, 32:] = 255  # 64 differences of 100 hundredths
    assert pdq(step).quality == 64 * 100 // 90
    faint = np.zeros((64, 64), np.uint8)
    faint[:, 32:] = 2  # below one hundredth: counts nothing
    assert pdq(faint).quality == 0


def test_repr_shows_no_value() -> None:
    result = pdq(luma(photo()))
    assert result.values[0].hex() not in repr(result)
    assert str(result.values[0]) not in repr(result)
