"""Uploads on their way to the disk: what goes wrong there is said, and nothing stays."""

from __future__ import annotations

import asyncio
import resource
import signal
from pathlib import Path

import pytest
from hashpact.sidecar.actions import read_action
from hashpact.sidecar.refusals import RefusedError
from hashpact.sidecar.uploads import Spool
from starlette.requests import Request
from starlette.types import Message


def request(*pieces: bytes) -> Request:
    waiting = list(pieces)

    async def receive() -> Message:
        if not waiting:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": waiting.pop(0), "more_body": True}

    return Request({"type": "http", "method": "POST", "headers": [], "query_string": b""}, receive)


def refused(spool: Spool, asked: Request) -> tuple[int, str]:
    async def run() -> None:
        async with spool.receive(asked, frozenset()):
            raise AssertionError("taken in")

    with pytest.raises(RefusedError) as caught:
        asyncio.run(run())
    return caught.value.status, caught.value.reason


def test_a_disk_that_is_full_is_said(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", bytes_max=1 << 20, seconds=60, folders=[])
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        assert refused(spool, request(bytes(200_000))) == (503, "SPOOL_FAILED")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert not list((tmp_path / "spool").iterdir())


def test_a_caller_that_goes_away_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "spool").mkdir()
    (tmp_path / "spool" / "left").write_bytes(b"by one that was killed")
    spool = Spool(tmp_path / "spool", bytes_max=1 << 20, seconds=60, folders=[])
    assert not list((tmp_path / "spool").iterdir())
    assert (tmp_path / "spool").stat().st_mode & 0o077 == 0
    assert refused(spool, request(b"half of it")) == (400, "UPLOAD_CUT_SHORT")
    assert not list((tmp_path / "spool").iterdir())


def test_an_action_that_does_not_arrive_keeps_no_place() -> None:
    def asked_with(*pieces: bytes, then: float) -> Request:
        inner = request(*pieces).receive

        async def receive() -> Message:
            message = await inner()
            await asyncio.sleep(then if message["type"] == "http.disconnect" else 0)
            return message

        return Request({"type": "http", "method": "POST", "headers": [], "query_string": b""}, receive)

    for asked, status, reason in (
        (asked_with(b"{", then=3600), 408, "UPLOAD_TOO_SLOW"),
        (asked_with(b"{", then=0), 400, "UPLOAD_CUT_SHORT"),
    ):
        with pytest.raises(RefusedError) as caught:
            asyncio.run(read_action(asked, 0.2 if status == 408 else 60))
        assert (caught.value.status, caught.value.reason) == (status, reason)


def test_half_a_surrogate_pair_is_refused_where_it_comes_in() -> None:
    async def receive() -> Message:
        body = b'{"reference": "\\ud800", "action": "removed", "matches": [{"item": 1}]}'
        return {"type": "http.request", "body": body, "more_body": False}

    asked = Request({"type": "http", "method": "POST", "headers": [], "query_string": b""}, receive)
    with pytest.raises(RefusedError) as caught:
        asyncio.run(read_action(asked, 60))
    assert (caught.value.status, caught.value.reason) == (400, "JSON_INVALID")
