"""The routes: what an upload service asks over HTTP."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from typing import Final

from jinja2 import Environment, PackageLoader
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from hashpact._media import Contribution
from hashpact.aio import AsyncClient
from hashpact.cli.words import BASES
from hashpact.errors import HashpactError
from hashpact.sidecar.actions import read_action
from hashpact.sidecar.afterwards import Afterwards, Kind
from hashpact.sidecar.checking import Checker
from hashpact.sidecar.local_server import LocalServer
from hashpact.sidecar.logs import event, where
from hashpact.sidecar.memory import REFERENCE_BYTES_MAX, require_text
from hashpact.sidecar.metrics import Metrics
from hashpact.sidecar.openapi import CHECK_FIELDS, CONTRIBUTE_FIELDS, document
from hashpact.sidecar.rechecks import Rechecks
from hashpact.sidecar.refusals import JSONLine, RefusedError, error_response
from hashpact.sidecar.settings import SidecarSettings
from hashpact.sidecar.uploads import Spool, Upload
from hashpact.sidecar.workers import Workers
from hashpact.signals import ImageSignals

_CHECK: Final = frozenset(CHECK_FIELDS)
_CONTRIBUTE: Final = frozenset(CONTRIBUTE_FIELDS)

READERS_MAX: Final = 4
"""Callers that wait at a time for what became known later: each holds a stream of the replica's meanwhile."""

Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Parts:
    """What the routes work with."""

    settings: SidecarSettings
    spool: Spool
    workers: Workers
    checker: Checker
    rechecks: Rechecks
    afterwards: Afterwards | None
    client: AsyncClient
    server: LocalServer
    metrics: Metrics
    secret: bool


def make_app(parts: Parts) -> Starlette:
    """The application, without the guard around it."""
    routes = _Routes(parts)
    app = Starlette(
        routes=[
            Route("/v1/check", routes.answered(routes.check), methods=["POST"]),
            Route("/v1/contribute", routes.answered(routes.contribute), methods=["POST"]),
            Route("/v1/forget", routes.answered(routes.forget), methods=["POST"]),
            Route("/v1/actions", routes.answered(routes.actions), methods=["POST"]),
            Route("/v1/retro", routes.answered(routes.retro)),
            Route("/v1/corrections", routes.answered(routes.corrections)),
            Route("/healthz", routes.answered(routes.healthz)),
            Route("/readyz", routes.answered(routes.readyz)),
            Route("/metrics", routes.answered(routes.metrics)),
            Route("/openapi.json", routes.answered(routes.openapi)),
            Route("/style.css", routes.answered(routes.style)),
            Route("/", routes.answered(routes.page)),
        ],
        exception_handlers={HTTPException: _no_route},
    )
    app.router.redirect_slashes = False
    return app


class _Routes:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._readers = 0
        self._document = document(_version(), parts.settings.upload_bytes_max, secret=parts.secret)
        self._style = files(__package__).joinpath("page.css").read_text(encoding="utf-8")
        templates = Environment(loader=PackageLoader(__package__, ""), autoescape=True)
        self._template = templates.get_template("page.html")

    def answered(self, endpoint: Endpoint) -> Endpoint:
        """The endpoint, with what it raises as an answer."""

        @functools.wraps(endpoint)
        async def answer(request: Request) -> Response:
            try:
                return await endpoint(request)
            except HTTPException as error:  # a form that is none
                told: HashpactError = RefusedError(error.status_code, "BODY_INVALID", str(error.detail))
            except HashpactError as error:
                told = error
            except Exception as error:  # noqa: BLE001  # a fault of ours must not end as a traceback at the caller
                event(logging.ERROR, "request failed", path=request.url.path, where=where(error))
                told = RefusedError(500, "INTERNAL", f"a fault of the sidecar ({type(error).__name__}): see its log")
            self._parts.metrics.refused.labels(told.reason).inc()
            return error_response(told)

        return answer

    async def check(self, request: Request) -> Response:
        """``POST /v1/check``."""
        async with self._parts.spool.receive(request, _CHECK) as upload:
            reference = _reference(upload)
            fresh = upload.one("at_least_as_fresh")

            async def keep(source: Path | ImageSignals, reason: str) -> str | None:
                return await self._parts.rechecks.put(source, reference, reason)

            answer = await self._parts.checker.check(upload.path, keep, reference=reference, at_least_as_fresh=fresh)
        if reference:
            answer["reference"] = reference
        if self._is_stale():
            answer["stale"] = True
        return JSONLine(answer)

    async def contribute(self, request: Request) -> Response:
        """``POST /v1/contribute``."""
        async with self._parts.spool.receive(request, _CONTRIBUTE) as upload:
            labels = [*upload.fields.get("label", ()), *upload.fields.get("labels", ())]
            basis = upload.one("basis", BASES[0]).replace("_", "-")
            if not labels:
                raise RefusedError(400, "FIELD_INVALID", "label: say what it is, with one label or more")
            if basis not in BASES:
                raise RefusedError(400, "FIELD_INVALID", f"basis: one of {', '.join(BASES)}")
            signals = await self._parts.workers.hash(upload.path, listing=True)
            one = Contribution(
                signals,
                labels,
                basis.replace("-", "_"),
                upload.one("observer_role"),
                attach_to=_number(upload, "attach_to"),
            )
            result = await self._parts.client.contribute_many(
                [one], request_id=upload.one("request_id") or None, validate_only=_flag(upload, "dry_run")
            )
        self._parts.metrics.contributions.labels(result[0].outcome).inc()
        return JSONLine({**result[0].to_dict(), "as_of": result.as_of})

    async def forget(self, request: Request) -> Response:
        """``POST /v1/forget``."""
        reference = request.query_params.get("reference", "")
        if not reference or len(request.query_params) != 1:
            raise RefusedError(400, "FIELD_INVALID", "reference: say in the query what to forget")
        require_text("reference", reference, REFERENCE_BYTES_MAX)
        count = await self._parts.rechecks.forget(reference)
        if self._parts.afterwards is not None:
            count += await self._parts.afterwards.forget(reference)
        return JSONLine({"forgotten": count})

    async def actions(self, request: Request) -> Response:
        """``POST /v1/actions``."""
        recorded = await read_action(request, self._parts.settings.receive_s)
        problems = await self._afterwards().record(recorded)
        return JSONLine({"problems": [problem.to_dict() for problem in problems]})

    async def retro(self, request: Request) -> Response:
        """``GET /v1/retro``."""
        return await self._poll("retro", request)

    async def corrections(self, request: Request) -> Response:
        """``GET /v1/corrections``."""
        return await self._poll("corrections", request)

    async def _poll(self, kind: Kind, request: Request) -> Response:
        if self._readers >= READERS_MAX:
            raise RefusedError(503, "TOO_MANY_REQUESTS", f"{READERS_MAX} callers wait for this already: one is enough")
        self._readers += 1
        try:
            return JSONLine(await self._afterwards().poll(kind, request.query_params.get("after", "")))
        finally:
            self._readers -= 1

    def _afterwards(self) -> Afterwards:
        if self._parts.afterwards is None:
            raise RefusedError(409, "UPLOADS_NOT_REMEMBERED", "nothing is remembered here: set remember_hours")
        return self._parts.afterwards

    async def healthz(self, _: Request) -> Response:
        """``GET /healthz``."""
        return JSONLine({"alive": True})

    async def readyz(self, _: Request) -> Response:
        """``GET /readyz``."""
        server = self._parts.server
        if not server.serving:
            raise RefusedError(503, "REPLICA_NOT_SERVING", "the replica is starting, takes over the list, or ended")
        if self._is_stale():
            age = (
                "nobody can tell how old the list is"
                if server.lag_s is None
                else f"the list is {server.lag_s:,.0f} s old"
            )
            raise RefusedError(503, "REPLICA_BEHIND", f"{age} (lag_s_max)")
        return JSONLine({"ready": True, "lag_s": server.lag_s})

    async def metrics(self, _: Request) -> Response:
        """``GET /metrics``."""
        text = await asyncio.to_thread(self._parts.metrics.text)  # the ages of what waits are read from the disk
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    async def openapi(self, _: Request) -> Response:
        """``GET /openapi.json``."""
        return JSONLine(self._document)

    async def style(self, _: Request) -> Response:
        """``GET /style.css``."""
        return Response(self._style, media_type="text/css")

    async def page(self, request: Request) -> Response:
        """``GET /``."""
        return HTMLResponse(
            self._template.render(
                info=self._document["info"],
                paths=self._document["paths"],
                schemas=self._document["components"]["schemas"],
                host=request.headers.get("host", "localhost"),
                secret=self._parts.secret,
            )
        )

    def _is_stale(self) -> bool:
        return self._parts.server.is_behind(self._parts.settings.lag_s_max)


async def _no_route(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == 405:
        return error_response(RefusedError(405, "METHOD_NOT_ALLOWED", "it takes another method: see /openapi.json"))
    return error_response(RefusedError(status, "NOT_FOUND", "there is nothing at this path: see /openapi.json"))


def _reference(upload: Upload) -> str:
    reference = upload.one("reference")
    require_text("reference", reference, REFERENCE_BYTES_MAX)
    if not reference.isprintable():
        raise RefusedError(400, "FIELD_INVALID", "reference: only characters that print")
    return reference


def _number(upload: Upload, name: str) -> int:
    text = upload.one(name, "0")
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise RefusedError(400, "FIELD_INVALID", f"{name}: a whole number")
    return int(text)


def _flag(upload: Upload, name: str) -> bool:
    text = upload.one(name, "false").lower()
    if text not in {"true", "false"}:
        raise RefusedError(400, "FIELD_INVALID", f"{name}: true or false")
    return text == "true"


def _version() -> str:
    try:
        return version("hashpact")
    except PackageNotFoundError:
        return "unknown"
