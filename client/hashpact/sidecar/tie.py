"""A process that ends with the one that started it, also when that one is killed, and that shows others nothing.

``python -m hashpact.sidecar.tie PID MODULE ...`` ties itself to its parent and runs the module: the tie is the kernel's
and stays (prctl(2), PR_SET_PDEATHSIG). A function that runs between fork and exec would do the same, but is not safe
in a process with threads. It becomes no other program, since exec would undo what :func:`keep_to_itself` did.
"""

from __future__ import annotations

import ctypes
import os
import runpy
import signal
import sys
from typing import Final

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4


def die_with_parent(parent: int, number: int) -> None:
    """Ask the kernel for a signal when the parent ends.

    Args:
        parent: process id that the parent must have: it may have ended before we could ask.
        number: the signal.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0) != 0 or os.getppid() != parent:
        os._exit(1)


def keep_to_itself() -> None:
    """Let no other process of this user read our memory and environment, where the token is (PR_SET_DUMPABLE).

    Those that root runs, or that have CAP_SYS_PTRACE, still can. A process that we start begins without it.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        os._exit(1)


def main() -> None:
    """Tie, and run the module."""
    keep_to_itself()
    die_with_parent(int(sys.argv[1]), signal.SIGTERM)
    module = sys.argv[2]
    del sys.argv[1:3]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
