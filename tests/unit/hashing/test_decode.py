"""Limits, formats, animations, damaged files: what an untrusted file may do to us."""

from __future__ import annotations

import struct
import warnings
import zlib

import numpy as np
import pytest
from hashpact.errors import UnreadableMediaError
from hashpact.hashing import HEAD_BYTES, ImageLimits, hash_image, image_format, is_image, tiff
from hashpact.hashing.gif import gif_frames
from hashpact.hashing.jpeg import read_header
from hashpact.signals import hamming
from PIL import Image, ImageFile, features

from tests.pictures import encoded, pattern, photo

FORMATS = ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", *(["AVIF"] if features.check("avif") else [])]


def refusal(data: bytes, limits: ImageLimits | None = None) -> str:
    with pytest.raises(UnreadableMediaError) as caught:
        hash_image(data, limits=limits or ImageLimits())
    return caught.value.message


def cause_of_refusal(data: bytes) -> BaseException | None:
    try:
        hash_image(data)
    except UnreadableMediaError as error:
        return error.__cause__
    return None


def png_header(width: int, height: int) -> bytes:
    """A PNG that announces a size and has next to no data: a decompression bomb's outside."""
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"\0" * 1000)),
        (b"IEND", b""),
    ]
    body = b"".join(
        struct.pack(">I", len(text)) + name + text + struct.pack(">I", zlib.crc32(name + text)) for name, text in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_on_the_list(kind: str) -> None:
    picture = photo("coffee.png").convert("RGB")
    data = encoded(picture, kind)
    assert image_format(data[:HEAD_BYTES]) == kind
    assert is_image(data)
    assert hamming(hash_image(data).pdq.value, hash_image(picture).pdq.value) <= 10


@pytest.mark.parametrize("kind", ["PPM", "TGA", "ICO", "EPS", "PDF", "JPEG2000", "SGI", "PCX", "DDS"])
def test_formats_that_are_not_on_the_list(kind: str) -> None:
    data = encoded(photo("coffee.png").convert("RGB"), kind)
    assert not is_image(data[:HEAD_BYTES])
    assert "not a picture in a format that is read here" in refusal(data)


def test_heic_is_told_apart() -> None:
    assert "HEIC" in refusal(b"\x00\x00\x00\x18ftypheic" + bytes(100))


@pytest.mark.parametrize(
    "head", [b"", b"B", b"BM", b"RIFF", b"GIF", b"\xff\xd8", b"BM are two letters of prose, no picture"]
)
def test_short_or_wrong_heads_are_no_images(head: bytes) -> None:
    assert not is_image(head)


@pytest.mark.parametrize("size", [(100_000, 100_000), (30_000, 10_000), (2**31 - 1, 1), (10_000, 9_000)])
def test_decompression_bombs_are_refused_before_decoding(size: tuple[int, int]) -> None:
    assert "over the limit" in refusal(png_header(*size))


def test_webp_canvas_is_checked_before_its_reader_allocates_it() -> None:
    head = b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4)
    data = head + (16382).to_bytes(3, "little") + (16382).to_bytes(3, "little")
    assert "16383 x 16383" in refusal(data)


@pytest.mark.parametrize("kind", FORMATS)
def test_pixel_limit(kind: str) -> None:
    data = encoded(pattern(300, 200).convert("RGB"), kind)
    assert "pixels_max" in refusal(data, ImageLimits(pixels_max=59_999))
    hash_image(data, limits=ImageLimits(pixels_max=60_000))


def test_pixel_limit_of_picture_objects() -> None:
    with pytest.raises(UnreadableMediaError, match="pixels_max"):
        hash_image(pattern(300, 200), limits=ImageLimits(pixels_max=59_999))


def test_reduced_decoding_counts_what_is_held_in_memory() -> None:
    picture = pattern(4096, 2048)
    limits = ImageLimits(decoded_pixels_max=1024 * 512)
    hash_image(encoded(picture, "JPEG"), limits=limits)
    assert "decoded_pixels_max" in refusal(encoded(picture, "JPEG", progressive=True), limits)
    assert "decoded_pixels_max" in refusal(encoded(picture, "PNG"), limits)


def many_scans(count: int) -> bytes:
    data = encoded(pattern(64, 64), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * count + b"\xff\xd9"


def test_scan_bombs_are_refused() -> None:
    assert read_header(many_scans(50), 100).scans > 50
    assert "jpeg_scans_max" in refusal(many_scans(1000))


def test_scans_of_usual_files_are_counted() -> None:
    picture = photo("coffee.png").convert("RGB")
    assert read_header(encoded(picture, "JPEG"), 100).scans == 1
    progressive = read_header(encoded(picture, "JPEG", progressive=True), 100)
    assert progressive.buffered
    assert progressive.scans == 10
    # What follows the end of the picture (a film, a second picture) does not count.
    assert read_header(encoded(picture, "JPEG", progressive=True) + b"\xff\xda\x00\x02" * 500, 100).scans == 10


def animation(kind: str, count: int) -> bytes:
    pictures = [photo(name).convert("RGB").resize((320, 240)) for name in ("coffee.png", "chelsea.png", "rocket.jpg")]
    frames = [pictures[number % 3] for number in range(count)]
    return encoded(frames[0], kind, save_all=True, append_images=frames[1:])


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF", *FORMATS[6:]])
def test_animations_are_hashed_by_their_first_frame_and_say_so(kind: str) -> None:
    signals = hash_image(animation(kind, 5))
    first = hash_image(photo("coffee.png").convert("RGB").resize((320, 240)))
    assert signals.frames == 5
    assert signals.notes == ("5 frames or pages: only the first one was hashed",)
    assert hamming(signals.pdq.value, first.pdq.value) <= 12


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_frames_are_counted_up_to_the_limit(kind: str) -> None:
    assert hash_image(animation(kind, 6), limits=ImageLimits(frames_max=4)).frames == 4


def test_page_chains_in_a_circle_end() -> None:
    circle = b"II*\x00\x08\x00\x00\x00" + b"\x00\x00" + b"\x08\x00\x00\x00"
    assert tiff.read_header(circle, 10_000).pages == 1
    assert tiff.read_header(b"II*\x00", 10).pages == tiff.read_header(b"", 10).pages == 1


@pytest.mark.parametrize("method", ["raw", "packbits", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate"])
def test_usual_tiff_compressions(method: str) -> None:
    picture = photo("coffee.png").convert("RGB")
    data = encoded(picture, "TIFF", compression=method)
    assert hash_image(data).pdq == hash_image(picture).pdq
    assert tiff.read_header(data, 10).samples == 3


@pytest.mark.parametrize("method", ["jpeg", "group4", "lzma", "zstd"])
def test_unusual_tiff_compressions_are_refused(method: str) -> None:
    picture = photo("camera.png").convert("1" if method == "group4" else "RGB")
    assert "unusual kind of TIFF" in refusal(encoded(picture, "TIFF", compression=method))


def test_big_tiff() -> None:
    picture = photo("coffee.png").convert("RGB")
    data = encoded(picture, "TIFF", big_tiff=True)
    assert data[:4] == b"II+\x00"
    assert hash_image(data).pdq == hash_image(picture).pdq
    assert tiff.read_header(data, 10) == tiff.TiffHeader(1, 3, 0, 1)


def test_gif_counting_survives_nonsense() -> None:
    whole = animation("GIF", 3)
    for cut in range(0, len(whole), 997):
        assert 1 <= gif_frames(whole[:cut], 100) <= 3


def test_a_gif_frame_larger_than_its_screen_counts() -> None:
    data = bytearray(encoded(pattern(), "GIF"))
    descriptor = data.index(b",", 13 + 768)
    struct.pack_into("<HH", data, descriptor + 5, 60_000, 60_000)
    assert "60000 x 60000" in refusal(bytes(data))


def test_exif_that_only_pillow_finds_is_hidden_from_it_too() -> None:
    block = b"\xff\xe1\x00\x10Exif\x00\x00II*\x00\x08\x00"
    data = encoded(pattern(), "JPEG")
    odd = data[:2] + b"\xff\xd9" + block + data[2:]  # our walk ends at an end marker, Pillow's goes on
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not isinstance(cause_of_refusal(odd), Warning)


def test_a_jpeg_cut_short_is_hashed_as_far_as_it_goes() -> None:
    data = encoded(photo("coffee.png").convert("RGB"), "JPEG", quality=90)
    whole = hash_image(data)
    cut = hash_image(data[: len(data) * 99 // 100])
    assert hamming(whole.pdq.value, cut.pdq.value) <= 31
    assert any("cut short" in note for note in cut.notes)
    assert whole.notes == ()
    assert cut.sha256 != whole.sha256


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF"])
def test_other_formats_cut_short(kind: str) -> None:
    data = encoded(photo("coffee.png").convert("RGB"), kind)
    cut = hash_image(data[: len(data) * 98 // 100])
    assert hamming(hash_image(data).pdq.value, cut.pdq.value) <= 31
    assert any("cut short" in note for note in cut.notes)


@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_with_nothing_but_a_beginning_is_refused(kind: str) -> None:
    data = encoded(photo("coffee.png").convert("RGB"), kind)
    for length in (HEAD_BYTES, 64, 200):
        refusal(data[:length])


def test_a_large_tiled_tiff_promise_is_refused() -> None:
    tags = [
        (256, 4, 8),
        (257, 4, 8),
        (258, 3, 8),
        (259, 3, 1),
        (262, 3, 1),
        (277, 3, 1),
        (322, 4, 60_000),
        (323, 4, 60_000),
        (324, 4, 8),
        (325, 4, 64),
    ]
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    data = b"II*\x00\x08\x00\x00\x00" + struct.pack("<H", len(tags)) + entries + bytes(200)
    assert "tiles" in refusal(data)


def test_readers_that_warn_are_held_back() -> None:
    data = bytearray(encoded(photo("coffee.png").convert("RGB"), "TIFF"))
    start = int.from_bytes(data[4:8], "little")
    count = int.from_bytes(data[start : start + 2], "little")
    # The last tag now claims far more values than the file has room for.
    struct.pack_into("<HHII", data, start + 2 + (count - 1) * 12, 0xC000, 12, 1_000_000, 8)
    apng = animation("PNG", 2).replace(b"acTL" + struct.pack(">I", 2), b"acTL" + struct.pack(">I", 0))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        causes = [cause_of_refusal(file) for file in (bytes(data), apng)]
    assert not any(isinstance(cause, Warning) for cause in causes)


def test_pillow_is_left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(photo("coffee.png").convert("RGB"), "JPEG")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1234)
    state = (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        hash_image(data)
        refusal(png_header(100_000, 100_000))
    assert state == (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)


def test_a_message_names_the_file_and_never_a_digest(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("x") / "broken.png"
    path.write_bytes(encoded(photo(), "PNG")[:100] + np.arange(100, dtype=np.uint8).tobytes())
    with pytest.raises(UnreadableMediaError, match=r"^broken\.png: ") as caught:
        hash_image(path)
    assert len(caught.value.message) < 200
