"""The folder of an index: a manifest, and the segments it names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hashpact_server.index.bitmap import count_rows
from hashpact_server.index.manifest import Manifest, NamedSegment, read_manifest, write_manifest
from hashpact_server.index.segments import IndexDamagedError, Segment
from hashpact_server.index.view import Piece

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet
    from pathlib import Path

    from hashpact_server.index.view import View


def segment_name(number: int) -> str:
    """File name of a segment; names sort as their numbers do."""
    return f"segment-{number:010d}"


def open_pieces(directory: Path, bits: int) -> tuple[Manifest | None, tuple[Piece, ...]]:
    """What the last checkpoint left: its manifest and the segments it names. (None, ()) where there was none.

    Raises:
        IndexDamagedError: a file is missing, damaged, or of another format.
    """
    manifest = read_manifest(directory, bits)
    if manifest is None:
        return None, ()
    return manifest, tuple(_open_piece(directory, bits, named) for named in manifest.segments)


def _open_piece(directory: Path, bits: int, named: NamedSegment) -> Piece:
    segment = Segment.open(directory / named.name, bits)
    if segment.header_crc != named.header_crc:
        raise IndexDamagedError(f"{named.name} is not the segment that the manifest names: rebuild the index")
    return Piece(segment, named.dead, count_rows(named.dead))


def save_view(directory: Path, bits: int, view: View, sequence: int, next_number: int) -> None:
    """Make one moment of an index durable: its segments, and a manifest that names them.

    Raises:
        OSError: it could not be written; the manifest before stands.
    """
    for piece in view.pieces:
        piece.segment.flush(directory)  # crash: no manifest names it yet
    tail = view.tail_contents()
    manifest = Manifest(
        bits=bits,
        sequence=sequence,
        next_number=next_number,
        segments=tuple(NamedSegment(piece.segment.name, piece.segment.header_crc, piece.dead) for piece in view.pieces),
        tail_ids=tail.ids[tail.alive],
        tail_values=tail.values[tail.alive],
    )
    write_manifest(directory, manifest)  # crash before: the last checkpoint; after: this one


def delete_segments(directory: Path, kept: AbstractSet[str], number_end: int | None = None) -> None:
    """Delete segment files that are not among ``kept``: all of them, or those numbered below ``number_end``."""
    for path in directory.glob("segment-*"):
        below = number_end is None or path.name < segment_name(number_end)
        if below and path.name not in kept:
            path.unlink(missing_ok=True)
