"""The story of an incident, with few variants: on a real hub with replicas, by the real commands."""

from __future__ import annotations

import pytest

from tests.demo.incident import tell


def test_the_story_holds(capsys: pytest.CaptureFixture[str]) -> None:
    code = tell(count=4, lawful=10, swift=False)
    assert code == 0, capsys.readouterr().out
