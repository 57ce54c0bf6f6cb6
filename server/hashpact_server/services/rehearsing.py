"""What a contribution that writes nothing asks about: it is told what is near, as a look-up is, and watched as one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hashpact.signals import SignalType

from hashpact_server.guards import ProbingWatch
from hashpact_server.matches import Agreement, Batch, Found, Match
from hashpact_server.rules.advice import Advice
from hashpact_server.rules.claims import Claim
from hashpact_server.rules.levels import Level
from hashpact_server.rules.outcomes import Outcome
from hashpact_server.state.rows import Status


class Rehearsal:
    """Claims of one call, held against what is watched.

    Args:
        watch: what watches.
        member: pseudonym of whoever contributes.
        claims: what it offers.
    """

    def __init__(self, watch: ProbingWatch, member: bytes, claims: Sequence[Claim | Outcome]) -> None:
        self._watch = watch
        self._member = member
        self._values: list[dict[str, list[bytes]]] = []
        kinds: dict[str, SignalType] = {}
        for claim in claims:
            mine: dict[str, list[bytes]] = {}
            for signal in claim.signals if isinstance(claim, Claim) else ():
                if signal.kind.ranged:
                    kinds[signal.kind.name] = signal.kind
                    mine.setdefault(signal.kind.name, []).append(signal.value)
            self._values.append(mine)
        self._batches = [self._batch(kind) for kind in kinds.values()]

    def _batch(self, kind: SignalType) -> Batch:
        sets = [(probe, mine[kind.name]) for probe, mine in enumerate(self._values) if kind.name in mine]
        starts = np.cumsum([0] + [len(values) for _, values in sets])[:-1]
        values = b"".join(value for _, each in sets for value in each)
        return Batch(kind, values, np.array([probe for probe, _ in sets]), starts)

    def check(self) -> None:
        """Before it: whether the member was slowed there. Raises :class:`Refusal` QUOTA_EXCEEDED."""
        self._watch.check(self._member, self._batches)

    def note(self, outcomes: Sequence[Outcome]) -> None:
        """After it, before its answer. Raises :class:`Refusal` QUOTA_EXCEEDED: the member feels its way."""
        found = [
            Found(probe, tuple(self._match(probe, each.item, each.signal_type) for each in near), truncated=False)
            for probe, near in enumerate(outcome.near_duplicates for outcome in outcomes)
            if near
        ]
        self._watch.asked(self._member, self._batches, found, {})

    def _match(self, probe: int, item: int, signal_type: str) -> Match:
        places = range(len(self._values[probe].get(signal_type, ())))
        agreements = tuple(Agreement(signal_type, place, 0, True, 0) for place in places)
        return Match(item, Status.PROVISIONAL, (), Advice.NONE, agreements, (), False, (), (), 0, Level.NEAR)
