"""A server's life: it starts, says so, is killed, starts again, shares nothing, and ends in order."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import socket
import subprocess
import threading
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from hashpact_server import fsck, replay
from hashpact_server import node as node_module
from hashpact_server.datadir import DataDirectory
from hashpact_server.engine import Engine
from hashpact_server.ledger.store import Store
from hashpact_server.lock import DirectoryLock
from hashpact_server.node import EXIT_FATAL, Node
from hashpact_server.routes import service_names

from tests.integration.harness import (
    WAIT_S,
    Attached,
    Forum,
    ServerInside,
    ServerProcess,
    command,
    raw_stream_method,
    refused,
    said,
    settings_of,
)

PDQ = bytes(range(32))


def judge(forum: Forum) -> None:
    """fsck and replay-check, on a directory that nobody uses."""
    for report in (fsck.check(forum.data), replay.check(forum.data)):
        assert report.ok, report.problems


def test_killed_and_started_again(forum: Forum, new_pdq: Callable[[], bytes]) -> None:
    listed = [new_pdq() for _ in range(3)]
    with ServerProcess(forum) as first:
        alpha = first.ready().member("alpha")
        outcomes = [alpha.contribute(pdq).outcomes[0] for pdq in listed]
        assert alpha.contribute(new_pdq(), request_id="once-and-only").outcomes[0].item
        first.kill()
    judge(forum)
    with ServerInside(forum) as second:
        alpha = second.member("alpha")
        for pdq, outcome in zip(listed, outcomes, strict=True):
            assert alpha.lookup(pdq).matched[0].matches[0].item == outcome.item


def test_a_second_server_on_the_same_directory_is_told_who_has_it(server: ServerProcess) -> None:
    data = server.forum.data
    done = command("serve", "--data", data, "--listen", "127.0.0.1:0", code=3)
    assert f"in use by process {server.process.pid}" in done.stderr
    for verb in (["fsck"], ["replay-check"], ["member", "list"]):
        assert str(server.process.pid) in command(*verb, "--data", data, code=3).stderr
    done = command("member", "add", "late", "--role", "check", "--data", data, code=3)
    assert "`hashpact member add late`" in done.stderr
    assert not server.member("acme").finds(PDQ)


def test_a_second_server_on_the_same_port_is_refused(inside: ServerInside, made_forum: Forum, tmp_path: Path) -> None:
    other = made_forum.copy(tmp_path / "other")
    done = command("serve", "--data", other.data, "--listen", str(inside.address), code=3)
    assert str(inside.address) in done.stderr
    assert "in use" in done.stderr
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        done = command("serve", "--data", other.data, "--listen", "127.0.0.1:0", "--metrics", place, code=3)
    assert place in done.stderr
    # What failed to start left the directory free.
    DirectoryLock(DataDirectory(other.data)).close()


def test_a_name_that_does_not_resolve_is_said_to_be_so(forum: Forum) -> None:
    done = command("serve", "--data", forum.data, "--listen", "nowhere.invalid:0", code=3)
    assert "cannot listen on nowhere.invalid:0" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def slow_commits(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[threading.Event, threading.Event]]:
    """Commits that wait: (set when one waits, to be set for it to go on)."""
    waits, go_on = threading.Event(), threading.Event()
    commit = Store.commit

    def slow(self: Store, tx: Any) -> None:
        waits.set()
        assert go_on.wait(WAIT_S)
        commit(self, tx)

    monkeypatch.setattr(Store, "commit", slow)
    yield waits, go_on
    go_on.set()


def test_a_write_in_flight_is_answered_before_the_server_ends(
    forum: Forum,
    new_pdq: Callable[[], bytes],
    slow_commits: tuple[threading.Event, threading.Event],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits, go_on = slow_commits
    pdq = new_pdq()
    # Less than the commit waits below: what is tested is the drain, not the moment after it.
    monkeypatch.setattr(node_module, "_LAST_ANSWERS_S", 1.0)
    with ServerInside(forum) as server, ThreadPoolExecutor(2) as threads:
        writing = threads.submit(server.member("alpha").contribute, pdq)
        assert waits.wait(WAIT_S)
        stopping: Future[None] = threads.submit(server.node.stop)
        # It takes nobody new from now on; the commit still waits, so this is before the end.
        with pytest.raises(grpc.FutureTimeoutError):
            grpc.channel_ready_future(server.channel()).result(1.5)
        assert not stopping.done()
        go_on.set()
        assert writing.result(WAIT_S).outcomes[0].item
        stopping.result(WAIT_S)
    judge(forum)
    with ServerInside(forum) as again:
        assert again.member("acme").finds(pdq)


def test_a_write_that_outlives_the_drain_is_not_acknowledged_and_does_no_harm(
    forum: Forum, new_pdq: Callable[[], bytes], slow_commits: tuple[threading.Event, threading.Event]
) -> None:
    waits, go_on = slow_commits
    forum.configure("drain_s = 0.1\n")
    with ServerInside(forum) as server, ThreadPoolExecutor(2) as threads:
        writing = threads.submit(server.member("alpha").contribute, new_pdq())
        assert waits.wait(WAIT_S)
        stopping: Future[None] = threads.submit(server.node.stop)
        with pytest.raises(grpc.RpcError) as raised:
            writing.result(WAIT_S)
        assert said(raised.value).code in ("UNAVAILABLE", "CANCELLED")
        go_on.set()
        stopping.result(WAIT_S)
    judge(forum)


def test_sigterm_ends_with_zero_and_leaves_a_clean_store(server: ServerProcess, new_pdq: Callable[[], bytes]) -> None:
    alpha, listed = server.member("alpha"), []
    alpha.patient = False
    gone = threading.Event()

    def write() -> None:
        try:
            while True:
                pdq = new_pdq()
                alpha.contribute(pdq)
                listed.append(pdq)
                if len(listed) == 5:
                    gone.set()
        except grpc.RpcError:
            gone.set()

    writer = threading.Thread(target=write)
    writer.start()
    assert gone.wait(WAIT_S)
    assert server.stop() == 0
    writer.join(WAIT_S)
    assert server.wait_for("stopped")["drained"]
    judge(server.forum)
    with ServerInside(server.forum) as again:
        acme = again.member("acme")
        assert all(acme.finds(pdq) for pdq in listed)


def test_a_second_signal_ends_at_once(forum: Forum) -> None:
    forum.configure("drain_s = 600.0\n")
    never = threading.Event()

    def message() -> Iterator[bytes]:
        never.wait(WAIT_S)
        yield b""

    with ServerProcess(forum, "--metrics", "127.0.0.1:0") as server:
        acme = server.ready().member("acme")
        held = raw_stream_method(acme.channel, "/hashpact.v1.LookupService/Lookup").future(
            message(), metadata=acme.metadata, timeout=WAIT_S
        )
        place = server.wait_for("metrics")["address"]
        while b'hashpact_in_flight{kind="request"} 1.0' not in urllib.request.urlopen(f"http://{place}").read():
            assert not held.done()
        server.signal(signal.SIGTERM)
        server.wait_for("stopping")
        assert server.process.poll() is None  # it waits for the call
        server.signal(signal.SIGTERM)
        assert server.wait() == 128 + signal.SIGTERM
        never.set()
    judge(forum)


def test_a_hangup_does_not_end_it(server: ServerProcess) -> None:
    server.signal(signal.SIGHUP)
    assert not server.member("acme").finds(PDQ)
    assert server.stop() == 0


def test_readiness_comes_after_the_index_and_liveness_before(forum: Forum, monkeypatch: pytest.MonkeyPatch) -> None:
    reached, go_on, opened = threading.Event(), threading.Event(), Engine.open

    def slow(*arguments: Any) -> Engine:
        reached.set()
        assert go_on.wait(WAIT_S)
        return opened(*arguments)

    monkeypatch.setattr(Engine, "open", slow)
    node = Node(DataDirectory(forum.data), settings_of(forum))
    names, status = ("", *service_names()), health_pb2.HealthCheckResponse
    with ThreadPoolExecutor(1) as threads:
        starting = threads.submit(node.start)
        assert reached.wait(WAIT_S)
        with Attached(forum, node.address) as server:
            assert {server.health(name) for name in names} == {"NOT_SERVING"}
            with refused("NOT_SERVING") as found:
                server.member("acme").finds(PDQ)
            assert found[0].code == "UNAVAILABLE"
            watch = health_pb2_grpc.HealthStub(server.channel()).Watch(
                health_pb2.HealthCheckRequest(service="hashpact.v1.LookupService"), timeout=WAIT_S
            )
            assert next(watch).status == status.NOT_SERVING
            go_on.set()
            assert next(watch).status == status.SERVING
            starting.result(WAIT_S)
            assert {server.health(name) for name in names} == {"SERVING"}
            assert not server.member("acme").finds(PDQ)
            node.stop()
            assert next(watch).status == status.NOT_SERVING
            assert list(watch) == []  # an open Watch does not keep the server from ending


def test_health_of_a_name_that_does_not_exist(inside: ServerInside) -> None:
    stub = health_pb2_grpc.HealthStub(inside.channel())
    with pytest.raises(grpc.RpcError) as raised:
        stub.Check(health_pb2.HealthCheckRequest(service="nothing"), timeout=WAIT_S)
    assert said(raised.value).code == "NOT_FOUND"
    watch = stub.Watch(health_pb2.HealthCheckRequest(service="nothing"), timeout=WAIT_S)
    assert next(watch).status == health_pb2.HealthCheckResponse.SERVICE_UNKNOWN
    watch.cancel()
    assert set(stub.List(health_pb2.HealthListRequest(), timeout=WAIT_S).statuses) == {"", "ready", *service_names()}


def test_reflection_names_the_services(inside: ServerInside) -> None:
    stub = reflection_pb2_grpc.ServerReflectionStub(inside.channel())
    asked = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
    (answer,) = stub.ServerReflectionInfo(asked, timeout=WAIT_S)
    assert {each.name for each in answer.list_services_response.service} >= set(service_names())


def test_a_dead_writer_ends_the_process_for_the_supervisor(
    forum: Forum, new_pdq: Callable[[], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    node, started = Node(DataDirectory(forum.data), settings_of(forum)), threading.Event()
    start = node.start

    def start_and_tell() -> None:
        start()
        started.set()

    def broken() -> None:
        raise MemoryError

    def break_it() -> str:
        assert started.wait(WAIT_S)
        with Attached(forum, node.address) as server:
            alpha = server.member("alpha")
            alpha.contribute(new_pdq())
            monkeypatch.setattr(node.engine.state, "begin", broken)
            with pytest.raises(grpc.RpcError) as raised:
                alpha.contribute(new_pdq())
            return said(raised.value).reason

    monkeypatch.setattr(node, "start", start_and_tell)
    with ThreadPoolExecutor(1) as threads:
        reason = threads.submit(break_it)
        assert node.run() == EXIT_FATAL
        assert reason.result(WAIT_S) == "NOT_SERVING"
    judge(forum)


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("mount") is None, reason="mounting a small disk needs root")
def test_a_full_disk_fails_the_write_and_not_the_store(
    made_forum: Forum, tmp_path: Path, new_pdq: Callable[[], bytes]
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "none", disk], check=False, capture_output=True)
    if mounted.returncode:
        pytest.skip(f"cannot mount here: {mounted.stderr.decode().strip()}")
    try:
        forum = made_forum.copy(disk / "data")
        first, second = new_pdq(), new_pdq()
        with ServerInside(forum) as server:
            alpha = server.member("alpha")
            alpha.contribute(first)
            ballast = disk / "ballast"
            ballast.write_bytes(bytes(shutil.disk_usage(disk).free - (1 << 20)))
            with refused("STORE_FULL") as found:
                alpha.contribute(second)
            assert found[0].code == "RESOURCE_EXHAUSTED"
            assert alpha.finds(first)
            assert not alpha.finds(second)
            ballast.unlink()
            alpha.contribute(second)
            assert alpha.finds(second)
        judge(forum)
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def test_the_server_leaves_no_core_file(server: ServerProcess) -> None:
    limits = Path(f"/proc/{server.process.pid}/limits").read_text(encoding="ascii").splitlines()
    (line,) = (line for line in limits if line.startswith("Max core file size"))
    assert line.split()[4:6] == ["0", "0"]


def test_the_server_may_open_as_many_files_as_it_is_let(forum: Forum) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = 65_536 if hard == resource.RLIM_INFINITY else min(65_536, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(512, most), hard))
    try:
        with ServerProcess(forum) as server:
            limits = Path(f"/proc/{server.ready().process.pid}/limits").read_text(encoding="ascii").splitlines()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    (line,) = (line for line in limits if line.startswith("Max open files"))
    assert int(line.split()[3]) == most
