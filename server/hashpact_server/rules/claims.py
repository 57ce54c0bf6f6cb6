"""Claims: contributions whose fields are valid. All that can be checked without the list is checked here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hashpact.v1 import error_reason_pb2

from hashpact_server.config import Limits
from hashpact_server.refusal import Refusal
from hashpact_server.rules.attestation import Attestation, clean_attestation
from hashpact_server.rules.labels import clean_labels
from hashpact_server.rules.outcomes import Outcome, refused
from hashpact_server.rules.signals import FitSignal, OfferedSignal, SignalProblem, sort_out


@dataclass(frozen=True, slots=True)
class Offer:
    """A contribution as sent, unchecked. ``attach_to`` 0: decide by identity."""

    signals: Sequence[OfferedSignal]
    labels: Sequence[str]
    attestation: Attestation | None
    attach_to: int = 0


@dataclass(frozen=True, slots=True)
class Claim:
    """A contribution whose fields are valid: what remains is to see what the list knows already."""

    signals: tuple[FitSignal, ...]
    problems: tuple[SignalProblem, ...]
    labels: tuple[str, ...]
    attestation: Attestation
    attach_to: int


def check(offer: Offer, limits: Limits) -> Claim | Outcome:
    """Check an offer; the outcome is a refusal."""
    if not 0 < len(offer.signals) <= limits.contribution_signals_max:
        return refused(
            error_reason_pb2.ERROR_REASON_SIGNALS_INVALID,
            f"give 1 to {limits.contribution_signals_max} signals (contribution_signals_max), not {len(offer.signals)}",
        )
    try:
        labels = clean_labels(offer.labels, limits.labels_max)
        attestation = clean_attestation(offer.attestation)
    except Refusal as refusal:
        return refused(refusal.reason, refusal.message)
    signals, problems = sort_out(offer.signals)
    if not offer.attach_to and not any(signal.kind.identifies for signal in signals):
        return no_identity(problems)
    if not signals:
        return refused(error_reason_pb2.ERROR_REASON_SIGNALS_INVALID, "no good signal is left to attach", problems)
    return Claim(signals, problems, labels, attestation, offer.attach_to)


def no_identity(problems: tuple[SignalProblem, ...]) -> Outcome:
    """The refusal of a contribution that does not say which item it is."""
    return refused(
        error_reason_pb2.ERROR_REASON_NO_IDENTITY,
        "no good signal is left that says which item this is: give a sha256, an md5, a url_sha256 or a pdq of "
        "quality >= 50",
        problems,
    )
