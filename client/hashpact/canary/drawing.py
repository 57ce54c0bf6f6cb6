"""Draws the canaries, in integers and without a library: the same bytes on every machine and with every version.

A canary is a coarse random field (so that it hashes well, and like nothing else), some blocks, and words that tell a
person who comes across it what it is.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterator
from typing import Final

WIDTH: Final = 480
HEIGHT: Final = 360
_CELL: Final = 60
_BLOCKS: Final = 9
_DOT: Final = 4
_STORED_BYTES_MAX: Final = 65_535

# Five columns of seven dots, the top one the lowest bit.
_LETTERS: Final = {
    " ": (0, 0, 0, 0, 0),
    "A": (0x7E, 0x09, 0x09, 0x09, 0x7E),
    "C": (0x3E, 0x41, 0x41, 0x41, 0x22),
    "D": (0x7F, 0x41, 0x41, 0x41, 0x3E),
    "E": (0x7F, 0x49, 0x49, 0x49, 0x41),
    "H": (0x7F, 0x08, 0x08, 0x08, 0x7F),
    "I": (0x00, 0x41, 0x7F, 0x41, 0x00),
    "L": (0x7F, 0x40, 0x40, 0x40, 0x40),
    "N": (0x7F, 0x04, 0x08, 0x10, 0x7F),
    "O": (0x3E, 0x41, 0x41, 0x41, 0x3E),
    "P": (0x7F, 0x09, 0x09, 0x09, 0x06),
    "S": (0x26, 0x49, 0x49, 0x49, 0x32),
    "T": (0x01, 0x01, 0x7F, 0x01, 0x01),
    "1": (0x00, 0x42, 0x7F, 0x40, 0x00),
    "2": (0x62, 0x51, 0x49, 0x49, 0x46),
    "3": (0x22, 0x41, 0x49, 0x49, 0x36),
}


def draw(name: str, words: str) -> bytes:
    """The file of a drawn picture.

    Args:
        name: what is drawn: another name is another picture.
        words: what it says about itself, in the letters that the canaries need.

    Returns:
        PNG, RGB, ``WIDTH`` x ``HEIGHT`` pixels, not compressed (compressors differ between machines).
    """
    pixels = _field(_chance(name))
    _write(pixels, words)
    return _png(pixels)


def _chance(name: str) -> Iterator[int]:
    """Bytes that look random, for ever."""
    block = hashlib.sha256(f"hashpact/canary/{name}".encode()).digest()
    while True:
        yield from block
        block = hashlib.sha256(block).digest()


def _field(chance: Iterator[int]) -> list[bytearray]:
    columns, rows = WIDTH // _CELL + 1, HEIGHT // _CELL + 1
    corners = [[[next(chance) for _ in range(3)] for _ in range(columns)] for _ in range(rows)]
    pixels = []
    for y in range(HEIGHT):
        above, below, down = corners[y // _CELL], corners[y // _CELL + 1], y % _CELL
        edge = [
            [(a * (_CELL - down) + b * down) // _CELL for a, b in zip(*pair, strict=True)]
            for pair in zip(above, below, strict=True)
        ]
        line = bytearray()
        for x in range(WIDTH):
            left, right, along = edge[x // _CELL], edge[x // _CELL + 1], x % _CELL
            line += bytes((a * (_CELL - along) + b * along) // _CELL for a, b in zip(left, right, strict=True))
        pixels.append(line)
    for _ in range(_BLOCKS):
        x, y = next(chance) * (WIDTH - 100) // 255, next(chance) * (HEIGHT - 120) // 255
        width, height = 30 + next(chance) * 70 // 255, 30 + next(chance) * 70 // 255
        _fill(pixels, x, y, width, height, bytes(next(chance) for _ in range(3)))
    return pixels


def _fill(pixels: list[bytearray], left: int, top: int, width: int, height: int, colour: bytes) -> None:
    for line in pixels[top : top + height]:
        line[3 * left : 3 * (left + width)] = colour * width


def _write(pixels: list[bytearray], words: str) -> None:
    top = HEIGHT - 9 * _DOT
    _fill(pixels, 0, top, WIDTH, 9 * _DOT, b"\xff\xff\xff")
    left = (WIDTH - 6 * _DOT * len(words)) // 2
    for place, letter in enumerate(words):
        for column, dots in enumerate(_LETTERS[letter]):
            for row in range(7):
                if dots >> row & 1:
                    where = left + _DOT * (6 * place + column)
                    _fill(pixels, where, top + _DOT * (row + 1), _DOT, _DOT, b"\x00\x00\x00")


def _png(pixels: list[bytearray]) -> bytes:
    raw = b"".join(b"\x00" + line for line in pixels)
    stored = bytearray(b"\x78\x01")
    for start in range(0, len(raw), _STORED_BYTES_MAX):
        part = raw[start : start + _STORED_BYTES_MAX]
        last = start + len(part) == len(raw)
        stored += struct.pack("<BHH", last, len(part), len(part) ^ 0xFFFF) + part
    stored += struct.pack(">I", zlib.adler32(raw))
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in ((b"IHDR", header), (b"IDAT", bytes(stored)), (b"IEND", b""))
    )
