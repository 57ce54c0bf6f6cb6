"""A forum that several tests copy, kill and damage."""

from __future__ import annotations

import pytest

from tests.fault.killing import make_forum
from tests.integration.harness import Forum


@pytest.fixture(scope="session")
def four_writers(tmp_path_factory: pytest.TempPathFactory) -> Forum:
    """A forum with three contributors and its steward; tests work on copies of it."""
    return make_forum(tmp_path_factory.mktemp("four-writers") / "data")
