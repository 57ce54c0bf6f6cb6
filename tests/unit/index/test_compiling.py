"""Kernels compile on demand, use the cache they are given, and do without one."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

KERNEL = """
from numba import types
from hashpact_server.index.compiling import kernel, warm

@kernel(types.int64)
def doubled(number: int) -> int:
    return number * 2
"""
USE = "import tiny; tiny.warm(); print(tiny.doubled(2), sum(tiny.doubled._call.stats.cache_hits.values()))"


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A module with one small kernel: the package's own take seconds to compile."""
    (tmp_path / "tiny.py").write_text(KERNEL)
    return tmp_path


def run(code: str, **environment: str) -> str:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA")}
    paths = [environment.get("PYTHONPATH", ""), clean.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**clean, **environment},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_import_compiles_nothing(tmp_path: Path) -> None:
    run("import hashpact_server.index", NUMBA_CACHE_DIR=str(tmp_path))
    assert list(tmp_path.rglob("*.nb?")) == []


def compiled(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.nb[ci]"))


def test_warm_fills_the_cache_and_a_second_process_uses_it(tiny: Path) -> None:
    places = {"PYTHONPATH": str(tiny), "NUMBA_CACHE_DIR": str(tiny / "cache")}
    code = "import hashpact_server.index.compiling as c; c._KERNELS.clear();" + USE
    assert run(code, **places) == "4 0"
    assert len(compiled(tiny / "cache")) == 2
    assert run(code, **places) == "4 1"


def test_works_where_no_cache_can_be_written(tiny: Path) -> None:
    """What numba does on a read-only installation without NUMBA_CACHE_DIR: it finds no place and raises."""
    code = "from numba.core import caching; caching.CompileResultCacheImpl._locator_classes = [];"
    code += "import tiny; print(tiny.doubled(2))"
    assert run(code, PYTHONPATH=str(tiny)) == "4"
    assert compiled(tiny) == []


def test_works_where_writing_the_cache_fails(tiny: Path) -> None:
    code = """
    def full(*_):
        raise OSError(28, "No space left on device")
    from numba.core import caching
    caching.IndexDataCacheFile.save = full
    import tiny
    print(tiny.doubled(2))
    """
    assert run(code, PYTHONPATH=str(tiny)) == "4"
    assert compiled(tiny) == []


TELL = "import hashpact_server.index.compiling as c; c._KERNELS.clear(); import tiny; w = tiny.warm();"
TELL += "print(tiny.doubled(2), w.count, w.compiled, w.unkept)"


def test_another_processor_gets_kernels_of_its_own(tiny: Path) -> None:
    places = {"PYTHONPATH": str(tiny), "NUMBA_CACHE_DIR": str(tiny / "cache")}
    assert run(TELL, **places) == "4 1 1 0"
    assert run(TELL, **places, NUMBA_CPU_NAME="generic", NUMBA_CPU_FEATURES="") == "4 1 1 0"
    assert run(TELL, **places) == "4 1 0 0"
    assert run(TELL, **places, NUMBA_CPU_NAME="generic", NUMBA_CPU_FEATURES="") == "4 1 0 0"


def test_a_changed_kernel_replaces_what_was_kept(tiny: Path) -> None:
    places = {"PYTHONPATH": str(tiny), "NUMBA_CACHE_DIR": str(tiny / "cache"), "PYTHONDONTWRITEBYTECODE": "1"}
    assert run(TELL, **places) == "4 1 1 0"
    (tiny / "tiny.py").write_text(KERNEL.replace("number * 2", "number * 3"))
    assert run(TELL, **places) == "6 1 1 0"
    assert len(compiled(tiny / "cache")) == 2


@pytest.mark.parametrize("ending", ["nbi", "nbc"])
@pytest.mark.parametrize("keep", [0, 100, 0.5])
def test_a_damaged_cache_is_done_without(tiny: Path, ending: str, keep: float) -> None:
    """A power cut may leave files that are empty or cut short."""
    places = {"PYTHONPATH": str(tiny), "NUMBA_CACHE_DIR": str(tiny / "cache")}
    run(TELL, **places)
    (file,) = (tiny / "cache").rglob(f"*.{ending}")
    content = file.read_bytes()
    file.write_bytes(content[: int(keep if keep >= 1 else keep * len(content))])
    assert run(TELL, **places) in {"4 1 0 1", "4 1 1 0"}


def test_a_fault_of_the_kernel_itself_is_raised(tiny: Path) -> None:
    """Doing without a cache must not swallow a kernel that cannot be compiled."""
    (tiny / "tiny.py").write_text(KERNEL.replace("number * 2", "number.nothing"))
    code = "import numba, tiny\ntry: tiny.doubled(2)\nexcept numba.errors.TypingError: print('raised')"
    assert run(code, PYTHONPATH=str(tiny), NUMBA_CACHE_DIR=str(tiny)) == "raised"


def test_kernels_stay_within_their_arrays(tmp_path: Path) -> None:
    """numba checks no bounds unless told so: here it is told, in a process and a cache of its own."""
    code = """
    import numpy as np
    from hashpact_server.index import LinearIndex, MultiIndex, plans
    plans.SCAN_ALONE_NS = 1e9  # one query alone goes through the tables
    for bits in (64, 128, 256):
        for index in (LinearIndex(bits), MultiIndex(bits)):
            for size in (1, 511, 513, 700):
                ids = np.arange(size, dtype=np.uint64) + np.uint64(10**6 * size)
                index.add(ids, np.zeros((size, bits // 8), np.uint8))
                index.remove(ids[:1])
                for queries in (1, 8, 9):
                    asked = np.zeros((queries, bits // 8), np.uint8)
                    index.range_search(asked, 31)
                    index.range_search(asked | np.uint8(255), bits)
                getattr(index, "seal", int)()
    print(len(index))
    """
    assert run(code, NUMBA_BOUNDSCHECK="1", NUMBA_CACHE_DIR=str(tmp_path)) == str(1 + 511 + 513 + 700 - 4)
