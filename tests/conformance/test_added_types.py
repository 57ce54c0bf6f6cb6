"""Signal types of another package: the toy of ``tests/plugins`` passes the tests that are published for them, from
where it is installed; and these tests find what is wrong with types that are broken."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import count

import pytest
from hashpact.errors import UnreadableMediaError
from hashpact.plugins import Media, SignalTypePlugin
from hashpact.signals import Comparison, Signal, SignalType, Witness
from hashpact.testing import SignalTypeConformance

from tests.adding import TOY, with_toy

PYTEST = [sys.executable, "-m", "pytest", "-q", "--noconftest", "-p", "no:cacheprovider", "-c", os.devnull]


def test_the_toy_package_passes_the_published_tests() -> None:
    done = subprocess.run(
        [*PYTEST, "toy_hashes_tests.py"],
        cwd=TOY,
        env=with_toy(),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "36 passed" in done.stdout


def _first_bytes(media: Media) -> Iterable[Signal]:
    return [Signal("mine", media.data[:8].ljust(8, b"\0"))] if media.data else []


GOOD = SignalTypePlugin(
    SignalType("mine", 200, 64, Comparison.HAMMING, 4, 8, False, 0, ("text",), Witness.TEXT), _first_bytes
)
SAMPLES = [b"first text", b"\xff" * 20, b"\x0f" * 20]
NEAR = [(b"a text of many words", b"a text of many words, and of some more")]


class Mine(SignalTypeConformance):
    """The tests, with a hasher that is called here, since nothing is installed."""

    def __init__(self, plugin: SignalTypePlugin) -> None:
        self.plugin = plugin

    def values(self, sample: object) -> list[bytes]:
        assert isinstance(sample, bytes)
        return [one.value for one in self.plugin.hash(Media("text", data=sample))]


def apart(left: bytes, right: bytes) -> int:
    return abs(int.from_bytes(left) - int.from_bytes(right))


def downhill(left: bytes, right: bytes) -> int:
    return max(0, int.from_bytes(left) - int.from_bytes(right))


def never_at_home(left: bytes, right: bytes) -> int:
    return 1 + apart(left, right)


def measured(measure: Callable[[bytes, bytes], int]) -> SignalTypePlugin:
    return replace(GOOD, kind=replace(GOOD.kind, comparison=Comparison.DISTANCE, measure=measure))


def all_checks(plugin: SignalTypePlugin) -> None:
    tests = Mine(plugin)
    tests.test_it_can_be_used_as_it_is_declared()
    tests.test_hashing_a_file_gives_values_of_the_right_size(SAMPLES)
    tests.test_values_survive_hex_and_pickling(SAMPLES)
    tests.test_samples_are_fit_to_be_listed(SAMPLES)
    tests.test_its_distance_is_one(SAMPLES)
    tests.test_near_copies_are_within_the_radius(NEAR)
    tests.test_what_shows_something_else_is_beyond_the_radius(SAMPLES)
    tests.test_hostile_bytes_are_an_error_or_nothing_and_never_a_crash(SAMPLES)


def test_a_good_type_passes() -> None:
    all_checks(GOOD)
    all_checks(measured(apart))


def _raises_on_noise(media: Media) -> Iterable[Signal]:
    (media.data or b"").decode()
    return _first_bytes(media)


def _says_so_of_noise(media: Media) -> Iterable[Signal]:
    if not media.data:
        raise UnreadableMediaError("empty")
    return _first_bytes(media)


_turns = count()


def _counts(media: Media) -> Iterable[Signal]:
    return [Signal("mine", next(_turns).to_bytes(8))] if media.data else []


@pytest.mark.parametrize(
    "broken",
    [
        replace(GOOD, kind=replace(GOOD.kind, code=16)),
        replace(GOOD, kind=replace(GOOD.kind, bits=128)),
        replace(GOOD, kind=replace(GOOD.kind, radius_default=0, radius_max=0), hash=_counts),
        replace(GOOD, kind=replace(GOOD.kind, media=("text",)), hash=_raises_on_noise),
        replace(GOOD, hash=lambda _: []),
        replace(GOOD, flaw=lambda value: "it begins with f" if value.startswith(b"f") else None),
        measured(downhill),
        measured(never_at_home),
        replace(GOOD, hash=lambda _: [Signal("mine", b"a" * 8)]),
    ],
    ids=["code", "size", "far copies", "hostile", "nothing", "unfit", "one way", "not zero", "all the same"],
)
def test_a_broken_type_does_not(broken: SignalTypePlugin) -> None:
    with pytest.raises((AssertionError, UnicodeDecodeError)):
        all_checks(broken)


def test_a_type_that_says_what_it_cannot_read_passes() -> None:
    all_checks(replace(GOOD, hash=_says_so_of_noise))


def test_what_is_not_installed_is_told() -> None:
    with pytest.raises(AssertionError, match="no installed package"):
        Mine(GOOD).test_it_is_installed_under_its_own_name_and_clashes_with_nothing()
