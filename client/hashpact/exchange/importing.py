"""An import: batches are read, sent a few at a time, reported in order, and remembered when they are through.

Several calls are in flight, and yet the outcome is as if the records were sent one after the other: a batch that could
be about an item of one in flight (a value that identifies, or a group, of both) waits for it.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from hashpact._media import Contribution
from hashpact.exchange.items import Batch, Batches, ListItem
from hashpact.exchange.journal import Journal
from hashpact.exchange.reading import read
from hashpact.exchange.records import Place, Record, Refusal
from hashpact.exchange.side_files import SideFile
from hashpact.exchange.source import Source
from hashpact.items import ContributeResult, ContributionOutcome

if TYPE_CHECKING:
    from hashpact.client import Client

CALLS_IN_FLIGHT_MAX: Final = 4


@dataclass(slots=True)
class _Flight:
    batch: Batch
    keys: set[object]
    answer: Future[ContributeResult] | None


@dataclass(slots=True)
class Importer:
    """Sends batches and writes down what came of them.

    Attributes:
        client: where to.
        journal: what is remembered of earlier runs.
        report: where refusals go.
        opaque: where hashes of unknown types go.
        dry_run: ask what would happen; list nothing.
        advance: told how many bytes of the files were read since the last time.
    """

    client: Client
    journal: Journal
    report: SideFile
    opaque: SideFile
    dry_run: bool = False
    advance: Callable[[int], None] = lambda _: None
    _flying: deque[_Flight] = field(default_factory=deque)
    _bytes_told: int = 0

    def run(self, batches: Iterable[Batch]) -> None:
        """Take all batches in.

        Raises:
            ServiceError: the service refused a call as a whole, or cannot be asked; the next run goes on here.
            ListFileError: a file cannot be read on.
        """
        pool = ThreadPoolExecutor(CALLS_IN_FLIGHT_MAX, thread_name_prefix="hashpact-import")
        try:
            for batch in batches:
                if batch.number < self.journal.batches_done:
                    self._tell(batch)
                    continue
                keys = {key for item in batch.items for key in item.keys}
                while self._flying and (
                    len(self._flying) >= CALLS_IN_FLIGHT_MAX
                    or any(not keys.isdisjoint(one.keys) for one in self._flying)
                ):
                    self._settle()
                contributions = [self._contribution(item) for item in batch.items]
                answer = pool.submit(self._send, batch.number, contributions) if contributions else None
                self._flying.append(_Flight(batch, keys, answer))
            while self._flying:
                self._settle()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _contribution(self, item: ListItem) -> Contribution:
        attach_to = 0
        if item.group_key is not None and not self.dry_run:
            attach_to = self.journal.item_of(item.group_key)
        return Contribution(
            tuple(item.signals),
            tuple(sorted(item.labels)),
            "import",
            observed_time=datetime.fromtimestamp(self.journal.started_ms / 1000, UTC),
            attach_to=attach_to,
        )

    def _send(self, number: int, contributions: Sequence[Contribution]) -> ContributeResult:
        return self.client.contribute_many(
            contributions,
            request_id=_request_id(self.journal.run_id, number, contributions),
            validate_only=self.dry_run,
        )

    def _settle(self) -> None:
        """Write down what came of the oldest batch in flight."""
        flight = self._flying[0]
        outcomes: Sequence[ContributionOutcome] = flight.answer.result().outcomes if flight.answer else ()
        self._flying.popleft()
        batch, tally = flight.batch, self.journal.tally
        for refusal in batch.refusals:
            self._refuse(refusal)
        groups = []
        for item, outcome in zip(batch.items, outcomes, strict=True):
            tally.count(tally.outcomes, outcome.outcome)
            self._report(item, outcome)
            if outcome.item and item.group_key is not None:
                groups.append((item.group_key, outcome.item))
        for kept in batch.opaque:
            self.opaque.write(
                {
                    **_where(kept.place),
                    "group": kept.group,
                    "signal_type": kept.signal_type,
                    "value": kept.value,
                    "tags": list(kept.tags),
                }
            )
        tally.records += batch.records
        tally.items += len(batch.items)
        tally.opaque += len(batch.opaque)
        self.report.flush()
        self.opaque.flush()
        tally.report_bytes, tally.opaque_bytes = self.report.length, self.opaque.length
        # Killed before this: the batch is sent again under its id, and its lines in the report are cut off.
        self.journal.done(batch.number + 1, tally, groups)
        self._tell(batch)

    def _tell(self, batch: Batch) -> None:
        self.advance(batch.bytes_read - self._bytes_told)
        self._bytes_told = batch.bytes_read

    def _report(self, item: ListItem, outcome: ContributionOutcome) -> None:
        if not outcome.taken:
            could_be = ", ".join(str(one) for one in outcome.candidates)
            told = outcome.message or f"its hashes belong to several items of the list: {could_be}"
            self._refuse(Refusal(item.place, outcome.reason or outcome.outcome.upper(), told))
        places = list(item.signals.values())
        for problem in outcome.problems:
            at = places[problem.index] if problem.index < len(places) else item.place
            self._refuse(Refusal(at, problem.reason, problem.message))

    def _refuse(self, refusal: Refusal) -> None:
        self.journal.tally.count(self.journal.tally.refusals, refusal.reason)
        self.report.write({**_where(refusal.place), "reason": refusal.reason, "message": refusal.message})


def read_batches(sources: Iterable[Source], batches: Batches, list_format: str, default_type: str) -> Iterator[Batch]:
    """The batches of several files, one file after the other.

    Args:
        sources: the files.
        batches: cuts them.
        list_format: see :func:`hashpact.exchange.reading.read`.
        default_type: as above.
    """

    def records() -> Iterator[tuple[int, Record | Refusal]]:
        before = 0
        for source in sources:
            for one in read(source, list_format, default_type):
                yield before + source.bytes_read, one
            before += source.bytes_read

    return batches.cut(records())


def _request_id(run_id: str, number: int, contributions: Sequence[Contribution]) -> str:
    """The same for the same batch of the same import; another one when the file was changed meanwhile."""
    digest = hashlib.sha256(f"{run_id}/{number}".encode())
    for one in contributions:
        digest.update(f"\n{one.attach_to} {' '.join(one.labels)}".encode())
        for signal in one.source:  # type: ignore[union-attr]  # a tuple of signals, made above
            digest.update(f" {signal.signal_type}:{signal.quality}:".encode() + signal.value)  # type: ignore[union-attr]
    return digest.hexdigest()[:32]


def _where(place: Place) -> dict[str, Any]:
    return {"file": place.file, place.unit: place.number}
