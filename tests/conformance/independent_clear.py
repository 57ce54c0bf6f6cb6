"""Clear parts of the pact's kinds, computed a second time from ``docs/formats.md``, with nothing but struct.

Shares no code with the server. Each case names its fields in the order of the page; a number has the width that stands
behind its name, and a list its count before it.
"""

from __future__ import annotations

import struct
from typing import Any

ALICE = bytes(range(0x40, 0x50)).hex()
T = 1_700_000_000_000


def number(width: int, value: int) -> bytes:
    return value.to_bytes(width // 8, "big")


def many(width: int, pieces: list[bytes]) -> bytes:
    return number(width, len(pieces)) + b"".join(pieces)


def plain(layout: str, *names: str) -> Any:
    """A clear part that is a row of numbers and pseudonyms (``p``)."""

    def pack(case: dict[str, Any]) -> bytes:
        values = (
            bytes.fromhex(case[name]) if kind == "p" else case[name] for kind, name in zip(layout, names, strict=True)
        )
        return struct.pack(">" + layout.replace("p", "16s"), *values)

    return pack


def rolled_back(case: dict[str, Any]) -> bytes:
    return many(
        16,
        [
            struct.pack(">QQBQ", each["sequence"], each["item"], each["status"], each["restored"])
            + many(16, [number(16, place) for place in each["kept"]])
            for each in case["undone"]
        ],
    )


def incident(case: dict[str, Any]) -> bytes:
    head = struct.pack(">BBQQ", case["drill"], case["open"], case["duration_ms"], case["end_ms"])
    rules = struct.pack(">BIQ", case["groups_min"], case["trial_items"], case["expiry_ms"])
    return head + rules + many(8, [struct.pack(">HH", *pair) for pair in case["radii"]])


LAYOUTS: dict[int, Any] = {
    12: lambda case: (
        plain("pBBQ", "pseudonym", "tier", "four_eyes", "next_review_ms")(case)
        + many(8, [number(8, role) for role in case["roles"]])
    ),
    13: lambda case: (
        plain("pBQ", "pseudonym", "withdrawn", "copies_deleted_ms")(case)
        + many(32, [number(64, token) for token in case["tokens"]])
    ),
    14: plain(""),
    21: plain("BBB", "status", "code", "basis"),
    22: plain("B", "status"),
    23: plain("BB", "status", "cause"),
    24: plain("B", "status"),
    25: plain("BBQQ", "status", "grounds", "due_ms", "challenge"),
    26: plain("BQBB", "status", "dispute", "verdict", "outcome"),
    27: plain("BQ", "status", "dispute"),
    28: plain("QBQB", "item", "grounds", "due_ms", "by_signals"),
    29: plain("BB", "answer", "outcome"),
    30: plain("Q", "dispute"),
    31: plain("B", "cause"),
    32: lambda case: number(8, case["status"]) + many(16, [struct.pack(">QH", *pair) for pair in case["signals"]]),
    33: plain("Q", "into"),
    34: plain("QQQQ", "token", "lapse_ms", "amends", "attach_to"),
    35: plain("BQHQ", "verdict", "token", "result", "item"),
    40: plain("BQ", "act", "lapse_ms"),
    41: plain(""),
    42: plain("B", "how"),
    43: lambda case: (
        plain("BIQ", "rulebook", "version", "effect_ms")(case)
        + number(32, len(case["content"].encode()))
        + case["content"].encode()
    ),
    44: plain(""),
    45: plain("pQQ", "pseudonym", "since_ms", "first"),
    46: rolled_back,
    47: plain("Q", "undone"),
    48: plain("H", "values"),
    49: plain(""),
    50: plain("BQpQ", "alert", "item", "member", "count"),
    51: plain(""),
    56: incident,
    57: plain("Q", "end_ms"),
    58: plain("B", "end"),
    59: plain("BQ", "receiver", "until_ms"),
    60: lambda case: b"".join(number(32, each) for each in (*case["results"], case["signals"])),
}

FIELDS: list[tuple[int, dict[str, Any]]] = [
    (12, {"pseudonym": ALICE, "tier": 2, "four_eyes": 1, "next_review_ms": T, "roles": [1, 3, 4]}),
    (13, {"pseudonym": ALICE, "withdrawn": 1, "copies_deleted_ms": T, "tokens": [4, 70_000]}),
    (14, {}),
    (21, {"status": 2, "code": 1, "basis": 1}),
    (22, {"status": 1}),
    (23, {"status": 2, "cause": 1}),
    (24, {"status": 2}),
    (25, {"status": 3, "grounds": 2, "due_ms": T, "challenge": 812}),
    (26, {"status": 1, "dispute": 812, "verdict": 3, "outcome": 4}),
    (27, {"status": 1, "dispute": 812}),
    (28, {"item": 2, "grounds": 1, "due_ms": T, "by_signals": 1}),
    (29, {"answer": 3, "outcome": 1}),
    (30, {"dispute": 813}),
    (31, {"cause": 2}),
    (32, {"status": 1, "signals": [[2, 0], [900, 65_535]]}),
    (33, {"into": 3}),
    (34, {"token": 4, "lapse_ms": T, "amends": 0, "attach_to": 2}),
    (35, {"verdict": 1, "token": 5, "result": 2, "item": 2}),
    (40, {"act": 12, "lapse_ms": T}),
    (41, {}),
    (42, {"how": 4}),
    (43, {"rulebook": 2, "version": 3, "effect_ms": T, "content": '{"notice_days": 7} é'}),
    (44, {}),
    (45, {"pseudonym": ALICE, "since_ms": T, "first": 70_000}),
    (
        46,
        {
            "undone": [
                {"sequence": 900, "item": 2, "status": 1, "restored": 7, "kept": [0, 300]},
                {"sequence": 899, "item": 899, "status": 4, "restored": 0, "kept": []},
            ]
        },
    ),
    (47, {"undone": 20_000}),
    (48, {"values": 4096}),
    (49, {}),
    (50, {"alert": 1, "item": 2, "member": ALICE, "count": 20_000}),
    (51, {}),
    (
        56,
        {
            "drill": 0,
            "open": 1,
            "duration_ms": 3_600_000,
            "end_ms": T,
            "groups_min": 3,
            "trial_items": 50,
            "expiry_ms": 86_400_000,
            "radii": [[16, 40], [17, 12]],
        },
    ),
    (57, {"end_ms": T}),
    (58, {"end": 2}),
    (59, {"receiver": 3, "until_ms": T}),
    (60, {"results": [1, 2, 3, 4, 5, 6], "signals": 80_000}),
]


def vectors() -> list[dict[str, Any]]:
    return [{"kind": kind, **fields, "clear": LAYOUTS[kind](fields).hex()} for kind, fields in FIELDS]
