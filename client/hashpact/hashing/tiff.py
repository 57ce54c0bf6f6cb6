"""What we look up in a TIFF ourselves before its reader sees it (TIFF 6.0, section 2: image file directories)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

_COMPRESSION, _SAMPLES, _TILE_WIDTH, _TILE_LENGTH = 259, 277, 322, 323
_SHORT, _LONG, _LONG8 = 3, 4, 16
_VALUE_BYTES: Final = {_SHORT: 2, _LONG: 4, _LONG8: 8}
_ENTRIES_MAX: Final = 1_000

COMPRESSIONS: Final = frozenset({1, 5, 8, 32773, 32946})
"""None, LZW, Deflate (two numbers) and PackBits: what picture programs write. Fax, JPEG, LZMA and Zstandard
inside a TIFF are left out: their decoders print a line per damaged row to the process's error output, which
nobody can turn off, or may be kept busy for very long."""

SAMPLES_MAX: Final = 5
"""Values per pixel: CMYK and transparency."""


@dataclass(frozen=True, slots=True)
class TiffHeader:
    """What the first directory says, as far as it concerns us.

    Attributes:
        compression: number of the method.
        samples: values per pixel.
        tile_px: width times height of a tile; 0 when the picture is not tiled.
        pages: directories in the file, counted up to the asked limit; a circular chain ends the count.
    """

    compression: int
    samples: int
    tile_px: int
    pages: int


@dataclass(frozen=True, slots=True)
class _Layout:
    order: Literal["little", "big"]
    count_bytes: int
    entry_bytes: int
    offset_bytes: int

    def number(self, data: bytes, at: int, size: int) -> int:
        return int.from_bytes(data[at : at + size], self.order)


def read_header(data: bytes, pages_max: int) -> TiffHeader:
    """Read the directories of a TIFF. Broken files give what could be found; nothing is raised."""
    order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"
    big = int.from_bytes(data[2:4], order) == 43  # BigTIFF
    layout = _Layout(order, 8, 20, 8) if big else _Layout(order, 2, 12, 4)
    first = layout.number(data, layout.offset_bytes, layout.offset_bytes)
    tags = _tags(data, first, layout)
    return TiffHeader(
        compression=tags.get(_COMPRESSION, 1),
        samples=tags.get(_SAMPLES, 1),
        tile_px=tags.get(_TILE_WIDTH, 0) * tags.get(_TILE_LENGTH, 0),
        pages=_count_pages(data, first, layout, pages_max),
    )


def _tags(data: bytes, at: int, layout: _Layout) -> dict[int, int]:
    """First value of each whole-number tag of the directory at ``at``."""
    found: dict[int, int] = {}
    for number in range(min(layout.number(data, at, layout.count_bytes), _ENTRIES_MAX)):
        entry = at + layout.count_bytes + number * layout.entry_bytes
        size = _VALUE_BYTES.get(layout.number(data, entry + 2, 2))
        if size is not None:
            value_at = entry + layout.entry_bytes - layout.offset_bytes
            found[layout.number(data, entry, 2)] = layout.number(data, value_at, size)
    return found


def _count_pages(data: bytes, at: int, layout: _Layout, pages_max: int) -> int:
    seen: set[int] = set()
    while 0 < at < len(data) and at not in seen and len(seen) < pages_max:
        seen.add(at)
        entries = layout.number(data, at, layout.count_bytes)
        link = at + layout.count_bytes + entries * layout.entry_bytes
        at = layout.number(data, link, layout.offset_bytes)
    return max(len(seen), 1)
