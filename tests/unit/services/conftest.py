from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.forum import Forum, forum_in


@pytest.fixture
def forum(tmp_path: Path) -> Iterator[Forum]:
    with forum_in(tmp_path) as made:
        yield made
