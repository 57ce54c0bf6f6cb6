"""A memory of uploads tells exactly what its plain model says, whatever happens in between.

Uploads are remembered as of any earlier moment, items are contributed, corroborated, amended and withdrawn, actions
recorded, things forgotten, time passes, the memory is closed or cut off at any moment, watchers acknowledge all, some
or nothing of what they got.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

from hashpact.v1 import contribution_service_pb2 as contribution_pb2
from hashpact.v1 import lookup_service_pb2, signal_pb2
from hashpact_server import config
from hashpact_server.refusal import Refusal
from hashpact_server.services.gathering import gather
from hashpact_server.state.rows import MemberRow
from hashpact_server.uploads import UploadMemory
from hashpact_server.uploads.journal import Action, Standing
from hashpact_server.uploads.outbox import Outbox, Row, corrections, retro_matches
from hashpact_server.uploads.tables import Stream
from hashpact_server.uploads.values import by_upload
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data import effort
from tests.forum import Forum, flipped, forum_in, offer, signal, value
from tests.integration.harness import WAIT_S
from tests.property.upload_model import Model

OPERATIONS = (
    *("remember",) * 4,
    *("contribute",) * 4,
    *("record",) * 3,
    *("corroborate", "amend", "amend", "withdraw", "watch", "watch"),
    *("forget", "later", "restart", "crash", "settle"),
)
STEPS = st.lists(
    st.tuples(st.sampled_from(OPERATIONS), st.integers(0, 2**16 - 1), st.integers(0, 2**16 - 1)),
    min_size=20,
    max_size=50,
)
HOUR_MS = 3_600_000
LABELS = (("glorification_of_terrorist_acts",), ("recruitment",), ("recruitment", "glorification_of_terrorist_acts"))
SETTINGS = config.Uploads(enabled=True, window_hours=24)


class World:
    """A list, the memory beside it, and the model."""

    def __init__(self, forum: Forum, folder: Path) -> None:
        self.forum = forum
        self.folder = folder
        self.now_ms = 10**12
        self.model = Model(forum.engine, forum.head())
        self.memory = self.opened()
        self.acked: dict[tuple[Stream, bytes], int] = {}
        self.crashes = 0

    def opened(self) -> UploadMemory:
        return UploadMemory(self.forum.engine, self.folder, SETTINGS, 1000, clock_ms=lambda: self.now_ms)

    def member(self, number: int) -> MemberRow:
        return (self.forum.a, self.forum.b)[number % 2]

    def items(self) -> list[int]:
        with self.forum.engine.state.read() as view:
            return [row.item for row in view.items(limit=1000)]

    def settled(self) -> None:
        """Until the memory has seen everything; and so has the model."""
        self.model.follow()
        assert self.memory.wait_for(self.forum.head(), WAIT_S)

    # What may happen.

    def remember(self, a: int, b: int) -> None:
        self.settled()  # a probe that is replaced is not held against what came before, or it is: both are right
        member, reference = self.member(a), f"upload-{a // 2 % 8}"
        seen = max(0, self.forum.head() - b % 7)
        sets = [signal_pb2.SignalSet(signal_type="pdq", values=pdq(b) + pdq(b // 5))]
        if b % 3 == 0:
            sets.append(signal_pb2.SignalSet(signal_type="sha256", values=value("sha256", b % 4)))
        probe = lookup_service_pb2.Probe(signal_sets=sets)
        batches, problems = gather([probe], self.forum.limits)
        assert not problems
        self.memory.remember(member.pseudonym, [reference], batches, seen)
        (values,) = by_upload(batches, 1)
        self.model.remember((member.pseudonym, reference), values, seen, self.now_ms)

    def contribute(self, a: int, b: int) -> None:
        signals = [signal("pdq", pdq(a)), *([signal("sha256", value("sha256", b % 4))] if b % 2 else [])]
        self.forum.contribute(self.member(b), offer(*signals, labels=LABELS[b % 3]))

    def corroborate(self, a: int, b: int) -> None:
        if items := self.items():
            offered = offer(signal("pdq", f"more/{b}"), labels=LABELS[b % 3], attach_to=items[a % len(items)])
            self.forum.contribute(self.member(b), offered)

    def amend(self, a: int, b: int) -> None:
        more = [signal_pb2.Signal(signal_type="pdq", value=pdq(b), quality=100)] if b % 2 else []
        for item in self.mine(self.member(a), a, b):
            request = contribution_pb2.AmendRequest(item=item, labels=LABELS[b % 3], attach_signals=more)
            with contextlib.suppress(Refusal):  # the picture is another item's
                self.forum.as_(self.member(a)).contribution.Amend(request, None)

    def withdraw(self, a: int, b: int) -> None:
        for item in self.mine(self.member(a), a, b):
            request = contribution_pb2.WithdrawRequest(item=item)
            self.forum.as_(self.member(a)).contribution.Withdraw(request, None)

    def mine(self, member: MemberRow, a: int, b: int) -> list[int]:
        with self.forum.engine.state.read() as view:
            found = [item for item in self.items() if view.contribution(item, member.pseudonym) is not None]
            live = [item for item in found if (row := view.item(item)) is not None and row.status.matches]
        return [live[(a + b) % len(live)]] if live else []

    def record(self, a: int, b: int) -> None:
        self.settled()
        if not (items := self.items()):
            return
        member, reference, item = self.member(a), f"upload-{a // 2 % 8}", items[b % len(items)]
        now = self.model.standing(item)
        acted = (now, Standing(1, LABELS[0]), Standing(2, now.labels))[b % 3]
        self.memory.record(member.pseudonym, [Action(reference, item, 5, self.now_ms, acted)])
        self.model.record((member.pseudonym, reference), item, acted)

    def forget(self, a: int, _b: int) -> None:
        self.model.follow()
        member, reference = self.member(a), f"upload-{a // 2 % 8}"
        self.memory.forget(member.pseudonym, [reference], None)
        self.model.forget((member.pseudonym, reference))
        assert self.memory.forget(member.pseudonym, [reference], None) == (0, 0)

    def later(self, a: int, _b: int) -> None:
        self.settled()
        self.now_ms += (1 + a % 30) * HOUR_MS
        self.memory.tidy()
        self.model.expire(self.now_ms - SETTINGS.window_hours * HOUR_MS)

    def restart(self, _a: int, _b: int) -> None:
        self.memory.close()
        self.memory = self.opened()

    def crash(self, a: int, b: int) -> None:
        """Go on from the files as they are this moment."""
        self.crashes += 1
        copy = self.folder.with_name(f"crashed-{self.crashes}")
        with self.memory._lock:
            shutil.copytree(self.folder, copy)
        if a % 2:
            self.contribute(a, b)
        self.memory.close()
        self.folder = copy
        self.memory = self.opened()

    def settle(self, _a: int, _b: int) -> None:
        self.settled()

    def watch(self, a: int, b: int) -> None:
        """Read all that waits, compare, and acknowledge some of it."""
        self.settled()
        member = self.member(a).pseudonym
        rows = self.waiting(Stream.RETRO, member)
        with self.forum.engine.state.read() as view:
            matches = retro_matches(view, rows, member)
        told = [(each.reference, each.match.item) for each in matches]
        assert len(told) == len(set(told))
        assert set(told) == self.model.waiting_retro(member)
        acknowledged = rows[: b % (len(rows) + 1)] if a % 3 else rows
        self.acknowledge(Stream.RETRO, member, acknowledged)
        for row in acknowledged:
            del self.model.retro[(member, row[1]), row[2]]
        rows = self.waiting(Stream.CORRECTIONS, member)
        found = corrections(rows)
        expected = self.model.waiting_corrections(member)
        assert {(each.reference, each.item): (each.acted, each.now) for each in found} == expected
        acknowledged = rows[: b % (len(rows) + 1)] if a % 3 else rows
        self.acknowledge(Stream.CORRECTIONS, member, acknowledged)
        self.model.corrections -= {((member, row[1]), row[2]) for row in acknowledged}

    def waiting(self, stream: Stream, member: bytes) -> list[Row]:
        outbox = Outbox(self.memory, stream, member, 0)
        rows: list[Row] = []
        while more := outbox.next(0, lambda: True):
            rows += more
        assert [row[0] for row in rows] == sorted(row[0] for row in rows)
        return rows

    def acknowledge(self, stream: Stream, member: bytes, rows: Sequence[Row]) -> None:
        self.memory.acknowledge(member, stream, int(rows[-1][0]) if rows else 0)

    def check(self) -> None:
        for number in (0, 1):
            self.watch(number * 2 + number, 0)
        counts = self.memory.counts()
        assert counts["uploads"] == len(self.model.uploads)
        assert counts["journal"] == len(self.model.journal)
        assert counts["corrections"] == len(self.model.corrections)
        in_window = sum(len(each) for upload in self.model.uploads.values() for each in upload.values.values())
        assert len(self.memory._window) == in_window


@settings(max_examples=effort(25), deadline=None)
@given(steps=STEPS)
def test_everything_is_told_and_nothing_else(steps: list[tuple[str, int, int]]) -> None:
    with tempfile.TemporaryDirectory(prefix="hashpact-test-") as home, forum_in(Path(home, "list")) as forum:
        world = World(forum, Path(home, "uploads"))
        try:
            for name, a, b in steps:
                getattr(world, name)(a, b)
                if world.model.journal and name in ("contribute", "corroborate", "amend", "withdraw"):
                    world.settled()  # of two changes at once, the first may be seen or not
            world.check()
        finally:
            world.memory.close()


def pdq(number: int) -> bytes:
    """One of a few pictures, or a copy of it, at most at the radius or just beyond."""
    return flipped(value("pdq", number % 4), (0, 12, 31, 33)[number // 4 % 4], start=number // 16 % 3 * 64)
