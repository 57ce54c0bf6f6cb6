"""For every test: where compiled kernels are kept between runs, and what chance may do.

On a developer's machine randomised tests look somewhere new in each run, and print their seed. In CI (``CI`` is set)
they look where they looked before: a submission is judged by what it changes, not by luck.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from hashpact_server import kernels
from hashpact_server.datadir import DataDirectory
from hypothesis import settings

from tests.data import IN_CI

# As in the Makefile. Before anything imports numba, which reads the variable once; servers that tests start inherit it.
os.environ.setdefault("NUMBA_CACHE_DIR", str(Path(sys.prefix) / "numba-cache"))
kernels.point(DataDirectory(Path(sys.prefix)))  # the same folder as theirs; it tells versions of the kernels apart

settings.register_profile("repeatable", derandomize=True)
if IN_CI:
    settings.load_profile("repeatable")
