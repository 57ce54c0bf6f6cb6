"""The colour of a JPEG whose channels lie in scans of their own is not read, and the luma stays what it was."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hashpact.hashing import jpeg
from hashpact.hashing.decode import REDUCED_SIDE_MIN_PX, decode
from hashpact.hashing.limits import DEFAULT_LIMITS
from PIL import Image

from tests.data import shared_data
from tests.pictures import encoded, exif_block, photo

SCAN = b"\xff\xda"
ADOBE = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00"
SAMPLINGS = ("4:4:4", "4:2:2", "4:2:0")


def luma(data: bytes) -> bytes:
    """What Pillow makes of the whole file."""
    with Image.open(BytesIO(data)) as picture:
        picture.draft("L", (REDUCED_SIDE_MIN_PX, REDUCED_SIDE_MIN_PX))
        return np.asarray(picture.convert("L")).tobytes()


def our_luma(data: bytes) -> bytes:
    return np.asarray(decode(data, "picture", DEFAULT_LIMITS).image.convert("L")).tobytes()


def left_out(data: bytes) -> int:
    return len(data) - len(jpeg.without(data, jpeg.read_header(data, 100).colour))


def assembled(letters: bytes = b"\1\2\3", *, progressive: bool = True, quality: int = 85) -> bytes:
    """A JPEG of three channels, each in scans of its own: put together from three JPEGs of one channel.

    Args:
        letters: names of the channels; a fourth one has no scan.
        progressive: or else baseline.
        quality: as Pillow counts.
    """
    size = (520, 530)
    names = ("coffee.png", "chelsea.png", "astronaut.png")
    files = [
        encoded(photo(name).convert("L").resize(size), "JPEG", progressive=progressive, quality=quality)
        for name in names
    ]
    frame_at = files[0].index(b"\xff\xc2" if progressive else b"\xff\xc0")
    frame = bytearray(files[0][frame_at : frame_at + 10])
    frame[3], frame[9] = 8 + 3 * len(letters), len(letters)
    for letter in letters:
        frame += bytes((letter, 0x11, 0))
    made = bytes(files[0][:2] + files[0][files[0].index(b"\xff\xdb") : frame_at] + frame)  # without its JFIF segment
    for letter, file in zip(letters, files, strict=False):
        at = file.index(frame[:2]) + 2 + 11
        pieces = file[at:-2].split(SCAN)
        made += SCAN.join([pieces[0], *(piece[:3] + bytes((letter,)) + piece[4:] for piece in pieces[1:])])
    return made + b"\xff\xd9"


@pytest.mark.parametrize("sampling", SAMPLINGS)
@pytest.mark.parametrize("restarts", [0, 7])
@pytest.mark.parametrize("side", [300, 1100, 2100])
def test_progressive(side: int, restarts: int, sampling: str) -> None:
    picture = photo("motorcycle_left.png").convert("RGB").resize((side, side + 13))
    options = {"subsampling": sampling, "restart_marker_blocks": restarts, "exif": exif_block(1)}
    data = encoded(picture, "JPEG", progressive=True, **options)
    assert left_out(data) > len(data) // 50
    assert our_luma(data) == luma(data)


@pytest.mark.parametrize("progressive", [True, False])
def test_scans_of_one_channel_each(progressive: bool) -> None:
    data = assembled(progressive=progressive)
    assert left_out(data) > len(data) // 2
    assert our_luma(data) == luma(data)
    left = jpeg.without(data, jpeg.read_header(data, 100).colour)
    assert left.count(SCAN) == data.count(SCAN) // 3
    assert jpeg.read_header(data, 100).buffered


@pytest.mark.parametrize("progressive", [True, False])
def test_red_green_and_blue_are_all_needed(progressive: bool) -> None:
    lettered = assembled(b"RGB", progressive=progressive)
    plain = assembled(progressive=progressive)
    for data in (lettered, plain[:2] + ADOBE + plain[2:]):
        assert left_out(data) == 0
        assert our_luma(data) == luma(data) != luma(plain)
    # The segment's last byte is the transform: 1 says luma and colour.
    stated = plain[:2] + ADOBE[:-1] + b"\x01" + plain[2:]
    assert left_out(stated) == left_out(plain)
    assert our_luma(stated) == luma(stated) == luma(plain)


def test_grey_and_interleaved_files_are_left_alone() -> None:
    for picture in (photo("camera.png"), photo("coffee.png").convert("RGB"), photo("coffee.png").convert("CMYK")):
        data = encoded(picture, "JPEG")
        assert left_out(data) == 0
        assert our_luma(data) == luma(data)
    for data in (encoded(photo("coffee.png").convert("CMYK"), "JPEG", progressive=True), assembled(b"\1\2\3\4")):
        assert left_out(data) == 0
        assert our_luma(data) == luma(data)


@pytest.mark.parametrize("source", ["pillow", "apart"])
def test_a_file_that_misses_scans(source: str) -> None:
    """libjpeg smooths a picture of which detail is missing; leaving colour out must not change whether it does."""
    photograph = photo("coffee.png").convert("RGB").resize((600, 640))
    data = encoded(photograph, "JPEG", progressive=True) if source == "pillow" else assembled()
    starts = [at for at in range(len(data)) if data.startswith(SCAN, at)]
    for start in starts[1:]:
        shortened = data[:start] + b"\xff\xd9"
        assert left_out(shortened) == 0
        assert our_luma(shortened) == luma(shortened)
        # Without an end it is damaged: decoded as if the end were there.
        assert decode(data[:start], "picture", DEFAULT_LIMITS).damaged
        assert our_luma(data[:start]) == luma(shortened)


def test_a_file_that_breaks_off_in_its_last_scan() -> None:
    photograph = photo("coffee.png").convert("RGB").resize((600, 640))
    for data in (encoded(photograph, "JPEG", progressive=True), assembled()):
        for cut in (3, 300, len(data) - data.rindex(SCAN) - 20):
            assert our_luma(data[:-cut]) == luma(data[:-cut] + b"\xff\xd9")
            assert decode(data[:-cut], "picture", DEFAULT_LIMITS).damaged


@pytest.mark.parametrize("byte", [0, 1, 2, 3, -3, -2, -1])
def test_senseless_scan_headers_leave_the_file_alone_or_the_luma_as_it_was(byte: int) -> None:
    data = encoded(photo("coffee.png").convert("RGB"), "JPEG", progressive=True)
    starts = [at for at in range(len(data)) if data.startswith(SCAN, at)]
    for start in starts:
        end = start + 2 + int.from_bytes(data[start + 2 : start + 4], "big")
        at = end + byte if byte < 0 else start + 4 + byte
        for value in (0, 1, 2, 3, 4, 63, 64, 255):
            broken = data[:at] + bytes((value,)) + data[at + 1 :]
            try:
                expected = luma(broken)
            except (OSError, ValueError):
                continue  # what a decoder refuses has no luma that could change
            assert our_luma(broken) == expected


def test_every_real_photograph() -> None:
    folder: Path = shared_data("photos", "full")
    files = [path.read_bytes() for path in sorted(folder.glob("*.jpg"))]
    buffered = [data for data in files if jpeg.read_header(data, 100).buffered]
    assert buffered
    for data in buffered:
        assert left_out(data) > 0
        assert our_luma(data) == luma(data)
