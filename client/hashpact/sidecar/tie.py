"""A process that ends with the one that started it, also when that one is killed.

``python -m hashpact.sidecar.tie PID COMMAND...`` ties itself to its parent and becomes the command: the tie is the
kernel's and stays (prctl(2), PR_SET_PDEATHSIG). A function that runs between fork and exec would do the same, but
is not safe in a process with threads.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import Final

_PR_SET_PDEATHSIG: Final = 1


def die_with_parent(parent: int, number: int) -> None:
    """Ask the kernel for a signal when the parent ends.

    Args:
        parent: process id that the parent must have: it may have ended before we could ask.
        number: the signal.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0) != 0 or os.getppid() != parent:
        os._exit(1)


def main() -> None:
    """Tie, and become the command."""
    die_with_parent(int(sys.argv[1]), signal.SIGTERM)
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606  # the sidecar's own command line, without a shell


if __name__ == "__main__":
    main()
