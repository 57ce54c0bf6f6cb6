"""The formats that are for ever: kept vectors == an independent computation == the server's code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hashpact.signals import Signal
from hashpact_server.ledger.codec import LayoutError
from hashpact_server.ledger.entry import Draft, Kind, check_private, commitment, leaf_hash, parse, seal
from hashpact_server.ledger.merkle import Frontier
from hashpact_server.ledger.payloads import ContributionPayload, ListedSignal
from hashpact_server.state.digest import MODULUS, row_hash, state_digest
from hashpact_server.tokens import Position, TokenMalformedError, is_member_token, member_token_hash

from tests.conformance import independent_formats

KEPT: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "proto" / "vectors" / "formats-1.json").read_text(encoding="utf-8")
)


def test_kept_vectors_equal_the_independent_computation() -> None:
    assert json.loads(json.dumps(independent_formats.vectors())) == KEPT


@pytest.mark.parametrize("name", ["contribution", "contribution_of_video"])
def test_contribution_payload(name: str) -> None:
    case = KEPT[name]
    payload = ContributionPayload(
        case["basis"],
        case["observed_ms"],
        case["observer_role"],
        tuple(case["labels"]),
        tuple(
            ListedSignal(
                signal["code"],
                bytes.fromhex(signal["value"]),
                signal["quality"],
                signal["name"],
                signal["confirms"],
                stretch=tuple(signal["stretch"]) if "stretch" in signal else None,
            )
            for signal in case["signals"]
        ),
    )
    assert payload.encode().hex() == case["payload"]
    assert ContributionPayload.decode(bytes.fromhex(case["payload"])) == payload


def test_a_part_that_is_not_known_stops_whoever_reads_it() -> None:
    """As it stopped those that knew no stretches."""
    payload = ContributionPayload(1, 0, "", ("list:un",), (ListedSignal(32, bytes(32), stretch=(5, 9)),)).encode()
    at = payload.rindex(b"\x00\x20\x11")
    for confirms, unseen, stretch in ((True, False, (0, 1)), (False, True, (7, 2**32 - 1)), (False, True, None)):
        frame = ListedSignal(32, bytes(32), 50, "", confirms, unseen, stretch)
        stated = ContributionPayload(1, 0, "", (), (frame, ListedSignal(1, bytes(32))))
        assert ContributionPayload.decode(stated.encode()) == stated
    for part in (0x10, 0x14, 0x21, 0x31):
        with pytest.raises(LayoutError, match="upgrade"):
            ContributionPayload.decode(payload[: at + 2] + bytes((part,)) + payload[at + 3 :])
    for cut in (payload[:-1], payload[:-8], payload + b"\x00"):
        with pytest.raises(LayoutError):
            ContributionPayload.decode(cut)


@pytest.mark.parametrize("case", KEPT["entries"], ids=lambda case: Kind(case["kind"]).name)
def test_entry(case: dict[str, Any]) -> None:
    salt, payload = bytes.fromhex(case["salt"]), bytes.fromhex(case["payload"])
    creates = case["subject"] == case["sequence"]
    draft = Draft(
        Kind(case["kind"]),
        bytes.fromhex(case["member"]),
        None if creates else case["subject"],
        tuple(reversed(case["classes"])),
        bytes.fromhex(case["clear"]),
        payload,
    )
    entry = seal(draft, sequence=case["sequence"], time_ms=case["time_ms"], salt=salt)
    assert entry.public.hex() == case["public"]
    assert commitment(salt, payload).hex() == case["commitment"]
    assert leaf_hash(entry.public).hex() == case["leaf"]
    assert parse(entry.public, entry.private) == entry
    assert check_private(entry)
    assert not check_private(parse(entry.public, salt + payload + b"\x00"))
    assert parse(entry.public, None).redacted


def test_an_entry_of_another_format_or_length_is_refused() -> None:
    data = bytes.fromhex(KEPT["entries"][2]["public"])
    for broken in (b"\x02" + data[1:], data[:-1], data + b"\x00", b""):
        with pytest.raises(LayoutError):
            parse(broken, None)


def test_roots() -> None:
    leaves = [leaf_hash(number.to_bytes(8, "big")) for number in range(600)]
    for size, root in KEPT["roots"]["by_size"].items():
        assert Frontier().extended(leaves[: int(size)]).root().hex() == root
    entries = [bytes.fromhex(case["leaf"]) for case in KEPT["entries"]]
    assert Frontier().extended(entries).root().hex() == KEPT["roots"]["of_entries"]


@pytest.mark.parametrize("case", KEPT["signal_bytes"], ids=lambda case: case["signal_type"])
def test_signal_bytes(case: dict[str, Any]) -> None:
    for given in (case["hex"], case["upper"], f" {case['upper']}\n"):
        signal = Signal.from_hex(case["signal_type"], given)
        assert list(signal.value) == case["bytes"]
        assert signal.hex == case["hex"]


@pytest.mark.parametrize("case", KEPT["as_of"], ids=lambda case: f"{case['epoch']}-{case['sequence']}")
def test_as_of(case: dict[str, Any]) -> None:
    position = Position(bytes.fromhex(case["ledger_id"]), case["epoch"], case["sequence"])
    assert position.encode() == case["token"]
    assert Position.decode(case["token"]) == position


def test_a_wrong_character_in_as_of_is_noticed() -> None:
    token = KEPT["as_of"][1]["token"]
    for at in range(len(token)):
        other = "A" if token[at] != "A" else "B"
        with pytest.raises(TokenMalformedError):
            Position.decode(token[:at] + other + token[at + 1 :])
    for garbage in ("", "é", token + "A", token + "=", token[:-1], " " + token, token + "\n"):
        with pytest.raises(TokenMalformedError):
            Position.decode(garbage)


def test_member_token() -> None:
    case = KEPT["member_token"]
    assert is_member_token(case["token"])
    assert member_token_hash(case["token"]).hex() == case["hash"]
    assert not is_member_token(case["token"] + "\n")


def test_state_digest() -> None:
    case = KEPT["state"]
    rows = [(row["table"], bytes.fromhex(row["key"]), bytes.fromhex(row["value"])) for row in case["rows"]]
    assert row_hash(*rows[0]).to_bytes(256, "big").hex() == case["row_hash_of_first"]
    total = sum(row_hash(*row) for row in rows) % MODULUS
    assert state_digest(case["sequence"], total).hex() == case["state_digest"]
    assert state_digest(0, 0).hex() == case["empty_state_digest"]
