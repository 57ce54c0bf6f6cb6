"""A member of its own process that contributes videos at a steady rate, until its standard input ends.

``HASHPACT_TOKEN=... python -m tests.bench.contributor TARGET CA`` prints how many PDQ values it got listed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hashpact import Client, Contribution, Signal

from tests.bench.calls import Steady
from tests.bench.filling import LABELS
from tests.bench.running import Running

VIDEOS = 30
FRAMES = 100
CALLS_PER_S = 1.0
"""30 videos of 100 frames once a second: 3,000 PDQ values a second, a seal of the index' tail every 5 seconds."""


def video() -> Contribution:
    """A video of which nothing is listed."""
    return Contribution([Signal("pdq", os.urandom(32), 100) for _ in range(FRAMES)], LABELS)


@contextmanager
def contributing(running: Running) -> Iterator[list[int]]:
    """The process beside what is measured; afterwards the list holds the number of PDQ values it added."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.contributor", running.target, str(running.ca)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "HASHPACT_TOKEN": running.prepared.contributor},
        text=True,
    )
    added: list[int] = []
    try:
        if process.stdout is None:
            raise AssertionError("pipes were asked for")
        process.stdout.readline()  # it is connected
        yield added
        added.append(int(process.communicate()[0]))
    finally:
        process.kill()
        process.wait()


def main() -> None:
    """Contribute until told to stop."""
    listed = [0]

    with Client(sys.argv[1], token=os.environ["HASHPACT_TOKEN"], ca=Path(sys.argv[2]), timeout_s=30) as client:

        def call(_turn: int) -> int:
            outcomes = client.contribute_many([video() for _ in range(VIDEOS)])
            listed[0] += sum(FRAMES for outcome in outcomes if outcome.listed)
            return len(outcomes)

        call(0)
        print(flush=True)
        with Steady(call, CALLS_PER_S, 1):
            sys.stdin.read()
    print(listed[0])


if __name__ == "__main__":
    main()
