"""Log lines: one per event, in one piece, and nothing of what a request held."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator

import pytest
from hashpact_server import logs
from hashpact_server.logs import Sampler, event, where

SECRET = "5ec3e7" * 10
LOGGER = logging.getLogger("hashpact_server.test")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers[:], root.level, threading.excepthook, sys.excepthook
    levels = {name: logging.getLogger(name).level for name in ("hashpact_server", "grpc")}
    yield
    root.handlers[:], threading.excepthook, sys.excepthook = before[0], before[2], before[3]
    root.setLevel(before[1])
    logging.captureWarnings(False)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def stumble() -> None:
    dict[str, int]()[SECRET]


def fail() -> BaseException:
    try:
        try:
            stumble()
        except KeyError as error:
            raise ValueError(f"no {SECRET}") from error
    except ValueError as error:
        return error
    raise AssertionError


def test_an_exception_is_told_by_type_and_place_never_by_message() -> None:
    told = "\n".join(where(fail()))
    assert "builtins.ValueError" in told
    assert "builtins.KeyError" in told
    assert "in stumble" in told
    assert SECRET not in told


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()], ids=["json", "people"])
def test_no_form_shows_an_exceptions_message(stream: io.StringIO) -> None:
    logs.setup("info", stream)
    try:
        stumble()
    except KeyError:
        LOGGER.exception("it failed")
    threading.excepthook(threading.ExceptHookArgs((ValueError, fail(), None, threading.current_thread())))
    sys.excepthook(ValueError, ValueError(SECRET), None)
    text = stream.getvalue()
    assert "it failed" in text
    assert "in stumble" in text
    assert SECRET not in text


def test_json_lines_are_one_line_each_whatever_they_say() -> None:
    stream = io.StringIO()
    logs.setup("debug", stream)
    event(LOGGER, logging.DEBUG, "call", member='x\n{"event": "forged"}', ms=1.5)
    (line,) = stream.getvalue().splitlines()
    entry = json.loads(line)
    assert (entry["event"], entry["level"], entry["ms"]) == ("call", "debug", 1.5)
    assert entry["time"].endswith("Z")


def test_lines_for_people_cannot_be_forged_either() -> None:
    stream = Terminal()
    logs.setup("info", stream)
    event(LOGGER, logging.INFO, "call", member="x\nforged")
    event(LOGGER, logging.DEBUG, "not shown")
    (line,) = stream.getvalue().splitlines()
    assert 'call member="x\\nforged"' in line


def test_warnings_are_log_lines() -> None:
    stream = io.StringIO()
    logs.setup("info", stream)
    warnings.warn("old", stacklevel=1)
    assert json.loads(stream.getvalue())["logger"] == "py.warnings"


def test_the_sampler_lets_a_rate_through_and_counts_the_rest() -> None:
    now = 0.0
    sampler = Sampler(2, clock=lambda: now)
    assert [sampler.take() for _ in range(5)] == [0, 0, None, None, None]
    now = 0.5
    assert [sampler.take() for _ in range(2)] == [3, None]
    now = 100.0
    assert [sampler.take() for _ in range(3)] == [1, 0, None]
    assert Sampler(0).take() is None
