"""The canaries are what is published, harmless to look for, and far from everything."""

from __future__ import annotations

import hashlib
import itertools
from io import BytesIO

import pytest
from hashpact import hash_image
from hashpact.canary import proof
from hashpact.canary.drawing import HEIGHT, WIDTH
from hashpact.canary.published import CANARIES, UNLISTED, VALUES, Canary
from hashpact.errors import HashpactError
from hashpact.hashing.altered import altered_copy
from hashpact.signals import PDQ_QUALITY_MIN, SIGNAL_TYPES, ImageSignals, Signal, hamming
from PIL import Image

from tests.pictures import PHOTOS, encoded, photo


def by_type(signals: ImageSignals) -> dict[str, Signal]:
    return {signal.signal_type: signal for signal in signals}


@pytest.mark.parametrize("canary", CANARIES, ids=lambda canary: canary.name)
def test_drawn_and_hashed_again_they_are_what_is_published(canary: Canary) -> None:
    drawn = proof.picture(canary)
    assert hashlib.sha256(drawn).digest() == canary.signal("sha256").value
    found = by_type(hash_image(drawn))
    assert set(found) == {signal.signal_type for signal in canary.signals}
    for name, signal in found.items():
        assert hamming(signal.value, canary.signal(name).value) <= proof.BITS_OFF_MAX
    assert found["pdq"].quality == canary.signal("pdq").quality
    assert (found["pdq"].quality or 0) >= PDQ_QUALITY_MIN
    with Image.open(BytesIO(drawn)) as opened:
        opened.verify()
        assert (opened.size, opened.mode) == ((WIDTH, HEIGHT), "RGB")
    copy = by_type(hash_image(altered_copy(drawn)))
    for name in ("pdq", "phash", "phash256"):
        assert hamming(copy[name].value, found[name].value) <= SIGNAL_TYPES[name].radius_default


def test_they_are_far_from_each_other_from_the_unlisted_one_and_from_photographs() -> None:
    strangers = [hash_image(proof.picture(UNLISTED), dihedral=True)]
    strangers += [hash_image(encoded(photo(name).convert("RGB"), "PNG"), dihedral=True) for name in PHOTOS]
    for canary in CANARIES:
        for stranger in strangers:
            near = min(hamming(variant.value, canary.signal("pdq").value) for variant in stranger.pdq_dihedral)
            assert near > 2 * SIGNAL_TYPES["pdq"].radius_default
            for signal in (stranger.phash, stranger.phash256):
                listed = canary.signal(signal.signal_type).value
                assert hamming(signal.value, listed) > SIGNAL_TYPES[signal.signal_type].radius_max
    for one, other in itertools.combinations(CANARIES, 2):
        for name in ("pdq", "phash", "phash256"):
            assert hamming(one.signal(name).value, other.signal(name).value) > SIGNAL_TYPES[name].radius_max


def test_every_value_is_its_own() -> None:
    assert len(VALUES) == sum(len(canary.signals) for canary in CANARIES) == 15


def test_hashing_that_differs_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "published signals" in proof.prove_hashing()
    real = hash_image(proof.picture(CANARIES[0]))

    class Off:
        def __iter__(self) -> object:
            return iter([Signal("pdq", bytes(byte ^ 1 for byte in real.pdq.value))])

    monkeypatch.setattr("hashpact.hash_image", lambda _: Off())
    with pytest.raises(HashpactError, match="pdq of a known picture is 32 bits off") as differs:
        proof.prove_hashing()
    assert differs.value.reason == "HASHING_DIFFERS"
    monkeypatch.setattr(proof, "picture", lambda _: b"something else")
    with pytest.raises(HashpactError, match="drawn wrongly"):
        proof.prove_hashing()
