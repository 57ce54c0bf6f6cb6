"""The sidecar's memory, killed at any moment: what was acknowledged is there, what was done does not come back."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

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
    held = {"bytes": media, "path": Path(name), "signals": Probe.of([Signal("md5", bytes(16))])}[kind]
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


def lines_until_killed(folder: Path, seed: int, count: int) -> list[list[str]]:
    """Run the program, kill it after so many lines; everything that it said before it was gone."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, folder, str(seed)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        said = [process.stdout.readline() for _ in range(count)]
        process.kill()
        rest = process.stdout.read()
        errors = process.stderr.read()
    assert all(said), errors
    text = "".join(said) + rest
    return [line.split() for line in text.splitlines()]


def test_the_queue_killed_at_any_moment(tmp_path: Path) -> None:
    seed = run_seed("HASHPACT_KILL_SEED")
    print(f"HASHPACT_KILL_SEED={seed}")
    chance = random.Random(seed)
    kept: dict[str, tuple[str, str]] = {}
    must_be_gone: set[str] = set()
    may_be_gone: set[str] = set()
    for number in range(rounds := effort(12)):
        for verb, what, *more in lines_until_killed(tmp_path, seed + number, chance.randrange(1, 120)):
            named = {what} if verb in {"ending", "ended"} else {i for i, (_, name) in kept.items() if name == what}
            if verb == "kept":
                kept[what] = (more[0], more[1])
            elif verb in {"ending", "forgetting"}:
                may_be_gone |= named
            else:
                must_be_gone |= named
        with RecheckQueue(tmp_path, 1 << 30, 1 << 20) as queue:
            waiting = queue.next_due(1 << 20)
            assert len(waiting) == len(queue) == len({each.id for each in waiting})
        found = {each.id for each in waiting}
        assert not found & must_be_gone
        assert set(kept) - found <= may_be_gone
        assert len(found - set(kept)) <= number + 1, "one upload per kill may be kept without a word"
        for each in waiting:
            if each.id in kept and kept[each.id][0] == "bytes":
                assert isinstance(each.source, Path)
                name = kept[each.id][1].encode()
                assert each.source.read_bytes() in {name, name * 1000}
        on_disk = {each.name for each in (tmp_path / "recheck").iterdir()}
        assert on_disk == {each.id for each in waiting if isinstance(each.source, Path) and each.source.is_absolute()}
    assert len(kept) > rounds
    assert must_be_gone
