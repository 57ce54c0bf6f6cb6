"""An item of the list as ``tx`` keeps it, and as it is matched."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

from threatexchange.exchanges.fetch_state import FetchedSignalMetadata, SignalOpinion, SignalOpinionCategory

from hashpact.items import Item

CLOSED: t.Final = frozenset({"withdrawn", "expired"})
TX_NAMES: t.Final = {"md5": "video_md5", "sha256": "video_sha256"}
"""Signal types that go by another name there; ``tx`` only knows digests of videos."""
VARIANTS_MAX: t.Final = 1024
"""Values of one type that are taken of an item. All their keys go with it: nobody knows how many there were."""


@dataclass
class HashpactRecord(FetchedSignalMetadata):  # type: ignore[misc]  # an untyped package
    """An item, or one variant of it.

    Attributes:
        item: its id.
        status: where it stands.
        signals: (name in ``tx``, hex) of its hashes, one per type: the database of HMA has no place for two.
        opinions: one per standing contribution: (own, whether a person looked, labels). Members are not named.
    """

    item: int
    status: str
    signals: list[tuple[str, str]] = field(repr=False)
    opinions: list[tuple[bool, bool, list[str]]]

    def get_as_opinions(self) -> list[SignalOpinion]:
        """A person who looked is sure; an import, a classifier or a match is a lead; a dispute is a no beside a yes."""
        sure, lead, no = (
            SignalOpinionCategory.POSITIVE_CLASS,
            SignalOpinionCategory.INVESTIGATION_SEED,
            SignalOpinionCategory.NEGATIVE_CLASS,
        )
        found = [SignalOpinion(own, sure if looked else lead, set(labels)) for own, looked, labels in self.opinions]
        if self.status == "disputed":
            found.append(SignalOpinion(False, no, set()))
        return found or [SignalOpinion(False, lead, set())]


def records_of(item: Item, caller: str, *, first_fetch: bool) -> dict[str, HashpactRecord | None]:
    """Keys and records of an item; None where what may be kept under a key has to go.

    Args:
        item: as it stands.
        caller: name of the member that asks.
        first_fetch: nothing is kept yet.
    """
    by_type: dict[str, list[str]] = {}
    for one in item.signals if item.status not in CLOSED else ():
        if one.value is not None:
            by_type.setdefault(TX_NAMES.get(one.signal_type, one.signal_type), []).append(one.value.hex())
    opinions = [(one.member == caller, one.basis == "person_looked", list(one.labels)) for one in item.contributions]
    found: dict[str, HashpactRecord | None] = {}
    for variant in range(min(max(map(len, by_type.values()), default=0), VARIANTS_MAX)):
        signals = [(name, values[variant]) for name, values in by_type.items() if variant < len(values)]
        found[_key(item, variant)] = HashpactRecord(item.item, item.status, signals, opinions)
    if not first_fetch and (item.redacted or not found):
        for variant in range(len(found), VARIANTS_MAX):
            found[_key(item, variant)] = None
    return found


def _key(item: Item, variant: int) -> str:
    return f"{item.item}.{variant}" if variant else str(item.item)
