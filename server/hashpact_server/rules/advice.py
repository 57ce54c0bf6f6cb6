"""Advice: what a match means for the member that asked. A pure function; it reads no clock and no store."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from enum import IntEnum
from typing import Final

from hashpact.signals import SIGNAL_TYPES

from hashpact_server.rules.labels import is_context
from hashpact_server.state.rows import Status

COARSE: Final = frozenset({"phash"})
"""Signal types that tell too little for a person to be asked: see :func:`advise`."""


class Advice(IntEnum):
    """Numbers as ``Advice`` on the wire; a higher one asks for more."""

    NONE = 1
    OBSERVE = 2
    REVIEW = 3
    ACT = 4


def advise(
    status: Status,
    labels: Iterable[str],
    agreed: Collection[str] | None,
    *,
    act_allowed: bool = False,
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
    * Everything else: REVIEW. A digest, PDQ (chance odds 3e-38 at 31 bits) or the 256-bit pHash (3e-26 at 47) does
      not agree by chance. Where it agrees wrongly, it is on a look-alike (a text card, a logo, the same news still),
      and a person can tell.
    * ACT takes all of: a corroborated item; no context label (journalism, documentation, counter-speech, research,
      education, art); a digest or two perceptual hashes that agree; and the asking member's policy. Members cannot
      state a policy so far, so nobody passes ``act_allowed`` and nobody is advised to act.

    Context labels cap the advice at REVIEW, and not lower: whether *this* upload is the report or the propaganda
    is what a person has to see. If they hid matches, one such label would be enough to blind everybody.

    Args:
        status: where the item stands.
        labels: the item's labels.
        agreed: names of the signal types that agreed; None when no match is at hand, for what a full match would mean.
        act_allowed: whether the asking member's policy lets it act at once.
        canary: whether the item is a canary (:func:`hashpact_server.rules.canaries.is_canary`).
    """
    if not status.matches:
        return Advice.NONE
    if canary or (agreed is not None and COARSE.issuperset(agreed)):
        return Advice.OBSERVE
    certain = agreed is None or len(agreed) > 1 or any(SIGNAL_TYPES[name].exact for name in agreed)
    if act_allowed and certain and status is Status.CORROBORATED and not any(map(is_context, labels)):
        return Advice.ACT
    return Advice.REVIEW
