"""Watching: public parts are read as the format says, messages must follow each other, and outages are waited for."""

from __future__ import annotations

import contextlib
import json
import random
from datetime import UTC, datetime
from typing import Any

import pytest
from hashpact._entry import KINDS, entry_of
from hashpact._operations.watching import Watching
from hashpact.errors import (
    ConflictError,
    InvalidRequestError,
    LimitExceededError,
    NotAllowedError,
    ServiceError,
    UnavailableError,
)
from hashpact.v1 import feed_service_pb2 as feed
from hashpact_server.ledger.entry import Draft, Kind, seal

from tests.repository import ROOT

VECTORS: list[dict[str, Any]] = json.loads((ROOT / "proto" / "vectors" / "formats-1.json").read_text())["entries"]


def test_public_parts_are_read_as_the_vectors_say() -> None:
    for vector in VECTORS:
        entry = entry_of(bytes.fromhex(vector["public"]), redacted=False)
        assert entry.sequence == vector["sequence"]
        assert entry.time == datetime.fromtimestamp(vector["time_ms"] / 1000, UTC)
        assert entry.kind == Kind(vector["kind"]).name.lower()
        assert entry.member == vector["member"]
        assert entry.subject == vector["subject"]
        assert entry.label_classes == tuple(sorted(vector["classes"]))
        assert entry.item == (vector["subject"] if vector["kind"] >= Kind.ITEM_CREATED else None)
        text = json.dumps(entry.to_dict())
        assert not any(signal in text for signal in ("commitment", vector["commitment"], vector["salt"]))


def test_every_kind_has_its_word() -> None:
    assert {kind.value: kind.name.lower() for kind in Kind} == KINDS


def test_what_cannot_be_read_is_an_error_of_ours() -> None:
    chance = random.Random(20_261_122)
    for vector in VECTORS:
        public = bytes.fromhex(vector["public"])
        for broken in [public[:end] for end in range(len(public))] + [public + b"\0", b"\2" + public[1:]]:
            with pytest.raises(ServiceError) as caught:
                entry_of(broken, redacted=False)
            assert caught.value.reason == "ANSWER_INVALID"
        for _ in range(200):
            damaged = bytearray(public)
            damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
            with contextlib.suppress(ServiceError):
                entry_of(bytes(damaged), redacted=True)


def message(first: int, following: int, *sequences: int) -> feed.WatchResponse:
    entries = []
    for sequence in sequences or range(first, following):
        made = seal(Draft(Kind.ITEM_CREATED, clear=b"\1"), sequence=sequence, time_ms=0, salt=bytes(32))
        entries.append(feed.LedgerEntry(public_part=made.public, private_part=made.private))
    return feed.WatchResponse(entries=entries, next_sequence=following, as_of=f"after-{following - 1}")


def watching(start: int | None = 0, *label_classes: str, told: list[ServiceError] | None = None) -> Watching:
    return Watching(start, "", (), label_classes, None if told is None else told.append)


def test_it_goes_on_behind_the_last_message() -> None:
    watch = watching(3)
    assert watch.request() == feed.WatchRequest(start_sequence=3)
    assert watch.take(message(3, 3)) == []  # the opening
    assert [entry.sequence for entry in watch.take(message(3, 6))] == [3, 4, 5]
    assert watch.request() == feed.WatchRequest(after="after-5")
    assert watch.take(message(6, 6)) == []
    filtered = watching(0, "behaviour")
    filtered.take(message(0, 0))
    assert [entry.sequence for entry in filtered.take(message(0, 9, 2, 7))] == [2, 7]
    assert filtered.request() == feed.WatchRequest(
        after="after-8", filter=feed.WatchFilter(label_classes=["behaviour"])
    )


@pytest.mark.parametrize(
    "wrong", [message(5, 7), message(3, 5), message(4, 6, 5, 4), message(4, 6, 4), message(4, 9, 4)]
)
def test_a_gap_or_a_repetition_is_an_error(wrong: feed.WatchResponse) -> None:
    watch = watching(4)
    watch.take(message(4, 4))
    with pytest.raises(ServiceError) as caught:
        watch.take(wrong)
    assert caught.value.reason == "ANSWER_INVALID"


def test_outages_are_waited_for_once_it_was_heard() -> None:
    told: list[ServiceError] = []
    away = UnavailableError("away", reason="NOT_SERVING")
    watch = watching(told=told)
    with pytest.raises(UnavailableError):
        watch.pause_s(away)
    watch.take(message(0, 0))
    pauses = [watch.pause_s(away) for _ in range(20)]
    assert pauses[0] < 1 < max(pauses) <= 10
    assert watch.pause_s(LimitExceededError("busy", reason="TOO_MANY_REQUESTS", retry_after_s=40)) >= 20
    assert len(told) == 21
    watch.take(message(0, 0))
    assert watch.pause_s(away) < 1
    for error in (
        UnavailableError("certificate", reason="TLS_EXPIRED"),
        NotAllowedError("suspended", reason="MEMBER_SUSPENDED"),
        ConflictError("restored", reason="TOKEN_UNKNOWN_HISTORY"),
    ):
        with pytest.raises(type(error)):
            watch.pause_s(error)


def test_wrong_arguments_are_told_before_anything_is_sent() -> None:
    wrong: list[tuple[int | None, str, Any, Any]] = [
        (-1, "", (), ()),
        (1, "token", (), ()),
        (None, "", "pdq", ()),
        (None, "", (), "behaviour"),
    ]
    for start, after, signal_types, label_classes in wrong:
        with pytest.raises(InvalidRequestError):
            Watching(start, after, signal_types, label_classes, None)
