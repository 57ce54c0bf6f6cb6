"""Reading what may be damaged, in a process of its own.

LMDB trusts its pages: where one of them points into the void, reading on ends the process (SIGBUS, SIGSEGV, or SIGABRT
from an assertion), and no ``except`` helps. Offline checks are for exactly such files, so they read them apart, and a
process that died of it is an answer.
"""

from __future__ import annotations

import faulthandler
import os
import pickle
import signal
from collections.abc import Callable
from pathlib import Path

from hashpact_server.ledger.store import StoreError
from hashpact_server.replay import Report


def run_apart(check: Callable[[Path], Report], data_dir: Path) -> Report:
    """The report of an offline check, made in a child process; to be called while this one has a single thread.

    Raises:
        StoreError: as ``check`` does.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _answer(check, data_dir, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answered = pipe.read()
    _, status = os.waitpid(child, 0)
    if code := os.waitstatus_to_exitcode(status):
        report = Report()
        how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        report.say(f"the store is damaged: reading it ended the process ({how}); restore it from a backup")
        return report
    # From our own child, over a pipe that nobody else has.
    found: Report | str = pickle.loads(answered)  # noqa: S301 - see above
    if isinstance(found, str):
        raise StoreError(found)
    return found


def _answer(check: Callable[[Path], Report], data_dir: Path, writing: int) -> None:
    code = 1
    try:
        # LMDB tells its failed assertions to stderr, and Python where it died, in words that help nobody here.
        faulthandler.disable()
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        try:
            found: Report | str = check(data_dir)
        except StoreError as error:
            found = str(error)
        except Exception as error:  # noqa: BLE001 - a bug of ours; a traceback tells an operator nothing
            found = Report()
            found.say(f"the check broke off ({type(error).__name__}): the store may be damaged; please report this")
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(pickle.dumps(found))
        code = 0
    finally:
        os._exit(code)
