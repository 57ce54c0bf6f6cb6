"""Videos from end to end: contributed by one member, found in what another is sent; kept, explained, redacted."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from hashpact import Client, Signal, hash_video
from hashpact.errors import InvalidSignalError
from hashpact.results import CheckResult
from PIL import Image, ImageOps
from skimage import data as photographs

from tests.integration.harness import Forum, ServerInside
from tests.integration.test_client import connect
from tests.videos import RATE, video

LABELS = ["behaviour:glorification_of_terrorist_acts"]
SIZE = (192, 144)
SHOWN = ("astronaut", "coffee", "chelsea", "rocket", "camera", "coins", "immunohistochemistry", "hubble_deep_field")


def moving(names: tuple[str, ...], seconds: float = 1.5) -> list[Image.Image]:
    """A scene per photograph, each drifting and growing."""
    frames = []
    for name in names:
        whole = Image.fromarray(getattr(photographs, name)()).convert("RGB").resize((2 * SIZE[0], 2 * SIZE[1]))
        for step in range(round(seconds * RATE)):
            left, size = 6 * step, 1.2 + 0.02 * step
            frames.append(whole.crop((left, 20, left + round(SIZE[0] * size), 20 + round(SIZE[1] * size))).resize(SIZE))
    return frames


@pytest.fixture(scope="module")
def listed() -> list[Image.Image]:
    return moving(SHOWN[:4])


@pytest.fixture(scope="module")
def others() -> list[Image.Image]:
    return moving(SHOWN[4:])


@pytest.fixture
def alpha(inside: ServerInside, forum: Forum) -> Iterator[Client]:
    with connect(inside, forum, "alpha") as client:
        yield client


@pytest.fixture
def acme(inside: ServerInside, forum: Forum) -> Iterator[Client]:
    with connect(inside, forum, "acme") as client:
        yield client


def encoded(frames: list[Image.Image], container: str = "mp4", codec: str = "libx264") -> bytes:
    return video(container, codec, pictures=iter(frames))


def only(found: CheckResult, item: int) -> tuple[str, str, float, float]:
    """Level, advice, and both percentages of the one match."""
    (match,) = found.matches
    assert (match.item, found.verdict) == (item, "match" if match.level == "strong" else "near")
    assert match.overlap is not None
    return match.level, match.advice, match.overlap.query_percent, match.overlap.item_percent


def test_copies_are_found_and_how_much_of_them(
    alpha: Client, acme: Client, listed: list[Image.Image], others: list[Image.Image]
) -> None:
    original = encoded(listed)
    outcome = alpha.contribute(original, labels=LABELS)
    item = outcome.item
    assert (outcome.outcome, outcome.problems) == ("created", ())
    assert acme.check(original).matches[0].signal_type == "sha256"
    assert acme.check(encoded(others)).verdict == "none"

    again = only(acme.check(encoded(listed, "webm", "libvpx")), item)
    assert again[:2] == ("strong", "review")
    assert min(again[2:]) > 90
    mirrored = only(acme.check(encoded([ImageOps.mirror(each) for each in listed])), item)
    assert mirrored[0] == "strong"
    padded = only(acme.check(encoded([ImageOps.expand(each, (0, 40), fill="black") for each in listed])), item)
    assert padded[0] == "strong"

    inside = acme.check(encoded(others + listed + others))
    level, advice, query, shown = only(inside, item)
    assert (level, advice) == ("strong", "review")
    assert shown > 85
    assert 25 < query < 42
    overlap = inside.matches[0].overlap
    assert overlap is not None
    assert abs(overlap.offset_ms - 1000 * len(others) / RATE) < 400
    assert abs(overlap.speed - 1) < 0.15
    assert len(overlap.stretches) == 1

    excerpt = only(acme.check(encoded(listed[15:35])), item)
    assert excerpt[0] == "near"
    assert excerpt[3] < 60
    fast = acme.check(encoded(listed[::2]))
    assert only(fast, item)[0] == "strong"
    overlap = fast.matches[0].overlap
    assert overlap is not None
    assert abs(overlap.speed - 2) < 0.3


def test_one_frame_of_a_video_is_only_counted(
    alpha: Client, acme: Client, listed: list[Image.Image], others: list[Image.Image]
) -> None:
    item = alpha.contribute(encoded(listed), labels=LABELS).item
    level, advice, _, shown = only(acme.check(encoded(others + [listed[20]] * 15 + others)), item)
    assert (level, advice) == ("near", "observe")
    assert shown < 30
    still = alpha.contribute(encoded([others[7]] * 30), labels=LABELS).item
    assert only(acme.check(encoded([others[7]] * 50, "webm", "libvpx")), still)[:2] == ("near", "review")


def test_a_video_is_kept_told_and_contributed_twice(
    alpha: Client, inside: ServerInside, forum: Forum, listed: list[Image.Image], tmp_path: Path
) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(encoded(listed))
    item = alpha.contribute(path, labels=LABELS).item
    signals = alpha.get_item(item).signals
    frames = [signal for signal in signals if signal.signal_type == "pdq_frame"]
    stretches = [frame.stretch_ms for frame in frames if frame.stretch_ms is not None]
    assert len(frames) == len(stretches) == len(signals) - 2
    assert stretches == sorted(stretches)
    # A frame with borders is listed without them, too; one that shows little is not listed.
    assert all(before == after or before[1] <= after[0] for before, after in itertools.pairwise(stretches))
    assert stretches[-1][1] == round(1000 * hash_video(path).duration_s)
    assert all("stretch_ms" in one for one in alpha.get_item(item).to_dict()["signals"][2:])
    # Said again, by the same member or another one, it adds no value.
    assert alpha.contribute(path, labels=LABELS).outcome == "unchanged"
    with connect(inside, forum, "steward") as steward:
        steward.create_member("beta", ["contribute", "check"], group="beta")
        token = steward.issue_token("beta").token
    with Client(str(inside.address), token=token, ca=forum.ca) as beta:
        assert beta.contribute(path, labels=LABELS).outcome == "corroborated"
        assert len(beta.get_item(item).signals) == len(signals)
        told = beta.explain(path, item)
    (by_frames,) = [one for one in told.signals if one.signal_type == "pdq_frame"]
    assert (by_frames.agrees, by_frames.distance) == (True, 0)


def test_what_is_wrong_with_frames_is_said(alpha: Client) -> None:
    digest, frame = Signal("sha256", bytes(range(32))), Signal("pdq_frame", bytes(range(7, 39)), 90)
    outcome = alpha.contribute([digest, frame], labels=LABELS)
    assert outcome.outcome == "created"
    (problem,) = outcome.problems
    assert problem.reason == "SIGNAL_MALFORMED"
    assert "stretch" in problem.message
    with pytest.raises(InvalidSignalError):
        Signal("pdq_frame", bytes(32), 90, (9, 5))
