"""Guards: what a hub watches for while it serves, in memory alone: quotas, floods of matches, probing.

Nothing of it is in the list. What it leads to (an alert, an item limited to review) is an entry, like everything else.
"""

from __future__ import annotations

from hashpact_server.guards.floods import FloodWatch
from hashpact_server.guards.guards import Guards
from hashpact_server.guards.probing import ProbingWatch
from hashpact_server.guards.quotas import Quotas

__all__ = ["FloodWatch", "Guards", "ProbingWatch", "Quotas"]
