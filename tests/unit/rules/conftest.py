from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.forum import Forum, forum_in
from tests.unit.rules.judging import Judging


@pytest.fixture
def forum(tmp_path: Path) -> Iterator[Forum]:
    with forum_in(tmp_path) as made:
        yield made


@pytest.fixture
def judging(forum: Forum) -> Judging:
    return Judging(forum)
