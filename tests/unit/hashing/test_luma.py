"""Every Pillow mode becomes the same 8-bit luma; transparency is laid on a stated ground."""

from __future__ import annotations

import numpy as np
import pytest
from hashpact.hashing import hash_image
from hashpact.hashing.luma import BLACK, to_luma
from hashpact.signals import hamming
from PIL import Image, ImageDraw

from tests.pictures import encoded, photo

COLOUR_MODES = ("RGB", "RGBA", "RGBX", "RGBa", "CMYK", "YCbCr", "HSV", "P", "PA")
GREY_MODES = ("L", "LA", "La", "I", "F", "I;16", "I;16L", "I;16B")


def in_mode(picture: Image.Image, mode: str) -> Image.Image:
    if mode.startswith("I;16"):
        wide = (np.asarray(picture.convert("L")).astype(np.uint16) * 257).astype(">u2" if "B" in mode else "<u2")
        return Image.frombytes(mode, picture.size, wide.tobytes())
    if mode == "PA":
        return picture.convert("P").convert("PA")
    if mode == "La":
        return picture.convert("LA").convert("La")
    if mode == "RGBa":
        return picture.convert("RGBA").convert("RGBa")
    return picture.convert(mode)


@pytest.mark.parametrize("mode", [*COLOUR_MODES, *GREY_MODES])
def test_every_mode_gives_nearly_the_same_signals(mode: str) -> None:
    picture = photo("coffee.png").convert("RGB")
    plain, other = hash_image(picture), hash_image(in_mode(picture, mode))
    assert hamming(plain.pdq.value, other.pdq.value) <= 4
    assert hamming(plain.phash.value, other.phash.value) <= 2
    assert hamming(plain.phash256.value, other.phash256.value) <= 6


def test_lightness_of_lab_and_black_and_white_are_close() -> None:
    picture = photo("coffee.png").convert("RGB")
    lab = Image.merge("LAB", [picture.convert("L"), *[Image.new("L", picture.size, 128)] * 2])
    assert hash_image(lab).pdq == hash_image(picture.convert("L")).pdq
    assert hamming(hash_image(picture.convert("1")).pdq.value, hash_image(picture).pdq.value) <= 10


@pytest.mark.parametrize("mode", GREY_MODES)
def test_luma_is_exact_for_grey_modes(mode: str) -> None:
    picture = photo("camera.png").convert("L")
    assert np.array_equal(np.asarray(to_luma(in_mode(picture, mode))), np.asarray(picture))


def test_sixteen_bit_files_are_scaled_not_clipped() -> None:
    picture = photo("camera.png").convert("L")
    for kind in ("PNG", "TIFF"):
        wide = encoded(in_mode(picture, "I;16"), kind)
        assert hash_image(wide).pdq == hash_image(encoded(picture, "PNG")).pdq


@pytest.mark.parametrize("white", [1.0, 255.0, 65535.0, 1e9])
def test_float_pictures_of_any_scale(white: float) -> None:
    grey = np.asarray(photo("camera.png").convert("L")).astype(np.float64) / 255
    grey[0, 0] = 1.0
    scaled = Image.fromarray((grey * white).astype(np.float32))
    assert scaled.mode == "F"
    assert np.abs(np.asarray(to_luma(scaled)) - grey * 255).max() <= 1


def test_floats_that_are_no_numbers_do_no_harm() -> None:
    values = np.full((64, 64), 0.5, np.float32)
    values[0, :3] = (np.nan, np.inf, -np.inf)
    assert np.asarray(to_luma(Image.fromarray(values))).max() <= 255


def test_negative_integers_are_stretched() -> None:
    values = np.arange(-500, 524, dtype=np.int32).reshape(32, 32)
    luma = np.asarray(to_luma(Image.fromarray(values)))
    assert (luma.min(), luma.max()) == (0, 255)


def logo(ink: tuple[int, int, int]) -> Image.Image:
    picture = Image.new("RGBA", (400, 300), (0, 0, 0, 0))
    drawing = ImageDraw.Draw(picture)
    for step in range(0, 400, 40):
        drawing.ellipse((step, step // 2, step + 90, step // 2 + 70), fill=(*ink, 255))
        drawing.rectangle((380 - step, step // 2 + 20, 400 - step, step // 2 + 60), fill=(*ink, 255))
    return picture


@pytest.mark.parametrize("ink", [(255, 255, 255), (0, 0, 0), (128, 128, 128), (255, 0, 0)])
def test_no_transparent_logo_becomes_flat(ink: tuple[int, int, int]) -> None:
    for form in (logo(ink), encoded(logo(ink), "PNG"), encoded(logo(ink).convert("LA"), "PNG")):
        signals = hash_image(form)
        assert signals.pdq.quality is not None
        assert signals.pdq.quality >= 25
        assert any("black" in note for note in signals.notes) == (ink == (255, 255, 255))


def test_transparent_is_white() -> None:
    picture = logo((200, 30, 30))
    flat = Image.new("RGB", picture.size, "white")
    flat.paste(picture, mask=picture.getchannel("A"))
    assert hash_image(picture).pdq == hash_image(flat).pdq
    on_black = to_luma(picture, BLACK)
    assert on_black.getpixel((399, 299)) == 0


def test_colours_under_transparency_are_never_used() -> None:
    visible = logo((0, 0, 0))
    hidden = photo("astronaut.png").convert("RGB").resize(visible.size)
    smuggled = hidden.convert("RGBA")
    smuggled.paste(visible, mask=visible.getchannel("A"))
    smuggled.putalpha(visible.getchannel("A"))
    assert hash_image(smuggled).pdq == hash_image(visible).pdq


def test_transparent_palette_colour_counts_as_transparent() -> None:
    indexed = photo("coffee.png").convert("P", palette=Image.Palette.ADAPTIVE, colors=16)
    marked = encoded(indexed, "PNG", transparency=0)
    opaque = indexed.convert("RGBA")
    pixels = np.asarray(opaque).copy()
    pixels[np.asarray(indexed) == 0] = (255, 255, 255, 255)
    assert hash_image(marked).pdq == hash_image(Image.fromarray(pixels)).pdq


def test_fully_opaque_alpha_changes_nothing() -> None:
    picture = photo().convert("RGB")
    assert hash_image(picture.convert("RGBA")).pdq == hash_image(picture).pdq


def test_the_given_picture_is_left_alone() -> None:
    picture = photo().convert("RGBA")
    before = (picture.mode, picture.size, picture.tobytes())
    hash_image(picture)
    assert (picture.mode, picture.size, picture.tobytes()) == before
