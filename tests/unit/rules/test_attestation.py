"""How a member knows: what is accepted, and which of two statements stands."""

from __future__ import annotations

import itertools

import pytest
from hashpact.v1 import error_reason_pb2 as reasons
from hashpact_server.refusal import Refusal
from hashpact_server.rules.attestation import FUTURE_MS_MAX, Attestation, check_time, clean_attestation, raises
from hashpact_server.state.rows import Basis

SENDABLE = [basis for basis in Basis if basis is not Basis.REDACTED]


@pytest.mark.parametrize("basis", SENDABLE)
def test_every_basis(basis: Basis) -> None:
    assert clean_attestation(Attestation(basis, 5, " reviewer ")) == Attestation(basis, 5, "reviewer")


@pytest.mark.parametrize("sent", [None, Attestation(0), Attestation(5), Attestation(-1), Attestation(999)])
def test_missing(sent: Attestation | None) -> None:
    with pytest.raises(Refusal) as refused:
        clean_attestation(sent)
    assert refused.value.reason == reasons.ERROR_REASON_ATTESTATION_MISSING


@pytest.mark.parametrize(
    "sent", [Attestation(1, -1), Attestation(1, 0, "x" * 65), Attestation(1, 0, "a\nb"), Attestation(1, 0, "a\x1b[2J")]
)
def test_bad_fields(sent: Attestation) -> None:
    with pytest.raises(Refusal) as refused:
        clean_attestation(sent)
    assert refused.value.reason == reasons.ERROR_REASON_FIELD_INVALID
    assert refused.value.violations


def test_longest_role_and_other_alphabets() -> None:
    assert clean_attestation(Attestation(1, 0, "ж" * 64)).observer_role == "ж" * 64


def test_time_may_run_ahead_by_five_minutes() -> None:
    check_time(Attestation(1, 1_000 + FUTURE_MS_MAX), 1_000)
    with pytest.raises(Refusal):
        check_time(Attestation(1, 1_001 + FUTURE_MS_MAX), 1_000)


RAISES = {
    (Basis.IMPORT, Basis.AUTOMATIC),
    (Basis.IMPORT, Basis.PERSON_LOOKED),
    (Basis.AUTOMATIC, Basis.PERSON_LOOKED),
    *((Basis.REDACTED, new) for new in SENDABLE),
}


@pytest.mark.parametrize(("old", "new"), list(itertools.product(Basis, SENDABLE)))
def test_which_statement_stands(old: Basis, new: Basis) -> None:
    assert raises(old, new) == ((old, new) in RAISES)
