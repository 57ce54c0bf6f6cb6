"""Tests that every signal type has to pass, for packages that add one: ``docs/signal-types.md``.

::

    class TestMine(SignalTypeConformance):
        plugin = MINE

        @pytest.fixture
        def samples(self) -> list[bytes]: ...          # files that show different things
        @pytest.fixture
        def near_copies(self) -> list[tuple[bytes, bytes]]: ...   # a file, and the same re-encoded

Needs pytest, and the media extra. The package has to be installed, so that its entry point is found.
"""

from __future__ import annotations

import itertools
import os
import pickle
import random
import struct
import subprocess  # starts this Python, nothing else
import sys
import zlib
from collections.abc import Iterable, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final

import pytest

from hashpact import hash_media
from hashpact.errors import UnreadableMediaError
from hashpact.hashing.added import checked
from hashpact.plugins import GROUP, Media, SignalTypePlugin, added, flaw_of
from hashpact.signals import SIGNAL_TYPES, Comparison, Signal, hamming

_WITHOUT_MEDIA: Final = """
import sys
for name in ("PIL", "imagehash", "av", "cv2", "pypdfium2"):
    sys.modules[name] = None
from hashpact.signals import SIGNAL_TYPES
from hashpact.plugins import require_plugins
require_plugins()
assert sys.argv[1] in SIGNAL_TYPES
heavy = sorted(name for name in sys.modules if name.startswith(("hashpact.hashing", "hashpact.client")))
assert not heavy, heavy
"""
_HASH_AGAIN: Final = """
import sys
from hashpact import hash_media
print(*(one.hex for one in hash_media(sys.argv[2]).added if one.signal_type == sys.argv[1]))
"""
_PNG_HEAD: Final = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"


class SignalTypeConformance:
    """What a signal type of another package has to keep, whatever it looks at.

    Derive from it, set ``plugin``, and override the fixtures ``samples`` and ``near_copies``.

    Attributes:
        plugin: the :class:`hashpact.plugins.SignalTypePlugin`.
    """

    plugin: SignalTypePlugin

    @pytest.fixture
    def samples(self) -> Sequence[bytes | Path]:
        """At least three files of the type's media, that show different things."""
        raise AssertionError("override the fixture samples: at least three files that show different things")

    @pytest.fixture
    def near_copies(self) -> Iterable[tuple[bytes | Path, bytes | Path]]:
        """Files, each with a copy that has to be found within ``radius_default``; none for digests."""
        raise AssertionError("override the fixture near_copies: files, each with a copy that has to be found")

    def test_it_can_be_used_as_it_is_declared(self) -> None:
        assert flaw_of(self.plugin) is None

    def test_it_is_installed_under_its_own_name_and_clashes_with_nothing(self) -> None:
        name = self.plugin.kind.name
        assert name in entry_points(group=GROUP).names, f"no installed package has an entry point {name} in {GROUP}"
        assert added().problems == ()
        assert added().plugins[name] is self.plugin
        assert SIGNAL_TYPES[name] is self.plugin.kind

    def test_a_server_can_load_it_without_libraries_that_decode_media(self) -> None:
        _python(_WITHOUT_MEDIA, self.plugin.kind.name)

    def test_hashing_a_file_gives_values_of_the_right_size(self, samples: Sequence[bytes | Path]) -> None:
        assert len(samples) >= 3, "give three files at least"
        for sample in samples:
            assert self.values(sample), "a sample has no value of this type"
            for value in self.values(sample):
                assert len(value) == self.plugin.kind.size_bytes

    def test_the_same_file_gives_the_same_values_in_every_process(
        self, samples: Sequence[bytes | Path], tmp_path: Path
    ) -> None:
        first = self.values(samples[0])
        assert self.values(samples[0]) == first
        path = tmp_path / "sample"
        path.write_bytes(samples[0] if isinstance(samples[0], bytes) else samples[0].read_bytes())
        printed = _python(_HASH_AGAIN, self.plugin.kind.name, str(path), PYTHONHASHSEED="1")
        assert [bytes.fromhex(text) for text in printed.split()] == first, "another process hashes it differently"

    def test_values_survive_hex_and_pickling(self, samples: Sequence[bytes | Path]) -> None:
        for value in self.values(samples[0]):
            signal = Signal(self.plugin.kind.name, value)
            assert Signal.from_hex(signal.signal_type, signal.hex.upper()) == signal
            assert pickle.loads(pickle.dumps(signal)) == signal  # noqa: S301  # made a line above
            assert value.hex() not in repr(signal)
        assert pickle.loads(pickle.dumps(self.plugin.kind)) == self.plugin.kind  # noqa: S301  # as above

    def test_samples_are_fit_to_be_listed(self, samples: Sequence[bytes | Path]) -> None:
        if (flaw := self.plugin.flaw) is not None:
            assert [flaw(value) for sample in samples for value in self.values(sample)] == [None] * sum(
                len(self.values(sample)) for sample in samples
            )

    def test_its_distance_is_one(self, samples: Sequence[bytes | Path]) -> None:
        noise = random.Random(5)  # noqa: S311  # for tests
        values = [value for sample in samples for value in self.values(sample)]
        values += [noise.randbytes(self.plugin.kind.size_bytes) for _ in range(20)]
        for value in values:
            assert self.distances(value, [value]) == [0], "a value is at distance 0 from itself"
        for left, right in itertools.combinations(values, 2):
            there, back = self.distances(left, [right]), self.distances(right, [left])
            assert there == back, "it is as far there as back"
            assert isinstance(there[0], int)
            assert there[0] >= 0

    def test_near_copies_are_within_the_radius(self, near_copies: Iterable[tuple[bytes | Path, bytes | Path]]) -> None:
        pairs = list(near_copies)
        assert pairs or self.plugin.kind.exact, "give a file and a copy of it that has to be found"
        for original, copy in pairs:
            found = [min(self.distances(value, self.values(original))) for value in self.values(copy)]
            assert found
            assert min(found) <= self.plugin.kind.radius_default

    def test_what_shows_something_else_is_beyond_the_radius(self, samples: Sequence[bytes | Path]) -> None:
        for left, right in itertools.combinations(samples, 2):
            for value in self.values(left):
                assert min(self.distances(value, self.values(right))) > self.plugin.kind.radius_default

    def test_hostile_bytes_are_an_error_or_nothing_and_never_a_crash(self, samples: Sequence[bytes | Path]) -> None:
        whole = samples[0] if isinstance(samples[0], bytes) else samples[0].read_bytes()
        noise = random.Random(7)  # noqa: S311  # as above
        hostile = [b"", b"\0", whole[:16], whole[: len(whole) // 2], noise.randbytes(4096)]
        hostile.append(_PNG_HEAD + b"\x7f\xff\xff\xff" * 2 + b"\x08\x06\x00\x00\x00" + bytes(64))  # of 4 * 10^18 pixels
        broken = bytearray(whole)
        for place in noise.sample(range(len(broken)), min(64, len(broken))):
            broken[place] ^= 0xFF
        for data in [*hostile, bytes(broken)]:
            for kind in self.plugin.kind.media:
                try:
                    checked(self.plugin, self.plugin.hash(Media(kind, data=data)))
                except UnreadableMediaError:
                    continue

    def test_odd_pictures_are_hashed_or_passed_over(self) -> None:
        if "image" not in self.plugin.kind.media:
            return
        for width, height, grey in ((1, 1, 0), (3, 2000, 128), (2000, 3, 255), (64, 64, 0)):
            told: Any = hash_media(_png(width, height, grey))
            assert not [note for note in told.notes if note.startswith(f"{self.plugin.kind.name}: its package")]

    def values(self, sample: bytes | Path) -> list[bytes]:
        """The values of a file, as members hash it."""
        signals: Any = hash_media(sample)
        return [one.value for one in signals.added if one.signal_type == self.plugin.kind.name]

    def distances(self, value: bytes, values: Sequence[bytes]) -> list[int]:
        """How far a value is from others, as servers compare it."""
        kind = self.plugin.kind
        if kind.comparison is Comparison.DISTANCE:
            assert kind.measure is not None
            return [kind.measure(value, one) for one in values]
        if kind.exact:
            return [0 if value == one else 1 for one in values]
        return [hamming(value, one) for one in values]


def _png(width: int, height: int, grey: int) -> bytes:
    """A picture of one grey."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    rows = zlib.compress((b"\0" + bytes([grey]) * width) * height)
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return _PNG_HEAD[:8] + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def _python(program: str, *arguments: str, **environment: str) -> str:
    """What a Python of its own prints."""
    done = subprocess.run(  # noqa: S603  # as above
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
