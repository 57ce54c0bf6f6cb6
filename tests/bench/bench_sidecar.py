"""Pictures per second through the sidecar's ``POST /v1/check``, beside the bare library in the same run.

``python -m tests.bench.bench_sidecar [SECONDS]`` prints JSON. The same photographs, one after the other: hashed by the
library; hashed and looked up by it (at the hub, over TLS); sent to a sidecar, which hashes in processes and asks its
replica. All of them, and the load generator, share the machine's cores.
"""

from __future__ import annotations

import http.client
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from hashpact import hash_image
from hashpact._parallel import cores

from tests.bench.bench_hashing import small_files
from tests.bench.calls import timed
from tests.bench.running import STOP_S, Prepared, Running, prepared, serving

FILES_MAX: Final = 24
SENDERS: Final = 4
LISTED: Final = 4
"""Of the photographs, so that some checks match."""


def measure(place: Prepared, seconds: float) -> dict[str, Any]:
    """Images per second, one at a time and several at a time."""
    files = small_files()[:FILES_MAX]
    with serving(place) as hub, sidecar(hub) as port:
        with hub.contributing() as client:
            for each in files[:LISTED]:
                client.contribute(each, labels=["test"])
        post = _Poster(port, files)
        post(0)
        with hub.checking() as client:
            one = {
                "library_hash": timed(lambda turn: _hash(files[turn % len(files)]), seconds, 1),
                "library_check": timed(lambda turn: _count(client.check(files[turn % len(files)])), seconds, 1),
                "sidecar": timed(post, seconds, 1),
            }
        several = {"library_hash": _in_processes(files, seconds), "sidecar": timed(post, seconds, SENDERS)}
    return {
        "files": len(files),
        "one": one,
        "several": several,
        "of_library_check_one": one["sidecar"]["per_s"] / one["library_check"]["per_s"],
        "of_library_hash_several": several["sidecar"]["per_s"] / several["library_hash"]["per_s"],
    }


def _count(_: object) -> int:
    return 1


def _hash(data: bytes) -> int:
    return _count(hash_image(data, dihedral=True))


def _in_processes(files: list[bytes], seconds: float) -> dict[str, float]:
    """The bare library in as many processes as there are cores, as the sidecar has."""
    with ProcessPoolExecutor(cores(), mp_context=multiprocessing.get_context("forkserver")) as pool:
        sum(pool.map(_hash, files[: 4 * cores()]))  # imports
        began, done = time.perf_counter(), 0
        while (elapsed := time.perf_counter() - began) < seconds:
            done += sum(pool.map(_hash, files))
    return {"per_s": done / elapsed, "processes": cores()}


class _Poster:
    """Sends the photographs in turn, each thread over a connection of its own."""

    def __init__(self, port: int, files: list[bytes]) -> None:
        self._port = port
        self._files = files
        self._own = threading.local()

    def __call__(self, turn: int) -> int:
        connection = getattr(self._own, "connection", None)
        if connection is None:
            connection = self._own.connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        connection.request("POST", "/v1/check", self._files[turn % len(self._files)])
        answer = connection.getresponse()
        told = json.loads(answer.read())
        if told.get("verdict") not in {"match", "near", "none"}:
            raise AssertionError(f"no answer: {answer.status} {told}")
        return 1


@contextmanager
def sidecar(hub: Running) -> Iterator[int]:
    """A sidecar of a hub, ready; its port."""
    with tempfile.TemporaryDirectory(prefix="hb") as folder:
        config = Path(folder) / "sidecar.toml"
        config.write_text("deadline_s = 60\nmode = 'act'\n")
        words = ["--hub", hub.target, "--listen", "127.0.0.1:0", "--data", f"{folder}/d", "--config", str(config)]
        process = subprocess.Popen(
            [sys.executable, "-c", "from hashpact.cli import main; main()", "sidecar", *words],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "HASHPACT_TOKEN": hub.prepared.sidecar, "HASHPACT_CA": str(hub.ca)},
        )
        try:
            yield _port(process)
        finally:
            process.terminate()
            process.wait(STOP_S)


def _port(process: subprocess.Popen[str]) -> int:
    """The port that the log names, once the replica serves."""
    if process.stderr is None:
        raise AssertionError("the sidecar's log is piped")
    port = 0
    for line in process.stderr:
        told = json.loads(line) if line.startswith("{") else {}
        if told.get("event") == "listening" and str(told["address"]).startswith("127."):
            port = int(told["address"].rpartition(":")[2])
        if told.get("event") == "replica serves":
            threading.Thread(target=process.stderr.read, daemon=True).start()
            return port
    raise AssertionError("the sidecar ended before its replica served")


if __name__ == "__main__":
    with prepared() as made:
        print(json.dumps(measure(made, float(sys.argv[1]) if len(sys.argv) > 1 else 10.0), indent=1))
