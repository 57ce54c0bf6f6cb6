"""A crowd of equal uploads that meets a crowd of look-alikes: in bounded pieces, and nobody waits for the search."""

from __future__ import annotations

import math
import time
from collections import Counter
from pathlib import Path

import pytest
from hashpact_server import config
from hashpact_server.ledger.entry import Entry
from hashpact_server.refusal import Refusal
from hashpact_server.uploads import UploadMemory, bounds, matching, memory, noting
from hashpact_server.uploads.clock import SteadyClock
from hashpact_server.uploads.outbox import Outbox
from hashpact_server.uploads.tables import Stream, holdings
from hashpact_server.uploads.values import Window

from tests.forum import Forum, flipped, look_alikes
from tests.unit.test_upload_memory import MEMBER, act, forum, listed, memory_of, pdq, remember, told

__all__ = ["forum"]


def test_a_crowd_is_written_in_pieces_and_others_come_in_between(
    forum: Forum, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    near, before = look_alikes(8), forum.head()
    searching, writing = matching.of_entries, noting.note
    free: list[bool] = []
    pieces: list[int] = []
    with memory_of(forum, tmp_path / "uploads") as kept:

        def searched(window: Window, entries: list[Entry], newest: int) -> matching.Pairs:
            found = searching(window, entries, newest)
            free.append(not kept._lock.locked())
            if free == [True]:  # what comes while it is searched: one goes that was found, and one comes
                kept.forget(MEMBER, ["upload-7"], None)
                remember(kept, forum, before, late=near[0])
            return found

        def noted(connection, view, found, told, oldest_ms) -> int:  # type: ignore[no-untyped-def]
            pieces.append(sum(len(items) for items in found.values()))
            return writing(connection, view, found, told, oldest_ms)

        remember(kept, forum, **{f"upload-{number}": near[0] for number in range(20)})
        monkeypatch.setattr(memory, "PAIRS_AT_ONCE", 8)
        monkeypatch.setattr(matching, "of_entries", searched)
        monkeypatch.setattr(noting, "note", noted)
        listed(forum, *near[1:])
        counts = Counter(told(kept, forum))
    assert all(free)
    assert max(pieces) <= 8
    assert counts == {f"upload-{number}": 7 for number in range(20) if number != 7} | {"late": 7}


def test_fewer_entries_are_searched_at_once_when_they_find_a_crowd(
    forum: Forum, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    near, searching = look_alikes(9), matching.of_entries
    sizes: list[int] = []

    def searched(window: Window, entries: list[Entry], newest: int) -> matching.Pairs:
        sizes.append(len(entries))
        return searching(window, entries, newest)

    monkeypatch.setattr(matching, "of_entries", searched)
    monkeypatch.setattr(memory, "PAIRS_GOOD", 10)
    with memory_of(forum, tmp_path / "uploads", items_max=5) as kept:
        remember(kept, forum, **{f"upload-{number}": near[0] for number in range(10)})
        listed(forum, pdq(1))
        listed(forum, *near[1:4])
        assert kept.wait_for(forum.head(), 60)
        sizes.clear()
        listed(forum, *near[4:])
        assert Counter(told(kept, forum)) == {f"upload-{number}": 8 for number in range(10)}
    assert sizes == [1, 1, 1, 1, 1]


def test_searching_what_came_since_a_look_up_ends_with_the_deadline(forum: Forum, tmp_path: Path) -> None:
    with memory_of(forum, tmp_path / "uploads") as kept:
        before = forum.head()
        listed(forum, pdq(1))
        assert kept.wait_for(forum.head(), 60)
        with pytest.raises(Refusal) as refused:
            remember(kept, forum, before, time.monotonic() - 1, late=pdq(1))
        assert "deadline" in str(refused.value)
        remember(kept, forum, before, late=pdq(1))  # sent again, as it was not acknowledged
        assert told(kept, forum) == ["late"]


OTHER = bytes(16)


def test_who_holds_most_makes_room(forum: Forum, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "WAITING_MAX", 6)
    item, _ = listed(forum, pdq(1), pdq(9))
    with memory_of(forum, tmp_path / "uploads", uploads_max=6, actions_max=6) as kept:
        remember(kept, forum, **{f"mine-{number}": pdq(2) for number in range(3)})
        act(kept, *(f"mine-{number}" for number in range(3)), item=item)
        for block in range(4):
            names = [f"flood-{block}-{number}" for number in range(5)]
            remember(kept, forum, -1, math.inf, OTHER, **dict.fromkeys(names, pdq(2)))
            act(kept, *names, item=item, member=OTHER)
        with kept.database.read() as connection:
            for table in ("uploads", "journal"):
                rows = {member: count for member, (count, _) in holdings(connection, table).items()}
                assert rows == {MEMBER: 3, OTHER: 3}, table
        assert (kept.figures.early.uploads, kept.figures.early.actions) == (17, 17)
        listed(forum, pdq(2), flipped(pdq(2), 40))
        assert told(kept, forum) == ["mine-0", "mine-1", "mine-2"]
        monkeypatch.setattr(bounds, "WAITING_MAX", 4)
        remember(kept, forum, -1, math.inf, OTHER, more=pdq(5))
        listed(forum, pdq(5))
        assert told(kept, forum) == ["mine-1", "mine-2"]
        dropped = [Outbox(kept, Stream.RETRO, member, 0).dropped() for member in (MEMBER, OTHER)]
        assert dropped == [1, 2]


def test_bytes_are_taken_from_who_holds_most(forum: Forum, tmp_path: Path) -> None:
    large = b"".join(pdq(number) for number in range(64)) * 64  # 128 KiB
    with memory_of(forum, tmp_path / "uploads", bytes_max=1 << 20) as kept:
        remember(kept, forum, **{f"mine-{number}": pdq(number) for number in range(20)})
        for number in range(10):
            remember(kept, forum, -1, math.inf, OTHER, **{f"flood-{number}": large})
        with kept.database.read() as connection:
            held = holdings(connection, "uploads")
        assert (held[MEMBER][0], held[OTHER][0]) == (20, 7)
    with memory_of(forum, tmp_path / "uploads", uploads_max=10) as kept, kept.database.read() as connection:
        assert sorted(count for count, _ in holdings(connection, "uploads").values()) == [5, 5]


def test_a_clock_that_leaps_ahead_ends_nothing(forum: Forum, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    at = {"wall": 10**12, "passed": 0}
    clock = SteadyClock(lambda: at["wall"], lambda: at["passed"] / 1000)
    enabled = config.Uploads(enabled=True, window_hours=2)
    kept = UploadMemory(forum.engine, tmp_path / "uploads", enabled, 100, clock_ms=clock)
    try:
        (item,) = listed(forum, pdq(1))
        remember(kept, forum, first=pdq(2))
        act(kept, "first", item=item)
        at["wall"] += 400 * 86_400_000
        kept.tidy()
        kept.tidy()
        act(kept, "second", item=item)
        assert (kept.counts()["uploads"], kept.counts()["journal"]) == (1, 2)
        assert [record.message.count("leapt") for record in caplog.records if "leapt" in record.message] == [1]
        at["wall"] -= 400 * 86_400_000
        for _ in range(3):  # time that has passed is no leap
            at["wall"] += 3_600_000
            at["passed"] += 3_600_000
            assert clock() == at["wall"]
        kept.tidy()
        assert kept.counts()["uploads"] == 0
    finally:
        kept.close()
