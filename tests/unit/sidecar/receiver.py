"""A webhook's receiver that does as it is told, and verifies as the documents say."""

from __future__ import annotations

import asyncio
import json
import re
import struct
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Self

from tests.repository import ROOT


def snippet(language: str) -> str:
    """The function that the documents give to receivers."""
    found = re.search(
        rf"```{language}\n(.*?)^```", (ROOT / "docs" / "webhooks.md").read_text(), re.MULTILINE | re.DOTALL
    )
    assert found
    return found[1]


def documented_verify() -> Callable[..., None]:
    """The one for Python."""
    names: dict[str, Any] = {}
    exec(snippet("python"), names)
    verify: Callable[..., None] = names["verify"]
    return verify


@dataclass(frozen=True)
class Delivery:
    """What came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def event(self) -> dict[str, Any]:
        read: dict[str, Any] = json.loads(self.body)
        return read


OK = b"HTTP/1.1 204 No Content\r\n\r\n"
ERROR = b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"
MOVED = b"HTTP/1.1 307 Moved\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
ENDLESS = b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n" + bytes(1 << 20)
OPEN_ENDED = b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"
RESET = b"reset"
HANG = b"hang"


class Receiver:
    """Listens on a port of this machine; answers as ``answer(delivery)`` says, in bytes."""

    def __init__(self, answer: Callable[[Delivery], bytes] = lambda _: OK) -> None:
        self.answer = answer
        self.came: list[Delivery] = []
        self.more = asyncio.Condition()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        self._stack.callback(server.close)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?key=of-the-receiver"

    async def until(self, done: Callable[[list[Delivery]], bool]) -> None:
        """Wait until enough came."""
        async with self.more, asyncio.timeout(60):
            await self.more.wait_for(lambda: done(self.came))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:-2])}
                delivery = Delivery(
                    head[0].split()[1], headers, await reader.readexactly(int(headers["content-length"]))
                )
                answer = self.answer(delivery)
                async with self.more:
                    self.came.append(delivery)
                    self.more.notify_all()
                if answer == HANG:
                    await reader.read()
                    return
                if answer == RESET:
                    socket = writer.get_extra_info("socket")
                    socket.setsockopt(1, 13, struct.pack("ii", 1, 0))  # SO_LINGER 0: close sends a reset
                    return
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.close()
