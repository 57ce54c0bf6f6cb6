"""Decoding processes that die, hang, eat memory or lie: an error for that upload, and the next one is fine."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from hashpact import hash_image
from hashpact.errors import HashpactError, InvalidSignalError, UnreadableMediaError
from hashpact.hashing.local import LocalCanvas
from hashpact.sidecar.signals_json import signals_from_json, signals_to_json
from hashpact.sidecar.workers import PROGRAM, WorkerLimits, Workers

from tests.data import shared_data
from tests.pictures import encoded, photo

BAD = (sys.executable, str(Path(__file__).with_name("bad_worker.py")))
LIMITS = WorkerLimits(seconds=3.0, memory_bytes_max=400 << 20)


def use(act: Callable[[Workers], Awaitable[None]], *, program: tuple[str, ...] = BAD, count: int = 1) -> list[str]:
    """Do something with decoding processes; how often one had to be ended."""
    ended: list[str] = []

    async def run() -> None:
        workers = Workers(count, LIMITS, program=program, on_end=ended.append)
        try:
            await workers.start()
            await act(workers)
        finally:
            await workers.close()
            assert workers.pids == []

    asyncio.run(run())
    return ended


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("kill", "DECODER_CRASHED"),
        ("segv", "DECODER_CRASHED"),
        ("exit", "DECODER_CRASHED"),
        ("memory", "DECODER_OUT_OF_MEMORY"),
        ("garbage", "DECODER_CRASHED"),
        ("forged", "DECODER_CRASHED"),
        ("error", "DECODER_CRASHED"),
        ("sleep", "DECODER_TOO_SLOW"),
        ("spin", "DECODER_TOO_SLOW"),
    ],
)
def test_the_upload_is_told_and_the_next_one_is_fine(tmp_path: Path, word: str, reason: str) -> None:
    bad, good = tmp_path / "bad", tmp_path / "good"
    bad.write_text(word)
    good.write_bytes(encoded(photo("coffee.png"), "JPEG"))
    expected = hash_image(good, dihedral=True, mode="standard")

    async def act(workers: Workers) -> None:
        assert await workers.hash(good) == expected
        with pytest.raises(HashpactError) as caught:
            await workers.hash(bad)
        assert caught.value.reason == reason
        assert str(tmp_path) not in caught.value.message
        assert await workers.hash(good) == expected

    use(act)


def test_one_that_nobody_waits_for_any_more_is_ended(tmp_path: Path) -> None:
    bad, good = tmp_path / "bad", tmp_path / "good"
    bad.write_text("sleep")
    good.write_bytes(encoded(photo("coffee.png"), "JPEG"))

    async def act(workers: Workers) -> None:
        (before,) = workers.pids
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await workers.hash(bad)
        await workers.hash(good, listing=True)
        assert workers.pids != [before]

    assert len(use(act)) == 1


def test_hostile_files_leave_the_processes_alive() -> None:
    files = [path for path in sorted(shared_data("hostile").rglob("*")) if path.is_file()][:80]
    outcomes = {"fine": 0, "refused": 0}

    async def act(workers: Workers) -> None:
        before = sorted(workers.pids)

        async def one(path: Path) -> None:
            try:
                signals = await workers.hash(path)
            except UnreadableMediaError:
                outcomes["refused"] += 1
            else:
                outcomes["fine"] += 1
                assert signals == hash_image(path, dihedral=True, mode="standard")

        await asyncio.gather(*(one(path) for path in files))
        assert sorted(workers.pids) == before

    assert use(act, program=PROGRAM, count=2) == []
    assert min(outcomes.values()) > 5


def test_signals_pass_whole_and_nothing_else_does() -> None:
    signals = hash_image(encoded(photo("coffee.png"), "PNG"), dihedral=True, mode="deep", listing=True)
    told = signals_to_json(signals)
    read = signals_from_json(told)
    assert read == signals
    assert (read.points, len(read.listing)) == (signals.points, len(signals.listing)) != (b"", 0)
    assert isinstance(read.canvas, LocalCanvas)
    assert isinstance(signals.canvas, LocalCanvas)
    assert (read.canvas.width_px, read.canvas.height_px) == (signals.canvas.width_px, signals.canvas.height_px)
    assert (read.canvas.grey == signals.canvas.grey).all()
    for name, value in (
        ("pdq", "00"),
        ("pdq", None),
        ("pdq_quality", 101),
        ("pdq_quality", True),
        ("pdq_dihedral", ["00" * 32] * 3),
        ("pdq_dihedral", 8),
        ("sha256", "zz" * 32),
        ("width_px", -1),
        ("frames", "many"),
        ("notes", 7),
        ("pdq_regions", [["00" * 32, 100]] * 7),
        ("pdq_regions", [["00" * 32, 100]] * 8 * 9),
        ("points", "no base64!"),
        ("points", "AAAA" * 20_000),
        ("listing", [["sha256", "00" * 32, None]]),
        ("canvas", {"grey": "AAAA", "size": [2, 2], "frame": [2, 2]}),
        ("canvas", {"grey": "AAAA", "size": [3, 1], "frame": [3, 5000]}),
        ("canvas", {"grey": "", "size": [0, 1], "frame": [3, 1]}),
        ("canvas", {"grey": "AAAA", "size": [3], "frame": [3, 1]}),
    ):
        with pytest.raises(InvalidSignalError):
            signals_from_json({**told, name: value})
    broken: object
    for broken in ({}, None, "signals", 7):
        with pytest.raises(InvalidSignalError):
            signals_from_json(broken)
