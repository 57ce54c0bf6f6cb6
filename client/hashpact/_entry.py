"""Reading the public part of an entry: the layout of ``docs/formats.md``, "Entry". Numbers are big-endian."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from typing import Final

from hashpact._convert import STATUSES, nonsense
from hashpact.entries import Entry
from hashpact.errors import ServiceError

FORMAT: Final = 1
KINDS: Final = {
    1: "genesis",
    2: "epoch_started",
    3: "redacted",
    8: "member_created",
    9: "member_standing_set",
    10: "token_issued",
    11: "token_revoked",
    16: "item_created",
    17: "item_corroborated",
    18: "contribution_amended",
    19: "contribution_withdrawn",
    20: "item_withdrawn",
}
_ABOUT_ITEMS: Final = range(16, 21)
_ITEM_WITHDRAWN: Final = 20
_HEAD: Final = struct.Struct(">BQQH16sQB")
_COMMITMENT_BYTES: Final = 32
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def entry_of(public: bytes, *, redacted: bool) -> Entry:
    """Read a public part.

    Raises:
        ServiceError: it cannot be read, or is of a format that this client does not know.
    """
    if public[:1] != bytes((FORMAT,)):
        raise ServiceError("an entry has a format that this client does not know: upgrade", reason="ANSWER_INVALID")
    try:
        _, sequence, time_ms, kind, member, subject, count = _HEAD.unpack_from(public)
        classes, at = [], _HEAD.size
        for _ in range(count):
            end = at + 1 + public[at]
            classes.append(public[at + 1 : end].decode("ascii"))
            at = end
        at += _COMMITMENT_BYTES
        (length,) = struct.unpack_from(">I", public, at)
        clear = public[at + 4 :]
        time = _EPOCH + timedelta(milliseconds=time_ms)
    except (struct.error, IndexError, UnicodeDecodeError, OverflowError) as error:
        raise nonsense("an entry that ends early") from error
    if len(clear) != length or (kind in _ABOUT_ITEMS and not clear):
        raise nonsense("an entry of another length than it says")
    about_item = kind in _ABOUT_ITEMS
    return Entry(
        sequence=sequence,
        time=time,
        kind=KINDS.get(kind, f"unknown-{kind}"),
        subject=subject,
        item=subject if about_item else None,
        status="" if not about_item else "withdrawn" if kind == _ITEM_WITHDRAWN else STATUSES.word(clear[0]),
        label_classes=tuple(classes),
        member=member.hex(),
        redacted=redacted,
    )
