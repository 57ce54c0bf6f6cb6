"""Canaries: published test pictures, listed to prove that a pipeline works. No reviewer is to see them.

What makes an item one is not the label, which any member may give to anything, but that **every** signal of the item is
published. Whoever labels real media so hides nothing, and a canary to which something else was attached is an item
like any other, which people are asked to look at.
"""

from __future__ import annotations

from collections.abc import Collection

from hashpact.canary.published import LABEL, VALUES

from hashpact_server.state.view import View


def is_canary(view: View, item: int, labels: Collection[str]) -> bool:
    """Whether a live item is a canary: it bears the label, and its signals are published canaries' and no others."""
    if LABEL not in labels:
        return False  # nearly every item: nothing is read
    signals = view.item_signals(item)
    return bool(signals) and all((signal.code, signal.value) in VALUES for _, signal in signals)
