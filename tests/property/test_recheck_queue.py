"""The re-check queue beside a dictionary: any operations, with restarts between them."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from hashpact.errors import QueueFullError
from hashpact.probes import Probe
from hashpact.sidecar.queue import QueuedUpload, RecheckQueue
from hashpact.signals import Signal
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from tests.data import effort

BYTES_MAX, ENTRIES_MAX = 300, 6
SOURCES = st.one_of(
    st.binary(max_size=120),
    st.binary(min_size=16, max_size=16).map(lambda value: Probe.of([Signal("md5", value)])),
)


@dataclass
class Waiting:
    """What the model knows of one upload."""

    upload: QueuedUpload
    due: float
    held: bool = False


class QueueMachine(RuleBasedStateMachine):
    """The queue, and what it should hold."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="hashpact-queue-"))
        self.now = 1000.0
        self.model: dict[str, Waiting] = {}
        self.queue = self.open()

    def open(self) -> RecheckQueue:
        return RecheckQueue(self.folder, BYTES_MAX, ENTRIES_MAX, clock=lambda: self.now)

    def teardown(self) -> None:
        self.queue.close()
        shutil.rmtree(self.folder)

    @rule(source=SOURCES, reference=st.sampled_from("xyz"), as_file=st.booleans())
    def put(self, source: bytes | Probe, reference: str, as_file: bool) -> None:
        upload = QueuedUpload(reference, source, int(self.now * 1000), "word")
        before = self.queue.bytes_waiting
        try:
            if as_file and isinstance(source, bytes):
                name = self.put_file(replace(upload, source=self.folder / "file"), source)
            else:
                name = self.queue.put(upload)
        except QueueFullError:
            assert len(self.model) == ENTRIES_MAX or before > BYTES_MAX // 3
            return
        assert name not in self.model
        self.model[name] = Waiting(replace(upload, id=name), self.now)

    def put_file(self, upload: QueuedUpload, media: bytes) -> str:
        assert isinstance(upload.source, Path)
        upload.source.write_bytes(media)
        try:
            return self.queue.put(upload)
        finally:
            upload.source.unlink()  # as the request's end does

    @rule(limit=st.integers(1, 4))
    def next_due(self, limit: int) -> None:
        found = self.queue.next_due(limit)
        due = [name for name, each in self.model.items() if each.due <= self.now and not each.held]
        due.sort(key=lambda name: self.model[name].due)  # stable: the order of arrival decides between equals
        assert [each.id for each in found] == due[:limit]
        for each in found:
            self.model[each.id].held = True
            self.same(each)

    def same(self, found: QueuedUpload) -> None:
        expected = self.model[found.id].upload
        if isinstance(expected.source, bytes):
            assert isinstance(found.source, Path)
            assert found.source.read_bytes() == expected.source
            expected = replace(expected, source=found.source)
        assert found == expected

    @rule(choice=st.integers(0, 5), delay=st.integers(0, 30))
    def again(self, choice: int, delay: int) -> None:
        for name in list(self.model)[choice : choice + 1]:
            self.queue.again(name, delay)
            each = self.model[name]
            each.due, each.held = self.now + delay, False
            each.upload = replace(each.upload, attempts=each.upload.attempts + 1)

    @rule(choice=st.integers(0, 5))
    def done(self, choice: int) -> None:
        for name in list(self.model)[choice : choice + 1]:
            self.queue.done(name)
            self.queue.done(name)
            del self.model[name]

    @rule(reference=st.sampled_from("xyz"))
    def forget(self, reference: str) -> None:
        gone = [name for name, each in self.model.items() if each.upload.reference == reference]
        assert self.queue.forget(reference) == len(gone)
        for name in gone:
            del self.model[name]

    @rule(seconds=st.integers(1, 20))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @rule()
    def restart(self) -> None:
        self.queue.close()
        self.queue = self.open()
        for each in self.model.values():
            each.held, each.due = False, min(each.due, self.now)

    @invariant()
    def counts_agree(self) -> None:
        assert len(self.queue) == len(self.model)
        assert self.queue.bytes_waiting <= BYTES_MAX
        oldest = min((each.upload.received_at_ms for each in self.model.values()), default=self.now * 1000)
        assert self.queue.oldest_age_s == (self.now * 1000 - oldest) / 1000
        media = {name for name, each in self.model.items() if isinstance(each.upload.source, bytes)}
        assert {each.name for each in (self.folder / "recheck").iterdir()} == media


def test_the_queue_is_what_a_dictionary_would_be() -> None:
    run_state_machine_as_test(
        QueueMachine,
        settings=settings(
            max_examples=effort(25), stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
