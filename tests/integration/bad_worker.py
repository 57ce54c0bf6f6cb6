"""A decoding process with a decoder that dies in every way that one can, as the uploaded bytes say."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from pathlib import Path

from hashpact.modes import Mode
from hashpact.sidecar import worker
from hashpact.signals import ImageSignals

_REAL = worker.hash_file


def hash_file(path: Path, *, mode: Mode, listing: bool) -> ImageSignals:
    word = path.read_bytes()[:20]
    if word == b"kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if word == b"segv":
        ctypes.string_at(0)
    if word == b"exit":
        os._exit(0)
    if word == b"memory":
        held = []
        while True:
            held.append(bytearray(16 << 20))
    if word == b"sleep":
        time.sleep(10**6)
    while word == b"spin":
        pass
    if word in LINES:
        os.write(ANSWERS, LINES[word])
        time.sleep(10**6)
    return _REAL(path, mode=mode, listing=listing)


LINES = {
    b"garbage": b"\xff\xfe no JSON\n",
    b"forged": b'{"signals": {"pdq": "00"}}\n',
    b"error": b'{"error": 7}\n',
}

# The real pipe of answers, as code that took the process over would find it.
ANSWERS = os.dup(1)
worker.hash_file = hash_file
sys.argv[0] = "worker"
worker.main()
