"""FastAPI: an upload is checked before anybody sees it.

Run it: ``pip install fastapi python-multipart uvicorn``, then ``uvicorn upload_fastapi:app --port 8000``.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import hook
from fastapi import FastAPI, HTTPException, Request, UploadFile
from fastapi.concurrency import run_in_threadpool

BYTES_MAX = 50_000_000
AGAIN_S = 60


@contextlib.asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    """While the application runs, what the sidecar could not take is sent again."""
    task = asyncio.create_task(again())
    yield
    task.cancel()


async def again() -> None:
    """Every minute, starting now: a restart may have come in between."""
    while True:
        await run_in_threadpool(hook.check_again)
        await asyncio.sleep(AGAIN_S)


app = FastAPI(lifespan=lifespan)


@app.post("/upload", status_code=201)
def upload(file: UploadFile) -> dict[str, str]:  # no async: FastAPI gives it a thread, and others do not wait
    """Take an upload. The uploader is not told what matched."""
    data = file.file.read(BYTES_MAX + 1)
    if len(data) > BYTES_MAX:
        raise HTTPException(413, "too large")
    reference, answer = hook.receive(data)
    return {"id": reference, "state": "held" if answer["advice"] == "act" else "published"}


@app.post("/hashpact-events", status_code=204)
async def events(request: Request) -> None:
    """What the sidecar finds out later."""
    body = await request.body()
    try:
        await run_in_threadpool(hook.event, request.headers, body)
    except ValueError as error:
        raise HTTPException(401, str(error)) from error
