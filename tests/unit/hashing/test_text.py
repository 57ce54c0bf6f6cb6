"""hash_text, and what is taken out of a text before it is compared."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hashpact import hash_text
from hashpact.distances import tlsh_distance
from hashpact.errors import UnreadableMediaError
from hashpact.hashing.limits import TextLimits
from hashpact.hashing.text import plain_letters

from tests.repository import ROOT

TEXT = (ROOT / "LICENSE").read_text()
OTHER = (ROOT / "docs" / "design.md").read_text()


def distance(one: str, other: str) -> int:
    left, right = hash_text(one).tlsh, hash_text(other).tlsh
    assert left is not None
    assert right is not None
    return tlsh_distance(left.value, right.value)


def test_digests_are_of_the_bytes_and_tlsh_of_the_letters(tmp_path: Path) -> None:
    path = tmp_path / "manifest"
    path.write_text(TEXT, encoding="utf-8")
    signals = hash_text(path)
    assert signals == hash_text(TEXT) == hash_text(TEXT.encode())
    assert signals.sha256.value == hashlib.sha256(TEXT.encode()).digest()
    assert signals.letters == len(plain_letters(TEXT))
    assert signals.tlsh is not None
    assert len(signals.tlsh.value) == 35
    assert signals.tlsh.hex not in repr(signals)


def test_what_another_typesetter_changes_does_not_count() -> None:
    changed = (
        TEXT.upper().replace("\n", "\r\n\r\n").replace('"', "\u201c").replace("FI", "\ufb01").replace(" ", "\u00a0 ")
    )
    assert hash_text(changed).sha256 != hash_text(TEXT).sha256
    assert hash_text(changed).tlsh == hash_text(TEXT).tlsh
    assert plain_letters("Stra\u00dfe, caf\u00e9 na-\nive \uff11\u00bd") == "strassecafenaive112"
    assert plain_letters("\u0645\u064f\u062d \u4f60\u597d_") == "\u0645\u062d\u4f60\u597d"


def test_versions_are_near_and_other_texts_far() -> None:
    words = TEXT.split()
    shorter = " ".join(words[: len(words) * 19 // 20])
    reworded = " ".join(word if number % 200 else "altered" for number, word in enumerate(words))
    assert distance(TEXT, shorter) <= 30
    assert distance(TEXT, reworded) <= 30
    assert distance(TEXT, OTHER) > 100


def test_codings() -> None:
    wanted = hash_text(TEXT).tlsh
    for coding in ("utf-8-sig", "utf-16", "utf-32"):
        assert hash_text(TEXT.encode(coding)).tlsh == wanted


def test_short_texts_have_digests_only() -> None:
    letters = plain_letters(TEXT)
    assert hash_text(letters[:256]).tlsh is not None
    signals = hash_text(letters[:255])
    assert (signals.tlsh, signals.letters) == (None, 255)
    assert hash_text("").letters == 0
    assert hash_text("\ud800").letters == 0  # half a character, as file names can have


@pytest.mark.parametrize(
    ("data", "said"),
    [(b"", "empty"), (b"\xff\x00\xfe text", "UTF-8"), (b"a\0b", "zeros"), (b"12345678901", "bytes_max")],
)
def test_what_is_no_text(data: bytes, said: str) -> None:
    with pytest.raises(UnreadableMediaError, match=said):
        hash_text(data, limits=TextLimits(bytes_max=10))


def test_mistakes_of_the_caller(tmp_path: Path) -> None:
    with pytest.raises(UnreadableMediaError):
        hash_text(tmp_path)
    with pytest.raises(TypeError):
        hash_text(7)  # type: ignore[arg-type]
