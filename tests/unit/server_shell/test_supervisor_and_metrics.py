"""Words for the service manager, and numbers for whoever scrapes."""

from __future__ import annotations

import socket
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from hashpact_server import supervisor
from hashpact_server.addresses import Address
from hashpact_server.metrics import Metrics, MetricsPort, Reading
from hashpact_server.trouble import Trouble


def test_the_service_manager_hears_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        manager.settimeout(30)
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        assert supervisor.notify("READY=1", "STATUS=well")
        assert manager.recv(100) == b"READY=1\nSTATUS=well"


def test_a_long_start_asks_for_time_until_it_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(path)
        manager.settimeout(30)
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        with supervisor.starting(every_s=0.01):
            assert [manager.recv(100) for _ in range(3)] == [b"EXTEND_TIMEOUT_USEC=30000"] * 3
    assert "hashpact-starting" not in {thread.name for thread in threading.enumerate()}


@pytest.mark.parametrize("address", ["", "relative", "/nowhere/at/all"])
def test_nobody_listening_is_no_failure(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    assert not supervisor.notify("READY=1")


def test_numbers_on_a_port_of_their_own() -> None:
    metrics = Metrics("1.2.3")
    metrics.call("/a.B/C", "OK", 0.002)
    metrics.member_call("acme")
    metrics.read_from(
        lambda: [
            Reading("queue", "How long.", 7),
            Reading("by_kind", "By kind.", {"x": 1.0, "y": 2.0}, label="kind"),
            Reading("done", "Ever.", 9, counter=True),
        ]
    )
    port = MetricsPort(metrics, Address("127.0.0.1", 0))
    try:
        with urllib.request.urlopen(f"http://{port.address}/metrics") as answer:
            lines = answer.read().decode().splitlines()
        with pytest.raises(Trouble, match=f"cannot listen for metrics on {port.address}: Address already in use"):
            MetricsPort(metrics, port.address)
    finally:
        port.close()
    assert {
        "queue 7.0",
        'by_kind{kind="y"} 2.0',
        "done_total 9.0",
        'hashpact_calls_total{code="OK",method="/a.B/C"} 1.0',
        'hashpact_call_seconds_bucket{le="0.0025",method="/a.B/C"} 1.0',
        'hashpact_member_calls_total{member="acme"} 1.0',
        'hashpact_build_info{version="1.2.3"} 1.0',
    } <= set(lines)
    assert not [line for line in lines if "_created" in line]
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"http://{port.address}/metrics", timeout=1)
