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
    12: "member_amended",
    13: "member_left",
    14: "member_policy_set",
    16: "item_created",
    17: "item_corroborated",
    18: "contribution_amended",
    19: "contribution_withdrawn",
    20: "item_withdrawn",
    21: "opinion_given",
    22: "opinion_revoked",
    23: "item_limited",
    24: "item_limit_lifted",
    25: "dispute_opened",
    26: "dispute_voted",
    27: "dispute_lapsed",
    28: "challenge_lodged",
    29: "challenge_answered",
    30: "challenge_lapsed",
    31: "item_expired",
    32: "signals_detached",
    33: "item_merged",
    34: "contribution_pending",
    35: "contribution_decided",
    40: "motion_proposed",
    41: "motion_seconded",
    42: "motion_closed",
    43: "rulebook_adopted",
    44: "rulebook_in_force",
    45: "rollback_ordered",
    46: "rolled_back",
    47: "rollback_finished",
    48: "benign_listed",
    49: "benign_unlisted",
    50: "alert_raised",
    51: "alert_acknowledged",
    56: "incident_opened",
    57: "incident_prolonged",
    58: "incident_closed",
    59: "incident_acknowledged",
    60: "drill_contributed",
}
_ABOUT_ITEMS: Final = frozenset((*range(16, 28), 31, 32, 33))
"""Kinds whose subject is an item. Their clear part begins with its status afterwards, but for those that close it."""
_CLOSED: Final = {20: "withdrawn", 31: "expired", 33: "withdrawn"}
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
    if len(clear) != length or (kind in _ABOUT_ITEMS and kind not in _CLOSED and not clear):
        raise nonsense("an entry of another length than it says")
    about_item = kind in _ABOUT_ITEMS
    return Entry(
        sequence=sequence,
        time=time,
        kind=KINDS.get(kind, f"unknown-{kind}"),
        subject=subject,
        item=subject if about_item else None,
        status="" if not about_item else _CLOSED.get(kind) or STATUSES.word(clear[0]),
        label_classes=tuple(classes),
        member=member.hex(),
        redacted=redacted,
    )
