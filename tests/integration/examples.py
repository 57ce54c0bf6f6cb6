"""What the examples of docs/integrate.md are run with: each as a process, and stand-ins for what is not ours.

A stand-in for the sidecar is used only for what a real one cannot be made to do: to hang, and to advise ``act``, which
no list of this version does.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree as ET

import httpx

from tests.integration.harness import WAIT_S
from tests.repository import ROOT

FOLDER = ROOT / "docs" / "examples"
_PORT = re.compile(r"(?:listening on |http://127\.0\.0\.1:)(\d+)")


class Example:
    """An example as a process of its own; ends with the block."""

    def __init__(self, command: Sequence[str], uploads: Path, environment: Mapping[str, str]) -> None:
        self.uploads = uploads
        environment = {**os.environ, "UPLOADS": str(uploads), "PYTHONUNBUFFERED": "1", **environment}
        self._process = subprocess.Popen(
            command,
            cwd=FOLDER,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment | {"PYTHONDONTWRITEBYTECODE": "1"},
        )
        self.printed: list[str] = []
        self._listening = threading.Event()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        if not self._listening.wait(WAIT_S) or not self._ports():
            self.kill()
            raise AssertionError("".join(self.printed))
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self._ports()[0]}", timeout=WAIT_S, trust_env=False)

    def _ports(self) -> list[str]:
        return _PORT.findall("".join(self.printed))

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.printed.append(line)
            if self._ports():
                self._listening.set()
        self._listening.set()

    def names(self, folder: str) -> set[str]:
        """The files that it keeps in one of its folders."""
        return {path.name for path in (self.uploads / folder).iterdir() if not path.name.startswith(".")}

    def cases(self) -> list[dict[str, Any]]:
        """What it leaves for a person to decide."""
        return [json.loads((self.uploads / "cases" / name).read_text()) for name in sorted(self.names("cases"))]

    def until(self, come: Callable[[], Any]) -> None:
        """Wait for something that another process does."""
        waiting, left = threading.Event(), WAIT_S
        while not come():
            assert left > 0, "".join(self.printed)
            waiting.wait(0.02)
            left -= 0.02

    def kill(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait(WAIT_S)
        self._reader.join(WAIT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.http.close()
        self.kill()


class _Quiet(BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("content-length") or 0))

    def answer(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextlib.contextmanager
def _serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(WAIT_S)
        server.server_close()


def sidecar_that_says(answer: Mapping[str, Any]) -> contextlib.AbstractContextManager[str]:
    """A sidecar with one answer for every upload."""

    class Handler(_Quiet):
        def do_POST(self) -> None:
            self.body()
            self.answer(200, json.dumps(answer).encode())

    return _serving(Handler)


def sidecar_that_hangs() -> contextlib.AbstractContextManager[str]:
    """A sidecar whose answer comes byte by byte and never ends, so that no time limit between two bytes sees it."""

    class Handler(_Quiet):
        def do_POST(self) -> None:
            self.body()
            self.wfile.write(b"HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n")
            pause = threading.Event()
            with contextlib.suppress(OSError):
                while not pause.wait(0.05):
                    self.wfile.write(b" ")

    return _serving(Handler)


class Store:
    """A store that speaks GetObject and PutObjectTagging, and no more."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.tags: dict[str, dict[str, str]] = {}

    def serving(self) -> contextlib.AbstractContextManager[str]:
        """Serve it; gives its address."""
        store = self

        class Handler(_Quiet):
            def do_GET(self) -> None:
                data = store.objects.get(unquote(urlsplit(self.path).path))
                self.answer(404 if data is None else 200, data or b"")

            def do_PUT(self) -> None:
                split = urlsplit(self.path)
                known = unquote(split.path) in store.objects
                if split.query.partition("=")[0] != "tagging" or not known:
                    return self.answer(404)
                tree = ET.fromstring(self.body())
                texts = [node.text or "" for node in tree.iter() if node.tag.rpartition("}")[2] in ("Key", "Value")]
                store.tags[unquote(split.path)] = dict(zip(texts[::2], texts[1::2], strict=True))
                return self.answer(200)

        return _serving(Handler)


def created(bucket: str, key: str) -> dict[str, Any]:
    """The event that a store tells of a new object."""
    place = {"bucket": {"name": bucket}, "object": {"key": key}}
    return {"Records": [{"eventName": "s3:ObjectCreated:Put", "s3": place}]}


DJANGO = (
    "from wsgiref.simple_server import make_server; from upload_django import application; "
    "server = make_server('127.0.0.1', 0, application); print('listening on', server.server_port); "
    "server.serve_forever()"
)
FASTAPI = (sys.executable, "-m", "uvicorn", "upload_fastapi:app", "--port", "0")
COMMANDS: Mapping[str, Sequence[str]] = {
    "fastapi": FASTAPI,
    "django": (sys.executable, "-c", DJANGO),
    "node": ("node", "upload.mjs", "0"),
    "before_storage": (sys.executable, "before_storage.py", "0"),
}
