"""Logs: one JSON object per line on stderr, or lines for people when stderr is a terminal.

What may be logged is decided here, since hash values, tokens and what a request contained must never be: an event
is a fixed text with named fields, and an unexpected exception is logged by its type and where it happened, without
its message, which might quote what it stumbled over.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import TextIO

ROOT = "hashpact_server"


def event(logger: logging.Logger, level: int, text: str, **fields: object) -> None:
    """Log an event.

    Args:
        logger: where.
        level: how severe.
        text: what happened; always the same words for the same event.
        fields: what is known of it; values that JSON knows.
    """
    if logger.isEnabledFor(level):
        logger.log(level, "%s", text, extra={"fields": fields})


def where(error: BaseException) -> list[str]:
    """An exception and its causes as lines: type, file, line, function; never messages or values."""
    lines: list[str] = []
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        lines.append(f"{type(current).__module__}.{type(current).__qualname__}")
        lines += [
            f"  {frame.filename}:{frame.lineno} in {frame.name}"
            for frame in traceback.extract_tb(current.__traceback__)
        ]
        current = current.__cause__ or current.__context__
    return lines


class JsonFormatter(logging.Formatter):
    """One JSON object per record: time, level, logger, event, and the event's fields."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, object] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        line.update(_fields(record))
        return json.dumps(line, default=str)


class PeopleFormatter(logging.Formatter):
    """``12:04:05.678 INFO  event key=value``; an exception's lines follow, indented."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        fields = _fields(record)
        trace = fields.pop("where", [])
        # Values are written as JSON, so that one from outside cannot start a line of its own.
        shown = "".join(f" {key}={json.dumps(value, default=str)}" for key, value in fields.items())
        head = f"{_time(record)[11:23]} {record.levelname:<7} {record.getMessage()}{shown}"
        return "\n    ".join([head, *trace]) if isinstance(trace, list) else head


def _fields(record: logging.LogRecord) -> dict[str, object]:
    fields: dict[str, object] = dict(getattr(record, "fields", {}))
    if record.exc_info and record.exc_info[1] is not None:
        fields["where"] = where(record.exc_info[1])
    return fields


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def setup(level: str, stream: TextIO | None = None) -> None:
    """Send everything that is logged in this process to ``stream`` (stderr), in the form that fits it."""
    out = stream or sys.stderr
    handler = logging.StreamHandler(out)
    handler.setFormatter(PeopleFormatter() if out.isatty() else JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger(ROOT).setLevel(level.upper())
    # What grpc logs by itself may quote a request or an exception of ours; what matters of it we log.
    logging.getLogger("grpc").setLevel(logging.CRITICAL)
    logging.captureWarnings(True)
    threading.excepthook = _thread_failed
    sys.excepthook = _process_failed


def _thread_failed(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is not None and args.exc_type is not SystemExit:
        name = args.thread.name if args.thread else ""
        event(_LOGGER, logging.ERROR, "thread failed", thread=name, where=where(args.exc_value))


def _process_failed(kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        event(_LOGGER, logging.CRITICAL, "process failed", where=where(error))


class Sampler:
    """Lets a number of lines per second through and counts the others, so that a flood of calls is no flood of lines.

    Args:
        per_s_max: lines per second; a second's worth may come at once.
        clock: seconds.
    """

    def __init__(self, per_s_max: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = per_s_max
        self._clock = clock
        self._lock = threading.Lock()
        self._left = float(per_s_max)
        self._at = clock()
        self._suppressed = 0

    def take(self) -> int | None:
        """None: leave this line out. Otherwise: how many were left out since the last that was written."""
        with self._lock:
            now = self._clock()
            self._left = min(float(self._rate), self._left + (now - self._at) * self._rate)
            self._at = now
            if self._left < 1:
                self._suppressed += 1
                return None
            self._left -= 1
            suppressed, self._suppressed = self._suppressed, 0
            return suppressed


_LOGGER = logging.getLogger(f"{ROOT}.logs")
