"""Local points: what the table finds beside comparing with all, where votes place a picture, what is shared."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hashpact_server.index import Asked, IndexInputError, Pictures, PointIndex
from hashpact_server.index import points as module
from hashpact_server.index.choosing import chosen
from hashpact_server.index.points_view import sorted_view
from hypothesis import given, settings
from hypothesis import strategies as st

CERTAIN_BITS = 11
"""So many bits cannot fall into all of 12 chunks."""


def random_places(rng: np.random.Generator, count: int) -> np.ndarray:
    return np.column_stack(
        [rng.uniform(0, 380, count), rng.uniform(0, 250, count), rng.uniform(3, 40, count), rng.uniform(0, 6.28, count)]
    ).astype(np.float32)


def pictures(
    ids: list[int], values: list[np.ndarray], places: list[np.ndarray] | None = None, **more: object
) -> Pictures:
    rng = np.random.default_rng(ids[0] if ids else 0)
    counts = [len(each) for each in values]
    return Pictures(
        np.array(ids, np.uint64),
        np.array(more.get("items", ids), np.uint64),
        np.array(more.get("wholes", rng.integers(0, 256, (len(ids), 32))), np.uint8),
        np.ones(len(ids), np.bool_),
        np.array(counts, np.int64),
        np.concatenate([np.empty((0, 32), np.uint8), *values]),
        np.concatenate([np.empty((0, 4), np.float32), *(places or [random_places(rng, count) for count in counts])]),
    )


def noisy(rng: np.random.Generator, values: np.ndarray, bits_max: int) -> np.ndarray:
    """Each with up to so many bits flipped."""
    flips = np.zeros((len(values), 256), np.uint8)
    for row in flips:
        row[rng.choice(256, rng.integers(0, bits_max + 1), replace=False)] = 1
    return values ^ np.packbits(flips, axis=1)


def asked(values: np.ndarray, places: np.ndarray | None = None, *, mirrored: bool = False) -> Asked:
    where = random_places(np.random.default_rng(1), len(values)) if places is None else places
    return Asked(values, where, np.full(len(values), mirrored))


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), parts=st.integers(1, 4), chained=st.sampled_from([40, 16_384]))
def test_the_table_finds_what_comparing_with_all_finds_near_and_nothing_else(
    seed: int, parts: int, chained: int
) -> None:
    rng = np.random.default_rng(seed)
    base = rng.integers(0, 256, (60, 32), dtype=np.uint8)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("hashpact_server.index.points_view.CHAINED_MIN", chained)  # small: sorted now and then
        index = PointIndex()
        held: dict[int, np.ndarray] = {}
        for part in range(parts):
            ids = list(range(10 * part + 1, 10 * part + 8))
            values = [noisy(rng, base[rng.integers(0, 60, rng.integers(0, 30))], 25) for _ in ids]
            index.add(pictures(ids, values))
            held.update(zip(ids, values, strict=True))
        gone = rng.choice(list(held), rng.integers(0, len(held)), replace=False).tolist()
        assert index.remove(np.array([*gone, 999], np.uint64)) == len(gone)
        left = {each: values for each, values in held.items() if each not in gone}
        queries = noisy(rng, base, 12)
        found = sorted(tuple(row) for row in index.pairs(asked(queries), 31).T.tolist())
    near = sorted(
        (place, each, distance)
        for each, values in left.items()
        for value in values
        for place, query in enumerate(queries)
        if (distance := int(np.bitwise_count(query ^ value).sum())) <= 31
    )
    assert index.ids().tolist() == sorted(left)
    assert [pair for pair in near if pair[2] <= CERTAIN_BITS] == [pair for pair in found if pair[2] <= CERTAIN_BITS]
    for pair in set(found):
        assert found.count(pair) <= near.count(pair)


def moved(places: np.ndarray, scale: float, turn: float, x: float, y: float, squash: float = 1.0) -> np.ndarray:
    """Places of a picture that lies turned, scaled, squashed and shifted in a probe."""
    linear = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) * [squash, 1.0]
    ahead = np.stack([np.cos(places[:, 3]), np.sin(places[:, 3])], axis=1) @ linear.T
    xy = places[:, :2] @ linear.T + [x, y]
    angles = np.arctan2(ahead[:, 1], ahead[:, 0])
    return np.column_stack([xy, places[:, 2] * scale * np.sqrt(squash), angles]).astype(np.float32)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    scale=st.floats(0.3, 3),
    turn=st.floats(0, 6.2),
    squash=st.sampled_from([1.0, 1.0, 0.7, 1.4]),
    mirrored=st.booleans(),
)
def test_votes_place_a_picture_among_clutter(
    seed: int, scale: float, turn: float, squash: float, mirrored: bool
) -> None:
    rng = np.random.default_rng(seed)
    values, places = rng.integers(0, 256, (60, 32), dtype=np.uint8), random_places(rng, 60)
    others = [rng.integers(0, 256, (60, 32), dtype=np.uint8) for _ in range(5)]
    index = PointIndex()
    index.add(pictures([3, 4, 5, 6, 7, 8], [values, *others], [places, *(random_places(rng, 60) for _ in others)]))
    seen = moved(places[:20], scale, turn, 90, -40, squash)
    clutter = np.concatenate([values[20:30], *(each[:15] for each in others)])  # they look alike, elsewhere
    probe = asked(
        np.concatenate([noisy(rng, values[:20], 9), clutter]),
        np.concatenate([seen, random_places(rng, len(clutter))]),
        mirrored=mirrored,
    )
    first = index.sightings(probe, 3)[0]
    assert (first.signal, first.mirrored) == (3, mirrored)
    assert 15 <= first.votes <= 24  # some lie beside another one
    a, b, c, d, e, f = first.placement
    placed = places[:20, :2] @ np.array([[a, b], [d, e]]).T + [c, f]
    assert np.abs(placed - seen[:, :2]).max() < 2 * scale + 0.5


def test_what_many_pictures_share_does_not_crowd_out_the_one() -> None:
    rng = np.random.default_rng(5)
    chrome, chrome_places = rng.integers(0, 256, (40, 32), dtype=np.uint8), random_places(rng, 40)
    photo, photo_places = rng.integers(0, 256, (12, 32), dtype=np.uint8), random_places(rng, 12)
    index = PointIndex()
    index.add(pictures(list(range(1, 21)), [chrome] * 20, [chrome_places] * 20))
    index.add(pictures([99], [photo], [photo_places]))
    probe = asked(np.concatenate([chrome, photo]), np.concatenate([chrome_places, photo_places]))
    assert 99 in [each.signal for each in index.sightings(probe, 4)]
    by_votes = chosen(
        np.array([0, 3, 6, 8]), np.array([0, 1, 2, 0, 1, 2, 7, 8], np.int32), np.ones(8, np.uint8),
        np.array([3, 3, 2], np.int32), 2, 2,
    )  # fmt: skip
    assert by_votes == [0, 2]


def test_others_are_other_items_that_are_no_copies_and_are_there() -> None:
    rng = np.random.default_rng(6)
    shared, own = rng.integers(0, 256, (2, 10, 32), dtype=np.uint8)
    values = np.concatenate([shared, own])
    whole = rng.integers(0, 256, (5, 32), dtype=np.uint8)
    whole[2] = noisy(rng, whole[:1], 31)[0]  # 3 is a copy of 1
    index = PointIndex()
    index.add(pictures([1, 2, 3, 4, 5], [values, shared, shared, shared, shared], items=[1, 2, 3, 1, 5], wholes=whole))
    found = index.others(1, values)
    assert [sorted(row[row > 0].tolist()) for row in found] == [[2, 5]] * 10 + [[]] * 10
    index.remove(np.array([5], np.uint64))
    assert [sorted(row[row > 0].tolist()) for row in index.others(1, values)] == [[2]] * 10 + [[]] * 10
    assert not index.others(77, values).any()


@pytest.mark.parametrize("chained", [40, 16_384])
def test_of_a_thousand_variants_the_newest_are_found_by_all_of_their_points(
    monkeypatch: pytest.MonkeyPatch, chained: int
) -> None:
    monkeypatch.setattr("hashpact_server.index.points_view.CHAINED_MIN", chained)
    rng = np.random.default_rng(7)
    base, places = rng.integers(0, 256, (20, 32), dtype=np.uint8), random_places(rng, 20)
    index = PointIndex()
    for first in range(1, 1001, 100):
        ids = list(range(first, first + 100))
        index.add(pictures(ids, [noisy(rng, base, 4) for _ in ids], [places] * 100))
    found = index.sightings(asked(base, places), 8)
    assert len(found) == 8
    assert min(each.votes for each in found) >= 15
    assert index.pairs(asked(base), 31).shape[1] <= 2 * 12 * module.CROWD_MAX * len(base)  # and not all of them


def test_what_was_added_is_found_at_once_while_others_search_and_all_is_sorted_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("hashpact_server.index.points_view.CHAINED_MIN", 64)
    rng = np.random.default_rng(8)
    index, stop, failed = PointIndex(), threading.Event(), []
    values = rng.integers(0, 256, (300, 8, 32), dtype=np.uint8)

    def search() -> None:
        while not stop.is_set():
            try:
                found = index.pairs(asked(values[:, 0]))
                if (found[0] + 1 != found[1]).any():
                    failed.append("a wrong picture")
            except Exception as error:  # noqa: BLE001 - whatever it is, the test fails
                failed.append(repr(error))

    searcher = threading.Thread(target=search)
    searcher.start()
    for number, each in enumerate(values):
        index.add(pictures([number + 1], [each]))
        assert index.pairs(asked(each)).shape[1] == 8
    stop.set()
    searcher.join()
    assert not failed
    assert len(index) == 300


def test_what_came_while_it_was_sorted_hangs_in_the_new_chains(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(9)
    values = rng.integers(0, 256, (3, 30, 32), dtype=np.uint8)
    for room in (16_384, 40):  # enough for what came, and not
        index = PointIndex()
        index.add(pictures([1], [values[0]]))
        before = index._view
        index.add(pictures([2, 3], [values[1], values[2]]))
        monkeypatch.setattr("hashpact_server.index.points_view.CHAINED_MIN", room)
        index._view = index._view.with_tables_of(sorted_view(before))
        assert [index.pairs(asked(each)).shape[1] for each in values] == [30, 30, 30]


def test_ids_that_are_there_are_refused_and_may_come_again() -> None:
    index = PointIndex()
    values = [np.zeros((8, 32), np.uint8)]
    index.add(pictures([1], values))
    for wrong in (
        pictures([1], values),
        pictures([2, 2], values * 2),
        pictures([2], values)._replace(ids=np.array([2])),
    ):
        with pytest.raises(IndexInputError):
            index.add(wrong)
    assert index.ids().tolist() == [1]
    assert index.remove(np.array([1, 1], np.uint64)) == 1
    assert index.pairs(asked(values[0])).shape[1] == 0
    index.add(pictures([1], values))
    assert (len(index), index.memory_bytes() > 0) == (1, True)
