"""What we look up in a PNG ourselves before its reader sees it (PNG specification, section 5: chunks)."""

from __future__ import annotations

from typing import Final

_SIGNATURE_BYTES: Final = 8
_FRAME_BYTES: Final = 12
"""Length, type and checksum of a chunk."""

CHUNKS_MAX: Final = 100_000
"""Usual encoders cut a picture into chunks of 8 KiB and more; of tiny ones, Pillow reads 150,000 in a second."""


def check_chunks(data: bytes) -> None:
    """Refuse a file of very many chunks.

    Raises:
        ValueError: more than ``CHUNKS_MAX``: millions of empty ones keep Pillow busy for minutes.
    """
    at = _SIGNATURE_BYTES
    for _ in range(CHUNKS_MAX):
        if at >= len(data):
            return
        at += _FRAME_BYTES + int.from_bytes(data[at : at + 4], "big")
    raise ValueError(f"more than {CHUNKS_MAX:,} chunks")
