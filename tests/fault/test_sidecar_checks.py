"""Many checks while the hub is cut off, the replica is killed and the sidecar is killed: none is missed in the end.

A caller does what callers do: it sends an upload again when the connection broke, and takes the first answer that it
gets. What is told then, or by webhook later, must be right for every one of them.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.data import effort
from tests.integration.harness import WAIT_S, Forum, ServerProcess
from tests.integration.hook_receiver import SECRET, receiver
from tests.integration.sidecar_harness import Hub, SidecarRun, short_folder
from tests.pictures import encoded, photo

CHECKS = 48
SENDERS = 4
LISTED, OTHERS = ("astronaut.png", "rocket.jpg"), ("coffee.png", "chelsea.png")


class Progress:
    """How many uploads have an answer; faults happen at counts, not at times."""

    def __init__(self) -> None:
        self.answers: dict[str, dict[str, Any]] = {}
        self._news = threading.Condition()

    def add(self, reference: str, answer: dict[str, Any]) -> None:
        with self._news:
            self.answers[reference] = answer
            self._news.notify_all()

    def reach(self, count: int) -> None:
        with self._news:
            assert self._news.wait_for(lambda: len(self.answers) >= count, 2 * WAIT_S), len(self.answers)


def send(address: str, reference: str, upload: bytes, progress: Progress, broken: threading.Event) -> None:
    """Check one upload, again whenever the connection breaks or the sidecar asks to come back."""
    while True:
        try:
            response = httpx.post(
                f"http://{address}/v1/check",
                content=upload,
                params={"reference": reference},
                timeout=WAIT_S,
                trust_env=False,
            )
        except httpx.TransportError:
            broken.wait(0.05)  # as any caller would: not in a tight loop
            continue
        assert response.status_code == 200, response.text
        progress.add(reference, response.json())
        return


@pytest.fixture(name="folder")
def made_folder() -> Iterator[Path]:
    with short_folder() as folder:
        yield folder


def test_nothing_is_missed(folder: Path) -> None:
    count = effort(CHECKS)
    pictures = {name: encoded(photo(name).convert("RGB").resize((320, 320)), "JPEG") for name in (*LISTED, *OTHERS)}
    forum = Forum.make(folder / "hub")
    settings = "deadline_s = 2\nmode = 'act'\nwebhook_url = '{url}'\n"
    progress, idle = Progress(), threading.Event()
    names = [(*LISTED, *OTHERS)[number % 4] for number in range(count)]
    with receiver() as (url, told):
        hub = ServerProcess(forum).ready()
        known = Hub.of(hub)

        def start(listen: str) -> SidecarRun:
            return SidecarRun(
                known,
                folder / "s",
                settings.format(url=url),
                "--listen",
                listen,
                environment={"HASHPACT_WEBHOOK_SECRET": SECRET},
            )

        sidecar = start("127.0.0.1:0").ready()
        try:
            for name in LISTED:
                fresh = sidecar.contribute(pictures[name], "journalism")["as_of"]
            assert sidecar.answer(pictures[LISTED[-1]], at_least_as_fresh=fresh)["verdict"] == "match"
            with ThreadPoolExecutor(SENDERS) as senders:
                sent = [
                    senders.submit(
                        send,
                        sidecar.address,
                        str(number),
                        # Bytes behind a JPEG's end make each a content of its own, that looks the same.
                        pictures[names[number]] + str(number).encode(),
                        progress,
                        idle,
                    )
                    for number in range(count)
                ]
                progress.reach(count // 6)
                hub.kill()
                progress.reach(2 * count // 6)
                os.kill(sidecar.server_pid(), signal.SIGKILL)
                progress.reach(3 * count // 6)
                sidecar.kill()
                sidecar.http.close()
                sidecar = start(sidecar.address)
                progress.reach(5 * count // 6)
                hub = ServerProcess(forum, "--listen", known.target).ready()
                for each in sent:
                    each.result()
            unchecked = {name for name, answer in progress.answers.items() if answer["verdict"] == "unchecked"}
            assert unchecked, "the faults fell beside the checks"
            told.wait_for("check.completed", unchecked)
            sidecar.ready()
        finally:
            sidecar.__exit__(None, None, None)
            hub.__exit__(None, None, None)
    assert len(progress.answers) == count
    for number, name in enumerate(names):
        answer = progress.answers[str(number)]
        if answer["verdict"] == "unchecked":
            assert answer["advice"] == "none"
            assert answer["recheck"]
            answer = told.event("check.completed", str(number))
        assert answer["verdict"] == ("match" if name in LISTED else "none"), (number, answer)
        assert answer["advice"] == ("review" if name in LISTED else "none")
    # One that was sent twice, since its first answer was lost with the sidecar, may be told twice; nothing else is.
    assert all(len(ids) <= 2 for ids in told.ids.values())
    print(f"{count} checks, {len(unchecked)} of them later")
