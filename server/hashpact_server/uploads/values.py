"""The values of uploads: as they are stored, and as they are searched."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
from hashpact.signals import SIGNAL_TYPES_BY_CODE
from numpy.typing import NDArray

from hashpact_server.index import Index, LinearIndex, MultiIndex, metric_of
from hashpact_server.matches import Batch

Values = Mapping[int, bytes]
"""Signal type code -> the values of one upload, one after the other."""

VALUE_BITS: Final = 16
"""Low bits of an id in the window: the value's position. High bits: the upload."""

DIGEST_BYTES: Final = 8
"""Of a digest, as many bytes are searched (for equality); who has found something compares the rest."""

_HEAD: Final = struct.Struct(">HI")


def by_upload(batches: Sequence[Batch], uploads: int) -> list[dict[int, bytes]]:
    """The values of each upload of a call."""
    found: list[dict[int, bytes]] = [{} for _ in range(uploads)]
    for batch in batches:
        size = batch.kind.size_bytes
        starts = [*(batch.starts * size).tolist(), len(batch.values)]
        for place, upload in enumerate(batch.probes.tolist()):
            found[upload][batch.kind.code] = batch.values[starts[place] : starts[place + 1]]
    return found


def pack(values: Values) -> bytes:
    """The bytes that are stored: per signal type its code ``u16``, the length ``u32``, and the values."""
    return b"".join(_HEAD.pack(code, len(each)) + each for code, each in values.items())


def unpack(packed: bytes) -> dict[int, bytes]:
    """What :func:`pack` was given."""
    found, at = {}, 0
    while at < len(packed):
        code, size = _HEAD.unpack_from(packed, at)
        at += _HEAD.size + size
        found[code] = packed[at - size : at]
    return found


def is_searched(code: int) -> bool:
    """Whether uploads are found again by values of a type: digests, and whatever has a distance.

    Not by local points: the upload itself would have to be measured.
    """
    kind = SIGNAL_TYPES_BY_CODE.get(code)
    return kind is not None and (kind.exact or kind.ranged)


class Window:
    """The values of all remembered uploads, searchable. Whoever changes it sees to it that nobody else does."""

    def __init__(self) -> None:
        self._by_code: dict[int, Index] = {}
        for code, kind in SIGNAL_TYPES_BY_CODE.items():
            if kind.exact or kind.hamming:
                self._by_code[code] = MultiIndex(8 * DIGEST_BYTES if kind.exact else kind.bits)
            elif kind.ranged:
                self._by_code[code] = LinearIndex(metric_of(kind))

    def add(self, uploads: Iterable[tuple[int, Values]]) -> None:
        """Add (upload id, values); ids grow, and none comes twice."""
        for code, (ids, rows) in _columns(uploads).items():
            self._by_code[code].add(ids, rows)

    def remove(self, uploads: Iterable[tuple[int, Values]]) -> None:
        """Remove (upload id, values)."""
        for code, (ids, _) in _columns(uploads).items():
            self._by_code[code].remove(ids)

    def search(self, code: int, values: bytes) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
        """What may match listed values of a type, at its default radius: (position of the value, upload id) pairs."""
        kind = SIGNAL_TYPES_BY_CODE[code]
        radius = 0 if kind.exact else kind.radius_default
        queries = _searched(code, values)
        lims, _, ids = self._by_code[code].range_search(queries, radius)
        return np.repeat(np.arange(len(queries)), np.diff(lims)), ids >> np.uint64(VALUE_BITS)

    def __len__(self) -> int:
        return sum(len(index) for index in self._by_code.values())

    def close(self) -> None:
        """Let go of it."""
        for index in self._by_code.values():
            index.close()


def _columns(uploads: Iterable[tuple[int, Values]]) -> dict[int, tuple[NDArray[np.uint64], NDArray[np.uint8]]]:
    pieces: dict[int, tuple[list[int], list[bytes]]] = {}
    for upload, values in uploads:
        for code, each in values.items():
            if is_searched(code):
                owners, blocks = pieces.setdefault(code, ([], []))
                owners.append(upload)
                blocks.append(each)
    columns = {}
    for code, (owners, blocks) in pieces.items():
        counts = np.array([len(block) for block in blocks]) // SIGNAL_TYPES_BY_CODE[code].size_bytes
        ends = np.cumsum(counts)
        positions = np.arange(ends[-1]) - np.repeat(ends - counts, counts)
        ids = np.repeat(np.array(owners, np.uint64), counts) << np.uint64(VALUE_BITS)
        columns[code] = ids | positions.astype(np.uint64), _searched(code, b"".join(blocks))
    return columns


def _searched(code: int, values: bytes) -> NDArray[np.uint8]:
    kind = SIGNAL_TYPES_BY_CODE[code]
    rows = np.frombuffer(values, np.uint8).reshape(-1, kind.size_bytes)
    return np.ascontiguousarray(rows[:, :DIGEST_BYTES]) if kind.exact else rows
