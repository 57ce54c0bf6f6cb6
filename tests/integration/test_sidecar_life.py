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


@pytest.fixture(scope="module", name="data")
def made_data(hub: Hub, folder: Path, picture: bytes) -> Path:
    """The folder of a sidecar that was stopped; its replica has the picture."""
    with SidecarRun(hub, folder / "a", PATIENT) as sidecar:
        listed = sidecar.ready().contribute(picture, LABEL)
        assert sidecar.answer(picture, at_least_as_fresh=listed["as_of"])["verdict"] == "match"
        assert sidecar.stop() == 0
        assert sidecar.wait_for("stopped")
    return folder / "a"


def test_parts_that_die_come_back_and_nothing_is_left_behind(hub: Hub, data: Path, picture: bytes) -> None:
    with SidecarRun(hub, data, PATIENT) as sidecar:
        assert sidecar.ready().answer(picture)["verdict"] == "match"
        os.kill(sidecar.server_pid(), signal.SIGKILL)
        sidecar.ready(times=2)
        assert sidecar.answer(picture)["verdict"] == "match"
        for pid in sidecar.worker_pids():
            os.kill(pid, signal.SIGKILL)
        assert sidecar.answer(picture)["verdict"] == "match"  # whoever killed them, it was not this picture
        assert sidecar.metric("hashpact_sidecar_replica_starts") == 2
        with Watched([sidecar.server_pid(), *sidecar.worker_pids()]) as everything:
            sidecar.process.kill()
            assert everything.all_ended()
        sidecar.wait()


def test_it_ends_a_server_that_was_left_and_drains(hub: Hub, data: Path, folder: Path, picture: bytes) -> None:
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
    assert any('"listening"' in line for line in orphan.stderr)
    with orphan, SidecarRun(hub, data, PATIENT) as sidecar:
        assert sidecar.ready().wait_for("ending a server that was left")["pid"] == orphan.pid
        orphan.stderr.close()
        orphan.wait(WAIT_S)
        host, _, port = sidecar.address.rpartition(":")
        with socket.create_connection((host, int(port)), timeout=WAIT_S) as slow:
            head = f"POST /v1/check HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(picture)}\r\n\r\n"
            slow.sendall(head.encode() + picture[:100])
            sidecar.wait_for_metric("hashpact_sidecar_uploads", 1)
            sidecar.process.send_signal(signal.SIGTERM)
            sidecar.wait_for_refusal()
            slow.sendall(picture[100:])
            answer = b"".join(iter(lambda: slow.recv(1 << 16), b""))  # until it closes, drained
        assert b"200 OK" in answer
        assert b'"match"' in answer
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
            waiting = sidecar.data / "memory" / "recheck"
            assert [path.read_bytes() for path in waiting.iterdir()] == [picture]  # it may have to be measured
            assert sidecar.http.post("/v1/forget", params={"reference": "mine"}).json() == {"forgotten": 1}
            assert sidecar.metric("hashpact_sidecar_recheck_queue") == 0
            assert not list(waiting.iterdir())
        assert sidecar.http.post("/v1/forget").status_code == 400
        assert sidecar.check(b"no picture").status_code == 422  # it can be said without the list
        assert sidecar.stop() == 0


def test_a_token_that_is_refused_is_no_outage(hub: Hub, data: Path, picture: bytes) -> None:
    stranger = Hub(hub.target, hub.ca, "hpt_" + "a" * 43)
    with SidecarRun(stranger, data, PATIENT) as sidecar:
        response = sidecar.ready().check(picture)
        assert response.status_code == 403
        assert sidecar.metric("hashpact_sidecar_unchecked_total") == 0
        assert stranger.token not in str(sidecar.lines)
