"""Local signatures as ``docs/signatures.md`` lays them out, computed once more: by struct and loops.

Shares no code with the client or the server. ``python -m tests.conformance.independent_signatures`` prints the vectors
kept in ``proto/vectors/signatures-1.json``; they are for ever.
"""

from __future__ import annotations

import hashlib
import json
import math
import struct
from functools import lru_cache
from typing import Any

SEED = b"hashpact local_sift projection 1"
Place = tuple[int, int, int, int]


@lru_cache(maxsize=256)
def plane(row: int) -> list[int]:
    """Row 0-255 of the projection: 128 times 1 or -1."""
    if row >= 128:
        return [plane(row - 128)[mirror(at)] for at in range(128)]
    stream = hashlib.shake_256(SEED).digest(128 * 128 * 4)
    numbers = struct.unpack(">128I", stream[row * 512 : row * 512 + 512])
    largest = sorted(range(128), key=lambda at: (numbers[at], at))[64:]
    return [1 if at in largest else -1 for at in range(128)]


def mirror(at: int) -> int:
    row, column, direction = at // 32, at // 8 % 4, at % 8
    return ((3 - row) * 4 + column) * 8 + (8 - direction) % 8


def projected(histogram: list[int], thresholds: list[int]) -> bytes:
    """A descriptor."""
    total = max(sum(histogram), 1)
    roots = [round(4096 * math.sqrt(number / total)) for number in histogram]
    value = 0
    for row in range(256):
        reached = sum(sign * root for sign, root in zip(plane(row), roots, strict=True))
        value = value << 1 | (reached > thresholds[row % 128])
    return value.to_bytes(32, "big")


def places(every: list[Place]) -> bytes:
    return b"".join(struct.pack(">HHBB", *place) for place in every)


def signature(
    frame: tuple[int, int], every: list[Place], described: list[bytes], thumbnail: bytes, pdq: bytes, quality: int
) -> bytes:
    parts = [
        struct.pack(">BBHHBB", 1, len(every), *frame, quality, 0),
        pdq,
        thumbnail,
        places(every).ljust(96 * 6, b"\0"),
        b"".join(described).ljust(96 * 32, b"\0"),
    ]
    return b"".join(parts).ljust(3968, b"\0")


def probe_points(frame: tuple[int, int], every: list[Place], described: list[bytes]) -> bytes:
    return struct.pack(">BBHHH", 1, 0, len(every), *frame) + places(every) + b"".join(described)


def measurement(
    percent: int, seen: list[int], described: list[bytes], signs: bytes, clear: bytes, pdq: bytes | None, quality: int
) -> bytes:
    shown = sum(1 << (95 - point) for point in seen).to_bytes(12, "big")
    rows = b"".join(described[point] if point in seen else bytes(32) for point in range(96))
    head = struct.pack(">BBBB", 1, percent, 255 if pdq is None else quality, 0)
    return head + (pdq or bytes(32)) + signs + clear + shown + rows


def numbers(count: int, factor: int, start: int) -> bytes:
    """Bytes without a pattern that would hide a swap, by whole numbers alone."""
    return bytes((at * at * factor + at * 7 + start) // 3 % 256 for at in range(count))


def vectors() -> dict[str, Any]:
    """Everything that the kept file holds, but the thresholds, which are given and not computed."""
    frame = 384, 256
    every: list[Place] = [(1000 + 901 * at, 500 + 577 * at, 40 + 7 * at, 13 * at) for at in range(20)]
    described = [numbers(32, 5 + at, 11 * at) for at in range(96)]
    found = [bytes([row[0] ^ 0x0F, *row[1:]]) if at % 2 else numbers(32, 91, at) for at, row in enumerate(described)]
    thumbnail, pdq = numbers(248, 3, 1), numbers(32, 9, 4)
    turned = bytes([thumbnail[0] ^ 0xC0, *thumbnail[1:]])
    return {
        "histogram": list(numbers(128, 11, 2)),
        "frame": frame,
        "places": every,
        "signature": signature(frame, every, described[:20], thumbnail, pdq, 88).hex(),
        "probe_points": probe_points(frame, every[:5], described[:5]).hex(),
        "measurement": measurement(
            73, list(range(4, 16)), found, turned, b"\xff" * 31 + bytes(217), bytes([pdq[0] ^ 1, *pdq[1:]]), 90
        ).hex(),
        # Seen are points 4 to 15, of which the odd ones differ by four bits; 248 signs are clear, two of them differ.
        "compared": {
            "points": 6,
            "points_visible": 12,
            "thumbnail_signs": 248,
            "visible_percent": 73,
            "pdq_distance": 1,
        },
    }


def _print(thresholds: list[int]) -> None:
    made = vectors()
    made["descriptor"] = projected(made["histogram"], thresholds).hex()
    print(json.dumps({"seed": SEED.decode(), "thresholds": thresholds, **made}, indent=1))


if __name__ == "__main__":
    from pathlib import Path

    kept = Path(__file__).parents[2] / "proto" / "vectors" / "signatures-1.json"
    _print(json.loads(kept.read_text(encoding="utf-8"))["thresholds"])
