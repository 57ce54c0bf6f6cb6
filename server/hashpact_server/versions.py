"""Which versions of what run here."""

from __future__ import annotations

import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version


@cache
def own() -> str:
    """Version of this software."""
    return version("hashpact")


def others() -> dict[str, str]:
    """Versions of what a server depends on, by name; "absent" where a part is not installed."""
    found = {"python": platform.python_version()}
    for name in ("grpcio", "protobuf", "lmdb", "numba", "numpy", "cryptography"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    return found
