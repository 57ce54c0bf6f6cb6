"""The shapes of what time brings: a rule for what is due, and a duty that is worked at piece by piece."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hashpact_server.scene import Scene
from hashpact_server.state.view import View

Rule = Callable[[Scene, int], None]
"""Decides what is due about the thing with this number. Records an entry whose effect clears the due time."""


@dataclass(frozen=True, slots=True)
class Duty:
    """Work without a time of its own.

    Attributes:
        wanted: whether there is any, given the time in Unix ms; asked twice a second, so it reads little.
        carry_out: does a bounded piece of it; whether there is more.
    """

    wanted: Callable[[View, int], bool]
    carry_out: Callable[[Scene], bool]
