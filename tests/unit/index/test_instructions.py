"""The kernels become the vector instructions that they are written for."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

SHOW = """
from hashpact_server.index.kernel import scan_few
from hashpact_server.index.search_kernel import search_bodies
for kernel in (search_bodies, scan_few):
    print("kernel", *kernel.compile().inspect_asm().values())
"""


def processor_has(*features: str) -> bool:
    """Whether the first processor of a Linux machine has all of these, as /proc/cpuinfo names them."""
    try:
        flags = re.search("^flags.*$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        return False
    return flags is not None and set(features) <= set(flags[0].split())


@pytest.mark.skipif(
    not processor_has("avx512_bitalg", "avx512_vpopcntdq"), reason="this processor counts bits of one word at a time"
)
def test_bits_are_counted_by_vector_instructions(tmp_path: Path) -> None:
    # A cache of its own: code that comes from a cache cannot be shown.
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", SHOW], env=environment, capture_output=True, text=True, check=True)
    _, tables, scan = done.stdout.split("kernel ")
    assert "vpopcntw" in tables  # 16-bit words of the buckets' entries
    assert "vpopcntq" in tables  # one query alone against every row
    assert "vpopcntq" in scan
