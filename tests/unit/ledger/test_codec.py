"""Layouts read what they wrote, and nothing else: every damage is a LayoutError, and no other exception."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from hashpact_server.idempotency import unpack
from hashpact_server.ledger.codec import LayoutError, Reader, blob, text, texts, u8, u16, u32, u64
from hashpact_server.ledger.embedded import Tip
from hashpact_server.ledger.entry import Draft, Kind, parse, seal
from hashpact_server.ledger.merkle import Frontier
from hashpact_server.ledger.payloads import (
    OPAQUE,
    ContributionPayload,
    EpochClear,
    ListedSignal,
    MemberClear,
    MemberPayload,
    StandingClear,
    TokenPayload,
)
from hashpact_server.state.rows import ContributionRow, ItemRow, MemberRow, Status, TokenRow
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.data import effort

FEW = settings(max_examples=effort(40), deadline=None)

U8, U16, U32, U64 = (st.integers(0, 2**bits - 1) for bits in (8, 16, 32, 64))
PSEUDONYM, HASH = st.binary(min_size=16, max_size=16), st.binary(min_size=32, max_size=32)
WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
LABELS = st.lists(WORDS, max_size=4).map(tuple)
ROLES = st.lists(st.integers(1, 7), max_size=7, unique=True).map(lambda roles: tuple(sorted(roles)))
SIGNALS = st.builds(
    lambda code, value, quality, name, confirms: ListedSignal(
        code, value, quality, name if code == OPAQUE else "", confirms
    ),
    st.sampled_from((OPAQUE, 1, 2, 16, 65535)),
    st.binary(max_size=40),
    st.none() | st.integers(0, 100),
    WORDS,
    st.booleans(),
)
CLASSES = st.lists(st.text("abc:_", min_size=1, max_size=9), max_size=4, unique=True)
DRAFTS = st.builds(
    Draft, st.sampled_from(Kind), PSEUDONYM, st.none() | U64, CLASSES.map(tuple), st.binary(max_size=40), st.binary()
)

Decode = Callable[[bytes], Any]
CASES: dict[str, tuple[st.SearchStrategy[Any], Callable[[Any], bytes], Decode]] = {
    "contribution": (
        st.builds(ContributionPayload, U8, U64, WORDS, LABELS, st.lists(SIGNALS, max_size=4).map(tuple)),
        ContributionPayload.encode,
        ContributionPayload.decode,
    ),
    "member clear": (st.builds(MemberClear, PSEUDONYM, ROLES), MemberClear.encode, MemberClear.decode),
    "member payload": (st.builds(MemberPayload, WORDS, WORDS), MemberPayload.encode, MemberPayload.decode),
    "standing": (st.builds(StandingClear, PSEUDONYM, st.booleans()), StandingClear.encode, StandingClear.decode),
    "token": (st.builds(TokenPayload, HASH, U64), TokenPayload.encode, TokenPayload.decode),
    "epoch": (st.builds(EpochClear, U32, U8), EpochClear.encode, EpochClear.decode),
    "member row": (
        st.builds(MemberRow, st.just(b"m" * 16), U64, st.booleans(), ROLES, WORDS, WORDS),
        MemberRow.encode,
        lambda value: MemberRow.decode(b"m" * 16, value),
    ),
    "token row": (
        st.builds(TokenRow, st.just(7), PSEUDONYM, HASH, U64),
        TokenRow.encode,
        lambda value: TokenRow.decode(7, value),
    ),
    "item row": (
        st.builds(ItemRow, st.just(7), st.sampled_from(Status), st.booleans()),
        ItemRow.encode,
        lambda value: ItemRow.decode(7, value),
    ),
    "contribution row": (
        st.builds(ContributionRow, st.just(7), st.just(b"m" * 16), U64, U8, LABELS),
        ContributionRow.encode,
        lambda value: ContributionRow.decode(7, b"m" * 16, value),
    ),
    "tip": (
        st.builds(lambda time_ms, leaves: Tip(time_ms, Frontier().extended(leaves)), U64, st.lists(HASH, max_size=9)),
        Tip.encode,
        Tip.decode,
    ),
}


@pytest.mark.parametrize("case", CASES)
@FEW
@given(data=st.data())
def test_round_trip(case: str, data: st.DataObject) -> None:
    values, encode, decode = CASES[case]
    value = data.draw(values)
    assert decode(encode(value)) == value


@pytest.mark.parametrize("case", CASES)
@FEW
@given(data=st.data())
def test_too_short_and_too_long_is_a_layout_error(case: str, data: st.DataObject) -> None:
    values, encode, decode = CASES[case]
    whole = encode(data.draw(values))
    for size in range(len(whole)):
        with pytest.raises(LayoutError):
            decode(whole[:size])
    longer = whole + data.draw(st.binary(min_size=1, max_size=3))
    try:
        read = decode(longer)
    except LayoutError:
        return
    assert encode(read) == longer, "some layouts end in what may be left out: then it is another value"


@pytest.mark.parametrize("case", CASES)
@FEW
@given(data=st.data(), at=st.integers(0, 2**16), other=st.integers(1, 255))
def test_a_changed_byte_is_another_value_or_a_layout_error(case: str, data: st.DataObject, at: int, other: int) -> None:
    values, encode, decode = CASES[case]
    value = data.draw(values)
    damaged = bytearray(encode(value))
    damaged[at % len(damaged)] ^= other
    try:
        read = decode(bytes(damaged))
    except LayoutError:
        return
    assert read != value or case in ("standing", "item row", "member row"), "only flags have more than one spelling"


@pytest.mark.parametrize("case", CASES)
@FEW
@given(garbage=st.binary(max_size=120))
@example(garbage=b"")
@example(garbage=b"\xff" * 120)
def test_garbage_is_a_value_or_a_layout_error(case: str, garbage: bytes) -> None:
    with contextlib.suppress(LayoutError):
        CASES[case][2](garbage)


@FEW
@given(DRAFTS, U64, U64, HASH)
def test_entries_round_trip_and_refuse_other_lengths(draft: Draft, sequence: int, time_ms: int, salt: bytes) -> None:
    entry = seal(draft, sequence=sequence, time_ms=time_ms, salt=salt)
    assert parse(entry.public, entry.private) == entry
    assert entry.subject == (sequence if draft.subject is None else draft.subject)
    for size in range(len(entry.public)):
        with pytest.raises(LayoutError):
            parse(entry.public[:size], None)
    with pytest.raises(LayoutError):
        parse(entry.public + b"\x00", None)


@FEW
@given(DRAFTS, st.integers(0, 2**16), st.integers(1, 255))
def test_a_changed_byte_of_an_entry_is_seen(draft: Draft, at: int, other: int) -> None:
    """There is one spelling of an entry: whatever can be read encodes to the bytes that it was read from."""
    entry = seal(draft, sequence=7, time_ms=8, salt=bytes(32))
    damaged = bytearray(entry.public)
    damaged[at % len(damaged)] ^= other
    try:
        read = parse(bytes(damaged), entry.private)
    except LayoutError:
        return
    assert read != entry
    assert read.public != entry.public


@pytest.mark.parametrize(
    "draft",
    [
        Draft(Kind.GENESIS, member=b"short"),
        Draft(Kind.GENESIS, clear=bytes((1 << 20) + 1)),
        Draft(Kind.GENESIS, classes=tuple(f"{number}" for number in range(256))),
        Draft(Kind.GENESIS, classes=("x" * 256,)),
        Draft(Kind.GENESIS, classes=("é",)),
        Draft(Kind.GENESIS, subject=-1),
        Draft(Kind.GENESIS, subject=2**64),
    ],
    ids=["member", "clear", "classes", "long class", "class not ASCII", "negative", "too large"],
)
def test_a_draft_that_does_not_fit_is_a_layout_error(draft: Draft) -> None:
    with pytest.raises(LayoutError):
        seal(draft, sequence=1, time_ms=1, salt=bytes(32))


@pytest.mark.parametrize(("write", "bits"), [(u8, 8), (u16, 16), (u32, 32), (u64, 64)])
def test_numbers(write: Callable[[int], bytes], bits: int) -> None:
    for value in (0, 1, 2 ** (bits - 1), 2**bits - 1):
        assert write(value) == value.to_bytes(bits // 8, "big")
    for value in (-1, 2**bits):
        with pytest.raises(LayoutError):
            write(value)


def test_what_is_too_long_is_a_layout_error() -> None:
    assert Reader(blob(bytes(65_535))).blob() == bytes(65_535)
    with pytest.raises(LayoutError):
        blob(bytes(65_536))
    with pytest.raises(LayoutError):
        text("é" * 32_768)
    with pytest.raises(LayoutError):
        texts(["x"] * 65_536)


def test_text_that_is_no_utf8_is_a_layout_error() -> None:
    with pytest.raises(LayoutError):
        Reader(blob(b"\xff")).text()


@FEW
@given(st.binary(max_size=90) | st.binary(min_size=44, max_size=90))
def test_a_kept_answer_vouches_for_itself(garbage: bytes) -> None:
    with pytest.raises(LayoutError):
        unpack(garbage)
