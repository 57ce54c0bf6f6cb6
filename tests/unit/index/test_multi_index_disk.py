"""A MultiIndex on disk: checkpoints, damage, and the disk failing under it."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hashpact_server.index import LinearIndex, MultiIndex, segments
from hashpact_server.index.manifest import MANIFEST
from hashpact_server.index.segments import Segment, _Layout

from tests.unit.index.values import assert_same, clustered, numbers

if TYPE_CHECKING:
    from pathlib import Path


def test_checkpoint_is_found_by_the_next_process(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    values = clustered(rng, 20_000)
    index, linear = MultiIndex(256, tmp_path / "new" / "folder"), LinearIndex(256)
    assert index.sequence == 0
    for each in (index, linear):
        each.add(numbers(20_000), values)
        each.add(numbers(3, 30_000), values[:3])
        each.remove(np.array([2, 7, 30_001], np.uint64))
    index.checkpoint(41)
    index.remove(numbers(10_000))  # not part of the checkpoint
    index.close()
    again = MultiIndex(256, tmp_path / "new" / "folder")
    assert (again.sequence, again.damage, len(again)) == (41, None, len(linear))
    assert_same(again, linear, values[:30], (0, 31))


def test_checkpoint_forgets_files_that_were_merged_away(tmp_path: Path) -> None:
    index = MultiIndex(64, tmp_path)
    for number in range(3):
        index.add(numbers(100, number * 100), np.zeros((100, 8), np.uint8))
        index.seal()
        index.checkpoint(number)
    index.merge_all()
    index.checkpoint(3)
    assert len(list(tmp_path.glob("segment-*"))) == 1
    assert sorted(path.stat().st_mode & 0o777 for path in tmp_path.iterdir()) == [0o600, 0o600]


def test_files_of_a_crash_are_deleted(tmp_path: Path) -> None:
    index = MultiIndex(64, tmp_path)
    index.add(numbers(100), np.zeros((100, 8), np.uint8))
    index.checkpoint(1)
    index.seal()
    index.merge_all()
    assert len(list(tmp_path.glob("segment-*"))) == 1  # no manifest names it
    again = MultiIndex(64, tmp_path)
    assert (len(again), again.sequence) == (100, 1)
    assert list(tmp_path.glob("segment-*")) == []


def test_an_index_of_another_length_is_not_opened(tmp_path: Path) -> None:
    index = MultiIndex(64, tmp_path)
    index.add(numbers(1), np.zeros((1, 8), np.uint8))
    index.checkpoint(1)
    other = MultiIndex(256, tmp_path)
    assert (len(other), other.sequence) == (0, 0)
    assert other.damage is not None


def test_every_byte_of_a_segment_is_checked(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    index = MultiIndex(64, tmp_path)
    index.add(numbers(3000), clustered(rng, 3000, 64))
    index.seal()
    index.checkpoint(1)
    index.close()
    (file,) = tmp_path.glob("segment-*")
    sound = file.read_bytes()
    padding = {at for part in _gaps(_Layout(64, 3000, 10), len(sound)) for at in part}
    for at in [*range(56), *rng.integers(4096, len(sound), 60).tolist(), 4096]:
        damaged = bytearray(sound)
        damaged[at] ^= 1
        file.write_bytes(damaged)
        if at in padding:
            continue
        with pytest.raises(segments.IndexDamagedError):
            Segment.open(file, 64)


def _gaps(layout: _Layout, size: int) -> list[range]:
    ends = [part.stop for part in layout.sections]
    starts = [part.start for part in layout.sections[1:]] + [size]
    return [range(end, start) for end, start in zip(ends, starts, strict=True)]


def full_disk(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_keeps_segments_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written to state must be found; only the checkpoint says that it cannot be kept."""
    index = MultiIndex(64, tmp_path)
    index.add(numbers(100), np.zeros((100, 8), np.uint8))
    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", full_disk)
        index.seal()
        assert list(tmp_path.iterdir()) == []
        assert len(index.range_search(np.zeros((1, 8), np.uint8), 0).ids) == 100
        with pytest.raises(OSError, match="No space"):
            index.checkpoint(1)
        assert list(tmp_path.iterdir()) == []
        assert index.sequence == 0
    index.checkpoint(1)
    index.close()
    again = MultiIndex(64, tmp_path)
    assert len(again.range_search(np.zeros((1, 8), np.uint8), 0).ids) == 100


@pytest.mark.parametrize("persisted", [False, True], ids=["not persisted", "persisted"])
def test_a_checkpoint_that_fails_leaves_the_old_or_the_new(
    persisted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk reports an error before the manifest is swapped, or after."""
    index = MultiIndex(64, tmp_path)
    index.add(numbers(100), np.zeros((100, 8), np.uint8))
    index.seal()
    index.checkpoint(1)
    index.add(numbers(5, 1000), np.zeros((5, 8), np.uint8))
    real = os.fsync
    folder = (tmp_path.stat().st_dev, tmp_path.stat().st_ino)

    def failing(handle: int) -> None:
        found = os.fstat(handle)
        if ((found.st_dev, found.st_ino) == folder) == persisted:
            raise OSError(errno.EIO, "Input/output error")
        real(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", failing)
        with pytest.raises(OSError, match="Input/output"):
            index.checkpoint(2)
    assert index.sequence == 1
    assert len(index) == 105
    again = MultiIndex(64, tmp_path)
    assert (again.sequence, len(again), again.damage) == ((2, 105, None) if persisted else (1, 100, None))
    assert not (tmp_path / (MANIFEST + ".new")).exists()


def test_an_index_in_memory_has_no_checkpoints() -> None:
    with pytest.raises(ValueError, match="directory"):
        MultiIndex(64).checkpoint(1)


def test_every_byte_of_a_manifest_is_checked(tmp_path: Path) -> None:
    index = MultiIndex(64, tmp_path)
    index.add(numbers(3), np.zeros((3, 8), np.uint8))
    index.checkpoint(1)
    sound = (tmp_path / MANIFEST).read_bytes()
    for at in range(len(sound)):
        damaged = bytearray(sound)
        damaged[at] ^= 1
        (tmp_path / MANIFEST).write_bytes(damaged)
        assert MultiIndex(64, tmp_path).damage is not None, at
