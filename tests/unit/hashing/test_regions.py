"""The pictures inside a picture: frames, screenshots, turned copies; on photographs that come with scikit-image."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from hashpact.hashing.pdq import pdq
from hashpact.hashing.regions import REGIONS_MAX, find_regions, is_detailed, unframed
from hashpact.signals import SIGNAL_TYPES, hamming
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from tests.pictures import encoded, photo

PHOTOS = ("astronaut.png", "chelsea.png", "coffee.png", "motorcycle_left.png")
RADIUS = SIGNAL_TYPES["pdq"].radius_default


def _framed(picture: Image.Image, share: float, colour: str) -> Image.Image:
    px = round(share * max(picture.size))
    framed = Image.new("RGB", (picture.width + 2 * px, picture.height + 2 * px), colour)
    framed.paste(picture, (px, px))
    return framed


def _noisy(picture: Image.Image) -> Image.Image:
    values = np.asarray(picture).astype(np.float64)
    values += np.random.default_rng(7).normal(0, 3, values.shape)
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def _letterbox(picture: Image.Image) -> Image.Image:
    boxed = Image.new("RGB", (picture.width, round(1.5 * picture.height)), "black")
    boxed.paste(picture, (0, picture.height // 4))
    return boxed


def _turned(degrees: float, colour: str) -> Callable[[Image.Image], Image.Image]:
    return lambda picture: picture.rotate(degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=colour)


def _gallery(picture: Image.Image) -> Image.Image:
    screen = Image.new("RGB", (720, 1560), (17, 17, 19))
    draw = ImageDraw.Draw(screen)
    draw.text((30, 20), "12:45", fill="white", font_size=30)
    draw.text((30, 100), "Yesterday, 18:02", fill="white", font_size=36)
    shown = picture.resize((720, round(picture.height * 720 / picture.width)))
    screen.paste(shown, (0, 780 - shown.height // 2))
    for place in range(5):
        draw.ellipse((40 + 145 * place, 1440, 85 + 145 * place, 1485), outline="white", width=3)
    return screen


def _browser(picture: Image.Image) -> Image.Image:
    screen = Image.new("RGB", (1280, 800), "white")
    draw = ImageDraw.Draw(screen)
    draw.rectangle((0, 0, 1280, 70), fill=(222, 225, 230))
    draw.rounded_rectangle((150, 20, 1000, 55), 12, fill="white")
    draw.text((100, 90), "A headline about something", fill="black", font_size=32)
    screen.paste(picture.resize((600, round(picture.height * 600 / picture.width))), (100, 150))
    for line in range(16):
        draw.text((760, 150 + 34 * line), "words in a column of text", fill=(50, 50, 50), font_size=22)
    return screen


EDITS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "border 3 % white": lambda picture: _framed(picture, 0.03, "white"),
    "border 10 % blue, noisy": lambda picture: _noisy(_framed(picture, 0.1, "#203a66")),
    "pad 20 % black": lambda picture: _framed(picture, 0.2, "black"),
    "letterbox": _letterbox,
    "turned 2": _turned(2, "black"),
    "turned -5": _turned(-5, "white"),
    "turned 15": _turned(15, "black"),
    "gallery": _gallery,
    "browser": _browser,
}


def _luma(picture: Image.Image) -> NDArray[np.uint8]:
    """As it arrives: a JPEG of middling quality."""
    with Image.open(BytesIO(encoded(picture, "JPEG", quality=75))) as opened:
        return np.asarray(opened.convert("L"))


def _nearest(listed: list[bytes], luma: NDArray[np.uint8]) -> int:
    seen = [luma, *find_regions(luma)]
    return min(hamming(one, pdq(part).values[0]) for one in listed for part in seen)


def _listed(picture: Image.Image) -> list[bytes]:
    luma = np.asarray(picture.convert("L"))
    inner = unframed(luma)
    return [pdq(part).values[0] for part in (luma, inner) if part is not None]


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize("name", PHOTOS)
def test_a_photograph_is_found_inside(name: str, edit: str) -> None:
    picture = photo(name).convert("RGB")
    luma = _luma(EDITS[edit](picture))
    assert hamming(_listed(picture)[0], pdq(luma).values[0]) > RADIUS, "the whole picture would do"
    assert _nearest(_listed(picture), luma) <= RADIUS


@pytest.mark.parametrize("name", PHOTOS)
def test_what_is_found_in_one_photograph_is_not_another(name: str) -> None:
    others = [_listed(photo(other).convert("RGB")) for other in PHOTOS if other != name]
    for edit, listed in itertools.product(EDITS.values(), others):
        assert _nearest(listed, _luma(edit(photo(name).convert("RGB")))) > SIGNAL_TYPES["pdq"].radius_max


def _card(text: str) -> Image.Image:
    card = Image.new("RGB", (900, 600), "#4a1f6b")
    draw = ImageDraw.Draw(card)
    for line in range(4):
        draw.text((60, 60 + 130 * line), text, fill="white", font_size=80)
    return card


def _page() -> Image.Image:
    page = Image.new("RGB", (850, 1100), "white")
    draw = ImageDraw.Draw(page)
    for line in range(40):
        draw.text((80, 60 + 25 * line), "words of a page and more of them in a line", fill="black", font_size=18)
    return page


def _flag() -> Image.Image:
    flag = Image.new("RGB", (900, 600), "#b02020")
    ImageDraw.Draw(flag).rectangle((0, 200, 900, 400), fill="#e0d040")
    return flag


@pytest.mark.parametrize("drawn", [_card("SOME WORDS"), _page(), _flag(), Image.new("RGB", (640, 480), "black")])
def test_text_and_flags_hold_no_picture(drawn: Image.Image) -> None:
    for shown in (drawn, _framed(drawn, 0.1, "white"), _gallery(drawn)):
        luma = _luma(shown)
        assert find_regions(luma) == []
        assert unframed(luma) is None
        assert not is_detailed(luma)


@pytest.mark.parametrize("name", PHOTOS)
def test_a_photograph_is_detailed(name: str) -> None:
    assert is_detailed(np.asarray(photo(name).convert("L")))


@pytest.mark.parametrize("edit", ["border 3 % white", "border 10 % blue, noisy", "letterbox", "turned 15"])
@pytest.mark.parametrize("name", PHOTOS)
def test_the_list_is_told_of_the_picture_without_its_frame(name: str, edit: str) -> None:
    picture = photo(name).convert("RGB")
    inner = unframed(_luma(EDITS[edit](picture)))
    assert inner is not None
    assert min(hamming(one, pdq(inner).values[0]) for one in _listed(picture)) <= RADIUS


def test_the_list_is_told_of_no_picture_among_others() -> None:
    """A screenshot that is listed must not list the photograph in it, which may be anybody's."""
    luma = _luma(_browser(photo("chelsea.png").convert("RGB")))
    inner = unframed(luma)
    assert inner is None or hamming(pdq(inner).values[0], _listed(photo("chelsea.png"))[0]) > RADIUS


@pytest.mark.parametrize(
    "shape", [(1, 1), (1, 4000), (2, 3), (5, 5), (16, 16), (63, 64), (600, 2), (47, 512), (3000, 40)]
)
@pytest.mark.parametrize("seed", range(3))
def test_any_shape_and_any_noise_is_taken(shape: tuple[int, int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    for luma in (
        rng.integers(0, 256, shape, dtype=np.uint8),
        np.full(shape, 255 * (seed % 2), np.uint8),
        np.where(rng.random(shape) < 0.02, 255, 0).astype(np.uint8),
    ):
        for part in [*find_regions(luma), unframed(luma)]:
            assert part is None or (part.dtype == np.uint8 and min(part.shape) > 0)


def test_regions_are_few() -> None:
    rng = np.random.default_rng(1)
    sheet = np.zeros((1000, 1000), np.uint8)
    for row, column in itertools.product(range(4), range(4)):
        sheet[250 * row + 20 : 250 * row + 230, 250 * column + 20 : 250 * column + 230] = rng.integers(
            0, 256, (210, 210), dtype=np.uint8
        )
    assert len(find_regions(sheet)) == REGIONS_MAX
