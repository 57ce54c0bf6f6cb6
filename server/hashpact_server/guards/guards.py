"""The guards of one hub, together: what services tell them, and ask them."""

from __future__ import annotations

from dataclasses import dataclass

from hashpact_server.config import Config
from hashpact_server.datadir import DataDirectory
from hashpact_server.decoys import Decoys
from hashpact_server.engine import Engine
from hashpact_server.guards.floods import FloodWatch
from hashpact_server.guards.probing import ProbingWatch
from hashpact_server.guards.quotas import Quotas
from hashpact_server.reports import Reports
from hashpact_server.rules.duties import Duty


@dataclass(frozen=True, slots=True)
class Guards:
    """What a hub watches with. A replica has none: who runs it holds the list.

    Attributes:
        quotas: how much a member may do in a time.
        floods: counts of matches and contributions.
        probing: finds members that feel their way along an item.
        decoys: what a copy that is handed out carries; None: nothing.
    """

    quotas: Quotas
    floods: FloodWatch
    probing: ProbingWatch
    decoys: Decoys | None = None

    @classmethod
    def open(cls, data: DataDirectory, config: Config, engine: Engine, reports: Reports | None) -> Guards:
        """As a hub's operator set them.

        Raises:
            Trouble: the secret of the decoys cannot be read or made.
        """
        floods = FloodWatch(reports, engine.published.head.sequence + 1)
        return cls(
            Quotas(config.limits), floods, ProbingWatch(), Decoys.open(data.decoy_key) if config.decoys else None
        )

    @property
    def duties(self) -> tuple[Duty, ...]:
        """What the clockwork has to do for them."""
        return (self.floods.duty, self.probing.duty)
