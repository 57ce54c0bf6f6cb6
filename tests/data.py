"""Where the tests find real pictures, videos and reference hashes, which are never part of the repository."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

IN_CI = bool(os.environ.get("CI"))

_REPOSITORY = Path(__file__).resolve().parent.parent


def find_shared_data() -> Path | None:
    """The folder of real test data, or None: ``HASHPACT_SHARED_DATA``, else ``../shared/data`` beside the checkout."""
    override = os.environ.get("HASHPACT_SHARED_DATA")
    candidates = [Path(override)] if override else [_REPOSITORY.parent / "shared" / "data"]
    return next((path for path in candidates if path.is_dir()), None)


def shared_data(*parts: str) -> Path:
    """A file or folder of the real test data; skips the test where it is absent."""
    root = find_shared_data()
    if root is None:
        pytest.skip("real test data is absent: set HASHPACT_SHARED_DATA to its folder to run this test")
    path = root.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"real test data has no {'/'.join(parts)}")
    return path


def effort(count: int) -> int:
    """``count`` times ``HASHPACT_TEST_EFFORT`` (default 1): how many rounds or examples a randomised test runs."""
    return max(1, round(count * float(os.environ.get("HASHPACT_TEST_EFFORT", "1"))))


def run_seed(variable: str) -> int:
    """The seed of a randomised test: from the environment, else the same one in CI and a new one elsewhere."""
    named = int(os.environ.get(variable, "0"))
    return named or (20_261_122 if IN_CI else random.SystemRandom().randrange(1, 2**32))
