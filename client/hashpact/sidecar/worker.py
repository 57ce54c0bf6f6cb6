"""One decoding process: paths of spooled uploads come in by standard input, signals go out, one JSON line each.

::

    {"path": ".../spool/x", "mode": "standard", "listing": false}  -->  {"signals": {...}}
                                                                   or  {"error": {"reason", "message"}}

It is given no token, no secret and no list. A decoder that crashes or hangs takes only this process with it. One that
was taken over is a program of the sidecar's user all the same (docs/sidecar.md says what it can); what it says is
checked.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from hashpact.errors import HashpactError
from hashpact.modes import Mode, require_mode
from hashpact.sidecar.signals_json import signals_to_json
from hashpact.sidecar.tie import die_with_parent, keep_to_itself
from hashpact.signals import ImageSignals

OUT_OF_MEMORY: Final = "DECODER_OUT_OF_MEMORY"
_FILES_MAX: Final = 64
_MESSAGE_CHARACTERS_MAX: Final = 1000


def hash_file(path: Path, *, mode: Mode, listing: bool) -> ImageSignals:
    """Hash one file, as bytes: a message says "picture", not the name in the spool."""
    from hashpact.hashing import DEFAULT_LIMITS, hash_image  # noqa: PLC0415  # after the limits of memory
    from hashpact.hashing.source import read_file  # noqa: PLC0415  # as above

    return hash_image(read_file(path, DEFAULT_LIMITS), dihedral=not listing, mode=mode, listing=listing)


def answer(line: bytes) -> dict[str, Any]:
    """The answer to one line."""
    asked = json.loads(line)
    try:
        signals = hash_file(Path(asked["path"]), mode=require_mode(asked["mode"]), listing=asked["listing"])
        return {"signals": signals_to_json(signals)}
    except HashpactError as error:
        reason = OUT_OF_MEMORY if isinstance(error.__cause__, MemoryError) else error.reason
        message = error.message
    except MemoryError:
        reason, message = OUT_OF_MEMORY, "picture: needs more memory than a decoding process may have"
    return {"error": {"reason": reason, "message": message[:_MESSAGE_CHARACTERS_MAX]}}


def limit(memory_bytes_max: int) -> None:
    """Take away what decoding does not need: memory beyond a bound, files to write, core dumps of people's pictures."""
    for what, most in (
        (resource.RLIMIT_DATA, memory_bytes_max),
        # Maps of files and of threads' stacks count here, so it is wider.
        (resource.RLIMIT_AS, 4 * memory_bytes_max),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, _FILES_MAX),
    ):
        hard = resource.getrlimit(what)[1]
        allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (allowed, allowed))


def more_cpu(seconds: float) -> None:
    """Let this process have so many seconds of processor time from now on; SIGXCPU ends it after that."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime + seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def main() -> None:
    """Work until standard input ends. Arguments: the parent's process id, memory in bytes, seconds per picture."""
    parent, memory_bytes_max, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    keep_to_itself()  # the others have pictures of other people
    die_with_parent(parent, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    # What a decoder prints must not be taken for an answer.
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    limit(memory_bytes_max)
    import_module("hashpact.hashing.further")  # paid once, before the first picture
    out.write(b'{"ready": true}\n')
    for line in sys.stdin.buffer:
        more_cpu(seconds)
        told = answer(line)
        out.write(json.dumps(told).encode() + b"\n")
        if told.get("error", {}).get("reason") == OUT_OF_MEMORY:
            return  # its memory is in pieces: a new process begins with all of it


if __name__ == "__main__":
    main()
