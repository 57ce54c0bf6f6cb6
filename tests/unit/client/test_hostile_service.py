"""A service that is broken or hostile: whatever it answers, callers get one of our errors, and no loop without end."""

from __future__ import annotations

import asyncio
import itertools
import random
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import contextmanager
from typing import Any

import grpc
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status
from hashpact import AsyncClient, Client, Probe
from hashpact import _wire as wire
from hashpact.errors import HashpactError, LimitExceededError, ServiceError
from hashpact.signals import Signal
from hashpact.v1 import contribution_service_pb2, lookup_service_pb2, member_service_pb2

from tests.data import effort

SIGNAL = Signal("pdq", bytes(range(32)), 90)
PROBE = Probe.of([SIGNAL])
TOKEN = "hpt_hostile"

Answer = Callable[[wire.Method[Any]], bytes]


@contextmanager
def answering(answer: Answer) -> Iterator[str]:
    """A server on loopback that answers every method of the wire with these bytes; its target."""
    by_path = {method.path: method for method in wire.METHODS}

    class Everything(grpc.GenericRpcHandler):  # type: ignore[type-arg] # generic in the stubs only
        def service(self, call: Any) -> Any:
            return grpc.unary_unary_rpc_method_handler(lambda _request, _context: answer(by_path[call.method]))

    server = grpc.server(futures.ThreadPoolExecutor(2), handlers=[Everything()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


def client_of(target: str) -> Client:
    return Client(target, token=TOKEN, plaintext=True, timeout_s=5)


def calls(client: Client) -> Iterator[Callable[[], object]]:
    """One call of every kind; what lists without end is asked for a few rows."""
    yield lambda: list(client.lookup([PROBE]))
    yield lambda: list(client.lookup([PROBE] * 3))
    yield lambda: client.contribute([SIGNAL], labels=["x"]).to_dict()
    yield lambda: client.amend(1, labels=["x"])
    yield lambda: client.withdraw(1).to_dict()
    yield lambda: client.get_item(1).to_dict()
    yield lambda: [item.to_dict() for item in itertools.islice(client.list_items(), 5)]
    yield lambda: [member.to_dict() for member in itertools.islice(client.list_members(), 5)]
    yield lambda: client.issue_token("a")
    yield lambda: client.create_member("x", ["check"])
    yield client.capabilities


class Nonsense:
    """Messages of any type with fields of any content."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def message(self, kind: Descriptor, depth: int = 0) -> Message:
        made: Any = GetMessageClass(kind)()
        for field in kind.fields:
            for _ in range(self._random.choice((1, 2, 3)) if field.is_repeated else self._random.random() < 0.75):
                value = self._value(field, depth)
                if field.is_repeated:
                    getattr(made, field.name).extend([value])
                elif isinstance(value, Message):
                    getattr(made, field.name).CopyFrom(value)
                else:
                    setattr(made, field.name, value)
        answer: Message = made
        return answer

    def _value(self, field: FieldDescriptor, depth: int) -> Any:
        pick = self._random.choice
        if field.message_type is not None:
            return self.message(field.message_type, depth + 1)
        makers: dict[int, Callable[[], Any]] = {
            FieldDescriptor.TYPE_STRING: lambda: pick(("", "\x1b[31mred\u202e", "x" * 300, "pdq", "sha256")),
            FieldDescriptor.TYPE_BYTES: lambda: self._random.randbytes(pick((0, 1, 32, 33))),
            FieldDescriptor.TYPE_BOOL: lambda: pick((True, False)),
            FieldDescriptor.TYPE_ENUM: lambda: pick((0, 1, 2, 3, 99, 2**31 - 1, -1)),
            FieldDescriptor.TYPE_UINT32: lambda: pick((0, 1, 5, 2**32 - 1)),
            FieldDescriptor.TYPE_INT32: lambda: pick((0, -1, 2**31 - 1)),
            FieldDescriptor.TYPE_INT64: lambda: pick((0, 1, -(2**63), 2**62, 253_402_300_800)),
            FieldDescriptor.TYPE_UINT64: lambda: pick((0, 1, 2**64 - 1)),
        }
        return makers[field.type]()


def test_nonsense_is_an_error_of_ours_or_an_answer() -> None:
    nonsense = Nonsense(5)
    failed: list[HashpactError] = []
    with answering(lambda method: nonsense.message(method.response.DESCRIPTOR).SerializeToString()) as target:
        for _ in range(effort(15)):
            with client_of(target) as client:
                for call in calls(client):
                    try:
                        call()
                    except HashpactError as error:
                        failed.append(error)
    assert failed
    assert all(error.message for error in failed)


@pytest.mark.parametrize("garbage", [b"\xff\xff\xff", b"\x0a\x02\xc3\x28", b"\x0a\xff\xff\xff\xff\x0f"])
def test_bytes_that_are_no_message(garbage: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    with answering(lambda _: garbage) as target, client_of(target) as client, pytest.raises(ServiceError):
        client.lookup([PROBE])
    assert "hpt_" not in capfd.readouterr().err


def test_what_makes_no_sense_has_a_reason() -> None:
    far = lookup_service_pb2.LookupResponse(matched=[lookup_service_pb2.ProbeMatches(probe_index=1)])
    with answering(lambda _: far.SerializeToString()) as target, client_of(target) as client:
        with pytest.raises(ServiceError) as caught:
            client.lookup([PROBE])
        assert caught.value.reason == "ANSWER_INVALID"
    none = contribution_service_pb2.ContributeResponse()
    with answering(lambda _: none.SerializeToString()) as target, client_of(target) as client:
        with pytest.raises(ServiceError) as caught:
            client.contribute([SIGNAL], labels=["x"])
        assert caught.value.reason == "ANSWER_INVALID"


def test_a_page_that_is_followed_by_itself_ends() -> None:
    pages: dict[str, Message] = {
        "ListItems": contribution_service_pb2.ListItemsResponse(next_page_token="again"),
        "ListMembers": member_service_pb2.ListMembersResponse(next_page_token="again"),
    }

    async def listed(target: str) -> None:
        async with AsyncClient(target, token=TOKEN, plaintext=True) as client:
            async for _ in client.list_items():
                pass

    with answering(lambda method: pages[method.name].SerializeToString()) as target:
        with client_of(target) as client:
            for rows in (client.list_items, client.list_members):
                with pytest.raises(ServiceError) as caught:
                    list(rows())
                assert caught.value.reason == "ANSWER_INVALID"
        with pytest.raises(ServiceError):
            asyncio.run(listed(target))


def test_numbers_in_errors_may_be_anything() -> None:
    details: list[Message] = [
        error_details_pb2.ErrorInfo(
            reason="TOO_MANY_REQUESTS", domain="hashpact", metadata={"limit": "x", "limit_value": "9" * 5000}
        ),
        error_details_pb2.RetryInfo(retry_delay=Duration(seconds=2**62, nanos=2**31 - 1)),
    ]
    packed = []
    for detail in details:
        each = AnyMessage()
        each.Pack(detail)
        packed.append(each)

    class Refusing(grpc.GenericRpcHandler):  # type: ignore[type-arg] # generic in the stubs only
        def service(self, _: Any) -> Any:
            def refuse(_request: bytes, context: Any) -> None:
                status = status_pb2.Status(code=code_pb2.RESOURCE_EXHAUSTED, message="no", details=packed)
                context.abort_with_status(rpc_status.to_status(status))

            return grpc.unary_unary_rpc_method_handler(refuse)

    server = grpc.server(futures.ThreadPoolExecutor(2), handlers=[Refusing()])
    target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        with client_of(target) as client, pytest.raises(LimitExceededError) as caught:
            client.get_item(1)
    finally:
        server.stop(None).wait()
    assert caught.value.limit == 0
    assert caught.value.retry_after_s is not None


@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_what_stays_on_this_machine_passes_no_proxy(kind: type[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    asked = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as proxy:

        def watch() -> None:
            try:
                with proxy.accept()[0]:
                    asked.set()
            except OSError:
                pass  # closed below: nobody came

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        for name in ("http_proxy", "https_proxy", "grpc_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.getsockname()[1]}")
        for name in ("no_proxy", "no_grpc_proxy"):
            monkeypatch.delenv(name, raising=False)
        page = contribution_service_pb2.ListItemsResponse()

        async def listed(target: str) -> None:
            async with AsyncClient(target, token=TOKEN, plaintext=True, timeout_s=5) as client:
                assert [item async for item in client.list_items()] == []

        with answering(lambda _: page.SerializeToString()) as target:
            if kind is AsyncClient:
                asyncio.run(listed(target))
            else:
                with client_of(target) as client:
                    assert list(client.list_items()) == []
        assert not asked.is_set()
        proxy.shutdown(socket.SHUT_RDWR)
        watcher.join()
