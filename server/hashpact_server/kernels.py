"""Where compiled kernels are kept: one folder per version of their source, so that none is run that an older one left.

::

    DIR/numba-cache/kernels-<digest of the index package, its path and the interpreter>/...    numba's own files

numba itself tells processors, its own versions and changes of a kernel's file apart, but not changes of the files that
a kernel takes parts from. An upgrade, or another place of installation, gets a new folder, and the old ones go.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
import sys
from functools import cache
from pathlib import Path
from typing import Final

from hashpact_server.datadir import DataDirectory
from hashpact_server.trouble import Trouble

_VARIABLE: Final = "NUMBA_CACHE_DIR"
_SOURCE: Final = Path(__file__).resolve().parent / "index"
_OURS: Final = re.compile(r"kernels-[0-9a-f]{16}|index_[0-9a-f]{40}")  # the second: numba's, before there were stamps


def place(data: DataDirectory) -> Path:
    """The folder that this version keeps its kernels in; below the operator's own where ``NUMBA_CACHE_DIR`` is set."""
    parent = Path(os.environ.get(_VARIABLE) or data.kernel_cache).absolute()
    return parent if parent.name == _stamp() else parent / _stamp()


def point(data: DataDirectory) -> None:
    """Tell numba, which reads the variable once: before anything imports it. Makes nothing."""
    os.environ[_VARIABLE] = str(place(data))


def prepare(data: DataDirectory) -> None:
    """Make the folder, remove those of other versions, and tell numba.

    A folder that cannot be made is no reason not to serve: kernels are then compiled at every start.

    Raises:
        Trouble: others can write the kernels that we would run.
    """
    if not os.environ.get(_VARIABLE):
        try:
            data.kernel_cache.mkdir(mode=0o700, exist_ok=True)
            found = data.kernel_cache.stat()
        except OSError:
            found = None
        if found is not None and (found.st_uid not in (os.geteuid(), 0) or found.st_mode & stat.S_IWOTH):
            # numba unpickles what it finds there and runs it.
            raise Trouble(
                f"{data.kernel_cache} holds code that we would run, and others can write it:"
                f" remove it (rm -r {data.kernel_cache}), it is made anew"
            )
        _remove_others(data.kernel_cache)
    point(data)


def _remove_others(parent: Path) -> None:
    try:
        others = [each for each in parent.iterdir() if _OURS.fullmatch(each.name) and each.name != _stamp()]
    except OSError:
        return
    for each in others:
        shutil.rmtree(each, ignore_errors=True)


@cache
def _stamp() -> str:
    digest = hashlib.sha256(f"{_SOURCE}\0{sys.implementation.cache_tag}".encode())
    for path in sorted(_SOURCE.glob("*.py")):
        content = path.read_bytes()
        digest.update(f"\0{path.name}\0{len(content)}\0".encode() + content)
    return f"kernels-{digest.hexdigest()[:16]}"
