"""The tests that the toy package's author would write: all of them are Hashpact's own, given pictures."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator

import pytest
from hashpact.plugins import SignalTypePlugin
from hashpact.testing import SignalTypeConformance
from PIL import Image
from toy_hashes import BACKWARDS, COLUMNS, EDGES


def _picture(number: int) -> Image.Image:
    """A coarse pattern, another for each number."""
    small = Image.frombytes("L", (8, 8), random.Random(number).randbytes(64))
    return small.resize((640, 512), Image.Resampling.NEAREST)


def _file(picture: Image.Image, coding: str = "PNG") -> bytes:
    file = io.BytesIO()
    picture.save(file, coding)
    return file.getvalue()


class _Pictures(SignalTypeConformance):
    @pytest.fixture
    def samples(self) -> list[bytes]:
        return [_file(_picture(number)) for number in range(4)]

    @pytest.fixture
    def near_copies(self) -> Iterator[tuple[bytes, bytes]]:
        return ((_file(_picture(number)), _file(_picture(number), "JPEG")) for number in range(4))


class TestEdges(_Pictures):
    plugin: SignalTypePlugin = EDGES


class TestColumns(_Pictures):
    plugin: SignalTypePlugin = COLUMNS


class TestBackwards(_Pictures):
    plugin: SignalTypePlugin = BACKWARDS

    @pytest.fixture
    def near_copies(self) -> list[tuple[bytes, bytes]]:
        return []  # a digest has none
