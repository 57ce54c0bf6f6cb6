"""The Merkle tree over the ledger: RFC 6962 hashes, kept as a frontier and as 256-hash tiles.

The *frontier* is the list of roots of the perfect subtrees that the tree falls into, largest first: all that is
needed to append and to compute the root. *Tiles* follow C2SP tlog-tiles: tile (level L, index N) holds up to 256
hashes, hash i of it being the root of the perfect subtree over the leaves from (256 N + i) * 256^L up to, but
without, (256 N + i + 1) * 256^L. Proofs are made from them. A row per node costs 212 bytes an entry, tiles cost 48.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

HASH_BYTES: Final = 32
TILE_HEIGHT: Final = 8
TILE_WIDTH: Final = 1 << TILE_HEIGHT
NODE_PREFIX: Final = b"\x01"
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()
"""RFC 6962: the root of a tree without leaves."""


def node_hash(left: bytes, right: bytes) -> bytes:
    """RFC 6962, section 2.1: the hash of an inner node."""
    return hashlib.sha256(NODE_PREFIX + left + right).digest()


@dataclass(frozen=True, slots=True)
class Frontier:
    """The perfect subtrees that a tree of ``size`` leaves falls into.

    Attributes:
        size: number of leaves.
        roots: one hash per set bit of ``size``, largest subtree first.
    """

    size: int = 0
    roots: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if len(self.roots) != self.size.bit_count():
            raise ValueError(f"a tree of {self.size} leaves has {self.size.bit_count()} subtrees")

    def extended(self, leaves: Iterable[bytes]) -> Frontier:
        """The frontier after appending leaf hashes."""
        size, roots = self.size, list(self.roots)
        for leaf in leaves:
            node, rest = leaf, size
            while rest & 1:
                node = node_hash(roots.pop(), node)
                rest >>= 1
            roots.append(node)
            size += 1
        return Frontier(size, tuple(roots))

    def root(self) -> bytes:
        """The tree's root hash."""
        if not self.roots:
            return EMPTY_ROOT
        node = self.roots[-1]
        for left in reversed(self.roots[:-1]):
            node = node_hash(left, node)
        return node


def perfect_root(hashes: Sequence[bytes]) -> bytes:
    """Root over a power of two of hashes of equal height."""
    level = list(hashes)
    while len(level) > 1:
        level = [node_hash(level[i], level[i + 1]) for i in range(0, len(level), 2)]
    return level[0]


class RightEdge:
    """The tiles that are still growing: one per level, each with fewer than 256 hashes.

    Args:
        tiles: hashes of the growing tile of each level, from level 0 up.
        size: number of leaves so far.
    """

    def __init__(self, size: int = 0, tiles: Sequence[Sequence[bytes]] = ()) -> None:
        self.size = size
        self._tiles = [list(tile) for tile in tiles]

    def extend(self, leaves: Iterable[bytes]) -> Iterator[tuple[int, int, bytes]]:
        """Append leaf hashes; yields (level, index, hashes) of every tile that changed, each once, as it now is."""
        changed: dict[tuple[int, int], bytes] = {}
        touched: set[int] = set()
        for leaf in leaves:
            self._push(0, self.size, leaf, changed, touched)
            self.size += 1
        for level in sorted(touched):
            if self._tiles[level]:
                index = (self.size // TILE_WIDTH**level - 1) // TILE_WIDTH
                changed[level, index] = b"".join(self._tiles[level])
        for (level, index), hashes in sorted(changed.items()):
            yield level, index, hashes

    def _push(
        self,
        level: int,
        position: int,
        node: bytes,
        changed: dict[tuple[int, int], bytes],
        touched: set[int],
    ) -> None:
        if level == len(self._tiles):
            self._tiles.append([])
        tile = self._tiles[level]
        tile.append(node)
        touched.add(level)
        if len(tile) == TILE_WIDTH:
            index = position // TILE_WIDTH
            changed[level, index] = b"".join(tile)
            self._tiles[level] = []
            self._push(level + 1, index, perfect_root(tile), changed, touched)


def root_at(size: int, tile: Callable[[int, int], bytes | None]) -> bytes:
    """Root of the tree over the first ``size`` leaves, from the tiles of a tree that may be larger.

    Args:
        size: number of leaves.
        tile: gives the hashes of the tile (level, index), as they stand now.

    Raises:
        LookupError: a tile is missing or too short.
    """
    roots, done = [], 0
    while done < size:
        height = (size - done).bit_length() - 1  # of the largest perfect subtree that begins here
        level, inner = divmod(height, TILE_HEIGHT)
        first = done >> (TILE_HEIGHT * level)
        hashes = tile(level, first // TILE_WIDTH) or b""
        start = first % TILE_WIDTH * HASH_BYTES
        end = start + (HASH_BYTES << inner)
        if len(hashes) < end:
            raise LookupError(f"tile {level}/{first // TILE_WIDTH} is missing or too short")
        roots.append(perfect_root([hashes[at : at + HASH_BYTES] for at in range(start, end, HASH_BYTES)]))
        done += 1 << height
    return Frontier(size, tuple(roots)).root()


def growing_tiles(size: int) -> Iterator[tuple[int, int, int]]:
    """(level, index, width) of the tiles still growing in a tree of ``size`` leaves; width 0: empty."""
    level = 0
    while size:
        yield level, size // TILE_WIDTH, size % TILE_WIDTH
        size //= TILE_WIDTH
        level += 1


def every_tile(size: int) -> Iterator[tuple[int, int]]:
    """(level, index) of all tiles of a tree of ``size`` leaves."""
    level = 0
    while size:
        yield from ((level, index) for index in range((size + TILE_WIDTH - 1) // TILE_WIDTH))
        size //= TILE_WIDTH
        level += 1
