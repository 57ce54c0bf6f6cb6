"""hash_media: which kind a file is, told by its content."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hashpact import TextSignals, hash_document, hash_image, hash_media, hash_text, hash_video
from hashpact.errors import UnreadableMediaError

from tests.documents import scanned, typeset
from tests.pictures import encoded, photo
from tests.repository import ROOT
from tests.videos import one_scene, sound_only, video

PICTURE = encoded(photo("coffee.png"), "PNG")
VIDEO = video(pictures=one_scene(1))
DOCUMENT = typeset("Some words. " * 40)
TEXT = (ROOT / "LICENSE").read_bytes()


@pytest.mark.parametrize(
    ("data", "hasher"),
    [(PICTURE, hash_image), (VIDEO, hash_video), (DOCUMENT, hash_document), (TEXT, hash_text)],
    ids=["png", "mp4", "pdf", "text"],
)
def test_the_name_does_not_matter(data: bytes, hasher: object, tmp_path: Path) -> None:
    assert callable(hasher)
    wanted = hasher(data)
    for name in ("upload", "upload.jpg", "upload.mp4", "upload.pdf", "upload.txt"):
        path = tmp_path / name
        path.write_bytes(data)
        assert hash_media(path) == hash_media(str(path)) == wanted
    assert hash_media(data) == wanted


def test_a_pdf_may_begin_with_something_else() -> None:
    assert hash_media(b"\r\n junk \r\n" + scanned([photo("coffee.png")])).notes == ()


@pytest.mark.parametrize("coding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_text_is_read_in_every_form_that_says_what_it_is(coding: str) -> None:
    # Beyond the head, which ends inside of a character.
    words = "\u0430\U0001f600\u05d0\n\t" * 2_000 + TEXT.decode()
    for cut in range(4):
        signals = hash_media(words[cut:].encode(coding))
        assert isinstance(signals, TextSignals)
        assert signals.listed() == (signals.sha256, signals.md5, signals.tlsh)


def test_pictures_take_their_option() -> None:
    signals = hash_media(PICTURE, dihedral=True)
    assert signals == hash_image(PICTURE, dihedral=True)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b"plain words", "too short to be found again"),
        (b"\xff\xfew\x00o\x00r\x00d\x00", "too short to be found again"),
        (TEXT + b"\xe4", "not text in UTF-8"),
        (b"bytes \x00\x01" * 300, "not a picture, a video, a PDF or a text"),
        (b"\x00\x00\x00\x18ftypheic" + bytes(40), "HEIC"),
        (sound_only(), "no moving picture"),
        (PICTURE[:20], "cannot be decoded"),
        (VIDEO[:60], "decoded"),
        (DOCUMENT[:60], "damaged"),
    ],
)
def test_what_cannot_be_hashed_is_told(data: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "upload"
    path.write_bytes(data)
    with pytest.raises(UnreadableMediaError, match=said) as from_bytes:
        hash_media(data)
    with pytest.raises(UnreadableMediaError, match=said) as from_path:
        hash_media(path)
    assert from_path.value.message.startswith("upload: ")
    assert from_path.value.message.partition(": ")[2] == from_bytes.value.message.partition(": ")[2]


def test_places_and_mistakes(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "absent", "/dev/null", "a\0b"):
        with pytest.raises(UnreadableMediaError):
            hash_media(place)
    with pytest.raises(TypeError):
        hash_media(7)  # type: ignore[arg-type]


def test_pictures_need_neither_ffmpeg_nor_pdfium() -> None:
    code = (
        "import sys; sys.modules['av'] = sys.modules['pypdfium2'] = None\n"
        "import hashpact\n"
        "print(hashpact.hash_media(sys.stdin.buffer.read()).width_px)"
    )
    ran = subprocess.run([sys.executable, "-c", code], input=PICTURE, capture_output=True, check=True, timeout=120)
    assert ran.stdout.strip() == b"600"
