"""Hashing under random pictures and random damage."""

from __future__ import annotations

import warnings
from functools import lru_cache

import numpy as np
from hashpact.errors import UnreadableMediaError
from hashpact.hashing import hash_image, tiff
from hashpact.hashing.exif import orientation
from hashpact.hashing.gif import gif_canvas, gif_frames
from hashpact.hashing.jpeg import read_header
from hashpact.hashing.pdq import pdq
from hashpact.signals import ImageSignals, hamming
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import features

from tests.data import effort
from tests.pictures import encoded, exif_block, photo
from tests.reference_pdq import reference_pdq

KINDS = ("JPEG", "progressive", "PNG", "GIF", "WEBP", "BMP", "TIFF", *(("AVIF",) if features.check("avif") else ()))


@lru_cache
def sound_file(kind: str) -> bytes:
    picture = photo("coffee.png").convert("RGB").resize((160, 120))
    if kind == "progressive":
        return encoded(picture, "JPEG", progressive=True, exif=exif_block(6))
    if kind == "AVIF":  # no EXIF: Pillow 13 crashes when it *writes* an animation with an orientation
        return encoded(picture, kind, save_all=True, append_images=[picture.rotate(90)])
    if kind in {"GIF", "PNG", "WEBP", "TIFF"}:
        return encoded(picture, kind, save_all=True, append_images=[picture.rotate(90)], exif=exif_block(3))
    return encoded(picture, kind, exif=exif_block(8))


damage = st.lists(
    st.tuples(st.sampled_from(("set", "cut", "insert", "drop")), st.floats(0, 1), st.binary(min_size=1, max_size=8)),
    min_size=1,
    max_size=6,
)


def damaged(data: bytes, steps: list[tuple[str, float, bytes]]) -> bytes:
    for step, where, text in steps:
        # Squared: headers, at the beginning, are where damage hurts.
        at = int(where * where * len(data))
        if step == "set":
            data = data[:at] + text + data[at + len(text) :]
        elif step == "insert":
            data = data[:at] + text + data[at:]
        elif step == "drop":
            data = data[:at] + data[at + len(text) :]
        else:
            data = data[: max(at, 40)]
    return data


def outcome(data: bytes) -> ImageSignals | BaseException | None:
    """The signals, or what made the file unreadable; any other exception passes through."""
    try:
        return hash_image(data, dihedral=True)
    except UnreadableMediaError as error:
        return error.__cause__


@settings(max_examples=effort(150), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(kind=st.sampled_from(KINDS), steps=damage)
def test_damaged_files_end_in_signals_or_the_one_error(kind: str, steps: list[tuple[str, float, bytes]]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = outcome(damaged(sound_file(kind), steps))
    assert not isinstance(result, Warning)


@settings(max_examples=effort(200), deadline=None)
@given(st.binary(max_size=300), st.sampled_from((b"", b"II*\x00", b"MM\x00*", b"GIF89a", b"\xff\xd8\xff", b"II+\x00")))
def test_header_readers_end_on_any_bytes(text: bytes, head: bytes) -> None:
    data = head + text
    assert 1 <= orientation(data) <= 8
    assert 1 <= gif_frames(data, 50) <= 50
    assert min(gif_canvas(data)) >= 0
    assert 1 <= tiff.read_header(data, 50).pages <= 50
    assert read_header(data, 20).scans <= 21


@settings(max_examples=effort(25), deadline=None)
@given(
    height=st.integers(5, 300),
    width=st.integers(5, 300),
    seed=st.integers(0, 2**32 - 1),
    blocks=st.integers(1, 40),
)
def test_pdq_agrees_with_its_twin(height: int, width: int, seed: int, blocks: int) -> None:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (blocks, blocks), dtype=np.uint8)
    picture = coarse[np.arange(height)[:, None] % blocks, np.arange(width)[None, :] * blocks // width]
    value, quality, coefficients = reference_pdq(picture)
    result = pdq(picture)
    assert abs(result.quality - quality) <= 1
    # Only coefficients that floating point cannot tell from the median may fall on either side of it.
    median = np.sort(coefficients.ravel())[127]
    undecided = int((np.abs(coefficients - median) < 0.05).sum())
    assert hamming(result.values[0], value) <= undecided
