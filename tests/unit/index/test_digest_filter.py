"""The digest filter: exactly the set that was put in, whatever is added, removed, saved and opened meanwhile."""

from __future__ import annotations

import hashlib
import itertools
import os
import random
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hashpact_server.index import DigestFilter
from hashpact_server.index.digest_filter import LOAD_MAX, MARK_BYTES
from hashpact_server.index.digest_kernel import hashes_of
from hashpact_server.index.segments import IndexDamagedError
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data import effort

MARK = bytes(range(MARK_BYTES))
SIZES = {1: 32, 2: 16}


def siphash(key: bytes, message: bytes) -> int:
    """SipHash-2-4 as its paper has it (Aumasson, Bernstein: SipHash, a fast short-input PRF, 2012)."""
    mask = (1 << 64) - 1
    k0, k1 = int.from_bytes(key[:8], "little"), int.from_bytes(key[8:], "little")
    v = [k0 ^ 0x736F6D6570736575, k1 ^ 0x646F72616E646F6D, k0 ^ 0x6C7967656E657261, k1 ^ 0x7465646279746573]

    def turned(word: int, bits: int) -> int:
        return (word << bits | word >> (64 - bits)) & mask

    def rounds(count: int) -> None:
        for _ in range(count):
            v[0] = (v[0] + v[1]) & mask
            v[1] = turned(v[1], 13) ^ v[0]
            v[0] = turned(v[0], 32)
            v[2] = (v[2] + v[3]) & mask
            v[3] = turned(v[3], 16) ^ v[2]
            v[0] = (v[0] + v[3]) & mask
            v[3] = turned(v[3], 21) ^ v[0]
            v[2] = (v[2] + v[1]) & mask
            v[1] = turned(v[1], 17) ^ v[2]
            v[2] = turned(v[2], 32)

    padded = message + bytes(7 - len(message) % 8) + bytes([len(message) & 0xFF])
    for at in range(0, len(padded), 8):
        word = int.from_bytes(padded[at : at + 8], "little")
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 0xFF
    rounds(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def flat(*digests: bytes) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
    return np.frombuffer(b"".join(digests), np.uint8)


def has(digests: DigestFilter, code: int, value: bytes) -> bool:
    return bool(digests.may_list(code, value, len(value)).size)


def test_the_twin_gives_the_papers_value() -> None:
    assert siphash(bytes(range(16)), bytes(range(15))) == 0xA129CA6149BE45E5


@given(st.binary(min_size=16, max_size=16), st.integers(0, 255), st.binary(min_size=16, max_size=32))
@settings(max_examples=effort(100), deadline=None)
def test_hashes_are_siphash(secret: bytes, code: int, digest: bytes) -> None:
    key0, key1 = struct.unpack("<QQ", secret)
    made = hashes_of(flat(digest, digest), len(digest), code, key0, key1)
    assert made.tolist() == [siphash(secret, digest[:16] + bytes([code]))] * 2


steps = st.lists(
    st.tuples(st.sampled_from(["add", "remove", "save", "open"]), st.integers(0, 2**32).map(random.Random)), max_size=25
)


@given(steps)
@settings(max_examples=effort(30), deadline=None)
def test_it_is_the_set_that_was_put_in(
    tmp_path_factory: pytest.TempPathFactory, acts: list[tuple[str, random.Random]]
) -> None:
    path = tmp_path_factory.mktemp("filter") / "digests"
    digests, model, saved = DigestFilter(), set[tuple[int, bytes]](), set[tuple[int, bytes]]()
    digests.save(path, MARK)
    known: list[tuple[int, bytes]] = []
    numbers = itertools.count()
    for act, dice in acts:
        if act == "save":
            digests.save(path, MARK)
            saved = set(model)
        elif act == "open":
            digests, model = DigestFilter.open(path), set(saved)
            assert digests.mark == MARK
        else:
            code = dice.choice(list(SIZES))
            count = dice.choice([0, 1, 3, 700])
            fresh = [(code, hashlib.sha256(b"%d" % next(numbers)).digest()[: SIZES[code]]) for _ in range(count)]
            if act == "add":
                some = fresh + [each for each in known if each[0] == code and each not in model][:5]
                digests.add(code, flat(*(value for _, value in some)), SIZES[code])
                model.update(some)
                known += fresh
            else:
                some = fresh + [each for each in known if each[0] == code and dice.random() < 0.3]
                digests.remove(code, flat(*(value for _, value in some)), SIZES[code])
                model.difference_update(some)
        assert len(digests) == len(model)
        for code, size in SIZES.items():
            mine = [value for kind, value in known if kind == code]
            found = digests.may_list(code, b"".join(mine), size).tolist()
            assert found == [row for row, value in enumerate(mine) if (code, value) in model]


def test_a_digest_of_another_type_is_another_one() -> None:
    digests = DigestFilter()
    digests.add(1, flat(bytes(32)), 32)
    assert has(digests, 1, bytes(32))
    assert not has(digests, 2, bytes(16))


def test_what_was_added_twice_is_never_denied_again(tmp_path: Path) -> None:
    """It stands for two digests with one hash: taking one of them away must not take the other."""
    digests = DigestFilter()
    digests.add(1, flat(bytes(32)), 32)
    digests.add(1, flat(bytes(32)), 32)
    digests.save(tmp_path / "digests", MARK)
    for each in (digests, DigestFilter.open(tmp_path / "digests")):
        each.remove(1, flat(bytes(32)), 32)
        assert has(each, 1, bytes(32))


def test_chosen_digests_do_not_make_a_long_way() -> None:
    digests = DigestFilter()
    many = np.zeros((60_000, 16), np.uint8)
    many[:, :8] = np.arange(60_000, dtype=np.uint64)[:, None].view(np.uint8)
    digests.add(2, many.reshape(-1), 16)
    free = np.flatnonzero(digests._table == 0)
    assert len(digests) / len(digests._table) < LOAD_MAX
    assert np.diff(free).max() < 400
    assert not np.array_equal(DigestFilter()._secret, DigestFilter()._secret)


def test_nobody_who_asks_while_it_grows_is_denied() -> None:
    source = random.Random(1)
    digests, listed = DigestFilter(), [source.randbytes(32) for _ in range(500)]
    digests.add(1, flat(*listed), 32)
    stop, denied = threading.Event(), list[int]()

    def ask() -> None:
        while not stop.is_set():
            found = digests.may_list(1, b"".join(listed), 32)
            denied.extend(set(range(500)) - set(found.tolist()))

    asking = threading.Thread(target=ask)
    asking.start()
    for _ in range(60):
        block = flat(*(source.randbytes(32) for _ in range(2000)))
        digests.add(1, block, 32)
        digests.remove(1, block[:32_000], 32)
    stop.set()
    asking.join()
    assert not denied
    assert len(digests) == 500 + 60 * 1000


def test_what_is_removed_while_it_is_saved_stays_until_then(tmp_path: Path) -> None:
    digests, errors = DigestFilter(), list[OSError]()
    digests.add(1, flat(bytes(32)), 32)
    os.mkfifo(tmp_path / "digests.new")  # writing waits here for a reader, and then fails

    def save() -> None:
        try:
            digests.save(tmp_path / "digests", MARK)
        except OSError as error:
            errors.append(error)

    saving = threading.Thread(target=save)
    saving.start()
    while digests._put_off is None:
        time.sleep(0.001)
    digests.remove(1, flat(bytes(32)), 32)
    assert has(digests, 1, bytes(32))
    (tmp_path / "digests.new").read_bytes()
    saving.join()
    assert errors
    assert not has(digests, 1, bytes(32))
    assert digests.removals
    assert not digests.mark


def _flip(place: float) -> Callable[[bytearray], None]:
    def spoil(raw: bytearray) -> None:
        raw[int(place * (len(raw) - 1))] ^= 1

    return spoil


def _cut(raw: bytearray) -> None:
    del raw[-8:]


def _longer(raw: bytearray) -> None:
    raw += bytes(8)


def _nothing(raw: bytearray) -> None:
    raw.clear()


@pytest.mark.parametrize("spoil", [_flip(0), _flip(0.001), _flip(0.004), _flip(0.5), _flip(1), _cut, _longer, _nothing])
def test_a_damaged_file_is_refused(tmp_path: Path, spoil: Callable[[bytearray], None]) -> None:
    digests, path = DigestFilter(), tmp_path / "digests"
    digests.add(1, flat(bytes(32)), 32)
    digests.save(path, MARK)
    raw = bytearray(path.read_bytes())
    spoil(raw)
    path.write_bytes(raw)
    with pytest.raises(IndexDamagedError):
        DigestFilter.open(path)
    path.unlink()
    with pytest.raises(IndexDamagedError):
        DigestFilter.open(path)


def test_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    DigestFilter().save(tmp_path / "digests", MARK)
    assert (tmp_path / "digests").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["digests"]
