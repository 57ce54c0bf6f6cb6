"""The service through a real client, over TLS on this machine, beside an empty echo RPC in the same run.

Client and server share the machine's cores, as the figures say. Lists are filled through the engine and hold items of 2
digests and 4 perceptual signals. ``python -m tests.bench.bench_service`` prints JSON.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import Any

import grpc
from hashpact import Client, Contribution, Probe, Signal

from tests.bench import echo
from tests.bench.filling import LABELS, PERCEPTUAL, digest_of, fill

BATCH_PROBES = 256
BATCH_CONTRIBUTIONS = 500
STOP_S = 30.0


@dataclass(frozen=True)
class Running:
    """A server under test: where it listens, whom to trust, and tokens of a checker and a contributor."""

    target: str
    ca: Path
    checker: str
    contributor: str
    data: Path


def _server_command() -> list[str]:
    return [sys.executable, "-m", "hashpact_server"]


def _admit(data: Path, name: str, role: str) -> str:
    command = [*_server_command(), "member", "add", name, "--role", role, "--data", str(data)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found = re.search(r"hpt_[A-Za-z0-9_-]{43}", printed)
    if not found:
        raise AssertionError("member add printed no token")
    return found.group()


@contextmanager
def server(items: int) -> Iterator[tuple[Running, dict[str, float]]]:
    """A running server whose list has ``items`` items, and how long filling and starting took."""
    with tempfile.TemporaryDirectory(prefix="hashpact-bench-") as folder:
        data = Path(folder) / "data"
        subprocess.run([*_server_command(), "init", str(data)], check=True, capture_output=True)
        checker, contributor = _admit(data, "checker", "check"), _admit(data, "contributor", "contribute")
        times = {"fill_items_per_s": fill(data, items)} if items else {}
        started = time.perf_counter()
        process = subprocess.Popen(
            [*_server_command(), "serve", "--data", str(data), "--listen", "127.0.0.1:0"],
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            port = _port(process)
            times["start_s"] = time.perf_counter() - started
            yield Running(f"127.0.0.1:{port}", data / "ca.pem", checker, contributor, data), times
        finally:
            process.terminate()
            process.wait(STOP_S)


def _port(process: subprocess.Popen[str]) -> int:
    """The port that the log names, once the server says that it is ready."""
    if process.stderr is None:
        raise AssertionError("the server's log is piped")
    port = 0
    for line in process.stderr:
        if found := re.search(r"127\.0\.0\.1:(\d+)", line):
            port = int(found.group(1))
        if '"ready"' in line:
            threading.Thread(target=process.stderr.read, daemon=True).start()
            return port
    raise AssertionError("the server ended before it was ready")


def timed(call: Callable[[int], int], seconds: float, threads: int) -> dict[str, float]:
    """Call from several threads for a while; rate of what the calls return, and latency of a call in ms."""
    latencies: list[list[float]] = [[] for _ in range(threads)]
    totals = [0] * threads
    end = time.perf_counter() + seconds

    def work(number: int) -> None:
        turn = number
        while (begun := time.perf_counter()) < end:
            totals[number] += call(turn)
            latencies[number].append(time.perf_counter() - begun)
            turn += threads

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    started = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    elapsed = time.perf_counter() - started
    cuts = quantiles(sorted(value for each in latencies for value in each), n=100)
    return {"per_s": sum(totals) / elapsed, "p50_ms": cuts[49] * 1000, "p99_ms": cuts[98] * 1000, "threads": threads}


def _probe(number: int) -> Probe:
    return Probe.of([Signal("pdq", os.urandom(32)), Signal("sha256", digest_of(number))])


def _frame(_number: int) -> Probe:
    return Probe.of([Signal("pdq", os.urandom(32))])


@contextmanager
def echo_server(running: Running) -> Iterator[str]:
    """The empty echo RPC, with the same certificate."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.echo", str(running.data)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        if process.stdout is None or process.stdin is None:
            raise AssertionError("pipes were asked for")
        yield f"127.0.0.1:{int(process.stdout.readline())}"
        process.stdin.close()
    finally:
        process.terminate()
        process.wait(STOP_S)


def measure_lookups(running: Running, seconds: float) -> dict[str, Any]:
    """Unary and batched look-ups, nearly all of them misses, as real uploads are; and the echo, turn by turn."""
    credentials = grpc.ssl_channel_credentials(running.ca.read_bytes())
    probes = [_probe(number) for number in range(1024)]
    frames = [[_frame(number) for number in range(BATCH_PROBES)] for _ in range(16)]
    with (
        Client(running.target, token=running.checker, ca=running.ca) as client,
        echo_server(running) as echo_target,
        grpc.secure_channel(echo_target, credentials) as channel,
    ):
        ping = channel.unary_unary(echo.METHOD, request_serializer=None, response_deserializer=None)
        payload = bytes(120)

        def lookup(turn: int) -> int:
            client.lookup([probes[turn % len(probes)]])
            return 1

        def batch(turn: int) -> int:
            client.lookup(frames[turn % len(frames)])
            return BATCH_PROBES

        def empty(_turn: int) -> int:
            ping(payload)
            return 1

        lookup(0), batch(0), empty(0)
        figures: dict[str, Any] = {}
        for threads in (1, 4):
            figures[f"echo_{threads}"] = timed(empty, seconds, threads)
            figures[f"unary_{threads}"] = timed(lookup, seconds, threads)
            figures[f"unary_of_echo_{threads}"] = (
                figures[f"unary_{threads}"]["per_s"] / figures[f"echo_{threads}"]["per_s"]
            )
        figures["batch_4"] = timed(batch, seconds, 4)
        return figures


def _contribution() -> Contribution:
    named = [("sha256", 32), ("md5", 16), *((name, 8 if name == "phash" else 32) for name in PERCEPTUAL)]
    signals = [Signal(name, os.urandom(size), 100 if name == "pdq" else None) for name, size in named]
    return Contribution(signals, LABELS)


def measure_contributions(running: Running, seconds: float) -> dict[str, Any]:
    """Durable contributions of 2 digests and 4 perceptual signals, in batches and one by one."""
    batches = [[_contribution() for _ in range(BATCH_CONTRIBUTIONS)] for _ in range(40)]
    lock = threading.Lock()

    with Client(running.target, token=running.contributor, ca=running.ca, timeout_s=30) as client:

        def batch(_turn: int) -> int:
            with lock:
                wanted = batches.pop() if batches else [_contribution() for _ in range(BATCH_CONTRIBUTIONS)]
            outcomes = client.contribute_many(wanted)
            if any(outcome.outcome != "created" for outcome in outcomes):
                raise AssertionError("a fresh contribution was not created")
            return len(wanted)

        def single(_turn: int) -> int:
            client.contribute_many([_contribution()])
            return 1

        single(0)
        return {
            "batch_2": timed(batch, seconds, 2),
            "single_1": timed(single, seconds, 1),
            "single_8": timed(single, seconds, 8),
        }


def run(existing: tuple[int, ...] = (0, 1_000_000), seconds: float = 10.0) -> dict[str, Any]:
    """Measure with lists of these sizes (items; 4 perceptual signals each)."""
    figures: dict[str, Any] = {}
    for items in existing:
        with server(items) as (running, times):
            figures[str(items)] = {
                "list": times,
                "lookups": measure_lookups(running, seconds),
                "contributions": measure_contributions(running, seconds),
            }
    return figures


if __name__ == "__main__":
    print(json.dumps(run(), indent=1))
