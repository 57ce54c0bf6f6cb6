"""A process that reads PDFs for this one, and can be ended: a page can be made to keep its reader busy for ever.

::

    {"size", "pages_max", "seconds"} + the bytes  -->  {"page_count", "pages": [page | null]}
                                                       or {"error": message}
    page: [[pdq, quality, filled] of the page, the same of the page straightened | null, letters]

It is started when the first document comes and stays; one that hangs or dies is replaced. PDFium is not made for
threads, so documents take turns. What it says is checked: a reader that was taken over by its document says what it
likes.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import resource
import select
import subprocess  # starts this module, nothing else
import sys
import threading
import time
from typing import Any, Final

from hashpact.errors import HashpactError, UnreadableMediaError

MEMORY_BYTES_MAX: Final = 2_000_000_000
_START_S_MAX: Final = 120.0
_ANSWER_BYTES_MAX: Final = 64_000_000
_COMMAND: Final = (sys.executable, "-m", "hashpact.hashing.pdf_process")


class PdfProcess:
    """The one process of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self._unread = b""

    def read(self, data: bytes, *, pages_max: int, seconds_max: float) -> dict[str, Any]:
        """What it says about a document.

        Raises:
            UnreadableMediaError: it cannot be read, or took too long; without a name in front.
        """
        with self._lock:
            try:
                self._start()
                until = time.monotonic() + seconds_max
                asked = {"size": len(data), "pages_max": pages_max, "seconds": seconds_max}
                with contextlib.suppress(BrokenPipeError):  # it died: reading says so
                    self._pipe_to().write(json.dumps(asked).encode() + b"\n" + data)
                    self._pipe_to().flush()
                told = self._line(until)
            except TimeoutError as error:
                self.end()
                raise UnreadableMediaError(
                    f"takes longer than {seconds_max:g} s (seconds_max): give its first pages only"
                ) from error
            except (OSError, ValueError) as error:
                self.end()
                raise UnreadableMediaError(
                    "the process that reads documents died of it: print it into a new file"
                ) from error
            except BaseException:  # an interrupt: its answer would be taken for that to the next document
                self.end()
                raise
        if "error" in told:
            raise UnreadableMediaError(str(told["error"])[:1000])
        return told

    def _start(self) -> None:
        if self._owner != os.getpid():  # after a fork it is our parent's
            self._process, self._owner = None, os.getpid()
        if self._process is not None and self._process.poll() is None:
            return
        self._unread = b""
        self._process = subprocess.Popen(  # noqa: S603  # as above
            _COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
        )
        if self._line(time.monotonic() + _START_S_MAX) != {"ready": True}:
            raise ValueError("it did not start")

    def _pipe_to(self) -> Any:
        return self._process.stdin if self._process else None

    def _line(self, until: float) -> dict[str, Any]:
        """The next line, in time."""
        assert self._process is not None  # noqa: S101  # started
        assert self._process.stdout is not None  # noqa: S101  # asked for
        handle = self._process.stdout.fileno()
        while b"\n" not in self._unread:
            ready, _, _ = select.select([handle], [], [], max(0.0, until - time.monotonic()))
            if not ready:
                raise TimeoutError
            block = os.read(handle, 1 << 20)
            self._unread += block
            if not block or len(self._unread) > _ANSWER_BYTES_MAX:
                raise ValueError("it ended, or talks without end")
        line, _, self._unread = self._unread.partition(b"\n")
        told = json.loads(line)
        if not isinstance(told, dict):
            raise ValueError("not an answer")
        return told

    def end(self) -> None:
        """End it; the next document starts another."""
        process, self._process = self._process, None
        if process is None or self._owner != os.getpid():
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                pipe.close()  # type: ignore[union-attr]  # both were asked for


PDF_PROCESS: Final = PdfProcess()
atexit.register(PDF_PROCESS.end)


def main() -> None:
    """The process: works until standard input ends."""
    # What PDFium prints must not be taken for an answer.
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
    from hashpact.hashing.pdf import read_pages  # noqa: PLC0415  # after the limits

    out.write(b'{"ready": true}\n')
    while line := sys.stdin.buffer.readline():
        asked = json.loads(line)
        data = sys.stdin.buffer.read(asked["size"])
        used = resource.getrusage(resource.RUSAGE_SELF)
        # An orphan that hangs ends by itself.
        soft = int(used.ru_utime + used.ru_stime + asked["seconds"]) + 2
        resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.getrlimit(resource.RLIMIT_CPU)[1]))
        told: dict[str, Any]
        try:
            count, pages = read_pages(data, asked["pages_max"])
            told = {
                "page_count": count,
                "pages": [page and page.told() for page in pages],
            }
        except HashpactError as error:
            told = {"error": error.message}
        except MemoryError:
            told = {"error": "needs more memory than a document may have: give its first pages only"}
        out.write(json.dumps(told).encode() + b"\n")


if __name__ == "__main__":
    main()
