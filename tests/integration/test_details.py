"""Edits that blind hashes of the whole picture, checked through the real client and server: what is said of each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import pytest
from hashpact import AsyncClient, CheckResult, Client, FailedCheck, ImageSignals, hash_image
from hashpact.errors import InvalidRequestError
from PIL import Image, ImageDraw, ImageOps

from tests.integration.harness import Forum, ServerInside
from tests.pictures import photo

TIMEOUT_S = 30.0
LISTED = ("astronaut.png", "chelsea.png", "coffee.png")


def saved(picture: Image.Image, quality: int = 75) -> bytes:
    file = BytesIO()
    picture.convert("RGB").save(file, "JPEG", quality=quality)
    return file.getvalue()


def cropped(picture: Image.Image, share: float) -> Image.Image:
    width, height = round(picture.width * (1 - share)), round(picture.height * (1 - share))
    return picture.crop((picture.width - width, picture.height - height, picture.width, picture.height))


def in_another(picture: Image.Image) -> Image.Image:
    other = photo("motorcycle_left.png").convert("RGB").resize((1024, 768))
    other.paste(picture.resize((512, round(picture.height * 512 / picture.width))), (400, 200))
    return other


def bordered(picture: Image.Image) -> Image.Image:
    return ImageOps.expand(picture.convert("RGB"), round(0.1 * picture.width), "black")


def captioned(picture: Image.Image) -> Image.Image:
    picture = picture.convert("RGB")
    draw = ImageDraw.Draw(picture)
    for share, text in ((0.04, "WHEN YOU SEE IT"), (0.86, "AND CANNOT UNSEE")):
        draw.text((20, share * picture.height), text, "white", font_size=44, stroke_width=4, stroke_fill="black")
    return picture


EDITS: dict[str, tuple[Callable[[Image.Image], Image.Image], str]] = {
    "as it is": (lambda picture: picture, "strong"),
    "captioned": (captioned, "near"),
    "bordered": (bordered, "strong"),
    "crop 25 %": (lambda picture: cropped(picture, 0.25), "near"),
    "mirrored, crop 25 %": (lambda picture: cropped(ImageOps.mirror(picture), 0.25), "near"),
    "turned and cropped": (lambda picture: cropped(picture.rotate(5, Image.Resampling.BICUBIC), 0.2), "near"),
    "in another picture": (in_another, "near"),
}
"""Edit, and how sure its match is at least."""


@pytest.fixture
def items(inside: ServerInside, forum: Forum) -> Iterator[tuple[Client, dict[str, int]]]:
    """A member that may only check, and what was listed."""
    with Client(str(inside.address), token=forum.tokens["alpha"], ca=forum.ca, timeout_s=TIMEOUT_S) as alpha:
        listed = {}
        for name in LISTED:
            outcome = alpha.contribute(photo(name).convert("RGB"), labels=["x"])
            assert outcome.outcome == "created", outcome
            listed[name] = outcome.item
        kinds = {signal.signal_type for signal in alpha.get_item(listed["coffee.png"]).signals}
        assert {"pdq", "local_sift"} <= kinds
        as_of = alpha.as_of
    with Client(str(inside.address), token=forum.tokens["acme"], ca=forum.ca, timeout_s=TIMEOUT_S) as acme:
        assert as_of
        yield acme, listed


def test_each_edit_is_found_as_sure_as_it_can_be(items: tuple[Client, dict[str, int]]) -> None:
    acme, listed = items
    wanted, files = [], []
    for edit, (change, level) in EDITS.items():
        for name in LISTED:
            files.append(saved(change(photo(name).convert("RGB"))))
            wanted.append((edit, name, level))
    for (edit, name, level), answer in zip(wanted, acme.check_many(files), strict=True):
        assert isinstance(answer, CheckResult)
        assert [match.item for match in answer.matches] == [listed[name]], (edit, name)
        (match,) = answer.matches
        assert match.level == "strong" or level == "near", (edit, name, match)
        assert isinstance(answer.signals, ImageSignals)
        assert answer.signals.canvas is None, "a check lets go of the picture"
        assert match.reason


def test_other_pictures_are_not_found(items: tuple[Client, dict[str, int]]) -> None:
    acme, _ = items
    others = [photo(name).convert("RGB") for name in ("rocket.jpg", "camera.png", "motorcycle_left.png", "ihc.png")]
    for other in others:
        for change, _level in EDITS.values():
            answer = acme.check(saved(change(other)), mode="deep")
            assert (answer.verdict, answer.matches) == ("none", ())


def test_modes_find_more_and_more(items: tuple[Client, dict[str, int]]) -> None:
    acme, listed = items
    crop = saved(cropped(photo("chelsea.png"), 0.25))
    border = saved(bordered(photo("chelsea.png")))
    assert acme.check(crop, mode="fast").verdict == acme.check(border, mode="fast").verdict == "none"
    for mode in ("standard", "deep"):
        assert acme.check(crop, mode=mode).matches[0].item == listed["chelsea.png"]
        assert acme.check(border, mode=mode).verdict == "match"
    with pytest.raises(InvalidRequestError, match="fast, standard, deep"):
        acme.check(crop, mode="thorough")  # type: ignore[arg-type] # on purpose


def test_the_async_client_says_the_same(
    items: tuple[Client, dict[str, int]], inside: ServerInside, forum: Forum, tmp_path: Path
) -> None:
    acme, _ = items
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8\xff")
    sources: list[bytes | Path] = [
        saved(cropped(photo("coffee.png"), 0.25)),
        broken,
        saved(photo("rocket.jpg")),
        saved(in_another(photo("astronaut.png"))),
    ]

    async def ask() -> list[CheckResult | FailedCheck]:
        async with AsyncClient(
            str(inside.address), token=forum.tokens["acme"], ca=forum.ca, timeout_s=TIMEOUT_S
        ) as client:
            found = [answer async for answer in client.check_many(sources)]
            assert isinstance(found[0], CheckResult)
            assert (await client.check(sources[0])).matches == found[0].matches
            return found

    for one, other in zip(acme.check_many(sources), asyncio.run(ask()), strict=True):
        assert type(one) is type(other)
        if isinstance(one, CheckResult) and isinstance(other, CheckResult):
            assert one.matches == other.matches


def test_what_is_explained_is_what_a_check_told(items: tuple[Client, dict[str, int]]) -> None:
    acme, listed = items
    for name in LISTED:
        for change in (lambda picture: cropped(picture, 0.25), in_another):
            upload = saved(change(photo(name).convert("RGB")))
            (match,) = acme.check(upload).matches
            told = acme.explain(upload, listed[name])
            assert (told.match, told.advice) == (match, match.advice)
            assert {one.signal_type for one in told.signals if one.agrees} == {
                one.signal_type for one in match.agreements
            }
            other = acme.explain(upload, next(item for item in listed.values() if item != listed[name]))
            assert (other.match, other.advice) == (None, "none")
            assert not [one for one in other.signals if one.agrees]
            assert "local_sift" in {one.signal_type for one in other.signals}
    assert acme.explain(upload, listed[name], mode="fast").match is None


def test_a_radius_holds_for_what_is_confirmed_too(
    inside: ServerInside, items: tuple[Client, dict[str, int]], forum: Forum
) -> None:
    _, listed = items
    small = saved(photo("coffee.png").convert("L").resize((150, 100)), quality=30)
    with Client(str(inside.address), token=forum.tokens["alpha"], ca=forum.ca, timeout_s=TIMEOUT_S) as alpha:
        for radius, expected in ((31, {"pdq", "local_sift"}), (0, {"local_sift"})):
            (match,) = alpha.check(small, radii={"pdq": radius, "phash": 0, "phash256": 0}).matches
            assert match.item == listed["coffee.png"]
            assert {one.signal_type for one in match.agreements} >= expected
            assert ("pdq" in {one.signal_type for one in match.agreements}) == (radius > 0)


def test_no_picture_leaves_and_none_is_shown(items: tuple[Client, dict[str, int]]) -> None:
    acme, _ = items
    signals = hash_image(saved(cropped(photo("coffee.png"), 0.25)), dihedral=True, mode="standard")
    assert signals.canvas is not None
    assert "canvas" not in repr(signals)
    (found,) = acme.lookup([signals])
    assert found.verdict == "none"
    (candidate,) = found.candidates
    assert "places" not in repr(candidate)
    assert acme.check(signals).verdict == "near"
