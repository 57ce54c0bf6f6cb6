"""The sidecar's memory, killed at any moment: what was acknowledged is there, what was done does not come back."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hashpact.sidecar.outbox import Outbox
from hashpact.sidecar.queue import RecheckQueue

from tests.data import effort, run_seed

PROGRAM = """
import itertools, random, sys
from pathlib import Path
from hashpact.probes import Probe
from hashpact.sidecar.queue import QueuedUpload, RecheckQueue
from hashpact.signals import Signal

source = random.Random(int(sys.argv[2]))
queue = RecheckQueue(Path(sys.argv[1]), 1 << 30, 1 << 20)

def tell(*words):
    print(*words, flush=True)

for number in itertools.count():
    name = f"{sys.argv[2]}-{number}"
    media = name.encode() * source.choice((1, 1000))
    kind = source.choice(("bytes", "path", "signals"))
    spooled = Path(sys.argv[1]).with_name("spooled")
    spooled.unlink(missing_ok=True)  # by another name it may be kept: never written over
    spooled.write_bytes(media)
    held = {"bytes": media, "path": spooled, "signals": Probe.of([Signal("md5", bytes(16))])}[kind]
    tell("kept", queue.put(QueuedUpload(name, held, number, "word")), kind, name)
    if source.random() < 0.6:
        for upload in queue.next_due(source.randrange(3)):
            tell("ending", upload.id)
            queue.done(upload.id)
            tell("ended", upload.id)
    if source.random() < 0.1:
        other = f"{sys.argv[2]}-{source.randrange(number + 1)}"
        tell("forgetting", other)
        queue.forget(other)
        tell("forgotten", other)
"""


POSTING = """
import asyncio, itertools, sys
from pathlib import Path
from hashpact.sidecar import webhook as webhooks

webhooks._PAUSE_S = webhooks._DELAY_S = 0.001
webhooks.DELAY_S_MAX = 0.02

async def main():
    secret = "whsec_" + "A" * 32
    webhook = webhooks.Webhook(sys.argv[3], [secret], Path(sys.argv[1]))
    running = asyncio.create_task(webhook.run())
    for number in itertools.count():
        name = await webhook.post(webhooks.Event("check.completed", f"{sys.argv[2]}-{number}"))
        print("posted", name, flush=True)
        while len(webhook) > 20:  # or it would only ever post
            await asyncio.sleep(0.001)

asyncio.run(main())
"""


def lines_until_killed(program: str, folder: Path, seed: int, count: int, *more: str) -> list[list[str]]:
    """Run a program, kill it after so many lines; everything that it said before it was gone."""
    with subprocess.Popen(
        [sys.executable, "-c", program, folder, str(seed), *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        said = [process.stdout.readline() for _ in range(count)]
        process.kill()
        rest = process.stdout.read()
        errors = process.stderr.read()
    assert all(said), errors
    text = "".join(said) + rest
    whole, _, _ = text.rpartition("\n")  # the last line may have been cut by the kill
    return [line.split() for line in whole.splitlines()]


def test_the_queue_killed_at_any_moment(tmp_path: Path) -> None:
    folder = tmp_path / "memory"
    seed = run_seed("HASHPACT_KILL_SEED")
    print(f"HASHPACT_KILL_SEED={seed}")
    chance = random.Random(seed)
    kept: dict[str, tuple[str, str]] = {}
    must_be_gone: set[str] = set()
    may_be_gone: set[str] = set()
    for number in range(rounds := effort(12)):
        for verb, what, *more in lines_until_killed(PROGRAM, folder, seed + number, chance.randrange(1, 120)):
            named = {what} if verb in {"ending", "ended"} else {i for i, (_, name) in kept.items() if name == what}
            if verb == "kept":
                kept[what] = (more[0], more[1])
            elif verb in {"ending", "forgetting"}:
                may_be_gone |= named
            else:
                must_be_gone |= named
        with RecheckQueue(folder, 1 << 30, 1 << 20) as queue:
            waiting = queue.next_due(1 << 20)
            assert len(waiting) == len(queue) == len({each.id for each in waiting})
        found = {each.id for each in waiting}
        assert not found & must_be_gone
        assert set(kept) - found <= may_be_gone
        assert len(found - set(kept)) <= number + 1, "one upload per kill may be kept without a word"
        for each in waiting:
            if each.id in kept and kept[each.id][0] != "signals":
                assert isinstance(each.source, Path)
                name = kept[each.id][1].encode()
                assert each.source.read_bytes() in {name, name * 1000}
        on_disk = {each.name for each in (folder / "recheck").iterdir()}
        assert on_disk == {each.id for each in waiting if isinstance(each.source, Path)}
    assert len(kept) > rounds
    assert must_be_gone


class Receiver(BaseHTTPRequestHandler):
    """Remembers ids; says no now and then."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    came: list[str]
    chance: random.Random

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        good = self.chance.random() < 0.8
        if good:
            self.came.append(self.headers["webhook-id"])
        self.send_response(200 if good else 503)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def receiver() -> Iterator[ThreadingHTTPServer]:
    Receiver.came, Receiver.chance = [], random.Random(1)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_webhook_killed_at_any_moment(tmp_path: Path, receiver: ThreadingHTTPServer) -> None:
    seed = run_seed("HASHPACT_KILL_SEED")
    print(f"HASHPACT_KILL_SEED={seed}")
    chance = random.Random(seed)
    folder, url = tmp_path / "memory", f"http://127.0.0.1:{receiver.server_port}/"
    posted: set[str] = set()
    for number in range(rounds := effort(6)):
        said = lines_until_killed(POSTING, folder, seed + number, chance.randrange(1, 80), url)
        posted |= {name for _, name in said}
        outbox = Outbox(folder, 1 << 30, 1 << 20)
        waiting = {letter.id for letter in outbox.due(1 << 20)}
        outbox.close()
        assert posted <= waiting | set(Receiver.came), "an event was lost"
        assert len((waiting | set(Receiver.came)) - posted) <= number + 1, (
            "one event per kill may be kept without a word"
        )
    assert len(posted) > rounds
    assert set(Receiver.came) & posted
    # Twice, only where a kill fell between the receiver's word and ours, or a round was settled later.
    assert len(Receiver.came) - len(set(Receiver.came)) <= rounds * 8
