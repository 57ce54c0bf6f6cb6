"""Look-ups through a real client, over TLS on this machine, beside an empty echo RPC in the same run.

Client and server share the machine's cores. Nearly all probes miss, as real uploads do.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import grpc
from hashpact import Probe, Signal

from tests.bench import echo
from tests.bench.calls import Steady, timed
from tests.bench.filling import digest_of
from tests.bench.running import STOP_S, Running

BATCH_PROBES: Final = 256
BATCH_THREADS: Final = 4
STEADY_PER_S: Final = 500
ECHO_TURNS: Final = 5


def probe(number: int) -> Probe:
    """One upload: a PDQ value and a digest, neither of them listed."""
    return Probe.of([Signal("pdq", os.urandom(32)), Signal("sha256", digest_of(number))])


def frame(_number: int) -> Probe:
    """One frame of a video: a PDQ value."""
    return Probe.of([Signal("pdq", os.urandom(32))])


@contextmanager
def echo_server(running: Running) -> Iterator[str]:
    """The empty echo RPC, with the same certificate."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.echo", str(running.prepared.data)],
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


def measure_unary(running: Running, seconds: float) -> dict[str, Any]:
    """One probe a call beside the echo, turn by turn, and at a steady rate."""
    credentials = grpc.ssl_channel_credentials(running.ca.read_bytes())
    probes = [probe(number) for number in range(1024)]
    with (
        running.checking() as client,
        echo_server(running) as echo_target,
        grpc.secure_channel(echo_target, credentials) as channel,
    ):
        ping = channel.unary_unary(echo.METHOD, request_serializer=None, response_deserializer=None)
        payload = bytes(120)

        def lookup(turn: int) -> int:
            client.lookup([probes[turn % len(probes)]])
            return 1

        def empty(_turn: int) -> int:
            ping(payload)
            return 1

        figures: dict[str, Any] = {}
        for threads in (1, 4):
            timed(lookup, seconds / 10, threads), timed(empty, seconds / 10, threads)
            turns = [
                (timed(empty, seconds / ECHO_TURNS, threads), timed(lookup, seconds / ECHO_TURNS, threads))
                for _ in range(ECHO_TURNS)
            ]
            turns.sort(key=lambda pair: pair[1]["per_s"] / pair[0]["per_s"])
            figures[f"echo_{threads}"], figures[f"unary_{threads}"] = turns[ECHO_TURNS // 2]
            figures[f"unary_of_echo_{threads}"] = (
                turns[ECHO_TURNS // 2][1]["per_s"] / turns[ECHO_TURNS // 2][0]["per_s"]
            )
        with Steady(lookup, STEADY_PER_S, 4) as steady:
            time.sleep(seconds)
        figures["unary_steady"] = steady.figures()
        return figures


def measure_batches(running: Running, seconds: float) -> dict[str, float]:
    """Frames in batches, from several threads, for as long as is said."""
    frames = [[frame(number) for number in range(BATCH_PROBES)] for _ in range(16)]
    with running.checking() as client:

        def batch(turn: int) -> int:
            client.lookup(frames[turn % len(frames)])
            return BATCH_PROBES

        timed(batch, 1.0, BATCH_THREADS)
        return timed(batch, seconds, BATCH_THREADS)
