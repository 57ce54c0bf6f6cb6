"""What came of an import, in numbers."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Self


@dataclass(slots=True)
class Tally:
    """Counts of an import.

    Attributes:
        records: records read.
        items: items that were offered to the service.
        outcomes: of them, by what became of them.
        refusals: lines of the report, by reason.
        opaque: hashes kept aside.
        report_bytes: length of the report.
        opaque_bytes: length of the file of opaque hashes.
    """

    records: int = 0
    items: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    refusals: dict[str, int] = field(default_factory=dict)
    opaque: int = 0
    report_bytes: int = 0
    opaque_bytes: int = 0

    def count(self, of: dict[str, int], word: str) -> None:
        """One more."""
        of[word] = of.get(word, 0) + 1

    @property
    def listed(self) -> int:
        """Items that are on the list now with what this member says about them."""
        return sum(count for word, count in self.outcomes.items() if word not in {"ambiguous", "refused", "pending"})

    @property
    def refused(self) -> int:
        """Lines of the report."""
        return sum(self.refusals.values())

    def to_dict(self) -> dict[str, Any]:
        """For the journal and the command line's ``--json``."""
        return asdict(self)

    @classmethod
    def from_dict(cls, given: dict[str, Any]) -> Self:
        """From the journal."""
        return cls(**given)
