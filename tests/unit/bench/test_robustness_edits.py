"""The edits do what ``docs/robustness.md`` says they do: a table of recall is worth as much as they are."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from hashpact.hashing import hash_image
from PIL import Image

from tests.bench.robustness import edits, screens
from tests.bench.robustness.edits import EDITS, Change
from tests.bench.robustness.scenes import scene
from tests.bench.robustness.structured import SCREENS, TEMPLATES
from tests.pictures import photo

PICTURE = photo("coffee.png").convert("RGB")
OTHER = photo("chelsea.png").convert("RGB")


def _changed(change: Change, seed: int = 1) -> Image.Image:
    return change(PICTURE, np.random.default_rng(seed), OTHER)


def test_a_copy_is_the_same_on_every_run_and_differs_by_name() -> None:
    for edit in EDITS:
        copy = edit.copy("one", PICTURE, [OTHER])
        assert copy == edit.copy("one", PICTURE, [OTHER]), edit.name
        with Image.open(BytesIO(copy)) as found:
            assert found.format == "JPEG"
    crop = next(edit for edit in EDITS if edit.name == "crop 25 %")
    assert len({crop.copy(str(number), PICTURE, [OTHER]) for number in range(12)}) > 1


@pytest.mark.parametrize(("percent", "area"), [(5, 0.9025), (10, 0.81), (25, 0.5625), (40, 0.36)])
def test_a_crop_shortens_both_sides_at_a_corner(percent: float, area: float) -> None:
    found = {_changed(edits.crop(percent), seed).tobytes() for seed in range(20)}
    cut = _changed(edits.crop(percent))
    assert cut.width * cut.height == pytest.approx(area * PICTURE.width * PICTURE.height, rel=0.01)
    assert len(found) == 4  # the four corners
    corner = PICTURE.crop((0, 0, *cut.size))
    assert corner.tobytes() in found


def test_a_border_is_a_share_of_the_longer_side_on_every_side() -> None:
    framed = _changed(edits.border(10))
    width = round(max(PICTURE.size) / 10)
    assert framed.size == (PICTURE.width + 2 * width, PICTURE.height + 2 * width)
    assert framed.crop((width, width, width + PICTURE.width, width + PICTURE.height)).tobytes() == PICTURE.tobytes()


def test_padding_is_on_two_opposite_sides() -> None:
    sizes = {_changed(edits.pad(20), seed).size for seed in range(12)}
    assert sizes == {(round(PICTURE.width * 1.4), PICTURE.height), (PICTURE.width, round(PICTURE.height * 1.4))}


def test_a_letterbox_shows_the_whole_picture_in_another_shape() -> None:
    for seed in range(6):
        boxed = _changed(edits.letterbox, seed)
        assert boxed.size[0] / boxed.size[1] == pytest.approx(16 / 9, rel=0.01) or boxed.size[0] / boxed.size[
            1
        ] == pytest.approx(9 / 16, rel=0.01)
        left, top = (boxed.width - PICTURE.width) // 2, (boxed.height - PICTURE.height) // 2
        inside = boxed.crop((left, top, left + PICTURE.width, top + PICTURE.height))
        assert inside.tobytes() == PICTURE.tobytes()


@pytest.mark.parametrize("degrees", [2, 5, 15])
def test_a_cropped_rotation_has_no_corner_of_the_ground(degrees: float) -> None:
    white = Image.new("RGB", (600, 400), "white")
    for size in ((600, 400), (400, 600), (900, 200)):
        turned = edits.rotated(degrees, cropped=True)(white.resize(size), np.random.default_rng(2), OTHER)
        assert np.asarray(turned).min() > 200, size
        grown = edits.rotated(degrees, cropped=False)(white.resize(size), np.random.default_rng(2), OTHER)
        assert grown.width > size[0]
        assert np.asarray(grown)[0, 0].max() == 0


def test_a_picture_in_a_picture_is_as_wide_as_said() -> None:
    red = Image.new("RGB", (800, 600), "red")
    inside = screens.inset(338)(red, np.random.default_rng(1), Image.new("RGB", (900, 700), "blue"))
    columns = np.flatnonzero((np.asarray(inside)[..., 0] > 128).any(axis=0))
    assert inside.width == screens.CANVAS_PX
    assert np.ptp(columns) + 1 == 338


@pytest.mark.parametrize("name", SCREENS)
def test_a_screen_shows_the_whole_photograph_among_other_things(name: str) -> None:
    red = Image.new("RGB", (640, 480), (255, 0, 0))
    shown = np.asarray(SCREENS[name](red, np.random.default_rng(3), OTHER)).astype(int)
    pure = (shown[..., 0] > 250) & (shown[..., 1] < 5) & (shown[..., 2] < 5)
    assert 0.1 < pure.mean() < 0.99
    assert np.unique(shown[~pure]).size > 50  # letters, buttons


def test_what_is_drawn_differs_from_one_to_the_next() -> None:
    for name, draw in TEMPLATES.items():
        drawn = {draw(np.random.default_rng(number)).tobytes() for number in range(3)}
        assert len(drawn) == 3, name


def test_scenes_are_the_same_everywhere_and_far_from_each_other() -> None:
    patch = [np.asarray(OTHER.resize((96, 96)))]
    assert np.array_equal(scene(5, patch), scene(5, patch))
    signals = [hash_image(Image.fromarray(scene(number, patch))).pdq for number in range(24)]
    values = [int.from_bytes(signal.value, "big") for signal in signals]
    assert min((a ^ b).bit_count() for at, a in enumerate(values) for b in values[:at]) > 63
