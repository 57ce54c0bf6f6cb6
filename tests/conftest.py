"""For every test: where compiled kernels are kept between runs, as in the Makefile, so that they compile once."""

from __future__ import annotations

import os
import sys
from pathlib import Path

# Before anything imports numba, which reads the variable once; servers that tests start inherit it.
os.environ.setdefault("NUMBA_CACHE_DIR", str(Path(sys.prefix) / "numba-cache"))
