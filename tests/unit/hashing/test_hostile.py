"""Broken and odd files: signals or a clear error; no warning, no output, no leaked handle, no hang."""

from __future__ import annotations

import gc
import os
import warnings
import zlib
from pathlib import Path

import pytest
from hashpact.errors import UnreadableMediaError
from hashpact.hashing import hash_image

from tests.data import shared_data
from tests.pictures import encoded, exif_block, photo


def check_all(files: list[Path | bytes]) -> tuple[int, int]:
    """Hash each; (how many gave signals, how many were refused)."""
    fine = refused = 0
    for file in files:
        try:
            hash_image(file)
            fine += 1
        except UnreadableMediaError:
            refused += 1
    return fine, refused


@pytest.fixture(autouse=True)
def nobody_elses_garbage() -> None:
    """What earlier tests left unclosed is collected here, or it would be taken for ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gc.collect()


def open_handles() -> int:
    gc.collect()
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - entries, not paths, are wanted


@pytest.mark.timeout(120)
@pytest.mark.filterwarnings("error")
def test_format_fuzzing_suite(capfd: pytest.CaptureFixture[str]) -> None:
    files: list[Path | bytes] = [path for path in sorted(shared_data("hostile").rglob("*")) if path.is_file()]
    assert len(files) > 50
    check_all(files[:1])  # libraries open what they need on first use
    before = open_handles()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fine, refused = check_all(files)
    assert fine + refused == len(files)
    assert min(fine, refused) > 5
    assert open_handles() == before
    assert capfd.readouterr() == ("", "")


@pytest.mark.filterwarnings("error")
def test_refused_files_leak_no_handle(tmp_path: Path) -> None:
    picture = encoded(photo("coffee.png").convert("RGB"), "JPEG", exif=exif_block(6))
    places: list[Path | bytes] = [tmp_path, tmp_path / "absent"]
    for number, cut in enumerate((0, 10, 300, 5000, len(picture))):
        path = tmp_path / f"{number}.jpg"
        path.write_bytes(picture[:cut])
        places.append(path)
    check_all(places)
    before = open_handles()
    for _ in range(5):
        check_all(places)
    assert open_handles() == before


@pytest.mark.filterwarnings("error")
def test_the_cause_is_kept_for_those_who_debug() -> None:
    with pytest.raises(UnreadableMediaError) as caught:
        hash_image(b"\xff\xd8\xff\xe0\x00\x10JFIF" + bytes(50))
    assert caught.value.__cause__ is not None


def test_millions_of_empty_segments_are_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = encoded(photo(), "JPEG")
    segment = b"\xff\xe2\x00\x02"
    assert hash_image(whole[:2] + segment * 50 + whole[2:]).pdq == hash_image(whole).pdq
    # Pillow must not see it: it would read every segment, for minutes.
    monkeypatch.setattr("hashpact.hashing.decode.open_reader", lambda *_: pytest.fail("given to the reader"))
    with pytest.raises(UnreadableMediaError, match="cannot be decoded"):
        hash_image(whole[:2] + segment * 20_000 + whole[2:])


def test_scans_cannot_hide_behind_segments() -> None:
    picture = encoded(photo(), "JPEG", progressive=True)
    scan = picture.index(b"\xff\xda")
    many = picture[:-2] + picture[scan:-2] * 200 + picture[-2:]
    for hidden in (many, many[:2] + b"\xff\xe2\x00\x02" * 10_001 + many[2:]):
        with pytest.raises(UnreadableMediaError):
            hash_image(hidden)


def test_hundreds_of_thousands_of_chunks_are_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = encoded(photo(), "PNG")
    chunk = b"\x00\x00\x00\x00teXt" + zlib.crc32(b"teXt").to_bytes(4, "big")
    after_header = 8 + 12 + 13
    few = whole[:after_header] + chunk * 100 + whole[after_header:]
    assert hash_image(few).pdq == hash_image(whole).pdq
    monkeypatch.setattr("hashpact.hashing.decode.open_reader", lambda *_: pytest.fail("given to the reader"))
    for many in (whole[:after_header] + chunk * 100_000 + whole[after_header:], whole + chunk * 100_000):
        with pytest.raises(UnreadableMediaError, match="cannot be decoded"):
            hash_image(many)
