"""How far the sidecar's streams were taken care of: written down, and read back after whatever happened to it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hashpact.sidecar.afterwards import _read, _write


@pytest.mark.parametrize("left", [b"", b"\0\0\0\0", b"\xff", b"half a position"])
def test_what_a_power_cut_left_of_a_position_is_none(tmp_path: Path, left: bytes) -> None:
    place = tmp_path / "retro.position"
    assert _read(place) == ""
    _write(place, "NzkjiQ0zWg4BAAAAAAAAAAA")
    assert _read(place) == "NzkjiQ0zWg4BAAAAAAAAAAA"
    place.write_bytes(left)
    assert _read(place) == ""
