"""The sidecar over HTTP, beside a real hub, with real pictures: what it answers, and whom it refuses."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from hashpact import Client

from tests.data import effort
from tests.integration.harness import Forum, ServerInside
from tests.integration.sidecar_harness import COMMAND, Hub, SidecarRun, short_folder
from tests.pictures import encoded, photo

LABEL = "glorification_of_terrorist_acts"


@pytest.fixture(scope="module", name="folder")
def made_folder() -> Iterator[Path]:
    with short_folder() as folder:
        yield folder


@pytest.fixture(scope="module", name="hub")
def made_hub(made_forum: Forum, folder: Path) -> Iterator[Hub]:
    with ServerInside(made_forum.copy(folder / "hub")) as running:
        yield Hub.of(running)


@pytest.fixture(scope="module", name="sidecar")
def made_sidecar(hub: Hub, folder: Path) -> Iterator[SidecarRun]:
    (folder / "uploads").mkdir()
    settings = f"folders = ['{folder}/uploads']\nmode = 'act'\nupload_bytes_max = 5_000_000\ndeadline_s = 30\n"
    with SidecarRun(hub, folder / "s", settings) as running:
        yield running.ready()


def test_a_listed_picture_is_found_in_every_way_that_it_can_be_sent(sidecar: SidecarRun, folder: Path) -> None:
    picture = encoded(photo("astronaut.png"), "PNG")
    listed = sidecar.contribute(picture, LABEL)
    assert listed["outcome"] == "created"
    copy = encoded(photo("astronaut.png").resize((400, 400)), "JPEG", quality=60)
    (folder / "uploads" / "a.jpg").write_bytes(copy)
    fresh = {"at_least_as_fresh": listed["as_of"]}
    answers = [
        sidecar.http.post("/v1/check", content=copy, params={"reference": "u 1", **fresh}),
        sidecar.http.post("/v1/check", files={"file": ("x", BytesIO(copy))}, data={"reference": "u 1", **fresh}),
        sidecar.http.post("/v1/check", json={"path": f"{folder}/uploads/a.jpg", "reference": "u 1", **fresh}),
    ]
    for response in answers:
        assert response.status_code == 200, response.text
        told = response.json()
        assert (told["verdict"], told["advice"], told["hub_advice"], told["reference"]) == (
            "match",
            "review",
            "review",
            "u 1",
        )
        (match,) = told["matches"]
        assert {"item", "signal_type", "distance", "status", "labels", "advice", "hub_advice"} <= match.keys()
        assert (match["item"], match["labels"], match["status"]) == (listed["item"], [LABEL], "provisional")
    other = sidecar.answer(encoded(photo("coffee.png"), "JPEG"))
    assert (other["verdict"], other["advice"], other["matches"]) == ("none", "none", [])
    assert sidecar.metric("hashpact_sidecar_checks_total") >= 4
    assert not list((sidecar.data / "spool").iterdir())
    assert "u 1" not in json.dumps(sidecar.lines)


def test_a_part_of_a_listed_picture_is_measured_and_confirmed(sidecar: SidecarRun) -> None:
    whole = photo("motorcycle_left.png")
    listed = sidecar.contribute(encoded(whole, "PNG"), LABEL)
    part = whole.crop((0, whole.height // 5, whole.width * 4 // 5, whole.height))
    told = sidecar.answer(encoded(part, "JPEG", quality=70), at_least_as_fresh=listed["as_of"])
    (match,) = told["matches"]
    assert (told["verdict"], match["item"], match["level"], match["signal_type"]) == (
        "near",
        listed["item"],
        "near",
        "local_sift",
    )
    assert match["reason"].startswith("near: ")
    assert not list((sidecar.data / "spool").iterdir()), "what is measured in is kept nowhere"


def test_it_answers_as_the_command_line_does(sidecar: SidecarRun, hub: Hub) -> None:
    picture = encoded(photo("chelsea.png"), "PNG")
    fresh = sidecar.contribute(picture, LABEL, "incident:test")["as_of"]
    with Client(hub.target, token=hub.token, ca=hub.ca) as client:
        expected = client.check(picture).to_dict()
    told = sidecar.answer(picture, at_least_as_fresh=fresh)
    for match in told["matches"]:
        del match["hub_advice"]
    assert {key: told[key] for key in ("verdict", "advice", "matches", "truncated")} == {
        key: expected[key] for key in ("verdict", "advice", "matches", "truncated")
    }


def test_contributing_says_what_the_hub_says(sidecar: SidecarRun) -> None:
    picture = encoded(photo("rocket.jpg"), "PNG")
    assert sidecar.contribute(picture, LABEL, dry_run="true")["item"] == 0
    said = {"basis": "automatic"}
    created = sidecar.contribute(picture, LABEL, "journalism", request_id="request-one", **said)
    again = sidecar.contribute(picture, LABEL, "journalism", request_id="request-one", **said)
    assert (again["item"], again["outcome"]) == (created["item"], "created")
    assert sidecar.contribute(picture, LABEL, "journalism", **said)["outcome"] == "unchanged"
    for fields, reason in (
        ({}, "FIELD_INVALID"),
        ({"label": LABEL, "basis": "guess"}, "FIELD_INVALID"),
        ({"label": LABEL, "attach_to": "x"}, "FIELD_INVALID"),
        ({"label": LABEL, "dry_run": "perhaps"}, "FIELD_INVALID"),
        ({"label": LABEL, "labell": "x"}, "FIELD_UNKNOWN"),
    ):
        refused = sidecar.http.post("/v1/contribute", content=picture, params=fields)
        assert (refused.status_code, refused.json()["error"]["reason"]) == (400, reason)
    # Labels are judged by the hub.
    refused = sidecar.http.post("/v1/contribute", content=picture, params={"label": "Ümlaut"})
    assert "label" in json.dumps(refused.json())
    assert refused.json().get("outcome") == "refused" or refused.status_code == 400


def test_what_is_wrong_with_a_request_is_said(sidecar: SidecarRun) -> None:
    post = sidecar.http.post
    for response, status, reason in (
        (post("/v1/check", content=b""), 400, "UPLOAD_EMPTY"),
        (post("/v1/check", content=b"no picture"), 422, "UNREADABLE_MEDIA"),
        (post("/v1/check", content=bytes(5_000_001)), 413, "UPLOAD_TOO_LARGE"),
        (post("/v1/check", content=iter([bytes(3_000_000)] * 2)), 413, "UPLOAD_TOO_LARGE"),
        (post("/v1/check", files={"file": ("x", bytes(5_200_000))}), 413, "UPLOAD_TOO_LARGE"),
        (post("/v1/check", data={"a": "b"}, files={"": ""}), 400, "UPLOAD_EMPTY"),
        (post("/v1/check", content=b"x", headers={"content-type": "multipart/form-data"}), 400, "BODY_INVALID"),
        (post("/v1/check", content=b"{", headers={"content-type": "application/json"}), 400, "JSON_INVALID"),
        (post("/v1/check", content=b"[" * 60_000, headers={"content-type": "application/json"}), 400, "JSON_INVALID"),
        (post("/v1/check", json={"path": 1}), 400, "JSON_INVALID"),
        (post("/v1/check", json={"path": "/etc/passwd"}), 403, "PATH_REFUSED"),
        (post("/v1/check", content=b"x", params={"refernce": "1"}), 400, "FIELD_UNKNOWN"),
        (post("/v1/check", content=b"x", params={"reference": "1" * 257}), 400, "FIELD_INVALID"),
        (post("/v1/check", content=b"x", params={"reference": ["1", "2"]}), 400, "FIELD_INVALID"),
        (sidecar.http.get("/v1/check"), 405, "METHOD_NOT_ALLOWED"),
        (sidecar.http.get("/nothing"), 404, "NOT_FOUND"),
    ):
        assert response.status_code == status, (reason, response.text)
        assert response.json()["error"]["reason"] == reason
        assert response.json()["error"]["message"]


def test_web_pages_are_refused(sidecar: SidecarRun) -> None:
    picture = encoded(photo("coffee.png"), "JPEG")
    for headers, status, reason in (
        ({"origin": "https://evil.example"}, 403, "ORIGIN_REFUSED"),
        ({"origin": "null"}, 403, "ORIGIN_REFUSED"),
        ({"origin": f"http://{sidecar.address}"}, 403, "ORIGIN_REFUSED"),
        ({"sec-fetch-site": "cross-site"}, 403, "ORIGIN_REFUSED"),
        ({"host": "evil.example"}, 421, "HOST_REFUSED"),
        ({"host": "evil.example:7480"}, 421, "HOST_REFUSED"),
        ({"host": "127.0.0.1.evil.example"}, 421, "HOST_REFUSED"),
        ({"host": ""}, 421, "HOST_REFUSED"),
    ):
        response = sidecar.http.post("/v1/check", content=picture, headers=headers)
        assert (response.status_code, response.json()["error"]["reason"]) == (status, reason)
        assert not [name for name in response.headers if name.startswith("access-control")]
    assert sidecar.http.get("/metrics", headers={"host": "evil.example"}).status_code == 421
    for asking in ("/v1/retro", "/v1/corrections"):  # which drop what was told before
        assert sidecar.http.get(asking, headers={"sec-fetch-site": "cross-site"}).status_code == 403
    for host in ("localhost:1", "127.0.0.1", "LOCALHOST", "[::1]:9"):
        assert sidecar.http.post("/v1/check", content=picture, headers={"host": host}).status_code == 200
    preflight = sidecar.http.options("/v1/check", headers={"origin": "https://evil.example"})
    assert preflight.status_code == 403


def test_pages_and_documents(sidecar: SidecarRun) -> None:
    document = sidecar.http.get("/openapi.json").json()
    assert document["openapi"].startswith("3.")
    assert {"/v1/check", "/v1/contribute", "/healthz", "/readyz", "/metrics"} <= document["paths"].keys()
    page = sidecar.http.get("/")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "<script" not in page.text
    assert "http-equiv" not in page.text
    assert all(path in page.text for path in document["paths"])
    assert sidecar.http.get("/style.css").headers["content-type"].startswith("text/css")
    assert sidecar.http.get("/healthz").status_code == 200
    assert sidecar.http.get("/readyz").json()["ready"] is True
    figures = sidecar.http.get("/metrics").text
    assert "hashpact_sidecar_replica_serving 1.0" in figures
    odd = sidecar.http.get("/", headers={"host": "localhost:1"})
    assert "localhost:1" in odd.text


def test_strangers_that_say_nothing_or_nonsense_hurt_nobody(hub: Hub, folder: Path) -> None:
    settings = "header_s = 0.5\nreceive_s = 0.5\nconnections_max = 40\ndeadline_s = 30\n"
    with SidecarRun(hub, folder / "t", settings) as sidecar:
        host, _, port = sidecar.address.rpartition(":")
        silent = [socket.create_connection((host, int(port))) for _ in range(30)]
        for number, each in enumerate(silent):
            each.sendall((b"", b"POST /v1/check HTT", b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ")[number % 3])
        slow = socket.create_connection((host, int(port)))
        slow.sendall(b"POST /v1/check HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nabc")
        assert b" 408 " in slow.recv(4096)
        for each in [*silent, slow]:
            each.settimeout(60)
            while each.recv(4096):  # until the sidecar closes it
                pass
            each.close()
        crowd = [socket.create_connection((host, int(port))) for _ in range(80)]
        assert sum(answers(each) for each in crowd) <= 40
        sidecar.ready()
        for number in range(effort(300)):
            with socket.create_connection((host, int(port))) as one:
                one.sendall(os.urandom(64) + b"\r\n\r\n" if number % 2 else b"GET /" + b"x" * 20_000)
                said = one.recv(4096)
                assert not said or said.startswith(b"HTTP/1.1 4")
        assert sidecar.http.get("/healthz").status_code == 200
        assert sidecar.answer(encoded(photo("coffee.png"), "JPEG"))["verdict"] == "none"
        assert sidecar.stop() == 0
        assert not [line for line in sidecar.lines if "Traceback" in json.dumps(line)]


def answers(connection: socket.socket) -> bool:
    """Whether somebody answers on a connection, which is closed."""
    with connection, contextlib.suppress(OSError):
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return connection.recv(4096).startswith(b"HTTP/1.1 200")
    return False


def test_a_secret_and_a_unix_socket(hub: Hub, folder: Path) -> None:
    place = folder / "sock"
    picture = encoded(photo("coffee.png"), "JPEG")
    with SidecarRun(
        hub,
        folder / "u",
        "deadline_s = 30\n",
        "--listen",
        f"unix:{place}",
        environment={"HASHPACT_SIDECAR_SECRET": "0123456789abcdef"},
    ) as sidecar:
        assert place.stat().st_mode & 0o007 == 0
        assert sidecar.data.stat().st_mode & 0o077 == 0
        assert sidecar.http.get("/healthz").status_code == 200
        sidecar.ready()
        for given in ({}, {"authorization": "Bearer wrong"}, {"authorization": "0123456789abcdef"}):
            refused = sidecar.http.post("/v1/check", content=picture, headers=given)
            assert (refused.status_code, refused.json()["error"]["reason"]) == (401, "SECRET_WRONG")
            assert sidecar.http.get("/metrics", headers=given).status_code == 401
        sidecar.http.headers["authorization"] = "Bearer 0123456789abcdef"
        assert sidecar.answer(picture)["verdict"] == "none"
        words = [*COMMAND, "--hub", "x:1", "--data", str(folder / "u")]
        environment = {**os.environ, "HASHPACT_TOKEN": hub.token}
        second = subprocess.run(words, capture_output=True, text=True, env=environment, check=False)
        assert second.returncode == 2
        assert "another sidecar" in second.stderr
        environments = [Path(f"/proc/{pid}/environ").read_bytes() for pid in sidecar.worker_pids()]
        assert environments
        assert not any(hub.token.encode() in each or b"0123456789abcdef" in each for each in environments)
        assert sidecar.stop() == 0
    assert not place.exists()
