"""Levels: how sure a match is, by what kinds of evidence there are. How often each is wrong: ``docs/robustness.md``."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from enum import IntEnum
from typing import Final

from hashpact.signals import SIGNAL_TYPES

from hashpact_server.rules.advice import COARSE, LONE_FRAME
from hashpact_server.videos import FRAME, Overlap

FRAMES_IN_ORDER: Final = "most of its frames in order"
"""Evidence beside the names of signal types: see :func:`frames_say`."""

FRAME_WORDS: Final = (LONE_FRAME, FRAME.name, FRAMES_IN_ORDER)
"""All that frames can be evidence of, the weakest first."""

CERTAIN: Final = frozenset({"sha256", "url_sha256", FRAMES_IN_ORDER})
"""Signal types of which one is enough. Not MD5: anybody can make two files of one MD5, one to be listed and a lawful
one to be hit."""

WITNESSES_MIN: Final = 2
"""Of all others, so many kinds of evidence have to agree: types of one kind fail together. PDQ and pHash both see the
lowest frequencies of the whole picture, so two title cards of one template are near by both."""


ITEM_PERCENT_STRONG: Final = 60.0
PICTURES_STRONG: Final = 4
MOMENTS_STRONG: Final = 5
"""Frames alone are strong when so much of the item is there, in its order, with so many moments of the upload that show
so many pictures, no two of which are near each other. Most of the item, since many videos share a part: an opening, a
clip of somebody else's. Different pictures, since one studio looks the same whoever speaks."""

ITEM_PERCENT_STILL: Final = 80.0
"""One frame is as good as a picture when it is so much of the item; else it may be a title card, or anybody's clip."""


class Level(IntEnum):
    """Numbers as ``MatchLevel`` on the wire."""

    NEAR = 1
    STRONG = 2


def frames_say(overlap: Overlap | None) -> str:
    """What frames that agree are evidence of; a word for :func:`level_of` and ``advise``.

    Args:
        overlap: how much is the same; None: nobody said when the frames are shown.
    """
    if overlap is None or (overlap.moments < WITNESSES_MIN and overlap.item_percent < ITEM_PERCENT_STILL):
        return LONE_FRAME
    in_order = overlap.moments >= MOMENTS_STRONG and overlap.pictures >= PICTURES_STRONG
    return FRAMES_IN_ORDER if in_order and overlap.item_percent >= ITEM_PERCENT_STRONG else FRAME.name


def weaker_words(vouched: Overlap | None, whole: Overlap | None) -> str:
    """What frames that somebody vouches for are evidence of: no more than all frames of the item are."""
    return min(frames_say(vouched), frames_say(whole), key=FRAME_WORDS.index)


def evidence_of(agreed: Iterable[tuple[str, Overlap | None]]) -> tuple[str, ...]:
    """What (signal type, overlap of a video's frames) pairs are evidence of."""
    return tuple(frames_say(overlap) if name == FRAME.name else name for name, overlap in agreed)


def level_of(evidence: Collection[str]) -> Level:
    """How sure a match is.

    Args:
        evidence: names of signal types, each of which agrees within its default radius; and what :func:`frames_say`.
    """
    if not CERTAIN.isdisjoint(evidence):
        return Level.STRONG
    witnesses = {SIGNAL_TYPES[name].witness for name in evidence if name not in COARSE}
    return Level.STRONG if len(witnesses) >= WITNESSES_MIN else Level.NEAR
