"""What is decided when its time has come, by what is due; and what is worked at piece by piece."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from hashpact_server.rules import motions
from hashpact_server.scene import Scene
from hashpact_server.state.tables import Due
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


DUE_RULES: Final[Mapping[Due, Rule]] = MappingProxyType(
    {
        Due.MOTION: motions.lapse,
    }
)
DUTIES: Final[tuple[Duty, ...]] = ()
