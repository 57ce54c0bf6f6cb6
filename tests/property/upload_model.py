"""What a memory of uploads has to tell, the plain way: every upload against every entry that it had not seen."""

from __future__ import annotations

from dataclasses import dataclass, field

from hashpact.signals import SIGNAL_TYPES_BY_CODE, hamming
from hashpact_server.engine import Engine
from hashpact_server.ledger.payloads import CONTRIBUTING, ContributionPayload
from hashpact_server.uploads.journal import Standing
from hashpact_server.uploads.values import Values

Key = tuple[bytes, str]
"""Member and reference."""


@dataclass
class Upload:
    values: dict[int, list[bytes]]
    seen: int
    time_ms: int


@dataclass
class Record:
    acted: Standing
    told: Standing


@dataclass
class Model:
    """The uploads, what was done, and what waits."""

    engine: Engine
    at: int
    uploads: dict[Key, Upload] = field(default_factory=dict)
    retro: dict[tuple[Key, int], int] = field(default_factory=dict)  # when the upload was remembered
    journal: dict[tuple[Key, int], Record] = field(default_factory=dict)
    corrections: set[tuple[Key, int]] = field(default_factory=set)

    def standing(self, item: int) -> Standing:
        with self.engine.state.read() as view:
            row = view.item(item)
            assert row is not None
            return Standing(int(row.status), view.labels(item) if row.status.matches else ())

    def added(self, after: int) -> list[tuple[int, int, int, bytes]]:
        """(sequence, item, code, value) that entries after this one added."""
        with self.engine.state.read() as view:
            return [
                (entry.sequence, entry.subject, signal.code, signal.value)
                for entry in view.entries(after + 1)
                if entry.kind in CONTRIBUTING and entry.payload is not None
                for signal in ContributionPayload.decode(entry.payload).signals
                if not signal.confirms
            ]

    def follow(self) -> None:
        """Take in what happened to the list."""
        for sequence, item, code, value in self.added(self.at):
            for key, upload in self.uploads.items():
                if sequence > upload.seen and _matches(upload, code, value):
                    self.retro[key, item] = upload.time_ms
        self.at = self.engine.published.head.sequence
        for (key, item), record in self.journal.items():
            now = self.standing(item)
            if now != record.told:
                record.told = now
                self.corrections.add((key, item))

    def remember(self, key: Key, values: Values, seen: int, time_ms: int) -> None:
        cut = {
            code: [packed[at : at + size] for at in range(0, len(packed), size)]
            for code, packed in values.items()
            for size in (SIGNAL_TYPES_BY_CODE[code].size_bytes,)
        }
        upload = self.uploads[key] = Upload(cut, seen, time_ms)
        for _, item, code, value in self.added(seen):
            # What is off the list by now was never told of this upload, and never will be.
            if _matches(upload, code, value) and self.live(item):
                self.retro[key, item] = time_ms

    def record(self, key: Key, item: int, acted: Standing) -> None:
        now = self.standing(item)
        self.journal[key, item] = Record(acted, now)
        self.corrections.discard((key, item))
        if now != acted:
            self.corrections.add((key, item))

    def forget(self, key: Key) -> None:
        self.uploads.pop(key, None)
        self.retro = {each: when for each, when in self.retro.items() if each[0] != key}
        self.journal = {each: record for each, record in self.journal.items() if each[0] != key}
        self.corrections = {each for each in self.corrections if each[0] != key}

    def expire(self, before_ms: int) -> None:
        self.uploads = {key: upload for key, upload in self.uploads.items() if upload.time_ms >= before_ms}
        self.retro = {each: when for each, when in self.retro.items() if when >= before_ms}

    def live(self, item: int) -> bool:
        return self.standing(item).status not in (4, 5)

    def waiting_retro(self, member: bytes) -> set[tuple[str, int]]:
        return {(key[1], item) for key, item in self.retro if key[0] == member and self.live(item)}

    def waiting_corrections(self, member: bytes) -> dict[tuple[str, int], tuple[Standing, Standing]]:
        return {
            (key[1], item): (self.journal[key, item].acted, self.journal[key, item].told)
            for key, item in self.corrections
            if key[0] == member
        }


def _matches(upload: Upload, code: int, value: bytes) -> bool:
    kind = SIGNAL_TYPES_BY_CODE[code]
    radius = 0 if kind.exact else kind.radius_default
    return any(hamming(mine, value) <= radius for mine in upload.values.get(code, ()))
