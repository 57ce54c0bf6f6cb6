"""Hashes of video frames against the published ones of every frame; prints its table with ``pytest -s``."""

from __future__ import annotations

from tests.conformance import vpdq_table
from tests.data import shared_data


def test_published_hashes_of_every_frame() -> None:
    measured = vpdq_table.rows(shared_data("vpdq", "videos").parents[1])
    print(vpdq_table.markdown(measured))
    assert len(measured) >= 7
    for row in measured:
        assert row.ours == row.frames, row.name
        assert max(row.distances) <= 31, row.name
        assert row.quality_off <= 1, row.name
        assert row.time_off_s < 0.01, row.name
