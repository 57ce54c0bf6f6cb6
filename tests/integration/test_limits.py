"""Over a limit: always a typed error with the limit in it, and a server that goes on."""

from __future__ import annotations

import gzip
import queue
import random
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from hashpact.v1 import capabilities_service_pb2 as capabilities
from hashpact.v1 import contribution_service_pb2 as contributions
from hashpact.v1 import lookup_service_pb2 as lookups
from hashpact.v1 import member_service_pb2 as members
from hashpact.v1 import signal_pb2
from hashpact_server.config import Limits
from hashpact_server.inflight import Kind
from hashpact_server.routes import METHODS
from hashpact_server.services.roles import STREAMS
from hashpact_server.state.rows import Role

from tests.data import effort
from tests.integration.harness import (
    WAIT_S,
    Forum,
    Member,
    ServerInside,
    ServerProcess,
    contribution,
    lookup_request,
    raw_method,
    raw_stream_method,
    refused,
    said,
)

LOOKUP = "/hashpact.v1.LookupService/Lookup"
PDQ = bytes(range(32))


def with_limits(forum: Forum, text: str) -> Forum:
    forum.configure(text)
    return forum


def test_capabilities_tell_every_limit_that_is_set(forum: Forum) -> None:
    with_limits(forum, "[limits]\nlookup_probes_max = 7\nstore_bytes_max = 5000000000\n")
    with ServerInside(forum) as server:
        acme = server.member("acme")
        told = acme.call(acme.capabilities.GetCapabilities, capabilities.GetCapabilitiesRequest()).limits
    for each in told.DESCRIPTOR.fields:
        assert getattr(told, each.name) == getattr(server.config.limits, each.name)
    assert (told.lookup_probes_max, told.store_bytes_max) == (7, 5_000_000_000)
    assert {each.name for each in told.DESCRIPTOR.fields} == set(Limits.__dataclass_fields__)


def test_batches_over_their_limits(forum: Forum, new_pdq: Callable[[], bytes]) -> None:
    with_limits(
        forum,
        "[limits]\nlookup_probes_max = 3\nlookup_values_max = 6\nprobe_values_max = 4\ncontributions_max = 2\n",
    )
    with ServerInside(forum) as server:
        alpha = server.member("alpha")
        assert not alpha.lookup(*[PDQ] * 3).matched
        with refused("LIMIT_EXCEEDED") as found:
            alpha.lookup(*[PDQ] * 4)
        assert found[0].code == "RESOURCE_EXHAUSTED"
        assert found[0].metadata == {"limit": "lookup_probes_max", "limit_value": "3", "value": "4"}
        with refused("LIMIT_EXCEEDED") as found:
            alpha.lookup(PDQ * 5)
        assert found[0].metadata["limit"] == "probe_values_max"
        with refused("LIMIT_EXCEEDED") as found:
            alpha.lookup(PDQ * 4, PDQ * 3)
        assert found[0].metadata["limit"] == "lookup_values_max"
        with refused("LIMIT_EXCEEDED") as found:
            alpha.contribute(new_pdq(), new_pdq(), new_pdq())
        assert found[0].metadata["limit"] == "contributions_max"
        quota = [each for each in found[0].details if isinstance(each, error_details_pb2.QuotaFailure)]
        assert quota[0].violations[0].subject == "contributions_max"


def test_a_radius_over_the_limit_is_an_invalid_field(inside: ServerInside) -> None:
    acme = inside.member("acme")
    told = acme.call(acme.capabilities.GetCapabilities, capabilities.GetCapabilitiesRequest())
    most = next(each.radius_max for each in told.signal_types if each.name == "pdq")
    request = lookup_request(PDQ)
    request.radii.add(signal_type="pdq", radius=most)
    acme.call(acme.lookup_stub.Lookup, request)
    request.radii[0].radius = most + 1
    with refused("FIELD_INVALID") as found:
        acme.call(acme.lookup_stub.Lookup, request)
    bad = [each for each in found[0].details if isinstance(each, error_details_pb2.BadRequest)]
    assert bad[0].field_violations[0].field == "radii[0].radius"
    assert str(most) in bad[0].field_violations[0].description


def test_matches_are_capped_and_say_so(forum: Forum, new_pdq: Callable[[], bytes]) -> None:
    with_limits(forum, "[limits]\nmatches_default = 1\nmatches_max = 2\n")
    value = new_pdq()
    near = [value, bytes([value[0] ^ 3]) + value[1:], bytes([value[0] ^ 12]) + value[1:]]
    with ServerInside(forum) as server:
        alpha = server.member("alpha")
        alpha.contribute(*near)
        for wanted, got in ((0, 1), (2, 2), (99, 2)):
            request = lookup_request(value)
            request.matches_max = wanted
            matched = alpha.call(alpha.lookup_stub.Lookup, request).matched[0]
            assert (len(matched.matches), matched.truncated) == (got, True)
            assert matched.matches[0].agreements[0].distance == 0


def test_a_message_over_the_limit_is_refused_by_grpc_itself(forum: Forum) -> None:
    """The one limit without a reason of ours: gRPC closes the call before any code of ours sees it."""
    with_limits(forum, "[limits]\nmessage_bytes_max = 4096\n")
    with ServerInside(forum) as server:
        acme = server.member("acme")
        acme.lookup(PDQ * 100)
        with pytest.raises(grpc.RpcError) as raised:
            acme.lookup(PDQ * 200)
        answer = said(raised.value)
        assert (answer.code, answer.reason) == ("RESOURCE_EXHAUSTED", "")
        assert "4096" in answer.message
        acme.lookup(PDQ)


def test_a_compressed_message_counts_with_its_full_size(forum: Forum) -> None:
    with_limits(forum, "[limits]\nmessage_bytes_max = 65536\n")
    request = lookup_request(bytes(32) * 100_000)
    assert len(gzip.compress(request.SerializeToString())) < 65_536
    with ServerInside(forum) as server:
        acme = server.member("acme")
        with pytest.raises(grpc.RpcError) as raised:
            acme.lookup_stub.Lookup(request, metadata=acme.metadata, timeout=WAIT_S, compression=grpc.Compression.Gzip)
        assert said(raised.value).code == "RESOURCE_EXHAUSTED"
        acme.lookup(PDQ)


class Held:
    """A call that was opened and sends its message when told."""

    def __init__(self, member: Member, path: str = LOOKUP, timeout: float | None = WAIT_S) -> None:
        self._queue: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        messages: Iterator[bytes] = iter(self._queue.get, None)
        # Opened as streaming, so that the call begins before its one message is there.
        self.call: Any = raw_stream_method(member.channel, path).future(
            messages, metadata=member.metadata, timeout=timeout
        )

    def send(self, request: bytes) -> bytes:
        """Send the message; the answer."""
        self._queue.put(request)
        self._queue.put(None)
        answer = self.call.result(WAIT_S)
        assert isinstance(answer, bytes)
        return answer

    def end(self) -> None:
        """Go away."""
        self.call.cancel()
        self._queue.put(None)


@contextmanager
def held(server: ServerInside, *names: str, kind: Kind = Kind.REQUEST, path: str = LOOKUP) -> Iterator[list[Held]]:
    """Calls that the server has let in and whose message it waits for."""
    calls = [Held(server.member(name), path) for name in names]
    wait_until(lambda: server.node.in_flight(kind) == len(calls))
    try:
        yield calls
    finally:
        for each in calls:
            each.end()
    wait_until(lambda: server.node.in_flight(kind) == 0)


def wait_until(true: Callable[[], bool]) -> None:
    give_up = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < give_up
        time.sleep(0.002)


def test_calls_in_flight_of_all_and_of_one_member(forum: Forum) -> None:
    with_limits(forum, "[limits]\nrequests_max = 2\nmember_requests_max = 1\n")
    with ServerInside(forum) as server:
        acme, steward = server.member("acme"), server.member("steward")
        with held(server, "acme"):
            with refused("TOO_MANY_REQUESTS") as found:
                acme.finds(PDQ)
            assert found[0].code == "RESOURCE_EXHAUSTED"
            assert found[0].metadata == {"limit": "member_requests_max", "limit_value": "1"}
            assert any(isinstance(each, error_details_pb2.RetryInfo) for each in found[0].details)
            server.member("alpha").finds(PDQ)  # another member is not punished
        with held(server, "acme", "alpha"):
            with refused("TOO_MANY_REQUESTS") as found:
                steward.call(steward.members.ListMembers, members.ListMembersRequest())
            assert found[0].metadata == {"limit": "requests_max", "limit_value": "2"}
            assert server.health() == "SERVING"  # health takes from another purse
        assert not acme.finds(PDQ)


def test_a_held_call_is_answered_when_its_message_comes(inside: ServerInside) -> None:
    with held(inside, "acme") as calls:
        answer = lookups.LookupResponse.FromString(calls[0].send(lookup_request(PDQ).SerializeToString()))
        assert answer.as_of
        assert not answer.matched


def test_a_stranger_that_sends_nothing_holds_no_thread(forum: Forum) -> None:
    with ServerInside(forum) as server:
        stranger = server.bearer(None)
        for _ in range(300):  # more than the server has threads
            call = Held(stranger, timeout=None)
            with pytest.raises(grpc.RpcError) as raised:
                call.call.result(WAIT_S)
            assert said(raised.value).reason == "TOKEN_MISSING"
            call.end()
        assert not server.member("acme").finds(PDQ)


def test_a_member_that_sends_nothing_is_cut_at_the_servers_deadline(forum: Forum) -> None:
    with_limits(forum, "[limits]\ndeadline_s_max = 1\n")
    with ServerInside(forum) as server:
        call = Held(server.member("acme"), timeout=None)
        with pytest.raises(grpc.RpcError) as raised:
            call.call.result(WAIT_S)
        assert said(raised.value).code == "CANCELLED"
        call.end()
        wait_until(lambda: server.node.in_flight(Kind.REQUEST) == 0)


def test_open_calls_have_a_limit_of_their_own(forum: Forum) -> None:
    with_limits(forum, "open_calls_max = 2\n")
    with ServerInside(forum) as server:
        watch = "/grpc.health.v1.Health/Check"
        with held(server, "acme", "acme", kind=Kind.OPEN, path=watch):
            with refused("TOO_MANY_REQUESTS") as found:
                server.bearer(None).raw(watch)
            assert found[0].metadata == {"limit": "open_calls_max", "limit_value": "2"}
            assert not server.member("acme").finds(PDQ)
        assert server.health() == "SERVING"


def test_one_host_cannot_take_all_open_calls(forum: Forum) -> None:
    with_limits(forum, "open_calls_max = 4\nhost_open_calls_max = 2\n")
    with ServerInside(forum) as server:
        check = "/grpc.health.v1.Health/Check"
        with held(server, "acme", "acme", kind=Kind.OPEN, path=check):
            with refused("TOO_MANY_REQUESTS") as found:
                server.bearer(None).raw(check)
            assert found[0].metadata == {"limit": "host_open_calls_max", "limit_value": "2"}
        assert server.health() == "SERVING"


def test_the_callers_shorter_deadline_is_kept(forum: Forum) -> None:
    # The message never comes, so only a deadline can end the call, and the server's own is far away.
    with_limits(forum, "[limits]\ndeadline_s_max = 3600\n")
    with ServerInside(forum) as server:
        call = Held(server.member("acme"), timeout=0.2)
        with pytest.raises(grpc.RpcError) as raised:
            call.call.result(WAIT_S)
        # Both sides watch the clock: whichever is first, the caller's own or the server's, which cuts the call.
        assert said(raised.value).code in {"DEADLINE_EXCEEDED", "CANCELLED"}
        wait_until(lambda: server.node.in_flight(Kind.REQUEST) == 0)
        call.end()


def test_a_full_store_refuses_writes_and_answers_look_ups(forum: Forum, new_pdq: Callable[[], bytes]) -> None:
    first = new_pdq()
    with ServerInside(forum) as server:
        server.member("alpha").contribute(first)
        size = server.node.engine.store.used_bytes()
    with_limits(forum, f"[limits]\nstore_bytes_max = {size}\n")
    with ServerInside(forum) as server:
        alpha = server.member("alpha")
        with refused("STORE_FULL") as found:
            alpha.contribute(new_pdq())
        assert found[0].code == "RESOURCE_EXHAUSTED"
        assert found[0].metadata == {"limit": "store_bytes_max", "limit_value": str(size)}
        assert alpha.finds(first)
    with_limits(forum, "")
    second = new_pdq()
    with ServerInside(forum) as server:
        alpha = server.member("alpha")
        alpha.contribute(second)
        assert alpha.finds(first)
        assert alpha.finds(second)


def test_a_request_without_a_message_and_one_that_is_none(inside: ServerInside) -> None:
    acme = inside.member("acme")
    with refused("FIELD_INVALID"):
        raw_stream_method(acme.channel, LOOKUP)(iter(()), metadata=acme.metadata, timeout=WAIT_S)
    with refused("FIELD_INVALID") as found:
        acme.raw(LOOKUP, b"\xff\xff\xff")
    assert found[0].code == "INVALID_ARGUMENT"


def resident_bytes(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmRSS")


def garbage(source: random.Random) -> bytes:
    """Random bytes, and bytes that begin as a message does."""
    plain = source.randbytes(source.choice([0, 1, 3, 17, 200, 3000]))
    value = signal_pb2.SignalSet(signal_type="pdq", values=source.randbytes(source.randrange(80)))
    shaped = lookups.LookupRequest(
        probes=[lookups.Probe(signal_sets=[value])], matches_max=source.randrange(2**32), at_least_as_fresh="x"
    ).SerializeToString()
    offered = contributions.ContributeRequest(contributions=[contribution(source.randbytes(5))]).SerializeToString()
    cut = source.choice([shaped, offered])
    return source.choice([plain, cut[: source.randrange(len(cut) + 1)], plain[:9] + cut])


def test_garbage_to_streams(server: ServerProcess) -> None:
    source = random.Random(2)
    archive = Member(server.channel(), server.member("steward").create("archive", Role.REPLICATE, Role.CHECK))
    codes: set[str] = set()
    for path in source.choices([*STREAMS], k=effort(100)):
        try:
            raw_method(archive.channel, path)(garbage(source), metadata=archive.metadata, timeout=WAIT_S)
        except grpc.RpcError as error:
            answer = said(error)
            assert answer.reason, answer
            codes.add(answer.code)
    # A hub remembers no uploads, and says so before it looks at the request.
    assert codes == {"INVALID_ARGUMENT", "FAILED_PRECONDITION"}
    assert server.health() == "SERVING"


def test_ten_thousand_garbage_requests(server: ServerProcess) -> None:
    """To every method, with a token that opens it: typed errors, no bug of ours, no growth, a server that goes on."""
    source = random.Random(1)
    steward = server.member("steward")
    everything = Member(server.channel(), steward.create("everything", *(role for role in range(1, 8))))
    methods = [path for path in METHODS if not path.endswith(("/IssueToken", "/SuspendMember")) and path not in STREAMS]
    count, calm = effort(10_000), 0
    codes: set[str] = set()
    for start in range(0, count, 50):
        calls = [
            raw_method(everything.channel, path).future(garbage(source), metadata=everything.metadata, timeout=WAIT_S)
            for path in source.choices(methods, k=min(50, count - start))
        ]
        for call in calls:
            error = call.exception()
            if error is None:
                codes.add("OK")
                continue
            answer = said(error)
            assert answer.reason, answer
            assert answer.code not in ("INTERNAL", "UNKNOWN", "UNAVAILABLE"), answer
            codes.add(answer.code)
        if start <= count // 5:
            calm = resident_bytes(server.process.pid)
    assert "INVALID_ARGUMENT" in codes
    assert resident_bytes(server.process.pid) - calm < 32 << 20
    assert not server.member("acme").finds(PDQ)


def test_garbage_on_the_port_itself(server: ServerProcess) -> None:
    source = random.Random(2)
    place = (server.address.host, server.address.port)
    openings = [b"", b"GET / HTTP/1.1\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x16\x03\x01\xff\xff\x01"]
    silent = []
    for number in range(200):
        peer = socket.create_connection(place, WAIT_S)
        peer.sendall(source.choice(openings) + source.randbytes(source.randrange(600)))
        if number % 4:
            peer.close()
        else:
            silent.append(peer)  # stays open and says no more
    assert not server.member("acme").finds(PDQ)
    for peer in silent:
        peer.close()
    assert server.stop() == 0
