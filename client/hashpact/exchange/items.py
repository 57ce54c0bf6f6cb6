"""From records to items to contribute, and to the batches that they are sent in."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from hashpact.exchange.labelling import Labelling
from hashpact.exchange.records import Place, Record, Refusal, is_known, shown_type, signal_of
from hashpact.signals import SIGNAL_TYPES, Signal

BATCH: Final = 500
"""Contributions in one call, and refusals that are written at once."""
BATCH_BYTES: Final = 4 << 20
"""Bytes of a file from which a batch is full: records may be large, and what is held must not be."""
SIGNALS_MAX: Final = 4096
"""Signals of one contribution; further ones of the same group are attached to its item."""


@dataclass(frozen=True, slots=True)
class Opaque:
    """A hash of a type that the service does not know, kept as it is."""

    place: Place
    group: str
    signal_type: str
    value: str = field(repr=False)
    tags: tuple[str, ...]


@dataclass(slots=True)
class ListItem:
    """One item to contribute.

    Attributes:
        group: what its records have in common; "" when it is one record.
        signals: its signals, each once, with the place of each.
        labels: its labels.
        records: records that went into it.
    """

    group: str
    signals: dict[Signal, Place] = field(default_factory=dict, repr=False)
    labels: set[str] = field(default_factory=set)
    records: int = 0

    @property
    def place(self) -> Place:
        """Where it begins."""
        return next(iter(self.signals.values()))

    @property
    def group_key(self) -> int | None:
        """A number for the file and group, by which later records of the same group find the item."""
        if not self.group:
            return None
        text = f"{self.place.file}\0{self.group}".encode("utf-8", "surrogatepass")
        return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big", signed=True)

    @property
    def keys(self) -> set[object]:
        """What decides to which item it belongs: two items that share one must be decided in the order of the file."""
        identities: set[object] = {one.value for one in self.signals if SIGNAL_TYPES[one.signal_type].identifies}
        if self.group_key is not None:
            identities.add(self.group_key)
        return identities


@dataclass(slots=True)
class Batch:
    """What is sent, reported and remembered together.

    Attributes:
        number: from 0.
        items: to contribute.
        refusals: what was not taken, of the records up to here.
        opaque: what is kept aside.
        records: records read for it.
        bytes_begun: how far the files had been read before, all together.
        bytes_read: how far they were read with it.
    """

    number: int
    items: list[ListItem] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    opaque: list[Opaque] = field(default_factory=list)
    records: int = 0
    bytes_begun: int = 0
    bytes_read: int = 0

    def holds(self, count: int, size_bytes: int) -> bool:
        """Whether it holds so much already, of things or of bytes."""
        things = len(self.items) + len(self.refusals) + len(self.opaque)
        return things >= count or self.bytes_read - self.bytes_begun >= size_bytes


class Batches:
    """Cuts records into batches: the same files and choices give the same batches, every time.

    Args:
        labelling: gives labels.
        pdq_quality: see :func:`hashpact.exchange.records.signal_of`.
        keep_opaque: whether hashes of unknown types are kept aside; else they are refused.
    """

    def __init__(self, labelling: Labelling, *, pdq_quality: int | None, keep_opaque: bool) -> None:
        self._labelling = labelling
        self._pdq_quality = pdq_quality
        self._keep_opaque = keep_opaque
        self._batch = Batch(0)
        self._open: ListItem | None = None

    def cut(self, read: Iterable[tuple[int, Record | Refusal]]) -> Iterator[Batch]:
        """Batches of records.

        Args:
            read: (bytes read so far, record or what was no record).
        """
        for bytes_read, one in read:
            if self._batch.holds(BATCH, BATCH_BYTES) and not self._continues(one):
                yield self._next()
            self._batch.bytes_read = bytes_read
            self._batch.records += 1
            if isinstance(one, Refusal):
                self._batch.refusals.append(one)
            else:
                self._take(one)
        yield self._next()

    def _next(self) -> Batch:
        done, self._open = self._batch, None
        self._batch = Batch(done.number + 1, bytes_begun=done.bytes_read, bytes_read=done.bytes_read)
        return done

    def _continues(self, one: Record | Refusal) -> bool:
        """Whether a full batch takes one more record, because it is about the item before it; not without end."""
        return isinstance(one, Record) and self._fits(one) and not self._batch.holds(SIGNALS_MAX, 2 * BATCH_BYTES)

    def _fits(self, record: Record) -> bool:
        """Whether a record belongs to the item before it."""
        before = self._open
        return (
            before is not None
            and bool(record.group)
            and record.group == before.group
            and record.place.file == before.place.file
            and len(before.signals) + len(record.values) <= SIGNALS_MAX
        )

    def _take(self, record: Record) -> None:
        signals = self._signals(record)
        if not signals:
            return
        labels = self._labelling.of(record)
        if labels is None or not (labels or self._fits(record)):
            why = (
                "one of its labels is none" if labels is None else "no label: give one with --label, or a --map of tags"
            )
            self._batch.refusals.append(Refusal(record.place, "LABELS_INVALID", why))
            return
        if not self._fits(record):
            self._open = ListItem(record.group)
            self._batch.items.append(self._open)
        assert self._open is not None  # noqa: S101  # set by the line above, or it would not fit
        for signal in signals:
            self._open.signals.setdefault(signal, record.place)
        self._open.labels.update(labels)
        self._open.records += 1

    def _signals(self, record: Record) -> list[Signal]:
        found = []
        for value in record.values:
            if not is_known(value.signal_type):
                self._keep(record, value.signal_type, value.text)
                continue
            signal = signal_of(value, record.place, self._pdq_quality)
            if isinstance(signal, Refusal):
                self._batch.refusals.append(signal)
            else:
                found.append(signal)
        return found

    def _keep(self, record: Record, signal_type: str, text: str) -> None:
        if self._keep_opaque:
            tags = record.labels + record.tags
            self._batch.opaque.append(Opaque(record.place, record.group, signal_type, text, tags))
        else:
            self._batch.refusals.append(
                Refusal(
                    record.place,
                    "SIGNAL_TYPE_UNKNOWN",
                    f"{shown_type(signal_type)} is no signal type of this version: --opaque FILE keeps such hashes",
                )
            )
