"""The formats, computed a second time from ``docs/formats.md``, with nothing but struct, hashlib and base64.

Shares no code with the server. ``python -m tests.conformance.independent_formats`` prints the vectors that are kept in
``proto/vectors/formats-1.json``; they are for ever, so a difference is a bug and never a reason to write them anew.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from typing import Any

from tests.conformance import independent_clear
from tests.rfc6962 import leaf, root

LEDGER_ID = bytes(range(16))
ALICE = bytes(range(0x40, 0x50))
SALT = bytes(range(0x80, 0xA0))
PDQ_HEX = "f8f8f0cee0f4a84f06370a22038f63f0b36e2ed596621e1d33e6b39c4e9c9b22"  # the published PDQ value of bridge-1
SHA256_HEX = hashlib.sha256(b"a free picture").hexdigest()


def blob(value: bytes) -> bytes:
    return struct.pack(">H", len(value)) + value


def text(value: str) -> bytes:
    return blob(value.encode("utf-8"))


def texts(values: list[str]) -> bytes:
    return struct.pack(">H", len(values)) + b"".join(text(value) for value in values)


def contribution(case: dict[str, Any]) -> bytes:
    out = struct.pack(">BQ", case["basis"], case["observed_ms"]) + text(case["observer_role"]) + texts(case["labels"])
    out += struct.pack(">H", len(case["signals"]))
    for signal in case["signals"]:
        out += struct.pack(">H", signal["code"])
        if signal["code"] == 0:
            out += text(signal["name"])
        quality = signal["quality"]
        part = (2 if signal["confirms"] else 1) + (16 if "stretch" in signal else 0)
        out += struct.pack(">BB", part, 255 if quality is None else quality)
        out += blob(bytes.fromhex(signal["value"]))
        if "stretch" in signal:
            out += struct.pack(">II", *signal["stretch"])
    return out


def commitment(salt: bytes, payload: bytes) -> bytes:
    return hashlib.sha256(b"hashpact/entry-private\0\x01" + salt + payload).digest()


def public(case: dict[str, Any], payload: bytes) -> bytes:
    out = struct.pack(">BQQH", 1, case["sequence"], case["time_ms"], case["kind"]) + bytes.fromhex(case["member"])
    out += struct.pack(">Q", case["subject"])
    out += struct.pack(">B", len(case["classes"]))
    for name in sorted(case["classes"], key=lambda name: name.encode("ascii")):
        out += struct.pack(">B", len(name)) + name.encode("ascii")
    clear = bytes.fromhex(case["clear"])
    return out + commitment(bytes.fromhex(case["salt"]), payload) + struct.pack(">I", len(clear)) + clear


def as_of(ledger_id: bytes, epoch: int, sequence: int) -> str:
    body = b"\x01" + ledger_id + struct.pack(">IQ", epoch, sequence)
    check = hashlib.sha256(b"hashpact/as-of\0" + body).digest()[:4]
    return base64.urlsafe_b64encode(body + check).decode().rstrip("=")


def row_hash(table: int, key: bytes, value: bytes) -> int:
    row = struct.pack(">BI", table, len(key)) + key + struct.pack(">I", len(value)) + value
    return int.from_bytes(hashlib.shake_128(b"hashpact/state-row\0" + row).digest(256), "big")


def state_digest(sequence: int, rows: list[tuple[int, bytes, bytes]]) -> bytes:
    total = sum(row_hash(*row) for row in rows) % (1 << 2048)
    body = struct.pack(">Q", sequence) + total.to_bytes(256, "big")
    return hashlib.sha256(b"hashpact/state-digest\0" + body).digest()


CONTRIBUTION = {
    "basis": 1,
    "observed_ms": 1_700_000_000_000,
    "observer_role": "reviewer",
    "labels": ["behaviour:glorification_of_terrorist_acts", "list:un"],
    "signals": [
        {"code": 1, "name": "", "confirms": True, "quality": None, "value": SHA256_HEX},
        {"code": 16, "name": "", "confirms": False, "quality": 100, "value": PDQ_HEX},
        {"code": 0, "name": "tmk", "confirms": False, "quality": None, "value": "00ff10"},
    ],
}

VIDEO = {
    **CONTRIBUTION,
    "signals": [
        {"code": 1, "name": "", "confirms": True, "quality": None, "value": SHA256_HEX},
        {"code": 32, "name": "", "confirms": False, "quality": 87, "value": PDQ_HEX, "stretch": [1_040, 2_600]},
    ],
}
"""Signals of a video: what a frame stands for follows its value."""

_NOBODY = "00" * 16
ENTRIES: list[dict[str, Any]] = [
    {"kind": 1, "member": _NOBODY, "subject": 0, "classes": [], "clear": LEDGER_ID.hex(), "payload": ""},
    {
        "kind": 8,
        "member": _NOBODY,
        "subject": 1,
        "classes": [],
        "clear": (ALICE + b"\x02\x01\x03").hex(),
        "payload": (text("alice") + text("héros")).hex(),
    },
    {
        "kind": 16,
        "member": ALICE.hex(),
        "subject": 2,
        "classes": ["behaviour:glorification_of_terrorist_acts", "list:un"],
        "clear": "01",
        "payload": contribution(CONTRIBUTION).hex(),
    },
    {"kind": 19, "member": ALICE.hex(), "subject": 2, "classes": [], "clear": "0401", "payload": ""},
    {"kind": 3, "member": _NOBODY, "subject": 2, "classes": [], "clear": "01", "payload": ""},
]


def vectors() -> dict[str, Any]:
    entries = []
    for sequence, given in enumerate(ENTRIES):
        case = {"sequence": sequence, "time_ms": 1_700_000_000_000 + sequence, "salt": SALT.hex(), **given}
        payload = bytes.fromhex(case["payload"])
        data = public(case, payload)
        case["commitment"] = commitment(SALT, payload).hex()
        case["public"] = data.hex()
        case["leaf"] = leaf(data).hex()
        entries.append(case)
    leaves = [leaf(struct.pack(">Q", number)) for number in range(600)]
    rows = [(5, struct.pack(">Q", 2), b"\x01\x00"), (3, b"alice", ALICE)]
    return {
        "contribution": {**CONTRIBUTION, "payload": contribution(CONTRIBUTION).hex()},
        "contribution_of_video": {**VIDEO, "payload": contribution(VIDEO).hex()},
        "entries": entries,
        "clear": independent_clear.vectors(),
        "roots": {
            "about": "leaf n is the RFC 6962 leaf hash of n as u64; root over the first `size` leaves",
            "by_size": {str(size): root(leaves[:size]).hex() for size in (0, 1, 2, 3, 7, 8, 255, 256, 257, 600)},
            "of_entries": root([bytes.fromhex(entry["leaf"]) for entry in entries]).hex(),
        },
        "signal_bytes": [
            {"signal_type": "pdq", "hex": PDQ_HEX, "upper": PDQ_HEX.upper(), "bytes": list(bytes.fromhex(PDQ_HEX))}
        ],
        "as_of": [
            {
                "ledger_id": LEDGER_ID.hex(),
                "epoch": epoch,
                "sequence": sequence,
                "token": as_of(LEDGER_ID, epoch, sequence),
            }
            for epoch, sequence in ((0, 0), (0, 812), (3, 2**40))
        ],
        "member_token": {
            "token": "hpt_" + base64.urlsafe_b64encode(bytes(range(32))).decode().rstrip("="),
            "hash": hashlib.sha256(
                b"hashpact/member-token\0hpt_" + base64.urlsafe_b64encode(bytes(range(32))).rstrip(b"=")
            ).hexdigest(),
        },
        "state": {
            "rows": [{"table": table, "key": key.hex(), "value": value.hex()} for table, key, value in rows],
            "row_hash_of_first": row_hash(*rows[0]).to_bytes(256, "big").hex(),
            "sequence": 2,
            "state_digest": state_digest(2, rows).hex(),
            "empty_state_digest": state_digest(0, []).hex(),
        },
    }


if __name__ == "__main__":
    print(json.dumps(vectors(), indent=1, ensure_ascii=False))
