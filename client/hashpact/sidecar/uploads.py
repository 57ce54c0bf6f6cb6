"""Uploads as they arrive: raw, in a form, or named by path; streamed to a file of our own, bounded in bytes and time.

A file and not memory: a hundred large uploads at once must not be a hundred times their size, and decoding processes
and the re-check queue take it from there by its name.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final

from starlette.datastructures import UploadFile
from starlette.requests import ClientDisconnect, Request

from hashpact.sidecar.folders import open_allowed
from hashpact.sidecar.refusals import RefusedError

FORM_BYTES_MAX: Final = 1 << 16
"""What a form or a JSON body may hold beside the file."""
FIELDS_MAX: Final = 64
FIELD_CHARACTERS_MAX: Final = 1024
_PIECE_BYTES: Final = 1 << 18


@dataclass(frozen=True, slots=True)
class Upload:
    """One upload.

    Attributes:
        path: the spooled file; gone when the request ends.
        fields: what was said about it: name -> values.
    """

    path: Path
    fields: Mapping[str, Sequence[str]] = field(repr=False)

    def one(self, name: str, default: str = "") -> str:
        """The only value of a field.

        Raises:
            RefusedError: there are several.
        """
        values = self.fields.get(name, ())
        if len(values) > 1:
            raise RefusedError(400, "FIELD_INVALID", f"{name}: give it once")
        return values[0] if values else default


class _Bounded(Request):
    """A request whose body ends with an error when it is too long."""

    bytes_left: int = 0

    async def stream(self) -> Any:
        async for piece in super().stream():
            self.bytes_left -= len(piece)
            if self.bytes_left < 0:
                raise RefusedError(413, "UPLOAD_TOO_LARGE", "the upload is larger than upload_bytes_max")
            yield piece


class Spool:
    """The folder that uploads are kept in while they are worked on.

    Args:
        folder: ours alone; emptied at the start.
        bytes_max: of one upload.
        seconds: for one upload to arrive.
        folders: whose files may be named by path.
    """

    def __init__(self, folder: Path, *, bytes_max: int, seconds: float, folders: Sequence[Path]) -> None:
        self._folder = folder
        self._bytes_max = bytes_max
        self._seconds = seconds
        self._folders = folders
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)

    @asynccontextmanager
    async def receive(self, request: Request, known: frozenset[str]) -> AsyncIterator[Upload]:
        """Take an upload in; its file is removed when the block ends.

        Args:
            request: whose body is read.
            known: names of fields that may be given.

        Raises:
            RefusedError: too large, too slow, empty, or of a shape that nobody asked for.
        """
        path = self._folder / secrets.token_hex(16)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                fields = await self._in_time(request, file)
                with _told_of_the_disk():
                    file.flush()
            if path.stat().st_size == 0:
                raise RefusedError(400, "UPLOAD_EMPTY", "there is no upload in the body: send the file's bytes")
            if unknown := sorted(fields.keys() - known):
                raise RefusedError(400, "FIELD_UNKNOWN", f"{unknown[0]!r} is none of {', '.join(sorted(known))}")
            yield Upload(path, fields)
        finally:
            path.unlink(missing_ok=True)

    async def _in_time(self, request: Request, file: BinaryIO) -> dict[str, list[str]]:
        async with arriving(self._seconds):
            with _told_of_the_disk():
                return await self._read(request, file)

    async def _read(self, request: Request, file: BinaryIO) -> dict[str, list[str]]:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        bounded = _Bounded(request.scope, request.receive)
        bounded.bytes_left = self._bytes_max if kind != "application/json" else FORM_BYTES_MAX
        if kind == "multipart/form-data":
            bounded.bytes_left += FORM_BYTES_MAX
        length = request.headers.get("content-length", "")
        if length.isdigit() and int(length) > bounded.bytes_left:
            raise RefusedError(
                413, "UPLOAD_TOO_LARGE", f"the upload has more than {self._bytes_max:,} bytes (upload_bytes_max)"
            )
        fields = _collected(request.query_params.multi_items())
        if kind == "multipart/form-data":
            return _merged(fields, await self._read_form(bounded, file))
        if kind == "application/json":
            return _merged(fields, await self._read_json(bounded, file))
        async for piece in bounded.stream():
            file.write(piece)
        return fields

    async def _read_form(self, request: Request, file: BinaryIO) -> dict[str, list[str]]:
        async with request.form(max_files=1, max_fields=FIELDS_MAX, max_part_size=FORM_BYTES_MAX) as form:
            files = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
            if not files:
                raise RefusedError(400, "UPLOAD_EMPTY", "the form has no file: send one part with a file name")
            while piece := await files[0].read(_PIECE_BYTES):
                file.write(piece)
            return _collected([(name, value) for name, value in form.multi_items() if isinstance(value, str)])

    async def _read_json(self, request: Request, file: BinaryIO) -> dict[str, list[str]]:
        body = parsed(await request.body(), "the body is no JSON: send a picture as another type")
        if not isinstance(body, dict) or not isinstance(path := body.pop("path", None), str):
            raise RefusedError(400, "JSON_INVALID", 'the body is an object with a path: {"path": "/folder/file"}')
        await asyncio.to_thread(self._copy, path, file)
        return _collected([(name, one) for name, value in body.items() for one in _texts(name, value)])

    def _copy(self, path: str, file: BinaryIO) -> None:
        with open_allowed(path, self._folders, self._bytes_max) as source:
            left = self._bytes_max
            while left > 0 and (piece := source.read(min(_PIECE_BYTES, left))):
                file.write(piece)
                left -= len(piece)


@asynccontextmanager
async def arriving(seconds: float) -> AsyncIterator[None]:
    """Bounds the time in which a body is read: who sends a byte now and then must not keep a place for ever.

    Raises:
        RefusedError: it took longer, or its sender went away.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise RefusedError(408, "UPLOAD_TOO_SLOW", f"the body took more than {seconds:g} s to arrive") from error
    except ClientDisconnect as error:
        raise RefusedError(400, "UPLOAD_CUT_SHORT", "the connection ended before the body did") from error


@contextmanager
def _told_of_the_disk() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RefusedError(503, "SPOOL_FAILED", "the upload cannot be kept: the disk is full, or fails") from error


def parsed(body: bytes, otherwise: str) -> Any:
    """What a body says in JSON.

    Raises:
        RefusedError: it says nothing, with the words in ``otherwise``.
    """
    try:
        found = json.loads(body)
        json.dumps(found, ensure_ascii=False).encode()  # half a surrogate pair is JSON, but nothing that can be sent on
    except (ValueError, RecursionError) as error:
        raise RefusedError(400, "JSON_INVALID", otherwise) from error
    return found


def _texts(name: str, value: object) -> list[str]:
    """A JSON value as the texts that a form would have."""
    values = value if isinstance(value, list) else [value]
    if not all(isinstance(one, str | int) for one in values):
        raise RefusedError(400, "FIELD_INVALID", f"{name}: give a text, or a list of texts")
    return [str(one).lower() if isinstance(one, bool) else str(one) for one in values]


def _collected(pairs: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    fields: dict[str, list[str]] = {}
    if len(pairs) > FIELDS_MAX:
        raise RefusedError(400, "FIELD_INVALID", f"there are more than {FIELDS_MAX} fields")
    for name, value in pairs:
        if len(value) > FIELD_CHARACTERS_MAX or len(name) > FIELD_CHARACTERS_MAX:
            raise RefusedError(400, "FIELD_INVALID", f"a field has more than {FIELD_CHARACTERS_MAX} characters")
        fields.setdefault(name, []).append(value)
    return fields


def _merged(left: dict[str, list[str]], right: dict[str, list[str]]) -> dict[str, list[str]]:
    return {name: [*left.get(name, []), *right.get(name, [])] for name in [*left, *right]}
