"""Details of pictures: extracted, found again in edited copies, and nowhere else. Photographs of scikit-image."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from hashpact.hashing.local import (
    LocalCandidate,
    canvas,
    local_signature,
    measure,
    probe_points,
    projection,
    sift,
    thumbnail,
)
from hashpact.hashing.local.extract import worth_listing
from hashpact.hashing.local.patches import Pyramid, describe
from hashpact.hashing.local.thresholds import THRESHOLDS
from hashpact.hashing.luma import to_luma
from hashpact.hashing.pdq import pdq
from hashpact.local_signature import (
    POINTS_MIN,
    SIDE_MAX_PX,
    LocalComparison,
    LocalSignature,
    Measurement,
    Placement,
    Places,
    ProbePoints,
    compare,
)
from hashpact.local_signature import mirrored as mirrored_bits
from PIL import Image

from tests.pictures import pattern, photo
from tests.unit.local_signature import drawn

PUBLISHED = "31176e9a4744c37fb4e02d56947e1d9eb27524ae4ae27cb933d1a21f69fee845"
"""SHA-256 of the planes (a bit each: 1 for +1) and the thresholds (16 bits each, big-endian): docs/signatures.md."""

NAMES = ("astronaut.png", "chelsea.png", "rocket.jpg")


def grey(name: str) -> Image.Image:
    return photo(name).convert("L")


def listed(luma: Image.Image) -> LocalSignature:
    result = pdq(np.asarray(luma))
    data = local_signature(canvas(luma), result.values[0], result.quality)
    assert data is not None
    return LocalSignature.decode(data)


def seen(signature: LocalSignature, upload: Image.Image, placement: Placement) -> LocalComparison:
    """An upload measured for a signature, over the wire, and compared."""
    candidate = LocalCandidate(placement, signature.places, signature.width_px, signature.height_px)
    (measured,) = measure(canvas(upload), [candidate])
    return compare(signature, Measurement.decode(measured.encode()))


def placed(signature: LocalSignature, original: Image.Image, upload: Image.Image, **edit: float) -> Placement:
    """Where the original lies in an upload that shows it ``times`` as large, shifted, mirrored or squashed."""
    probe = canvas(upload)
    times, squash = edit.get("times", 1.0), edit.get("squash", 1.0)
    from_frame = original.width / signature.width_px, original.height / signature.height_px
    to_frame = probe.width_px / upload.width, probe.height_px / upload.height
    a, e = from_frame[0] * times * squash * to_frame[0], from_frame[1] * times * to_frame[1]
    numbers = [a, 0, edit.get("x", 0.0) * to_frame[0], 0, e, edit.get("y", 0.0) * to_frame[1]]
    return Placement.of(numbers, mirrored=bool(edit.get("mirrored")))


def cropped(picture: Image.Image) -> tuple[Image.Image, dict[str, float]]:
    width, height = picture.size
    x, y = width // 5, height // 5
    return picture.crop((x, y, width, height)), {"x": -x, "y": -y}


def mirrored(picture: Image.Image) -> tuple[Image.Image, dict[str, float]]:
    return picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT), {"mirrored": 1}


def squashed(picture: Image.Image) -> tuple[Image.Image, dict[str, float]]:
    return picture.resize((round(picture.width * 0.75), picture.height)), {"squash": 0.75}


def inset(picture: Image.Image) -> tuple[Image.Image, dict[str, float]]:
    """A third as wide, in a larger picture of something else."""
    ground = pattern(1024, 768)
    small = picture.resize((341, round(341 * picture.height / picture.width)))
    ground.paste(small, (500, 90))
    return ground, {"times": 341 / picture.width, "x": 500, "y": 90}


def enlarged(picture: Image.Image) -> tuple[Image.Image, dict[str, float]]:
    return picture.resize((picture.width * 2, picture.height * 2)), {"times": 2.0}


Edit = Callable[[Image.Image], tuple[Image.Image, dict[str, float]]]


@pytest.mark.parametrize("edit", [cropped, mirrored, squashed, inset, enlarged])
@pytest.mark.parametrize("name", NAMES)
def test_an_edited_copy_is_confirmed_where_it_lies(name: str, edit: Edit) -> None:
    original = grey(name)
    signature = listed(original)
    upload, how = edit(original)
    found = seen(signature, upload, placed(signature, original, upload, **how))
    assert found.points >= POINTS_MIN
    assert found.cell_percent >= 50, found
    assert found.thumbnail_percent >= 80, found
    if edit is cropped:
        assert found.pdq_distance is None  # not all of it is in view
        assert 55 <= found.visible_percent <= 68
    else:
        assert found.pdq_distance is not None
        assert found.pdq_distance <= 31


def test_another_picture_is_not_confirmed_anywhere() -> None:
    pictures = [grey(name) for name in NAMES]
    signatures = [listed(picture) for picture in pictures]
    hows: tuple[dict[str, float], ...] = ({}, {"x": 20.0, "y": -30.0}, {"mirrored": 1.0}, {"times": 0.6, "x": 40.0})
    for number, upload in enumerate(pictures):
        others = [signature for index, signature in enumerate(signatures) if index != number]
        asked = [(other, placed(other, upload, upload, **how)) for other in others for how in hows]
        candidates = [LocalCandidate(where, at.places, at.width_px, at.height_px) for at, where in asked]
        for (signature, _), measured in zip(asked, measure(canvas(upload), candidates), strict=True):
            found = compare(signature, measured)
            assert found.cell_percent < 25, found
            assert found.thumbnail_percent < 75, found
            assert found.pdq_distance is None or found.pdq_distance > 60


def test_what_is_listed_is_spread_over_the_picture_and_half_of_it_large() -> None:
    """The most marked are 300 small points in one corner; large and lonely ones are far down the list."""
    rng = np.random.default_rng(5)
    corner, anywhere, large = rng.random((300, 2)) * 60, rng.random((60, 2)) * 300, rng.random((60, 2)) * 300
    xy = np.concatenate([corner, corner[:20], anywhere, large]).astype(np.float32)
    size = np.repeat([2.0, 2.0, 3.0, 6.0], [300, 20, 60, 60]).astype(np.float32)
    places = Places(xy, size, rng.random(len(xy)).astype(np.float32))
    kept = places.some(worth_listing(places, 300, 300))
    assert len(kept) == 96
    assert (kept.size == 6).sum() >= 48
    assert (kept.xy < 60).all(axis=1).sum() <= 20
    assert len(np.unique(kept.xy, axis=0)) == 96  # a place that has two directions is listed once


def test_a_thumbnail_says_where_it_gets_brighter_and_what_of_it_is_clear() -> None:
    right = np.tile(np.arange(32, dtype=np.float32) * 0.9, (32, 1))
    right[:, 16:] += 40
    signs = np.unpackbits(thumbnail.signs(right))
    assert signs[:992].all()
    assert not signs[992:].any()
    assert np.array_equal(np.unpackbits(thumbnail.signs(right.T)), np.roll(signs.reshape(2, 992), 1, axis=0).ravel())
    seen = np.ones((32, 32), np.bool_)
    seen[:4] = False
    clear = np.unpackbits(thumbnail.clear(right, seen))
    assert clear[:992].reshape(32, 31).nonzero()[1].tolist() == [15] * 28  # of the rows in view the one real edge
    assert not clear[992:].any()
    np.testing.assert_allclose(thumbnail.cells(np.full((500, 333), 7, np.uint8)), 7.0, rtol=1e-6)


def test_points_of_the_mirrored_picture_are_known_without_looking_again() -> None:
    frame = canvas(grey("astronaut.png")).frame()
    places = sift.detect(frame, 300)
    histograms = describe(Pyramid(frame), places)
    turned = np.ascontiguousarray(frame[:, ::-1])
    again = projection.bits(describe(Pyramid(turned), places.mirrored(frame.shape[1])))
    wrong = np.bitwise_count(mirrored_bits(projection.bits(histograms)) ^ again).sum(axis=1)
    assert np.median(wrong) <= 2
    np.testing.assert_array_equal(
        mirrored_bits(projection.bits(histograms)), projection.bits(histograms[:, projection.MIRROR])
    )


def test_histograms_are_much_like_those_of_the_reference() -> None:
    """OpenCV's, at the same points: another way to sum up the same slopes."""
    frame = canvas(grey("astronaut.png")).frame()
    finder = cv2.SIFT_create(nfeatures=200)
    points, theirs = finder.detectAndCompute(frame, None)
    xy = np.array([point.pt for point in points], np.float32) + np.float32(0.5)
    size = np.array([point.size for point in points], np.float32)
    ours = describe(Pyramid(frame), Places(xy, size, np.array([point.angle for point in points], np.float32)))
    theirs = theirs.reshape(-1, 4, 4, 8)[..., -np.arange(8) % 8].reshape(-1, 128)  # OpenCV turns the other way round
    cosine = (ours * theirs).sum(axis=1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(theirs, axis=1)
    assert np.median(cosine) > 0.95
    assert np.percentile(cosine, 5) > 0.85


def test_a_candidate_is_measured_alike_alone_and_among_others() -> None:
    original = grey("astronaut.png")
    signature = listed(original)
    upload, how = cropped(original)
    ours = placed(signature, original, upload, **how)
    candidates = [
        LocalCandidate(placement, signature.places, signature.width_px, signature.height_px)
        for placement in (
            ours,
            Placement.of([0.4, 0.1, 30, -0.1, 0.4, 60], mirrored=True),
            Placement.of([30, 0, -9e4, 0, 30, -9e4], mirrored=False),
            Placement.of([0.01, 0, 5, 0, 0.01, 5], mirrored=False),
        )
    ]
    together = measure(canvas(upload), candidates)
    for candidate, measured in zip(candidates, together, strict=True):
        (alone,) = measure(canvas(upload), [candidate])
        np.testing.assert_array_equal(measured.visible, alone.visible)
        assert (measured.pdq, measured.visible_percent) == (alone.pdq, alone.visible_percent)
        np.testing.assert_array_equal(measured.thumbnail, alone.thumbnail)
        # A library may sum up in another order where there are more points.
        assert np.bitwise_count(measured.descriptors ^ alone.descriptors).sum() <= 2 * measured.visible.sum()
    assert all(measured.visible.sum() <= 48 for measured in together)
    assert together[2].visible_percent == 0
    assert not together[2].visible.any()
    assert not together[3].visible.any()  # smaller than a pixel
    assert measure(canvas(upload), []) == []


@pytest.mark.parametrize("threads", [1, 4])
def test_every_thread_gets_the_same_bytes(threads: int) -> None:
    pictures = [grey(name) for name in NAMES]

    def work(luma: Image.Image) -> tuple[bytes | None, bytes]:
        ground = canvas(luma)
        return local_signature(ground, bytes(32), 80), probe_points(ground)

    expected = [work(picture) for picture in pictures]
    before = cv2.getNumThreads()
    try:
        cv2.setNumThreads(threads)
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(work, pictures * 2)) == expected * 2
    finally:
        cv2.setNumThreads(before)


@pytest.mark.parametrize(
    "size", [(1, 1), (20_000, 1), (1, 20_000), (4, 4), (15, 400), (17, 17), (3000, 40), (5000, 5000)]
)
@pytest.mark.parametrize("content", ["flat", "noise"])
def test_odd_pictures_have_few_points_or_none_and_no_error(size: tuple[int, int], content: str) -> None:
    width, height = size
    plane = np.full((height, width), 200, np.uint8)
    if content == "noise":
        plane = np.random.default_rng(1).integers(0, 256, size=(height, width), dtype=np.uint8)
    ground = canvas(plane)
    assert max(ground.width_px, ground.height_px) <= SIDE_MAX_PX
    assert ground.grey.size <= 4 * 384 * 256 * 1.02
    points = probe_points(ground)
    assert not points or len(ProbePoints.decode(points)) >= 3
    data = local_signature(ground, bytes(32), 0)
    if content == "flat" or min(size) < 16:
        assert (points, data) == (b"", None)
    candidate = LocalCandidate(Placement((1, 0, 0, 0, 1, 0)), drawn.places(np.random.default_rng(2), 96), 384, 256)
    assert Measurement.decode(measure(ground, [candidate])[0].encode()).visible_percent <= 100


def test_wide_and_see_through_pictures_have_the_points_of_what_is_shown() -> None:
    plain = grey("chelsea.png")
    wide = Image.fromarray(np.asarray(plain).astype(np.uint16) * 257)
    clear = photo("chelsea.png").convert("RGBA")
    clear.putalpha(Image.new("L", clear.size, 255))
    expected = probe_points(canvas(plain))
    assert probe_points(canvas(to_luma(wide))) == expected
    assert probe_points(canvas(to_luma(clear))) == expected


def test_the_projection_is_the_published_one() -> None:
    planes = projection.planes()
    assert planes.shape == (256, 128)
    assert (planes.sum(axis=1) == 0).all()
    drawn = np.packbits(planes > 0).tobytes() + THRESHOLDS.astype(">i2").tobytes()
    assert hashlib.sha256(drawn).hexdigest() == PUBLISHED
    assert projection.bits(np.zeros((1, 128), np.float32)).shape == (1, 32)
