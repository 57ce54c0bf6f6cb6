"""Fixtures: a forum made once by the command line, copies of it, and servers on them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.harness import Forum, ServerInside, ServerProcess


@pytest.fixture(scope="session")
def made_forum(tmp_path_factory: pytest.TempPathFactory) -> Forum:
    """The forum that all others are copies of; nobody serves it."""
    return Forum.make(tmp_path_factory.mktemp("forum") / "data")


@pytest.fixture
def forum(made_forum: Forum, tmp_path: Path) -> Forum:
    """A forum of the test's own: steward, ``acme`` (check), ``alpha`` (contribute, check)."""
    return made_forum.copy(tmp_path / "data")


@pytest.fixture
def server(forum: Forum) -> Iterator[ServerProcess]:
    """``hashpact-server serve`` on the forum, ready."""
    with ServerProcess(forum) as running:
        yield running.ready()


@pytest.fixture
def inside(forum: Forum) -> Iterator[ServerInside]:
    """The same server in this process."""
    with ServerInside(forum) as running:
        yield running


@pytest.fixture
def new_pdq() -> Callable[[], bytes]:
    """Makes PDQ values that are far from each other: seeded, so that a failure can be seen again."""
    source = random.Random(20_240_611)
    return lambda: source.randbytes(32)
