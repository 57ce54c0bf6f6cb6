"""RFC 6962's tree hash, written straight from its definition (section 2.1): the reference twin of the server's tree."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence


def leaf(data: bytes) -> bytes:
    """MTH({d}) = SHA-256(0x00 || d)."""
    return hashlib.sha256(b"\x00" + data).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """MTH over leaf hashes: split at the largest power of two smaller than n."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\x01" + root(leaves[:split]) + root(leaves[split:])).digest()


def tiles(leaves: Sequence[bytes]) -> dict[tuple[int, int], bytes]:
    """Every tile of a tree, from the definition of C2SP tlog-tiles: (level, index) -> up to 256 hashes."""
    found: dict[tuple[int, int], bytes] = {}
    level, span = 0, 1
    while len(leaves) >= span:
        hashes = [root(leaves[at : at + span]) for at in range(0, len(leaves) - span + 1, span)]
        for index in range(0, len(hashes), 256):
            found[level, index // 256] = b"".join(hashes[index : index + 256])
        level, span = level + 1, span * 256
    return found
