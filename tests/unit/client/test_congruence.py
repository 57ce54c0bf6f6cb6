"""Client and AsyncClient: the same names, the same arguments, the same answers."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from hashpact import AsyncClient, Client, Contribution, _wire
from hashpact.errors import HashpactError
from hashpact.v1 import (
    capabilities_service_pb2,
    contribution_service_pb2,
    incident_service_pb2,
    lookup_service_pb2,
    member_service_pb2,
    opinion_service_pb2,
    pending_service_pb2,
    policy_service_pb2,
    report_service_pb2,
    safeguard_service_pb2,
    steward_service_pb2,
    upload_service_pb2,
)

from tests.unit.client.conftest import signals
from tests.unit.client.loopback import TOKEN, LoopbackService, Refused, serving


def public(kind: type) -> dict[str, Any]:
    return {name: member for name, member in inspect.getmembers(kind) if not name.startswith("_")}


def test_same_names() -> None:
    assert public(Client).keys() == public(AsyncClient).keys()


@pytest.mark.parametrize("name", sorted({*public(Client), "__init__"} - {"as_of"}))
def test_same_arguments(name: str) -> None:
    one, other = inspect.signature(getattr(Client, name)), inspect.signature(getattr(AsyncClient, name))
    assert one.parameters == other.parameters
    expected = str(one.return_annotation).replace("Iterator", "AsyncIterator")
    assert str(other.return_annotation) == expected


def test_every_method_is_documented() -> None:
    for kind in (Client, AsyncClient):
        for name, member in public(kind).items():
            assert inspect.getdoc(member), f"{kind.__name__}.{name}"


def test_every_rpc_of_the_wire_is_reachable() -> None:
    files = (
        capabilities_service_pb2,
        contribution_service_pb2,
        incident_service_pb2,
        incident_service_pb2,
        lookup_service_pb2,
        member_service_pb2,
        policy_service_pb2,
        pending_service_pb2,
        opinion_service_pb2,
        report_service_pb2,
        safeguard_service_pb2,
        steward_service_pb2,
        upload_service_pb2,
    )
    wire = {
        (service.name, method.name, method.output_type.name)
        for file in files
        for service in file.DESCRIPTOR.services_by_name.values()
        for method in service.methods
        if not method.server_streaming
    }
    assert {(one.service, one.name, one.response.DESCRIPTOR.name) for one in _wire.METHODS} == wire


SCRIPT: list[Callable[[Any], Any]] = [
    lambda c: c.contribute(signals(1), labels=["a"], request_id="request-1"),
    lambda c: c.contribute(signals(1), labels=["b"], request_id="request-1"),
    lambda c: c.contribute_many([Contribution(signals(n), ["a"]) for n in range(5)], request_id="request-2"),
    lambda c: c.lookup([signals(n) for n in range(9)]),
    lambda c: c.lookup(signals(1)),
    lambda c: c.lookup([signals(1)], at_least_as_fresh="e7/1"),
    lambda c: c.check(signals(1, dihedral=True), radii={"pdq": 10}),
    lambda c: c.check(b"no picture"),
    lambda c: c.check_many([signals(1), b"no picture", signals(99)]),
    lambda c: c.list_items(page_size=2),
    lambda c: c.list_items(statuses=["odd"]),
    lambda c: c.items_page(page_size=2),
    lambda c: c.items_page("1", changed_after="e7/1", statuses=["withdrawn", "provisional"]),
    lambda c: c.get_item(1),
    lambda c: c.get_item(77),
    lambda c: c.amend(1, labels=["z"], request_id="request-3"),
    lambda c: c.withdraw(1, request_id="request-4"),
    lambda c: c.create_member("m", ["check"], request_id="request-5"),
    lambda c: c.issue_token("m"),
    lambda c: c.issue_token("nobody"),
    lambda c: c.suspend_member("m", request_id="request-6"),
    lambda c: c.resume_member("m", request_id="request-7"),
    lambda c: c.revoke_token(9),
    lambda c: c.list_members(page_size=1),
    lambda c: c.capabilities(),
]


def told(error: HashpactError) -> tuple[object, ...]:
    return (type(error), error.reason, error.message)


def flat(answer: Any) -> Any:
    """Failed inputs hold exceptions, which are equal only to themselves."""
    if isinstance(answer, list):
        return [told(one.error) if hasattr(one, "error") else one for one in answer]
    return answer


def run_sync(target: str) -> list[object]:
    answers: list[object] = []
    with Client(target, token=TOKEN, plaintext=True, timeout_s=5) as client:
        for step in SCRIPT:
            try:
                answer = step(client)
                answers.append(flat(list(answer) if inspect.isgenerator(answer) else answer))
            except HashpactError as error:
                answers.append(told(error))
            answers.append(client.as_of)
    return answers


async def run_async(target: str) -> list[object]:
    answers: list[object] = []
    async with AsyncClient(target, token=TOKEN, plaintext=True, timeout_s=5) as client:
        for step in SCRIPT:
            try:
                answer = step(client)
                if inspect.isasyncgen(answer):
                    answers.append(flat([one async for one in answer]))
                else:
                    answers.append(await answer)
            except HashpactError as error:
                answers.append(told(error))
            answers.append(client.as_of)
    return answers


def test_same_answers_and_same_calls() -> None:
    calls = []
    answers = []
    for run in (run_sync, lambda target: asyncio.run(run_async(target))):
        service = LoopbackService()
        service.limits.lookup_probes_max = 4
        service.limits.contributions_max = 2
        service.refusals["Contribute"] = [Refused(grpc.StatusCode.UNAVAILABLE, "NOT_SERVING")]
        service.refusals["ListItems"] = [
            Refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_REQUESTS", retry_after_s=0.01)
        ]
        with serving(service) as target:
            found = run(target)
        # The time of a member is the server's clock.
        answers.append([str(one) if "create_time=datetime" not in str(one) else "member" for one in found])
        calls.append(sorted(str((asked.method, asked.request)) for asked in service.asked))
    assert answers[0] == answers[1]
    assert calls[0] == calls[1]


def test_async_connection_errors_and_closing() -> None:
    async def scenario() -> None:
        client = AsyncClient("127.0.0.1:1", token=TOKEN, plaintext=True)
        with pytest.raises(HashpactError) as caught:
            await client.lookup([signals(1)])
        assert caught.value.reason == "UNREACHABLE"
        with pytest.raises(HashpactError) as caught:
            await client.withdraw(1)
        assert caught.value.reason == "UNREACHABLE"
        await client.close()
        await client.close()
        with pytest.raises(HashpactError, match="closed"):
            await client.capabilities()

    asyncio.run(scenario())


HOLD_S = 0.2
"""How long calls are held back, so that one too many would arrive meanwhile."""


@pytest.mark.parametrize("kind", ["blocking", "asyncio"])
def test_calls_in_flight_are_bounded(kind: str) -> None:
    service = LoopbackService()
    service.limits.lookup_probes_max = 1
    flying = peak = 0
    answer = service.Lookup
    too_many = threading.Event()

    def count(request: Any) -> Any:
        nonlocal flying, peak
        with service.lock:
            flying += 1
            peak = max(peak, flying)
            if flying > 2:
                too_many.set()
        if request.at_least_as_fresh:  # the first call goes alone
            too_many.wait(HOLD_S)
        with service.lock:
            flying -= 1
        return answer(request)

    service.answers["Lookup"] = count
    probes = [signals(seed) for seed in range(5)]

    async def asynchronous(target: str) -> int:
        async with AsyncClient(target, token=TOKEN, plaintext=True, calls_in_flight_max=2) as client:
            return len(await client.lookup(probes))

    with serving(service) as target:
        if kind == "asyncio":
            assert asyncio.run(asynchronous(target)) == len(probes)
        else:
            with Client(target, token=TOKEN, plaintext=True, calls_in_flight_max=2) as client:
                assert len(client.lookup(probes)) == len(probes)
    assert peak == 2
