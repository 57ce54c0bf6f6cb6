"""What the doctor says when something is not as it should be; that all is well is proved against the real server."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from hashpact.canary.published import CANARIES
from hashpact.v1 import capabilities_service_pb2 as capabilities_pb2
from hashpact.v1 import item_pb2, signal_pb2

from tests.unit.cli.conftest import Run
from tests.unit.client.loopback import LoopbackService


def steps(run: Run, *more: str) -> dict[str, tuple[str, str]]:
    """Step -> (state, reason of its error)."""
    ran = run("doctor", "--json", *more)
    return {step["step"]: (step["state"], step["error"]["reason"] if step["error"] else "") for step in ran.lines}


def list_canaries(
    service: LoopbackService,
    label: str = "canary",
    advice: signal_pb2.Advice.ValueType = signal_pb2.ADVICE_OBSERVE,
) -> None:
    for number, canary in enumerate(CANARIES, 1):
        service.items[number] = item_pb2.Item(
            item=number,
            status=item_pb2.ITEM_STATUS_PROVISIONAL,
            labels=[label],
            signals=[item_pb2.ItemSignal(signal_type=each.signal_type, value=each.value) for each in canary.signals],
            advice=advice,
        )


@pytest.mark.usefixtures("target")
def test_nothing_is_proved_on_a_list_without_canaries(run: Run) -> None:
    ran = run("doctor")
    assert ran.code == 0
    assert "warn  canaries: canary-1, canary-2, canary-3: not on this list" in ran.out
    assert "hashpact canary list" in ran.out
    assert steps(run)["canaries"] == ("warn", "CANARIES_NOT_LISTED")


@pytest.mark.usefixtures("target")
def test_something_else_in_a_canarys_place(run: Run, service: LoopbackService) -> None:
    list_canaries(service, label="propaganda")
    assert steps(run)["canaries"] == ("failed", "CANARY_REPLACED")
    assert run("doctor").code == 3


@pytest.mark.usefixtures("target")
def test_a_canary_that_people_are_asked_to_look_at(run: Run, service: LoopbackService) -> None:
    list_canaries(service, advice=signal_pb2.ADVICE_REVIEW)
    assert steps(run)["canaries"] == ("failed", "CANARY_SPOILED")


@pytest.mark.usefixtures("target")
@pytest.mark.parametrize(("off_s", "words"), [(-3600, "ahead of"), (3600, "behind")])
def test_clocks_that_differ(run: Run, service: LoopbackService, off_s: int, words: str) -> None:
    def answer(request: Any) -> Message:
        found: capabilities_pb2.GetCapabilitiesResponse = service.GetCapabilities(request)
        found.server_time.CopyFrom(Timestamp(seconds=int(time.time()) + off_s))
        return found

    service.answers["GetCapabilities"] = answer
    ran = run("doctor")
    assert ran.code == 2
    assert f"s {words} the server's" in ran.out


@pytest.mark.usefixtures("target")
def test_a_list_that_matches_everything(run: Run, service: LoopbackService) -> None:
    from hashpact.canary.proof import picture  # noqa: PLC0415 - drawn late
    from hashpact.canary.published import UNLISTED  # noqa: PLC0415 - as above

    list_canaries(service)
    (found,) = run("hash", "--json", "-", stdin=picture(UNLISTED)).lines
    service.items[9] = item_pb2.Item(
        item=9,
        labels=["x"],
        status=item_pb2.ITEM_STATUS_PROVISIONAL,
        signals=[item_pb2.ItemSignal(signal_type="sha256", value=bytes.fromhex(found["signals"]["sha256"]))],
    )
    assert steps(run)["unlisted picture"] == ("failed", "UNLISTED_MATCHES")


class Answering(BaseHTTPRequestHandler):
    """Stands where a sidecar should be, and answers as it is told."""

    status, body = 200, b"{}"

    def do_GET(self) -> None:
        self.send_response(self.status if self.path != "/readyz" or self.status != 200 else 200)
        self.end_headers()
        self.wfile.write(self.body)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def answering() -> Iterator[Callable[[int, object], str]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()

    def answer(status: int, body: object) -> str:
        Answering.status = status
        Answering.body = body if isinstance(body, bytes) else json.dumps(body).encode()
        return f"http://127.0.0.1:{server.server_port}"

    yield answer
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("status", "body", "step", "reason", "code"),
    [
        (503, {"error": {"reason": "REPLICA_BEHIND", "message": "old"}}, "sidecar", "REPLICA_BEHIND", 5),
        (401, {"error": {"reason": "SECRET_WRONG", "message": "no"}}, "sidecar", "SECRET_WRONG", 4),
        (404, b"<html>", "sidecar", "ANSWER_INVALID", 5),
        (418, {"error": "teapot"}, "sidecar", "HTTP_418", 3),
        (200, {}, "sidecar canary", "ANSWER_INVALID", 3),
        (200, {"verdict": "unchecked", "matches": []}, "sidecar canary", "UNCHECKED", 5),
        (200, {"verdict": "none", "matches": []}, "sidecar canary", "CANARY_MISSED", 3),
        (200, {"verdict": "match", "matches": [{"labels": ["x"]}, 7]}, "sidecar canary", "CANARY_REPLACED", 3),
        (
            200,
            {"verdict": "match", "matches": [{"labels": ["canary"], "advice": "observe"}]},
            "sidecar unlisted picture",
            "UNLISTED_MATCHES",
            3,
        ),
    ],
)
def test_a_sidecar_that_is_not_well(
    run: Run, answering: Callable[[int, object], str], status: int, body: object, step: str, reason: str, code: int
) -> None:
    url = answering(status, body)
    found = steps(run, "--sidecar", url)
    assert found[step] == ("failed", reason)
    assert "target" not in found, "nothing but the sidecar was asked for"
    assert run("doctor", "--sidecar", url).code == code


@pytest.mark.parametrize("url", ["http://example.org:7444", "https://127.0.0.1:1", "127.0.0.1:7444", "http://[::1", ""])
def test_sidecars_elsewhere_are_refused(run: Run, url: str) -> None:
    found = steps(run, "--sidecar", url or "http://")
    assert found["sidecar"] == ("failed", "SIDECAR_INVALID")


def test_a_sidecar_that_is_not_there(run: Run, tmp_path: Path) -> None:
    for url in (f"unix:{tmp_path}/none.sock", "http://127.0.0.1:1"):
        assert steps(run, "--sidecar", url)["sidecar"] == ("failed", "UNAVAILABLE")
        assert run("doctor", "--sidecar", url).code == 5


def test_canaries_are_written(run: Run, tmp_path: Path) -> None:
    written = run("canary", "write", "--json", tmp_path / "new" / "folder").lines
    assert [one["listed"] for one in written] == [True, True, True, False]
    hashed = run("hash", "--json", *(one["path"] for one in written)).lines
    for canary, one in zip(CANARIES, hashed, strict=False):
        assert one["signals"]["sha256"] == canary.signal("sha256").hex
    (tmp_path / "file").touch()
    assert run("canary", "write", tmp_path / "file").code == 2
    assert "on no list" in run("canary", "write", tmp_path / "new").out
