"""A disk that is really full: look-ups go on, writes are refused, and when room is made the list is whole.

Three ways for a disk to be full: the limit of the store, a limit on the size of files (``RLIMIT_FSIZE``, in a process
of its own), and a file system with no room left (needs the right to mount one).
"""

from __future__ import annotations

import dataclasses
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hashpact.v1 import error_reason_pb2 as reasons
from hashpact_server.config import Config, Limits
from hashpact_server.engine import Engine
from hashpact_server.ledger.store import DISK_RESERVE_BYTES, Store
from hashpact_server.refusal import Refusal
from hashpact_server.writer import Act

from tests import listing
from tests.listing import PDQ, assert_sound, contribution, open_engine, picture, recording, together, value


class UnwatchedStore(Store):
    """A store that does not look for room first: it learns of a full disk while it writes."""

    def check_room(self) -> None:
        """All is well, as far as this one knows."""


def fill(engine: Engine, start: int, *, pictures_at_once: int = 100) -> tuple[int, Refusal]:
    """List pictures until that is refused; the number of the first one not listed, and the refusal."""
    who = listing.steward_of(engine)
    while True:
        drafts = [contribution(who, None, picture(number)) for number in range(start, start + pictures_at_once)]
        try:
            listing.record(engine, *drafts, request_id=f"from-{start}")
        except Refusal as refusal:
            return start, refusal
        start += pictures_at_once


def assert_listed(engine: Engine, end: int) -> None:
    """Exactly the pictures before ``end`` can be found, by digest and by distance."""
    with engine.state.read() as view:
        for number in range(end + 1):
            signal = picture(number)[0]
            assert (view.item_by_digest(signal.code, signal.value) is not None) == (number < end)
    queries = np.frombuffer(b"".join(value(PDQ, number) for number in range(end + 1)), np.uint8).reshape(-1, 32)
    lims, _, _ = engine.matcher.search(PDQ, queries, 0)
    assert np.diff(lims).tolist() == [1] * end + [0]


def limited(store_bytes_max: int) -> Config:
    return dataclasses.replace(Config(), limits=Limits(store_bytes_max=store_bytes_max))


def test_store_bytes_max(tmp_path: Path) -> None:
    limit = 1 << 20
    with listing.new_list(tmp_path, config=limited(limit)) as engine:
        end, refusal = fill(engine, 0, pictures_at_once=40)
        assert refusal.reason == reasons.ERROR_REASON_STORE_FULL
        assert refusal.metadata == {"limit": "store_bytes_max", "limit_value": str(limit)}
        assert end >= 100
        # It is looked at before a group: the last one that was let in may end over it.
        assert limit <= engine.store.used_bytes() < limit + (1 << 20)
        assert_listed(engine, end)
        assert_sound(engine)
        assert engine.writer.alive
    engine = open_engine(tmp_path, config=limited(2 * limit))
    assert fill(engine, end, pictures_at_once=40)[0] > end
    assert_sound(engine)
    engine.close()


def test_files_may_not_grow(tmp_path: Path) -> None:
    """``RLIMIT_FSIZE``: LMDB's own writes fail in the middle of a commit, with EFBIG."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.fault.test_full_disk", str(tmp_path)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def under_a_file_size_limit(folder: Path) -> None:
    """The body of the test above, in a process of its own."""
    limit = 1 << 20
    with listing.new_list(folder, UnwatchedStore) as engine:
        _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, most))
        end, refusal = fill(engine, 0)
        assert refusal.reason == reasons.ERROR_REASON_STORE_FULL, refusal
        assert end >= 200
        for _ in range(3):
            assert fill(engine, end)[1].reason == reasons.ERROR_REASON_STORE_FULL
        assert_listed(engine, end)
        assert_sound(engine)
        small_ones(engine)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        after = listing.record(
            engine, *[contribution(listing.steward_of(engine), None, picture(end))], request_id=f"from-{end}"
        )
        assert len(after) == 1
        assert_sound(engine)


def small_ones(engine: Engine) -> None:
    """One large act among small ones that still fit: the small ones do not suffer for it."""
    who = listing.steward_of(engine)
    large = [contribution(who, None, picture(number)) for number in range(10_000, 11_000)]
    acts = [Act(recording(listing.issue(who, who, bytes([number]) * 32)), bytes(16)) for number in range(2)]
    outcomes = together(engine, [acts[0], Act(recording(*large), bytes(16)), acts[1]])
    assert isinstance(outcomes[1], Refusal)
    assert outcomes[1].reason == reasons.ERROR_REASON_STORE_FULL
    assert_sound(engine)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m,mode=0700", "tmpfs", str(place)]
    try:
        made = subprocess.run(mount, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount command here")
    if made.returncode:
        pytest.skip(f"may not mount a small file system here: {made.stderr.strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_less_than_the_reserve_is_left(small_disk: Path) -> None:
    """Writes are refused before they begin, while there is still room for what recovery needs."""
    with listing.new_list(small_disk) as engine:
        ballast = small_disk / "ballast"
        ballast.write_bytes(bytes(7 << 20))
        end, refusal = fill(engine, 0)
        assert refusal.reason == reasons.ERROR_REASON_STORE_FULL
        assert end >= 100
        assert engine.store.room_bytes() > DISK_RESERVE_BYTES // 2, "what recovery needs is left"
        assert_listed(engine, end)
        assert_sound(engine)
        ballast.unlink()
        assert len(listing.record(engine, contribution(listing.steward_of(engine), None, picture(end)))) == 1


def test_no_room_in_the_middle_of_a_commit(small_disk: Path) -> None:
    with listing.new_list(small_disk, UnwatchedStore) as engine:
        ballast = small_disk / "ballast"
        ballast.write_bytes(bytes(23 << 20))
        end, refusal = fill(engine, 0)
        assert refusal.reason == reasons.ERROR_REASON_STORE_FULL
        assert end >= 100
        assert_listed(engine, end)
        assert_sound(engine)
        assert engine.writer.alive
        ballast.unlink()
        assert len(listing.record(engine, contribution(listing.steward_of(engine), None, picture(end)))) == 1
        assert_sound(engine)


if __name__ == "__main__":
    under_a_file_size_limit(Path(sys.argv[1]))
