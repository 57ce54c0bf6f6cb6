"""Cutting a batch into calls that keep the server's limits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

_FRAMING_BYTES: Final = 16
"""Bound of what protobuf adds to a message inside another: tag and length."""
_HEADER_BYTES: Final = 8192
"""Bound of everything in a request that is not its batch: tokens, radii, request_id."""


def cut(
    messages: Sequence[Any],
    sizes: Sequence[tuple[int, int]],
    *,
    members_max: int,
    values_max: int,
    message_bytes_max: int,
) -> list[list[Any]]:
    """Cut a batch so that each part keeps the limits (0: none). What alone is over one goes alone: the server says no.

    Args:
        messages: the members of the batch.
        sizes: (values, bytes) of each.
        members_max: members in one part.
        values_max: values in one part.
        message_bytes_max: bytes of one request.
    """
    bytes_max = message_bytes_max - _HEADER_BYTES if message_bytes_max else 0
    parts: list[list[Any]] = []
    values_left = bytes_left = members_left = 0
    for message, (values, size) in zip(messages, sizes, strict=True):
        size_bytes = size + _FRAMING_BYTES
        full = members_left < 1 or (values_max and values > values_left) or (bytes_max and size_bytes > bytes_left)
        if not parts or full:
            parts.append([])
            members_left, values_left, bytes_left = members_max or len(messages), values_max, bytes_max
        parts[-1].append(message)
        members_left, values_left, bytes_left = members_left - 1, values_left - values, bytes_left - size_bytes
    return parts
