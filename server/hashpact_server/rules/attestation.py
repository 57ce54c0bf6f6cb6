"""Attestation: how a member knows, checked, and which of two statements stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from hashpact.v1 import error_reason_pb2

from hashpact_server.refusal import Refusal, invalid_field
from hashpact_server.state.rows import Basis

FUTURE_MS_MAX: Final = 5 * 60 * 1000
"""How far the clock of a contributor may run ahead of ours."""

OBSERVER_ROLE_CHARACTERS_MAX: Final = 64

_STATED: Final = frozenset(Basis) - {Basis.REDACTED}
_STRENGTH: Final = {Basis.REDACTED: 0, Basis.IMPORT: 1, Basis.AUTOMATIC: 2, Basis.PERSON_LOOKED: 3}


@dataclass(frozen=True, slots=True)
class Attestation:
    """How a member knows.

    Attributes:
        basis: a ``Basis`` number; as sent, any number.
        observed_ms: Unix time in ms when the person looked; 0: not said.
        observer_role: function of the person who looked.
    """

    basis: int
    observed_ms: int = 0
    observer_role: str = ""


def clean_attestation(sent: Attestation | None) -> Attestation:
    """The attestation in the form that is stored. Whether it is in the future is told apart (:func:`check_time`).

    Raises:
        Refusal: ATTESTATION_MISSING, or FIELD_INVALID for the time or the observer's role.
    """
    if sent is None or sent.basis not in _STATED:
        raise Refusal(
            error_reason_pb2.ERROR_REASON_ATTESTATION_MISSING,
            "say how the member knows: set attestation.basis to one of the bases that are not UNSPECIFIED",
        )
    if sent.observed_ms < 0:
        raise invalid_field("attestation.observed_time", "must not be before 1970")
    role = sent.observer_role.strip()
    if len(role) > OBSERVER_ROLE_CHARACTERS_MAX or not role.isprintable():
        raise invalid_field(
            "attestation.observer_role",
            f"a function such as 'reviewer': at most {OBSERVER_ROLE_CHARACTERS_MAX} printable characters",
        )
    return Attestation(sent.basis, sent.observed_ms, role)


def check_time(attestation: Attestation, now_ms: int) -> None:
    """Raises :class:`Refusal` FIELD_INVALID when the person will only have looked in more than 5 minutes."""
    if attestation.observed_ms > now_ms + FUTURE_MS_MAX:
        raise invalid_field("attestation.observed_time", "is more than 5 minutes in the future")


def raises(old: int, new: int) -> bool:
    """Whether a member that stated the basis ``old`` for an item is believed when it states ``new`` later.

    Looking later adds knowledge: an import or a classifier's verdict becomes a person's judgement. Nothing is taken
    away: a person who looked once did look. And what was *found through the list* stays so, however often a person
    looks afterwards, or the list would corroborate itself in two steps.
    """
    if old == Basis.FOUND_THROUGH_LIST:
        return False
    if new == Basis.FOUND_THROUGH_LIST:
        return old == Basis.REDACTED
    return _STRENGTH[Basis(new)] > _STRENGTH[Basis(old)]
