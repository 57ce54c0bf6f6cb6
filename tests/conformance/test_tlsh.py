"""TLSH against values and distances that the reference computed (py-tlsh 5.0.0), of texts made by arithmetic."""

from __future__ import annotations

import pytest
from hashpact.distances import tlsh_distance
from hashpact.hashing.tlsh import tlsh

# (seed, length in bytes, the reference's digest without "T1", its distance from the line before)
REFERENCE = (
    (1, 50, "4990025a46d5d2146c1664427e4b464549943410506c577e112d55144901081b440680", None),
    (2, 51, "0990025396146ba981057395d20321491215c902116273a03108707880859e5414440e", 165),
    (3, 255, "d2d02b872a0b0e2169581214470281c6c2d47c345ad98483293615296f4b6ab4b1161f", 309),
    (4, 256, "33d02b40e60105c07d6181b8c411993573009380432b3a4a11aa3b44d2b98f68f931c3", 206),
    (5, 656, "00f06828742f45c53c13a4e2047eb7aad742c23414b5147d2474c70c577378e5d47156", 259),
    (6, 657, "dc01231bd7400c427a61e4cb0dd3ad99e04af521de0184212f04670ac69c07dd940f7f", 291),
    (7, 3199, "85611b71dd8c21d35c2d5ee3de7f638ea661533a1b02986da7be0204462eeb5ac41c07", 342),
    (8, 3200, "ab61fa1ad81c44a6ee2755c34de7bfc18763bba251005a22b8be38005302af77c57a6b", 153),
    (9, 20000, "03926c9afa3921da6c7664c649afbf150141bf223d504c7e86391e088b185fb75f212b", 434),
    (3, 300, "15e07d872a0f0f6235682304474289c5c2c47c3847c98483293618166f47aab8b0162f", 530),
    (9, 19000, "9b825c9afa3921da6c6664c649ef7b554141bf233d404c7e823a1e088b2c2ff75f251b", 527),
    (9, 20500, "a0926c9afa3921da6c36a5c649af7b250141bf333d504c7a86391e088b185ff75e312f", 25),
)


def text(seed: int, length: int) -> bytes:
    """Small letters of an alphabet of 7 to 25, drawn by the linear congruence of the C standard's example."""
    state, drawn = seed, bytearray()
    for _ in range(length):
        state = (state * 1103515245 + 12345) % 2**31
        drawn.append(97 + (state >> 16) % (7 + seed % 19))
    return bytes(drawn)


@pytest.mark.parametrize(("seed", "length", "digest", "distance"), REFERENCE)
def test_values_of_the_reference(seed: int, length: int, digest: str, distance: int | None) -> None:
    value = tlsh(text(seed, length))
    assert value is not None
    assert value.hex() == digest
    place = REFERENCE.index((seed, length, digest, distance))
    if distance is not None:
        before = bytes.fromhex(REFERENCE[place - 1][2])
        assert tlsh_distance(before, value) == tlsh_distance(value, before) == distance


def test_too_short_or_too_uniform_texts_have_no_value() -> None:
    assert tlsh(text(1, 49)) is None
    assert tlsh(b"") is None
    assert tlsh(b"ab" * 1000) is None
