"""Log lines as JSON on standard error, as the server's: an event and its fields, never media, hashes or tokens."""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
import traceback
from datetime import UTC, datetime
from typing import Any, Final

LOGGER: Final = logging.getLogger("hashpact.sidecar")


class _Lines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        fields = getattr(record, "fields", {})
        line = {
            "time": datetime.fromtimestamp(record.created, UTC)
            .isoformat(timespec="milliseconds")
            .replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **fields,
        }
        if record.exc_info and record.exc_info[0] is not None:
            # Its text may hold anything that was in a request.
            line["error"] = record.exc_info[0].__name__
        return json.dumps(line)


def setup(level: str) -> None:
    """Send every line of this process to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    LOGGER.setLevel(level.upper())


def event(level: int, name: str, **fields: Any) -> None:
    """One line."""
    LOGGER.log(level, name, extra={"fields": fields})


def where(error: BaseException) -> list[str]:
    """An exception as lines: type, file, line, function; never its message, which may quote what it stumbled over."""
    frames = traceback.extract_tb(error.__traceback__)
    return [type(error).__qualname__, *(f"{frame.filename}:{frame.lineno} in {frame.name}" for frame in frames)]


def forward(line: bytes) -> None:
    """A line that the local server wrote, which has this form already."""
    sys.stderr.write(line.decode(errors="replace"))
    sys.stderr.flush()


def notify(state: str) -> None:
    """Tell systemd, where it listens (sd_notify(3)). Never fails: a supervisor is a courtesy."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    name = "\0" + address[1:] if address[0] == "@" else address
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.connect(name)
            out.sendall(state.encode())
    except OSError:
        return
