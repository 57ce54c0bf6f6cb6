"""Callers that ask and never read: their answers are counted while they are held, and let go when time is over."""

from __future__ import annotations

import socket
import ssl
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hashpact_server import interceptors
from hashpact_server.inflight import Kind

from tests.integration.harness import WAIT_S, Forum, ServerInside

PATH = "/hashpact.v1.CapabilitiesService/GetCapabilities"
_HEADERS, _SETTINGS, _DATA = 1, 4, 0
_END_HEADERS, _END_STREAM = 4, 1
_INITIAL_WINDOW_SIZE = 4


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """A frame of HTTP/2 (RFC 9113, section 4.1)."""
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def header(name: str, value: str) -> bytes:
    """A header field, literal and not indexed (RFC 7541, section 6.2.2)."""
    assert max(len(name), len(value)) < 127
    return b"\0" + bytes((len(name),)) + name.encode() + bytes((len(value),)) + value.encode()


@contextmanager
def asked_and_not_read(server: ServerInside, token: str, calls: int) -> Iterator[None]:
    """A connection with calls whose answers the server may not send: the window for them is 0."""
    context = ssl.create_default_context(cadata=server.forum.ca.decode())
    context.set_alpn_protocols(["h2"])
    fields = (
        (":method", "POST"),
        (":scheme", "https"),
        (":path", PATH),
        (":authority", "localhost"),
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        ("authorization", f"Bearer {token}"),
    )
    with (
        socket.create_connection((server.address.host, server.address.port)) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as wire,
    ):
        settings = frame(_SETTINGS, 0, 0, struct.pack(">HI", _INITIAL_WINDOW_SIZE, 0))
        wire.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings)
        for number in range(calls):
            stream = 2 * number + 1
            wire.sendall(
                frame(_HEADERS, _END_HEADERS, stream, b"".join(header(*each) for each in fields))
                + frame(_DATA, _END_STREAM, stream, bytes(5))
            )
        yield


def wait_for_in_flight(server: ServerInside, count: int) -> None:
    give_up = time.monotonic() + WAIT_S
    while server.node.in_flight(Kind.REQUEST) != count:
        assert time.monotonic() < give_up
        time.sleep(0.002)


def answered(server: ServerInside) -> int:
    """Calls whose handler has ended well."""
    found = server.node._metrics.registry.get_sample_value("hashpact_calls_total", {"method": PATH, "code": "OK"})
    return int(found or 0)


@pytest.fixture
def everything_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interceptors, "LARGE_ANSWER_BYTES", 1)


@pytest.mark.usefixtures("everything_is_large")
def test_answers_that_nobody_reads_are_in_flight_until_the_connection_ends(forum: Forum) -> None:
    with ServerInside(forum) as server:
        with asked_and_not_read(server, forum.tokens["acme"], 3):
            give_up = time.monotonic() + WAIT_S
            while answered(server) < 3:
                assert time.monotonic() < give_up
                time.sleep(0.002)
            assert server.node.in_flight(Kind.REQUEST) == 3
        wait_for_in_flight(server, 0)


@pytest.mark.usefixtures("everything_is_large")
def test_answers_that_nobody_reads_are_let_go_when_time_is_over(forum: Forum) -> None:
    forum.configure("[limits]\ndeadline_s_max = 1\n")
    with ServerInside(forum) as server, asked_and_not_read(server, forum.tokens["acme"], 3):
        wait_for_in_flight(server, 3)
        wait_for_in_flight(server, 0)


@pytest.mark.usefixtures("everything_is_large")
def test_answers_that_are_read_leave_at_once(forum: Forum) -> None:
    with ServerInside(forum) as server:
        acme = server.member("acme")
        for _ in range(20):
            acme.raw(PATH)
        wait_for_in_flight(server, 0)
