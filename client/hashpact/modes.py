"""Modes: how far a picture is looked into before it is looked up. What each finds and costs: ``docs/hashing.md``."""

from __future__ import annotations

from typing import Final, Literal

from hashpact.errors import InvalidRequestError

Mode = Literal["fast", "standard", "deep"]
"""``fast``: the whole picture. ``standard``: also the pictures inside it, and its details. ``deep``: more details."""

MODES: Final[tuple[Mode, ...]] = ("fast", "standard", "deep")
CHECK_MODE: Final[Mode] = "standard"
"""What a check does unless it is told otherwise."""


def require_mode(mode: str) -> Mode:
    """A mode by its word.

    Raises:
        InvalidRequestError: there is no such mode.
    """
    for known in MODES:
        if mode == known:
            return known
    raise InvalidRequestError.about("mode", f"mode is one of {', '.join(MODES)}")
