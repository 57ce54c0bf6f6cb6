"""Modes: how far the hub's advice may go here. They only ever lower it.

A mode per label lets a platform begin with counting (``observe``), go on to showing people (``review``), and let
only what proved itself lead to action (``act``). The trial share does the same for a part of all contents.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from hashpact.results import ADVICE_ORDER, Match

_TRIAL: Final = b"hashpact trial 1\0"
_ALL: Final = 1 << 64
_AXES: Final = frozenset({"producer", "behaviour", "context", "media"})


@dataclass(frozen=True, slots=True)
class Modes:
    """How far advice may go.

    Attributes:
        default: mode of items none of whose labels has one of its own.
        by_label: mode of a label. Of an item with several such labels the lowest mode holds.
        trial_share: share of contents, 0 to 1, for which more than ``observe`` may be advised.
    """

    default: str = "observe"
    by_label: Mapping[str, str] = field(default_factory=dict)
    trial_share: float = 1.0

    def of(self, labels: Sequence[str]) -> str:
        """The mode of an item with these labels."""
        modes = {bare(label): mode for label, mode in self.by_label.items()}
        named = [modes[label] for label in map(bare, labels) if label in modes]
        return min(named, key=ADVICE_ORDER.index, default=self.default)

    def in_trial(self, sha256: bytes) -> bool:
        """Whether a content belongs to the trial: always the same answer for the same bytes, on every machine.

        Args:
            sha256: digest of the upload.
        """
        place = int.from_bytes(hashlib.sha256(_TRIAL + sha256).digest()[:8], "big")
        return place < self.trial_share * _ALL

    def lowered(self, match: Match, *, in_trial: bool) -> Match:
        """The match with the advice that holds here."""
        mode = self.of(match.labels) if in_trial else "observe"
        # A word that this version does not know counts as review, as it does everywhere in the client.
        given = match.advice if match.advice in ADVICE_ORDER else "review"
        return replace(match, advice=min(given, mode, key=ADVICE_ORDER.index))


def bare(label: str) -> str:
    """A label without its axis: ``context:journalism`` and ``journalism`` mean the same. Lists keep theirs."""
    axis, colon, term = label.partition(":")
    return term if colon and axis in _AXES else label
