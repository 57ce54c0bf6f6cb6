"""A sidecar's life: its parts die and come back, it drains, it fails open or closed, and it leaves nothing behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.harness import WAIT_S, Forum, ServerInside
from tests.integration.sidecar_harness import Hub, SidecarRun, Watched, short_folder
from tests.pictures import encoded, photo

LABEL = "glorification_of_terrorist_acts"
PATIENT = "deadline_s = 30\n"


@pytest.fixture(scope="module", name="folder")
def made_folder() -> Iterator[Path]:
    with short_folder() as folder:
        yield folder


@pytest.fixture(scope="module", name="hub")
def made_hub(made_forum: Forum, folder: Path) -> Iterator[Hub]:
    with ServerInside(made_forum.copy(folder / "hub")) as running:
        yield Hub.of(running)


@pytest.fixture(scope="module", name="picture")
def made_picture() -> bytes:
    return encoded(photo("chelsea.png"), "JPEG")


def test_parts_that_die_come_back_and_nothing_is_left_behind(hub: Hub, folder: Path, picture: bytes) -> None:
    data = folder / "a"
    with SidecarRun(hub, data, PATIENT) as sidecar:
        listed = sidecar.ready().contribute(picture, LABEL)
        assert sidecar.answer(picture, at_least_as_fresh=listed["as_of"])["verdict"] == "match"
        os.kill(sidecar.server_pid(), signal.SIGKILL)
        sidecar.ready(times=2)
        assert sidecar.answer(picture)["verdict"] == "match"
        for pid in sidecar.worker_pids():
            os.kill(pid, signal.SIGKILL)
        refused = [sidecar.check(picture) for _ in range(4)]
        # A process that died idle is found out by the picture that it is given next.
        assert {response.status_code for response in refused} <= {200, 422}
        assert refused[-1].status_code == 200
        assert sidecar.metric("hashpact_sidecar_replica_starts") == 2
        with Watched([sidecar.server_pid(), *sidecar.worker_pids()]) as everything:
            sidecar.process.kill()
            assert everything.all_ended()
        sidecar.wait()
    with SidecarRun(hub, data, PATIENT) as sidecar:  # holds the list already
        assert sidecar.ready().answer(picture)["verdict"] == "match"
        assert sidecar.stop() == 0
        assert sidecar.wait_for("stopped")


def test_a_server_that_was_left_is_ended(hub: Hub, folder: Path, picture: bytes) -> None:
    data = folder / "b"
    with SidecarRun(hub, data, PATIENT) as sidecar:
        sidecar.ready()
        assert sidecar.stop() == 0
    orphan = subprocess.Popen(
        [
            *(sys.executable, "-m", "hashpact_server", "serve", "--data", str(data / "replica"), "--plaintext"),
            *("--listen", f"unix:{folder}/x", "--follow", hub.target, "--ca", str(hub.ca)),
        ],
        env={**os.environ, "HASHPACT_TOKEN": hub.token},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert orphan.stderr is not None
    assert any('"ready"' in line for line in orphan.stderr)
    with orphan, SidecarRun(hub, data, PATIENT) as sidecar:
        assert sidecar.ready().answer(picture)["verdict"] in {"none", "match"}
        assert sidecar.wait_for("ending a server that was left")["pid"] == orphan.pid
        orphan.stderr.close()
        orphan.wait(WAIT_S)


def test_it_drains(hub: Hub, folder: Path, picture: bytes) -> None:
    with SidecarRun(hub, folder / "c", PATIENT) as sidecar:
        sidecar.ready()
        host, _, port = sidecar.address.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=WAIT_S) as slow:
            head = f"POST /v1/check HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(picture)}\r\n\r\n"
            slow.sendall(head.encode() + picture[:100])
            sidecar.wait_for_metric("hashpact_sidecar_uploads", 1)
            sidecar.process.send_signal(signal.SIGTERM)
            sidecar.wait_for_refusal()
            slow.sendall(picture[100:])
            assert b"200 OK" in slow.recv(1 << 16)
        assert sidecar.wait() == 0


@pytest.mark.parametrize("fail", ["open", "closed"])
def test_without_an_answer(hub: Hub, folder: Path, picture: bytes, fail: str) -> None:
    nowhere = Hub("127.0.0.1:1", hub.ca, hub.token)  # a replica that cannot begin
    with SidecarRun(nowhere, folder / fail, f"fail = '{fail}'\ndeadline_s = 30\n") as sidecar:
        assert sidecar.http.get("/healthz").status_code == 200
        ready = sidecar.http.get("/readyz")
        assert (ready.status_code, ready.json()["error"]["reason"]) == (503, "REPLICA_NOT_SERVING")
        response = sidecar.check(picture, reference="mine")
        if fail == "closed":
            assert (response.status_code, response.json()["error"]["reason"]) == (503, "UNCHECKED")
            assert response.headers["retry-after"]
            assert sidecar.metric("hashpact_sidecar_recheck_queue") == 0
        else:
            told = response.json()
            assert (response.status_code, told["verdict"], told["advice"]) == (200, "unchecked", "none")
            assert told["reason"] == "REPLICA_NOT_SERVING"
            assert told["recheck"]
            assert sidecar.metric("hashpact_sidecar_recheck_queue") == 1
            assert not list((sidecar.data / "memory" / "recheck").iterdir())  # hashed already: signals, no media
            assert sidecar.http.post("/v1/forget", params={"reference": "mine"}).json() == {"forgotten": 1}
            assert sidecar.metric("hashpact_sidecar_recheck_queue") == 0
        assert sidecar.http.post("/v1/forget").status_code == 400
        assert sidecar.check(b"no picture").status_code == 422  # it can be said without the list
        assert sidecar.stop() == 0


def test_a_token_that_is_refused_is_no_outage(hub: Hub, folder: Path, picture: bytes) -> None:
    with SidecarRun(hub, folder / "d", PATIENT) as sidecar:
        sidecar.ready()
        sidecar.stop()
    stranger = Hub(hub.target, hub.ca, "hpt_" + "a" * 43)
    with SidecarRun(stranger, folder / "d", PATIENT) as sidecar:
        response = sidecar.ready().check(picture)
        assert response.status_code == 403
        assert sidecar.metric("hashpact_sidecar_unchecked_total") == 0
        assert stranger.token not in str(sidecar.lines)
