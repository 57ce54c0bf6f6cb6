"""The bounds of what a replica remembers of uploads, and what a memory does when the list is not the one it knew."""

from __future__ import annotations

import math
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hashpact.v1 import contribution_service_pb2, lookup_service_pb2, signal_pb2, upload_service_pb2
from hashpact_server import config
from hashpact_server.config import Limits
from hashpact_server.ledger.entry import Kind
from hashpact_server.ledger.payloads import RolledBackClear, Undone
from hashpact_server.refusal import Refusal
from hashpact_server.services.gathering import gather
from hashpact_server.services.upload import UploadService
from hashpact_server.uploads import UploadMemory, bounds, journal
from hashpact_server.uploads.journal import Action, Standing
from hashpact_server.uploads.outbox import Outbox, Row, corrections, retro_matches
from hashpact_server.uploads.tables import (
    OtherMemoryError,
    Stream,
    TokenError,
    decode_token,
    encode_token,
    new_memory_id,
)
from hashpact_server.uploads.values import Window, pack, unpack

from tests.forum import Forum, flipped, forum_in, look_alikes, offer, signal, value
from tests.integration.harness import WAIT_S
from tests.unit.local_signature.drawn import signature

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
MEMBER = b"a".ljust(16, b"\x01")


class Clock:
    ms = 10**12


@contextmanager
def memory_of(forum: Forum, folder: Path, items_max: int = 100, **bounds_: int) -> Iterator[UploadMemory]:
    made = UploadMemory(
        forum.engine, folder, config.Uploads(enabled=True, **bounds_), items_max, clock_ms=lambda: Clock.ms
    )
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def forum(tmp_path: Path) -> Iterator[Forum]:
    with forum_in(tmp_path / "list") as made:
        yield made


def remember(
    memory: UploadMemory,
    forum: Forum,
    seen: int = -1,
    deadline: float = math.inf,
    member: bytes = MEMBER,
    /,
    **uploads: bytes,
) -> None:
    sets = [[signal_pb2.SignalSet(signal_type="pdq", values=each)] for each in uploads.values()]
    probes = [lookup_service_pb2.Probe(signal_sets=each) for each in sets]
    batches, _ = gather(probes, Limits())
    memory.remember(member, list(uploads), batches, forum.head() if seen < 0 else seen, deadline)


def act(memory: UploadMemory, *references: str, item: int, member: bytes = MEMBER) -> None:
    memory.record(member, [Action(reference, item, 5, Clock.ms, None) for reference in references])


def listed(forum: Forum, *pdqs: bytes) -> list[int]:
    return [outcome.item for outcome in forum.contribute(forum.a, *(offer(signal("pdq", pdq)) for pdq in pdqs))]


def waiting(memory: UploadMemory, stream: Stream) -> list[Row]:
    return Outbox(memory, stream, MEMBER, 0).next(0, lambda: True)


def told(memory: UploadMemory, forum: Forum) -> list[str]:
    assert memory.wait_for(forum.head(), WAIT_S)
    with forum.engine.state.read() as view:
        return [each.reference for each in retro_matches(view, waiting(memory, Stream.RETRO), MEMBER)]


def add_copy(forum: Forum) -> None:
    """Attach a copy of picture 1 to the item that it identifies."""
    forum.contribute(forum.a, offer(signal("pdq", pdq(1)), signal("pdq", flipped(pdq(1), 8))))


def pdq(number: int) -> bytes:
    return value("pdq", number)


def test_the_oldest_uploads_go_first(forum: Forum, tmp_path: Path) -> None:
    with memory_of(forum, tmp_path / "uploads", uploads_max=3) as memory:
        for number in range(5):
            remember(memory, forum, **{f"upload-{number}": pdq(number)})
        remember(memory, forum, **{"upload-2": pdq(2)})  # anew: the youngest now
        remember(memory, forum, **{"upload-5": pdq(5)})
        assert memory.counts()["uploads"] == 3
        assert len(memory._window) == 3
        listed(forum, *(pdq(number) for number in range(6)))
        assert sorted(told(memory, forum)) == ["upload-2", "upload-4", "upload-5"]
        remember(memory, forum, **{f"more-{number}": pdq(number) for number in range(10, 17)})
        assert memory.counts()["uploads"] == 3


def test_a_clock_that_was_ahead_keeps_nothing_for_longer(forum: Forum, tmp_path: Path) -> None:
    with memory_of(forum, tmp_path / "uploads", window_hours=1) as memory:
        try:
            Clock.ms += 400 * DAY_MS
            remember(memory, forum, ahead=pdq(1))
            act(memory, "ahead", item=listed(forum, pdq(9))[0])
            Clock.ms -= 400 * DAY_MS
            remember(memory, forum, after=pdq(2))
            assert memory.counts()["uploads"] == 2
            Clock.ms += 2 * HOUR_MS
            memory.tidy()
            assert memory.counts()["uploads"] == 0
            Clock.ms += 181 * DAY_MS
            memory.tidy()
            assert memory.counts()["journal"] == 0
        finally:
            Clock.ms = 10**12


def test_a_match_that_nobody_fetched_in_time_is_counted(forum: Forum, tmp_path: Path) -> None:
    with memory_of(forum, tmp_path / "uploads", window_hours=1) as memory:
        try:
            remember(memory, forum, late=pdq(1))
            listed(forum, pdq(1))
            assert told(memory, forum) == ["late"]
            Clock.ms += 2 * HOUR_MS
            memory.tidy()
            outbox = Outbox(memory, Stream.RETRO, MEMBER, 0)
            assert (outbox.next(0, lambda: True), outbox.dropped()) == ([], 1)
        finally:
            Clock.ms = 10**12


def test_bytes_are_bounded(forum: Forum, tmp_path: Path) -> None:
    with memory_of(forum, tmp_path / "uploads", bytes_max=1 << 20) as memory:
        large = b"".join(pdq(number) for number in range(64)) * 64  # 128 KiB
        for number in range(10):
            remember(memory, forum, **{f"upload-{number}": large})
        assert memory.counts()["uploads"] == 7
        remember(memory, forum, **{f"large-{number}": large for number in range(9)})  # more at once than there is room
        assert memory.counts()["uploads"] == 7
        assert len(memory._window) == 7 * 64 * 64


def test_a_window_ends(forum: Forum, tmp_path: Path) -> None:
    with memory_of(forum, tmp_path / "uploads", window_hours=2) as memory:
        remember(memory, forum, early=pdq(1))
        Clock.ms += HOUR_MS
        remember(memory, forum, late=pdq(1))
        listed(forum, pdq(1))
        assert told(memory, forum) == ["early", "late"]
        Clock.ms += HOUR_MS + 1
        before = {row[1]: row[0] for row in waiting(memory, Stream.RETRO)}
        add_copy(forum)
        assert told(memory, forum) == ["early", "late"]
        after = {row[1]: row[0] for row in waiting(memory, Stream.RETRO)}
        assert after["late"] > before["late"]
        assert after["early"] == before["early"]  # what is over is not told again, also before it was tidied away
        memory.tidy()
        assert told(memory, forum) == ["late"]
        Clock.ms -= 5 * HOUR_MS  # a clock that was set back makes nothing younger than what came before
        remember(memory, forum, set_back=pdq(2))
        Clock.ms += 5 * HOUR_MS
        memory.tidy()
        assert memory.counts()["uploads"] == 2


def test_the_journal_is_bounded_in_time_and_number(forum: Forum, tmp_path: Path) -> None:
    (item,) = listed(forum, pdq(1))
    with memory_of(forum, tmp_path / "uploads", journal_days=2, actions_max=3) as memory:
        act(memory, "first", "second", item=item)
        Clock.ms += DAY_MS
        act(memory, "third", "fourth", item=item)
        assert memory.counts()["journal"] == 3
        withdraw(forum, item)
        assert memory.wait_for(forum.head(), WAIT_S)
        found = corrections(waiting(memory, Stream.CORRECTIONS))
        assert [each.reference for each in found] == ["second", "third", "fourth"]
        Clock.ms += DAY_MS + 1
        memory.tidy()
        assert memory.counts() == {"uploads": 0, "retro": 0, "journal": 2, "corrections": 2}


def withdraw(forum: Forum, item: int) -> None:
    forum.as_(forum.a).contribution.Withdraw(contribution_service_pb2.WithdrawRequest(item=item), None)


def test_too_many_matches_that_wait_are_dropped_and_counted(
    forum: Forum, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "WAITING_MAX", 4)
    with memory_of(forum, tmp_path / "uploads") as memory:
        remember(memory, forum, **{f"upload-{number}": pdq(1) for number in range(6)})
        listed(forum, pdq(1))
        assert told(memory, forum) == ["upload-2", "upload-3", "upload-4", "upload-5"]
        assert Outbox(memory, Stream.RETRO, MEMBER, 0).dropped() == 2
        listed(forum, pdq(7))
        remember(memory, forum, 0, late=pdq(7))
        assert told(memory, forum) == ["upload-3", "upload-4", "upload-5", "late"]
        assert Outbox(memory, Stream.RETRO, MEMBER, 0).dropped() == 3
        assert Outbox(memory, Stream.RETRO, bytes(16), 0).dropped() == 0


def test_one_upload_is_told_of_so_many_items_at_once(forum: Forum, tmp_path: Path) -> None:
    near = look_alikes(12)
    with memory_of(forum, tmp_path / "uploads", items_max=5) as memory:
        seen = forum.head()
        remember(memory, forum, early=near[0])
        listed(forum, *near[1:])
        assert told(memory, forum).count("early") == 5  # they came in one commit
        before = len(told(memory, forum))
        remember(memory, forum, seen, late=near[0])
        assert told(memory, forum)[before:] == ["late"] * 5


def test_forgetting_by_time(forum: Forum, tmp_path: Path) -> None:
    (item,) = listed(forum, pdq(2))
    with memory_of(forum, tmp_path / "uploads") as memory:
        remember(memory, forum, early=pdq(1))
        act(memory, "early", item=item)
        Clock.ms += 1000
        remember(memory, forum, late=pdq(1))
        act(memory, "late", item=item)
        listed(forum, pdq(1))
        assert told(memory, forum) == ["early", "late"]
        assert memory.forget(MEMBER, [], Clock.ms) == (1, 1)
        assert told(memory, forum) == ["late"]
        assert memory.forget(bytes(16), ["late"], Clock.ms + 1) == (0, 0)  # another member's words are its own
        assert memory.forget(MEMBER, ["late", "late"], Clock.ms + 1) == (1, 1)
        assert memory.counts() == {"uploads": 0, "retro": 0, "journal": 0, "corrections": 0}
        assert len(memory._window) == 0


def test_another_list_in_the_same_place_begins_a_new_memory(forum: Forum, tmp_path: Path) -> None:
    with memory_of(forum, tmp_path / "uploads") as memory:
        remember(memory, forum, first=pdq(1))
        token = encode_token(memory.memory_id, Stream.RETRO, 7)
        assert decode_token(token, memory.memory_id, Stream.RETRO) == 7
        with pytest.raises(TokenError):
            decode_token(token, memory.memory_id, Stream.CORRECTIONS)
        with memory.database.write() as connection:
            connection.execute("UPDATE facts SET value = ? WHERE name = 'ledger'", (bytes(16),))
    with memory_of(forum, tmp_path / "uploads") as memory:
        assert memory.counts()["uploads"] == 0
        assert memory.cursor == forum.head()
        with pytest.raises(OtherMemoryError):
            decode_token(token, memory.memory_id, Stream.RETRO)
    assert new_memory_id() != new_memory_id()


def test_what_is_compared_and_told_anew(forum: Forum, tmp_path: Path) -> None:
    first, second = listed(forum, pdq(1), pdq(2))
    with memory_of(forum, tmp_path / "uploads") as memory, forum.engine.state.read() as view:
        entry = view.entry(first)
        assert journal.changed_items(view, [entry]) == {first}
        assert journal.changed_items(view, [view.entry(0)]) == set()
        undone = RolledBackClear((Undone(first, first, 4), Undone(second, second, 1)))
        rolled_back = entry._replace(kind=Kind.ROLLED_BACK, subject=0, clear=undone.encode())
        assert journal.changed_items(view, [rolled_back]) == {first, second}
        stood = [Action("first", first, 5, 0, None), Action("second", second, 5, 0, Standing(2, ("x",)))]
        memory.record(MEMBER, stood)
        assert [each.reference for each in corrections(waiting(memory, Stream.CORRECTIONS))] == ["second"]
        with memory.database.write() as connection:
            assert journal.compare(connection, view, None) == 0  # all is told already
            connection.execute("UPDATE journal SET told_status = 2")
            assert journal.compare(connection, view, None) == 2


def test_values_come_back_as_they_were_and_digests_are_found_by_their_beginning() -> None:
    values = {16: pdq(1) + pdq(2), 1: value("sha256", 1), 999: b"of a type that came later"}
    assert unpack(pack(values)) == values
    window = Window()
    window.add([(7, values), (9, {1: value("sha256", 1)})])
    rows, uploads = window.search(1, value("sha256", 2) + value("sha256", 1))
    assert [(row, int(upload)) for row, upload in zip(rows, uploads, strict=True)] == [(1, 7), (1, 9)]
    window.remove([(7, values), (8, values)])
    assert len(window) == 1
    window.close()


def test_what_the_look_up_had_seen_is_not_told_when_it_is_searched_later(
    forum: Forum, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, following = threading.Event(), UploadMemory._follow

    def held_up(memory: UploadMemory) -> None:
        assert go_on.wait(WAIT_S)
        following(memory)

    monkeypatch.setattr(UploadMemory, "_follow", held_up)
    with memory_of(forum, tmp_path / "uploads") as memory:
        before = forum.head()
        listed(forum, pdq(1))
        remember(memory, forum, knew=pdq(1))
        remember(memory, forum, before, unknowing=pdq(1))
        assert memory.lag_entries
        go_on.set()
        assert told(memory, forum) == ["unknowing"]


def test_what_was_acknowledged_is_not_found_again_after_a_crash(forum: Forum, tmp_path: Path) -> None:
    with memory_of(forum, tmp_path / "uploads") as memory:
        remember(memory, forum, first=pdq(1))
        listed(forum, pdq(1))
        assert told(memory, forum) == ["first"]
        (row,) = waiting(memory, Stream.RETRO)
        memory.acknowledge(MEMBER, Stream.RETRO, row[0])
        with memory._lock:
            shutil.copytree(tmp_path / "uploads", tmp_path / "crashed")
    with memory_of(forum, tmp_path / "crashed") as memory:
        assert told(memory, forum) == []
        add_copy(forum)
        assert told(memory, forum) == ["first"]  # it is still remembered


def test_a_probe_has_no_more_values_than_can_be_told_apart(forum: Forum, tmp_path: Path) -> None:
    wide = Limits(probe_values_max=1 << 20, lookup_values_max=1 << 20)
    values = signal_pb2.SignalSet(signal_type="phash", values=value("phash", 1) * ((1 << 16) + 1))
    upload = upload_service_pb2.RememberedUpload(reference="wide", probe=lookup_service_pb2.Probe(signal_sets=[values]))
    as_of = forum.engine.published.head.position().encode()
    with memory_of(forum, tmp_path / "uploads") as memory, pytest.raises(Refusal) as refused:
        UploadService(forum.engine, memory, wide).RememberUploads(
            upload_service_pb2.RememberUploadsRequest(uploads=[upload], as_of=as_of), None
        )
    assert refused.value.metadata["limit_value"] == "65536"


def test_what_uploads_cannot_be_found_by_stops_no_search(forum: Forum, tmp_path: Path) -> None:
    """Of uploads no local points are kept: an item that has them is found by all else."""
    local = signature(np.random.default_rng(1)).encode()
    with memory_of(forum, tmp_path / "uploads") as memory:
        remember(memory, forum, upload=pdq(1))
        forum.contribute(forum.a, offer(signal("local_sift", local), signal("pdq", pdq(1))))
        assert told(memory, forum) == ["upload"]


def test_who_only_confirms_what_is_listed_tells_nothing_new(forum: Forum, tmp_path: Path) -> None:
    with memory_of(forum, tmp_path / "uploads") as memory:
        remember(memory, forum, first=pdq(1))
        listed(forum, pdq(1))
        assert told(memory, forum) == ["first"]
        memory.acknowledge(MEMBER, Stream.RETRO, waiting(memory, Stream.RETRO)[-1][0])
        forum.contribute(forum.b, offer(signal("pdq", pdq(1))))
        assert told(memory, forum) == []


def test_what_waits_goes_with_its_upload_and_is_left_out_with_its_item(forum: Forum, tmp_path: Path) -> None:
    with memory_of(forum, tmp_path / "uploads") as memory:
        remember(memory, forum, kept=pdq(1), forgotten=pdq(1), other=pdq(2))
        item, _ = listed(forum, pdq(1), pdq(2))
        assert sorted(told(memory, forum)) == ["forgotten", "kept", "other"]
        assert memory.forget(MEMBER, ["forgotten"], None) == (1, 0)
        assert sorted(told(memory, forum)) == ["kept", "other"]
        withdraw(forum, item)
        assert told(memory, forum) == ["other"]
