"""The upload hooks of docs/examples, as they stand: what users see, what a person is asked, what is never lost."""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from hashpact.sidecar.signing import Signer, new_secret
from hashpact.sidecar.webhook import Event, Webhook

from tests.demo.stage import free_port
from tests.integration.examples import (
    COMMANDS,
    FOLDER,
    Example,
    Store,
    created,
    sidecar_that_hangs,
    sidecar_that_says,
)
from tests.integration.harness import WAIT_S, Forum, ServerInside
from tests.integration.sidecar_harness import Hub, SidecarRun, short_folder
from tests.pictures import encoded, photo

LABEL = "glorification_of_terrorist_acts"
SECRET = new_secret()
LISTED = encoded(photo("astronaut.png").resize((400, 400)), "JPEG", quality=60)
OTHER = encoded(photo("coffee.png"), "JPEG")
ACT = {"verdict": "match", "advice": "act", "matches": []}

doors = pytest.mark.parametrize(
    "door",
    [
        pytest.param(name, marks=pytest.mark.skipif(not shutil.which(command[0]), reason=f"{command[0]} is not here"))
        for name, command in COMMANDS.items()
    ],
)


@dataclass(frozen=True)
class Said:
    """What an uploader learns: whether it is let in, and its id where it gets one."""

    published: bool
    id: str


@pytest.fixture(scope="module", name="sidecar")
def made_sidecar(made_forum: Forum) -> Iterator[str]:
    """The address of a sidecar whose list has one picture; reviewers may be asked."""
    with (
        short_folder() as folder,
        ServerInside(made_forum.copy(folder / "hub")) as hub,
        SidecarRun(Hub.of(hub), folder / "s", "mode = 'review'\ndeadline_s = 30\n") as running,
    ):
        listed = running.ready().contribute(encoded(photo("astronaut.png"), "PNG"), LABEL)
        assert running.answer(LISTED, at_least_as_fresh=listed["as_of"])["advice"] == "review"
        yield f"http://{running.address}"


def start(door: str, uploads: Path, sidecar: str, timeout_s: float = WAIT_S) -> Example:
    environment = {
        "HASHPACT_SIDECAR": sidecar,
        "HASHPACT_TIMEOUT_S": str(timeout_s),
        "HASHPACT_WEBHOOK_SECRET": SECRET,
        "http_proxy": "http://127.0.0.1:9",  # uploads do not go to a proxy
    }
    return Example(COMMANDS[door], uploads, environment)


def send(example: Example, door: str, data: bytes) -> Said:
    """Upload as a browser, or the program before a storage, does."""
    if door == "before_storage":  # in chunks, as pict-rs sends a file
        response = example.http.post("/validate", content=iter([data[:100], data[100:]]))
        assert response.status_code in {200, 403}
        return Said(response.status_code == 200, "")
    if door == "node":
        response = example.http.post("/upload", content=data)
    else:
        response = example.http.post("/upload", files={"file": ("secret name.jpg", data)})
    assert response.status_code == 201, response.text
    told = response.json()
    assert told.keys() == {"id", "state"}  # nothing about what matched
    assert re.fullmatch("[0-9a-f]{32}", told["id"])
    return Said(told["state"] == "published", told["id"])


def deliver(example: Example, folder: Path, *events: Event) -> None:
    """Send events as the sidecar does, and wait until they are confirmed."""

    async def run() -> None:
        webhook = Webhook(f"{example.http.base_url}/hashpact-events", [SECRET], folder)
        task = asyncio.create_task(webhook.run())
        for event in events:
            await webhook.post(event)
        async with asyncio.timeout(WAIT_S):
            while len(webhook):
                await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert webhook.failed_attempts == 0
        webhook.close()

    asyncio.run(run())


@doors
def test_a_match_is_published_and_a_person_is_asked(door: str, sidecar: str, tmp_path: Path) -> None:
    with start(door, tmp_path / "u", sidecar) as example:
        assert send(example, door, OTHER).published
        assert not example.cases()
        assert send(example, door, b"a video, say").published
        assert not example.names("unchecked")
        assert send(example, door, LISTED).published
        (case,) = example.cases()
        assert case["answer"]["matches"][0]["labels"] == [LABEL]
        assert re.fullmatch("[0-9a-f]{32}", case["reference"])
        assert (tmp_path / "u" / "media" / case["reference"]).read_bytes() == LISTED
        assert len(example.names("media")) == (1 if door == "before_storage" else 3)
        assert not example.names("held")


@doors
def test_an_upload_never_waits_for_the_sidecar(door: str, sidecar: str, tmp_path: Path) -> None:
    with sidecar_that_hangs() as hanging, start(door, tmp_path / "u", hanging, timeout_s=0.3) as example:
        assert send(example, door, LISTED).published
        assert len(example.names("unchecked")) == 1
        assert not example.cases()
    with start(door, tmp_path / "u", sidecar) as example:
        if door == "django":
            again = [sys.executable, "upload_django.py", "again"]
            environment = {"HASHPACT_SIDECAR": sidecar, "UPLOADS": str(tmp_path / "u")}
            subprocess.run(again, cwd=FOLDER, check=True, timeout=WAIT_S, env=environment)
        example.until(lambda: not example.names("unchecked"))
        (case,) = example.cases()
        assert (case["why"], case["answer"]["advice"]) == ("check_again", "review")


@doors
def test_what_is_held_back_is_neither_shown_nor_lost(door: str, tmp_path: Path) -> None:
    with sidecar_that_says(ACT) as saying, start(door, tmp_path / "u", saying) as example:
        assert not send(example, door, LISTED).published
        (case,) = example.cases()
        assert (tmp_path / "u" / "held" / case["reference"]).read_bytes() == LISTED
        assert not example.names("media")


@doors
def test_what_comes_later_reaches_a_person(door: str, tmp_path: Path) -> None:
    later: dict[str, Any] = {"verdict": "unchecked", "advice": "none", "matches": [], "recheck": "r1"}
    with sidecar_that_says(later) as saying, start(door, tmp_path / "u", saying) as example:
        for picture in (LISTED, OTHER):
            assert send(example, door, picture).published
        assert not example.names("unchecked")  # the sidecar sees to them
        first, second = sorted(example.names("media"), key=lambda name: (tmp_path / "u" / "media" / name).stat().st_ino)
        if (tmp_path / "u" / "media" / first).read_bytes() != LISTED:
            first, second = second, first
        seen = Event("check.completed", first, ACT, key="one")
        none = Event("check.completed", second, {"verdict": "none", "advice": "none", "matches": []})
        deliver(example, tmp_path / "o1", seen, none, Event("check.completed", "somebody-else's", ACT))
        deliver(example, tmp_path / "o2", seen)  # again: the same id
        assert example.names("held") == {first}
        assert example.names("media") == (set() if door == "before_storage" else {second})
        assert [case["why"] for case in example.cases()] == ["check.completed"]
        deliver(example, tmp_path / "o3", Event("upload.undo", first, {"advice": "none", "matches": []}))
        assert {case["why"] for case in example.cases()} == {"check.completed", "upload.undo"}
        assert example.names("held") == {first}  # a person brings it back
        for when, secret in ((0.0, SECRET), (time.time(), new_secret())):  # too old; signed by somebody else
            forged = Signer([secret]).headers("msg_1", round(when), b"{}")
            assert example.http.post("/hashpact-events", content=b"{}", headers=forged).status_code == 401


def test_a_late_answer_of_a_real_sidecar_reaches_a_person(made_forum: Forum, tmp_path: Path) -> None:
    port = free_port()
    large = encoded(photo("astronaut.png").resize((4000, 4000)), "JPEG", quality=90)
    with (
        short_folder() as folder,
        ServerInside(made_forum.copy(folder / "hub")) as hub,
        start("fastapi", tmp_path / "u", f"http://127.0.0.1:{port}") as example,
    ):
        settings = f"mode = 'review'\ndeadline_s = 0.01\nwebhook_url = '{example.http.base_url}/hashpact-events'\n"
        secret = {"HASHPACT_WEBHOOK_SECRET": SECRET}
        listen = ("--listen", f"127.0.0.1:{port}")
        with SidecarRun(Hub.of(hub), folder / "s", settings, *listen, environment=secret) as sidecar:
            sidecar.ready().contribute(large, LABEL)
            assert send(example, "fastapi", large).published
            example.until(example.cases)
            assert [case["why"] for case in example.cases()] == ["check.completed"]
            assert not example.names("unchecked")


@pytest.mark.parametrize("store_client", ["plain", "boto3"])
def test_objects_are_tagged_by_advice(store_client: str, sidecar: str, tmp_path: Path) -> None:
    environment = {"HASHPACT_SIDECAR": sidecar, "HASHPACT_TIMEOUT_S": str(WAIT_S), "HASHPACT_WEBHOOK_SECRET": SECRET}
    store = Store()
    store.objects = {"/b/u 1/ü+.jpg": LISTED, "/b/other.jpg": OTHER}
    command = [sys.executable, "s3_event.py", "0"]
    keys = ("u+1/%C3%BC%2B.jpg", "other.jpg")

    def tags(example: Example) -> list[str]:
        for key in keys:
            response = example.http.post("/s3-events", json=created("b", key))
            assert response.status_code == 204, example.printed
        return [store.tags[name]["hashpact"] for name in store.objects]

    with store.serving() as address:
        if store_client == "plain":
            environment["S3_ENDPOINT"] = address
        else:
            pytest.importorskip("boto3", reason="boto3 is not installed: the plain client is tested")
            environment |= {"AWS_ENDPOINT_URL": address, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
            environment |= {"AWS_DEFAULT_REGION": "us-east-1"}
        with Example(command, tmp_path / "u", environment) as example:
            assert tags(example) == ["review", "clear"]
            (case,) = example.cases()
            gone = example.http.post("/s3-events", json=created("b", "gone.jpg"))
            assert gone.status_code == 500  # the store sends the event again
            deliver(example, tmp_path / "o", Event("upload.retro_match", case["reference"], ACT))
            assert store.tags["/b/u 1/ü+.jpg"] == {"hashpact": "held"}
            assert [case["why"] for case in example.cases()] == ["upload.retro_match", "check"]
            # A tag is an event of its own, and no upload.
            tagging = {"Records": [{"eventName": "ObjectTagging:Put", "s3": {}}]}
            assert example.http.post("/s3-events", json=tagging).status_code == 204
        nobody = environment | {"HASHPACT_SIDECAR": "http://127.0.0.1:9"}
        with Example(command, tmp_path / "v", nobody) as example:
            assert tags(example) == ["unchecked", "unchecked"]
        with Example(command, tmp_path / "v", environment) as example:
            example.until(lambda: not example.names("unchecked"))
            assert [store.tags[name]["hashpact"] for name in store.objects] == ["review", "clear"]
            assert len(example.cases()) == 1
        with sidecar_that_says(ACT) as saying:
            acting = environment | {"HASHPACT_SIDECAR": saying}
            with Example(command, tmp_path / "w", acting) as example:
                assert tags(example) == ["held", "held"]
                assert len(example.cases()) == 2
        assert httpx.get(f"{address}/b/other.jpg", trust_env=False).content == OTHER  # nothing deletes


def test_every_example_is_linked_from_the_page() -> None:
    page = (FOLDER.parent / "integrate.md").read_text()
    for path in FOLDER.iterdir():
        if path.suffix in {".py", ".mjs"}:
            assert f"(examples/{path.name})" in page, f"docs/integrate.md does not link to {path.name}"
