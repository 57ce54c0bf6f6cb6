"""Advice: what a match means for the member that asked. A pure function; it reads no clock and no store."""

from __future__ import annotations

from collections.abc import Collection
from enum import IntEnum
from typing import Final

from hashpact_server.state.rows import Status

LONE_FRAME: Final = "a single frame"
"""Evidence beside the names of signal types: one frame of an upload is near one of an item, and nothing else is."""

COARSE: Final = frozenset({"phash", LONE_FRAME})
"""Evidence that tells too little for a person to be asked: see :func:`advise`."""


class Advice(IntEnum):
    """Numbers as ``Advice`` on the wire; a higher one asks for more."""

    NONE = 1
    OBSERVE = 2
    REVIEW = 3
    ACT = 4


def advise(
    status: Status,
    agreed: Collection[str] | None,
    *,
    may_act: bool = False,
    ceiling: Advice = Advice.ACT,
    canary: bool = False,
) -> Advice:
    """What a match means.

    * Withdrawn or expired: NONE.
    * A canary: OBSERVE. Whoever tests a pipeline every minute must not fill the reviewers' queue with it.
    * Only the 64-bit pHash agrees: OBSERVE, count it and show it to nobody. Sixty-four coarse bits are few: flat
      pictures share them at any radius, and within the 8 bits that a caller may ask for, two unrelated values (half
      of the bits set in each) lie with odds of 7e-10, which is 7 chance hits per 1,000 uploads on a list of ten
      million values. Known terrorist media are a hundred times rarer, so nearly every alert would be false, and
      people who are shown false alerts stop looking. (At the default of 4 bits chance is 5,000 times smaller, but
      advice does not know who asked for what; a real copy agrees by its 256-bit pHash too.)
    * One frame of a video alone: OBSERVE. Title cards, logos and clips of others are in many videos.
    * Everything else: REVIEW. A digest, PDQ (chance odds 3e-38 at 31 bits) or the 256-bit pHash (3e-26 at 47) does
      not agree by chance. Where it agrees wrongly, it is on a look-alike (a text card, a logo, the same news still),
      and a person can tell.
    * ACT takes all that :mod:`hashpact_server.rules.acting` names.

    Context labels cap the advice at REVIEW, and not lower: whether *this* upload is the report or the propaganda
    is what a person has to see. If they hid matches, one such label would be enough to blind everybody.

    Args:
        status: where the item stands.
        agreed: what agreed: names of signal types, and what frames say (``rules.levels``); None when no match is at
            hand, for what a full match would mean.
        may_act: whether all conditions of acting hold.
        ceiling: the strongest advice that the asking member wants.
        canary: whether the item is a canary (:func:`hashpact_server.rules.canaries.is_canary`).
    """
    if not status.matches:
        return Advice.NONE
    if canary or (agreed is not None and COARSE.issuperset(agreed)):
        return Advice.OBSERVE
    return min(Advice.ACT if may_act else Advice.REVIEW, ceiling)
