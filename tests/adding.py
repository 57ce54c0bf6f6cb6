"""Packages that add signal types, as others would install them: folders with metadata, put on the path."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

TOY: Final = Path(__file__).parent / "plugins" / "toy"
"""Where ``toy_hashes`` is installed."""


def with_toy(*folders: Path) -> dict[str, str]:
    """The environment of a process in which the toy is installed, and what lies in other folders too."""
    path = os.pathsep.join([str(TOY), *map(str, folders), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": path.rstrip(os.pathsep)}
