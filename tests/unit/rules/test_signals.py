"""Which signals are fit to be listed, and why the others are not."""

from __future__ import annotations

import hashlib
import random

import pytest
from hashpact.signals import SIGNAL_TYPES
from hashpact.v1 import error_reason_pb2 as reasons
from hashpact_server.rules.signals import OfferedSignal, degeneracy, sort_out
from hypothesis import given
from hypothesis import strategies as st

from tests.forum import signal, value

PDQ = SIGNAL_TYPES["pdq"]


def only_problem(offered: OfferedSignal) -> tuple[int, str]:
    fit, problems = sort_out([offered])
    assert fit == ()
    assert len(problems) == 1
    assert problems[0].signal_index == 0
    return problems[0].reason, problems[0].message


@pytest.mark.parametrize("name", [name for name in SIGNAL_TYPES if name != "local_sift"])  # which has a structure
def test_good_values_of_every_type(name: str) -> None:
    fit, problems = sort_out([signal(name, 1)])
    assert problems == ()
    assert [(each.kind.name, each.value) for each in fit] == [(name, value(name, 1))]


@pytest.mark.parametrize("wrap", [str, str.upper, lambda text: f" \t{text}\r\n"])
def test_hex_in_every_accepted_form(wrap: object) -> None:
    text = wrap(value("sha256", 1).hex())  # type: ignore[operator] # one of three functions
    fit, _ = sort_out([OfferedSignal(" sha256 ", hex=text)])
    assert fit[0].value == value("sha256", 1)


@pytest.mark.parametrize(
    "offered",
    [
        OfferedSignal("sha256"),
        OfferedSignal("sha256", b""),
        OfferedSignal("sha256", hex=""),
        OfferedSignal("sha256", hex="zz" * 32),
        OfferedSignal("sha256", hex="0x" + "ab" * 31),
        OfferedSignal("sha256", hex="a" * 63),
        OfferedSignal("sha256", hex="ab" * 16 + " " + "ab" * 16),
        OfferedSignal("sha256", b"a" * 31),
        OfferedSignal("sha256", b"a" * 33),
        OfferedSignal("md5", value("sha256", 1)),
        OfferedSignal("pdq", value("pdq", 1)[:31], quality=100),
        OfferedSignal("pdq", value("pdq", 1), quality=101),
        OfferedSignal("phash", value("phash", 1), quality=2**32 - 1),
        OfferedSignal("sha256", hex="\uff11" * 64),
    ],
)
def test_malformed(offered: OfferedSignal) -> None:
    assert only_problem(offered)[0] == reasons.ERROR_REASON_SIGNAL_MALFORMED


@pytest.mark.parametrize("name", ["", "PDQ", "pdq\x00", "tmk", "../pdq", "sha-256"])
def test_unknown_types(name: str) -> None:
    assert only_problem(OfferedSignal(name, b"x" * 32, quality=100))[0] == reasons.ERROR_REASON_SIGNAL_TYPE_UNKNOWN


@pytest.mark.parametrize("quality", [None, 0, 49])
def test_pdq_needs_quality(quality: int | None) -> None:
    reason, message = only_problem(signal("pdq", 1, quality=quality))
    assert reason == reasons.ERROR_REASON_SIGNAL_QUALITY_TOO_LOW
    assert "50" in message


@pytest.mark.parametrize("quality", [50, 100])
def test_pdq_of_enough_quality(quality: int) -> None:
    assert sort_out([signal("pdq", 1, quality=quality)])[0][0].quality == quality


def test_quality_of_a_digest_is_ignored() -> None:
    fit, _ = sort_out([OfferedSignal("md5", value("md5", 1), quality=2**32 - 1)])
    assert fit[0].quality is None
    assert fit[0].listed.quality is None


@pytest.mark.parametrize("name", SIGNAL_TYPES)
@pytest.mark.parametrize("period", [1, 2, 4])
def test_repeating_patterns(name: str, period: int) -> None:
    size = SIGNAL_TYPES[name].size_bytes
    if size % period:
        period = 5  # of TLSH's 35 bytes
    pattern = random.Random(period).randbytes(period) * (size // period)
    offered = OfferedSignal(name, pattern, quality=100)
    assert only_problem(offered)[0] == reasons.ERROR_REASON_SIGNAL_DEGENERATE


@pytest.mark.parametrize("name", SIGNAL_TYPES)
@pytest.mark.parametrize("byte", [b"\x00", b"\xff"])
def test_equal_bits(name: str, byte: bytes) -> None:
    offered = OfferedSignal(name, byte * SIGNAL_TYPES[name].size_bytes, quality=100)
    assert only_problem(offered)[0] == reasons.ERROR_REASON_SIGNAL_DEGENERATE


def test_halves_that_are_equal() -> None:
    for name, kind in SIGNAL_TYPES.items():
        half = random.Random(name).randbytes(kind.size_bytes // 2)
        assert degeneracy(kind, half * 2) is not None


@pytest.mark.parametrize("name", ["sha256", "md5"])
def test_digest_of_nothing(name: str) -> None:
    empty = hashlib.new(name).digest()
    assert only_problem(OfferedSignal(name, empty))[0] == reasons.ERROR_REASON_SIGNAL_DEGENERATE


@pytest.mark.parametrize(
    ("ones", "good"), [(63, False), (64, True), (107, True), (145, True), (192, True), (193, False)]
)
def test_pdq_bits_that_are_set(ones: int, good: bool) -> None:
    bits = [1] * ones + [0] * (256 - ones)
    random.Random(ones).shuffle(bits)
    made = int("".join(map(str, bits)), 2).to_bytes(32, "big")
    assert (degeneracy(PDQ, made) is None) == good


def test_picture_of_one_bar_is_degenerate() -> None:
    assert degeneracy(SIGNAL_TYPES["phash"], bytes.fromhex("8000008080000000")) is not None


@given(st.binary(min_size=16, max_size=16))
def test_period_is_found_exactly_when_there_is_one(data: bytes) -> None:
    periodic = any(data == data[:length] * (16 // length) for length in (1, 2, 4, 8))
    found = degeneracy(SIGNAL_TYPES["md5"], data)
    assert (found is not None) == (periodic or data == hashlib.md5(usedforsecurity=False).digest())


def test_duplicates_collapse_and_positions_stay() -> None:
    offered = [signal("md5", 1), OfferedSignal("tmk", b"x"), signal("md5", 1), signal("pdq", 1), signal("pdq", 1, 60)]
    fit, problems = sort_out(offered)
    assert [(each.signal_index, each.kind.name) for each in fit] == [(0, "md5"), (3, "pdq")]
    assert [each.signal_index for each in problems] == [1]
    assert fit[1].quality == 100


def test_equal_bytes_of_two_types_are_two_signals() -> None:
    shared = value("pdq", 1)
    fit, _ = sort_out([OfferedSignal("sha256", shared), OfferedSignal("phash256", shared)])
    assert len(fit) == 2


def test_no_message_and_no_repr_shows_a_value() -> None:
    text = value("sha256", 1).hex()
    for offered in (
        OfferedSignal(text, hex=text),
        OfferedSignal("md5", hex=text),
        OfferedSignal("pdq", hex=text[:-1] + "z", quality=100),
        OfferedSignal("pdq", bytes.fromhex(text), quality=3),
    ):
        assert text[:16] not in only_problem(offered)[1]
        assert "hex=" not in repr(offered)
    assert "value" not in repr(sort_out([signal("pdq", 1)])[0][0])


def test_a_frame_says_which_stretch_of_its_video_it_stands_for() -> None:
    frame = value("pdq_frame", 1)
    for stretch, told in ((None, "say which"), ((9, 5), "ends before it begins")):
        fit, problems = sort_out([OfferedSignal("pdq_frame", frame, quality=80, stretch=stretch)])
        assert not fit
        assert told in problems[0].message
    (good, picture), _ = sort_out(
        [
            OfferedSignal("pdq_frame", frame, quality=80, stretch=(5, 9)),
            OfferedSignal("pdq", frame, quality=80, stretch=(5, 9)),
        ]
    )
    assert (good.listed.stretch, picture.listed.stretch) == ((5, 9), None)
