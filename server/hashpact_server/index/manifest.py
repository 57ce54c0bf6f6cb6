"""The manifest: one file that says what an index on disk consists of, swapped whole.

Layout: an 8-byte magic, CRC-32 of all that follows (uint32), the length of the head (uint32), the head as
JSON, and the blobs the head gives the lengths of: the tail's ids and values, and the bitmap of removed rows of
each segment. A segment counts only if the manifest names it.

Crash at any point leaves the old manifest or the new one: it is written beside, made durable, and renamed.
"""

from __future__ import annotations

import contextlib
import json
import os
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from hashpact_server.index.segments import FORMAT, IndexDamagedError

if TYPE_CHECKING:
    from pathlib import Path

    from hashpact_server.index.base import Ids, Words
    from hashpact_server.index.bitmap import Bitmap

MANIFEST: Final = "manifest"
MAGIC: Final = b"HPMANIF\n"
_START: Final = struct.Struct("=8sI")
_LENGTH: Final = struct.Struct("=I")


@dataclass(frozen=True)
class NamedSegment:
    """A segment as the manifest knows it.

    Attributes:
        name: file name.
        header_crc: tells whether the file is the one that was meant.
        dead: bitmap of removed rows.
    """

    name: str
    header_crc: int
    dead: Bitmap


@dataclass(frozen=True)
class Manifest:
    """What an index on disk consists of.

    Attributes:
        bits: length of a value.
        sequence: what the owner gave with the checkpoint: it holds everything up to there.
        next_number: number of the next segment file.
        segments: the segments.
        tail_ids: uint64 [t], living rows that are in no segment.
        tail_values: uint64 [t, words].
    """

    bits: int
    sequence: int
    next_number: int
    segments: tuple[NamedSegment, ...]
    tail_ids: Ids
    tail_values: Words


def write_manifest(directory: Path, manifest: Manifest) -> None:
    """Replace the manifest, durably.

    Raises:
        OSError: nothing was replaced; or it was, and only its durability is unknown.
    """
    blobs = [manifest.tail_ids.tobytes(), manifest.tail_values.tobytes()]
    blobs += [segment.dead.tobytes() for segment in manifest.segments]
    head = json.dumps(
        {
            "format": FORMAT,
            "bits": manifest.bits,
            "sequence": manifest.sequence,
            "next_number": manifest.next_number,
            "segments": [[segment.name, segment.header_crc] for segment in manifest.segments],
            "blob_bytes": [len(blob) for blob in blobs],
        }
    ).encode()
    body = _LENGTH.pack(len(head)) + head + b"".join(blobs)
    beside = directory / (MANIFEST + ".new")
    try:
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(_START.pack(MAGIC, zlib.crc32(body)) + body)
            file.flush()
            os.fsync(file.fileno())  # crash before: the old manifest stands; a stale .new is overwritten
        beside.replace(directory / MANIFEST)
    except OSError:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        raise
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)  # crash before: old or new, both are whole and their segments exist
    finally:
        os.close(handle)


def read_manifest(directory: Path, bits: int) -> Manifest | None:
    """The manifest of an index; None where there is none.

    Raises:
        IndexDamagedError: unreadable, damaged, of another format or another length of values.
    """
    try:
        content = (directory / MANIFEST).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise IndexDamagedError(f"the manifest cannot be read ({error}): rebuild the index") from error
    damaged = IndexDamagedError("the manifest is damaged or of another format: rebuild the index from state")
    if len(content) < _START.size + _LENGTH.size:
        raise damaged
    magic, crc = _START.unpack_from(content)
    body = content[_START.size :]
    if magic != MAGIC or zlib.crc32(body) != crc:
        raise damaged
    at = _LENGTH.size + _LENGTH.unpack_from(body)[0]
    head: dict[str, Any] = json.loads(body[_LENGTH.size : at])  # sound: its checksum fits
    if head["format"] != FORMAT or head["bits"] != bits:
        raise damaged
    blobs = []
    for size in head["blob_bytes"]:
        blobs.append(body[at : at + size])
        at += size
    return Manifest(
        bits=bits,
        sequence=head["sequence"],
        next_number=head["next_number"],
        segments=tuple(
            NamedSegment(name, header_crc, np.frombuffer(dead, np.uint8))
            for (name, header_crc), dead in zip(head["segments"], blobs[2:], strict=True)
        ),
        tail_ids=np.frombuffer(blobs[0], np.uint64),
        tail_values=np.frombuffer(blobs[1], np.uint64).reshape(-1, bits // 64),
    )
