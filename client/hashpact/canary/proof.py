"""Proves with the canaries that a pipeline works: hashing here, the list there, and a sidecar between.

Each function looks at one thing, returns what it found in words, and raises what stands in the way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from hashpact.canary.drawing import draw
from hashpact.canary.published import CANARIES, LABEL, UNLISTED, Canary
from hashpact.client import Client
from hashpact.errors import HashpactError
from hashpact.signals import hamming

BITS_OFF_MAX: Final = 2
"""How far hashing on another machine may be off, in bits: floating point rounds differently, and no more than that."""


class UnprovenError(HashpactError):
    """Nothing is wrong, but nothing can be proved either: the canaries are not on this list."""

    reason = "CANARIES_NOT_LISTED"


@dataclass(frozen=True, slots=True)
class Seen:
    """What a check of one picture said: the verdict, and (labels, advice) of each match."""

    verdict: str
    matches: tuple[tuple[tuple[str, ...], str], ...]


Check = Callable[[bytes], Seen]
"""Checks a picture's file."""


@cache
def picture(canary: Canary) -> bytes:
    """The file of a canary."""
    return draw(canary.name, canary.words)


def prove_hashing() -> str:
    """A canary, hashed here, has its published signals.

    Raises:
        HashpactError: it has others.
        MissingExtraError: the media extra is not installed.
    """
    from hashpact import hash_image  # noqa: PLC0415  # a thin installation has no Pillow; this says what to install

    canary = CANARIES[0]
    drawn = picture(canary)
    if hashlib.sha256(drawn).digest() != canary.signal("sha256").value:
        raise HashpactError("the canary was drawn wrongly: install this program anew", reason="CANARY_DRAWN_WRONG")
    worst = 0
    for signal in hash_image(drawn):
        off = hamming(signal.value, canary.signal(signal.signal_type).value)
        if off > BITS_OFF_MAX:
            raise HashpactError(
                f"{signal.signal_type} of a known picture is {off} bits off on this machine, copies would be missed: "
                "install pillow, numpy and imagehash anew, in versions that this program allows",
                reason="HASHING_DIFFERS",
            )
        worst = max(worst, off)
    return f"a known picture has its published signals ({worst} bits off)"


def prove_list(client: Client) -> str:
    """The canaries are on the list, as canaries.

    Raises:
        UnprovenError: they are not listed.
        ServiceError: no look-up, or something else is listed in their place.
    """
    found = client.lookup([canary.signals for canary in CANARIES])
    missing = [canary.name for canary, result in zip(CANARIES, found, strict=True) if not result.matches]
    if missing:
        raise UnprovenError(
            f"{', '.join(missing)}: not on this list, so nothing can be proved with them; a member with the role "
            "contribute lists them once: hashpact canary list"
        )
    for result in found:
        _require_canary(Seen(result.verdict, tuple((match.labels, match.advice) for match in result.matches)))
    return f"{len(CANARIES)} of {len(CANARIES)} are on the list, and advised to be observed only"


def checking(client: Client) -> Check:
    """Checks by hashing here and asking the service."""

    def check(media: bytes) -> Seen:
        result = client.check(media)
        return Seen(result.verdict, tuple((match.labels, match.advice) for match in result.matches))

    return check


def prove_match(check: Check) -> str:
    """A canary's own file matches."""
    _require_canary(check(picture(CANARIES[0])))
    return "a canary is found"


def prove_copy(check: Check) -> str:
    """An altered copy matches too."""
    from hashpact.hashing.altered import altered_copy  # noqa: PLC0415  # needs Pillow

    _require_canary(check(altered_copy(picture(CANARIES[0]))))
    return "a copy in half the size, as JPEG of quality 50, is found"


def prove_unlisted(check: Check) -> str:
    """A picture that nobody listed matches nothing."""
    seen = check(picture(UNLISTED))
    if seen.verdict != "none":
        raise HashpactError(
            f"a picture that nobody lists is said to be {seen.verdict}: look for what was listed wrongly",
            reason="UNLISTED_MATCHES",
        )
    return "a picture that nobody lists matches nothing"


def seen_in(answer: Mapping[str, Any]) -> Seen:
    """What a sidecar's answer says.

    Raises:
        HashpactError: it is no answer of a sidecar.
    """
    matches = answer.get("matches")
    if not isinstance(answer.get("verdict"), str) or not isinstance(matches, Sequence):
        raise HashpactError("this is no answer of a sidecar: check the address", reason="ANSWER_INVALID")
    return Seen(
        answer["verdict"],
        tuple((tuple(each.get("labels", ())), each.get("advice", "")) for each in matches if isinstance(each, dict)),
    )


def _require_canary(seen: Seen) -> None:
    if seen.verdict != "match":
        raise HashpactError(
            f"a canary that is on the list is said to be {seen.verdict}, not match: uploads are missed; look at "
            "hashing, and at how old the replica is",
            reason="CANARY_MISSED",
        )
    advice = [advice for labels, advice in seen.matches if LABEL in labels]
    if not advice:
        raise HashpactError(
            "something that is labelled otherwise is listed in place of a canary: a steward looks at it with hashpact "
            "item, withdraws it, and lists the canaries again",
            reason="CANARY_REPLACED",
        )
    if not any(each in {"observe", "none"} for each in advice):
        raise HashpactError(
            "something else was attached to a canary, so that people are asked to look at it: a steward withdraws "
            "the item, and lists the canaries again",
            reason="CANARY_SPOILED",
        )
