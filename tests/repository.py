"""The checkout itself, for tests that look at it."""

from __future__ import annotations

import subprocess
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


@cache
def project() -> dict[str, Any]:
    """``pyproject.toml``."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


@cache
def tracked_files() -> tuple[Path, ...]:
    """Every file under version control; outside of a clone, every file that is not made by a tool."""
    if (ROOT / ".git").exists():
        listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
        found = [ROOT / name for name in listing.split("\0") if name]
    else:
        roots = [".ci", "client", "docs", "proto", "server", "tests"]
        found = [path for root in roots for path in (ROOT / root).rglob("*") if "__pycache__" not in path.parts]
        found += ROOT.glob("*.*")
    return tuple(sorted(path for path in found if path.is_file()))


def documents() -> list[Path]:
    """The pages written for people."""
    return [path for path in tracked_files() if path.suffix == ".md"]
