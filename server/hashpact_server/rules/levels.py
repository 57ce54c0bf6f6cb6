"""Levels: how sure a match is, by what kinds of evidence there are. How often each is wrong: ``docs/robustness.md``."""

from __future__ import annotations

from collections.abc import Collection
from enum import IntEnum
from typing import Final

from hashpact.signals import SIGNAL_TYPES

from hashpact_server.rules.advice import COARSE

CERTAIN: Final = frozenset({"sha256", "url_sha256"})
"""Signal types of which one is enough. Not MD5: anybody can make two files of one MD5, one to be listed and a lawful
one to be hit."""

WITNESSES_MIN: Final = 2
"""Of all others, so many kinds of evidence have to agree: types of one kind fail together. PDQ and pHash both see the
lowest frequencies of the whole picture, so two title cards of one template are near by both."""


class Level(IntEnum):
    """Numbers as ``MatchLevel`` on the wire."""

    NEAR = 1
    STRONG = 2


def level_of(types: Collection[str]) -> Level:
    """How sure a match is on which these signal types agree, each within its default radius."""
    if not CERTAIN.isdisjoint(types):
        return Level.STRONG
    witnesses = {SIGNAL_TYPES[name].witness for name in types if name not in COARSE}
    return Level.STRONG if len(witnesses) >= WITNESSES_MIN else Level.NEAR
