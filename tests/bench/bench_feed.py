"""The feed: how soon a replica knows, how fast watchers catch up, how long a new replica takes to begin.

Hub, replica, watchers and clients share the machine's cores. ``python -m tests.bench.bench_feed TARGET CA WATCHERS``,
with ``HASHPACT_TOKEN``, watches from the first entry on until nothing is left, and prints JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import grpc
from hashpact import Client, Probe, Signal
from hashpact.v1 import feed_service_pb2 as pb
from hashpact.v1 import feed_service_pb2_grpc

from tests.bench.calls import figures_of, run_threads
from tests.bench.filling import LABELS
from tests.bench.running import Prepared, Running, server_command, serving

WATCHERS: Final = 10
WATCHING_PROCESSES: Final = 2
IDLE_WATCHERS: Final = 50
UPDATES: Final = 200
MESSAGE_BYTES_MAX: Final = 64 << 20


def watch(target: str, ca: bytes, token: str) -> Any:
    """A call of Watch from the first entry on."""
    options = [("grpc.max_receive_message_length", MESSAGE_BYTES_MAX), ("grpc.use_local_subchannel_pool", 1)]
    channel = grpc.secure_channel(target, grpc.ssl_channel_credentials(ca), options)
    stub: Any = feed_service_pb2_grpc.FeedServiceStub(channel)
    return stub.Watch(pb.WatchRequest(), metadata=(("authorization", f"Bearer {token}"),))


@contextmanager
def replica_of(running: Running, folder: Path) -> Iterator[Running]:
    """A new replica of a running server; its start is the time until it has everything."""
    data = folder / "replica"
    subprocess.run([*server_command(), "init", str(data), "--replica"], check=True, capture_output=True)
    place = replace(running.prepared, data=data)
    with serving(place, upstream=running) as replica:
        yield replica


def measure(place: Prepared) -> dict[str, Any]:
    """All of it, over one hub."""
    with serving(place) as running:
        return {"catching_up": measure_catching_up(running), **measure_beginning_and_lag(running)}


def measure_beginning_and_lag(running: Running) -> dict[str, Any]:
    """Seconds until a new replica has the whole list, and the time from a contribution to a match at the replica."""
    with (
        tempfile.TemporaryDirectory(prefix="hashpact-bench-") as folder,
        replica_of(running, Path(folder)) as replica,
        running.contributing() as contributor,
        replica.checking() as checker,
    ):
        alone = _lag(contributor, checker)
        with ExitStack() as stack:
            for _ in range(IDLE_WATCHERS):
                stack.enter_context(_idle_watcher(running))
            crowded = _lag(contributor, checker)
        return {"begin_s": replica.start_s, "lag": alone, "lag_with_watchers": crowded, "watchers": IDLE_WATCHERS}


def _lag(contributor: Client, checker: Client) -> dict[str, Any]:
    spent = []
    for _ in range(UPDATES):
        value = Signal("pdq", os.urandom(32), 100)
        began = time.perf_counter()
        contributor.contribute([value], labels=LABELS)
        if not checker.lookup([Probe.of([value])], at_least_as_fresh=contributor.as_of)[0].matches:
            raise AssertionError("a replica that is fresh enough does not know what was contributed")
        spent.append(time.perf_counter() - began)
    return figures_of(spent)


@contextmanager
def _idle_watcher(running: Running) -> Iterator[None]:
    """Somebody who has everything, and hears of what comes."""
    call = watch(running.target, running.ca.read_bytes(), running.prepared.replicator)
    level = threading.Event()

    def read() -> None:
        try:
            for message in call:
                if message.next_sequence > message.head_sequence:
                    level.set()
        except grpc.RpcError:
            level.set()

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    level.wait()
    try:
        yield
    finally:
        call.cancel()
        thread.join()


def measure_catching_up(running: Running) -> dict[str, float]:
    """Entries per second to ten watchers in two processes, each from the first entry on, until they have all."""
    command = [sys.executable, "-m", "tests.bench.bench_feed", running.target, str(running.ca)]
    environment = {**os.environ, "HASHPACT_TOKEN": running.prepared.replicator}
    began = time.perf_counter()
    processes = [
        subprocess.Popen(
            [*command, str(WATCHERS // WATCHING_PROCESSES)], stdout=subprocess.PIPE, env=environment, text=True
        )
        for _ in range(WATCHING_PROCESSES)
    ]
    entries = sum(json.loads(process.communicate()[0])["entries"] for process in processes)
    seconds = time.perf_counter() - began
    return {"watchers": WATCHERS, "entries": entries, "seconds": seconds, "entries_per_s": entries / seconds}


def main() -> None:
    """Watch until nothing is left."""
    target, ca, watchers = sys.argv[1], Path(sys.argv[2]).read_bytes(), int(sys.argv[3])
    counts = [0] * watchers

    def read(number: int) -> None:
        call = watch(target, ca, os.environ["HASHPACT_TOKEN"])
        for message in call:
            counts[number] += len(message.entries)
            if message.next_sequence > message.head_sequence:
                break
        call.cancel()

    run_threads([threading.Thread(target=read, args=(number,)) for number in range(watchers)])
    print(json.dumps({"entries": sum(counts)}))


if __name__ == "__main__":
    main()
