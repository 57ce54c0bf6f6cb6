"""PDQ against published reference values; prints its table with ``pytest -s``.

The implementations that published them disagree with each other by up to 12 bits, so that conformance is
a bound: 10 bits from the widely used binding, 16 from everybody.
"""

from __future__ import annotations

from functools import lru_cache

from hashpact.signals import PDQ_QUALITY_MIN

from tests.conformance import pdq_table
from tests.data import shared_data


@lru_cache(maxsize=1)
def rows() -> list[pdq_table.Row]:
    return pdq_table.reference_rows(shared_data("pdq_reference").parent)


@lru_cache(maxsize=1)
def reduced() -> list[pdq_table.Reduced]:
    return pdq_table.reduced_rows(shared_data("photos", "full").parents[1])


def test_reference_pictures() -> None:
    print(pdq_table.markdown(rows(), reduced()))
    good = [row for row in rows() if row.quality_binding >= PDQ_QUALITY_MIN]
    assert len(good) > 30
    assert [row for row in good if row.binding > 10] == []
    assert [row for row in good if row.dihedral_max > 10] == []
    assert [row for row in good if max(row.published.values(), default=0) > 16] == []


def test_quality_is_the_binding_s() -> None:
    assert [row for row in rows() if abs(row.quality - row.quality_binding) > 1] == []


def test_reduced_decoding_of_camera_photographs() -> None:
    assert len(reduced()) >= 10
    assert [row for row in reduced() if row.pdq > 10] == []
    assert [row for row in reduced() if row.phash > 4 or row.phash256 > 8] == []
