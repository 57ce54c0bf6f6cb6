"""The tree that grows by batches is the tree of RFC 6962, at every size and however the batches fall."""

from __future__ import annotations

import hashlib
from functools import cache

import pytest
from hashpact_server.ledger.merkle import (
    EMPTY_ROOT,
    HASH_BYTES,
    TILE_WIDTH,
    Frontier,
    RightEdge,
    every_tile,
    growing_tiles,
    perfect_root,
)
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests import rfc6962
from tests.data import effort

FEW = settings(max_examples=effort(25), deadline=None)
BATCHES = st.lists(st.one_of(st.integers(0, 5), st.sampled_from((255, 256, 257, 511)), st.integers(0, 600)), max_size=6)


@cache
def leaf(number: int) -> bytes:
    return hashlib.sha256(b"leaf %d" % number).digest()


def leaves(start: int, end: int) -> list[bytes]:
    return [leaf(number) for number in range(start, end)]


def test_published_roots_of_an_empty_and_a_small_tree() -> None:
    """RFC 6962's own examples, as certificate-transparency implementations publish them for these inputs."""
    inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
    hashed = [rfc6962.leaf(bytes.fromhex(text)) for text in inputs]
    expected = {
        0: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    }
    for size, root in expected.items():
        assert rfc6962.root(hashed[:size]).hex() == root
        assert Frontier().extended(hashed[:size]).root().hex() == root
    assert EMPTY_ROOT.hex() == expected[0]


@pytest.mark.parametrize("size", [*range(66), 127, 128, 129, 255, 256, 257, 1000])
def test_every_small_size(size: int) -> None:
    assert Frontier().extended(leaves(0, size)).root() == rfc6962.root(leaves(0, size))


@FEW
@given(BATCHES)
@example([256, 0, 1])
@example([255, 1, 256])
def test_batches(batches: list[int]) -> None:
    """Frontier and tiles after each batch are those of the whole tree, computed from the definition."""
    frontier, edge, stored, size = Frontier(), RightEdge(), dict[tuple[int, int], bytes](), 0
    for batch in batches:
        added = leaves(size, size + batch)
        frontier = frontier.extended(added)
        changed = list(edge.extend(added))
        assert len({(level, index) for level, index, _ in changed}) == len(changed), "each tile is written once"
        stored.update({(level, index): hashes for level, index, hashes in changed})
        size += batch
        assert frontier.size == edge.size == size
        assert frontier.root() == rfc6962.root(leaves(0, size))
        assert stored == rfc6962.tiles(leaves(0, size))
        assert sorted(stored) == sorted(every_tile(size))


@FEW
@given(st.integers(0, 1500), st.integers(0, 600))
def test_taken_up_again_from_what_is_stored(size: int, more: int) -> None:
    """A right edge read back from tiles goes on as the one that wrote them."""
    stored = rfc6962.tiles(leaves(0, size))
    tiles = []
    for level, index, width in growing_tiles(size):
        data = stored.get((level, index), b"")
        assert len(data) == width * HASH_BYTES
        tiles.append([data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)])
    edge = RightEdge(size, tiles)
    stored.update({(level, index): hashes for level, index, hashes in edge.extend(leaves(size, size + more))})
    assert stored == rfc6962.tiles(leaves(0, size + more))


def test_three_levels() -> None:
    """Past 65,536 leaves there are tiles of tiles of tiles; their hashes are those of the level below."""
    size = TILE_WIDTH**2 + TILE_WIDTH + 3
    edge, stored = RightEdge(), dict[tuple[int, int], bytes]()
    for start in range(0, size, 10_000):
        batch = leaves(start, min(start + 10_000, size))
        stored.update({(level, index): hashes for level, index, hashes in edge.extend(batch)})
    assert sorted(stored) == sorted(every_tile(size))
    assert len(stored[2, 0]) == HASH_BYTES
    assert len(stored[1, 1]) == HASH_BYTES
    assert len(stored[0, 257]) == 3 * HASH_BYTES
    for (level, index), hashes in stored.items():
        if level:
            for at in range(len(hashes) // HASH_BYTES):
                below = stored[level - 1, index * TILE_WIDTH + at]
                pieces = [below[i : i + HASH_BYTES] for i in range(0, len(below), HASH_BYTES)]
                assert hashes[at * HASH_BYTES :][:HASH_BYTES] == perfect_root(pieces)
    top = Frontier().extended(leaves(0, size))
    assert top.roots[0] == stored[2, 0]
    assert top.root() == rfc6962.root(leaves(0, size))


@pytest.mark.parametrize("roots", [(), (bytes(32),) * 3])
def test_a_frontier_of_another_shape_is_refused(roots: tuple[bytes, ...]) -> None:
    with pytest.raises(ValueError, match="subtrees"):
        Frontier(3, roots)
