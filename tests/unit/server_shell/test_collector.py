"""The collector rests in the block, and is afterwards as it was."""

from __future__ import annotations

import gc

import pytest
from hashpact_server.collector import resting


def fail_while_it_rests() -> None:
    with resting():
        assert not gc.isenabled()
        raise KeyError


@pytest.mark.parametrize("on", [True, False])
def test_it_rests_and_is_as_it_was(on: bool) -> None:
    before = gc.isenabled()
    (gc.enable if on else gc.disable)()
    try:
        with pytest.raises(KeyError):
            fail_while_it_rests()
        assert gc.isenabled() is on
    finally:
        (gc.enable if before else gc.disable)()
