"""Reading one's own writes, without turning a restored list or a slow replica into an outage."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from google.protobuf.message import Message
from hashpact import Client
from hashpact.errors import ConflictError

from tests.unit.client.conftest import signals
from tests.unit.client.loopback import TOKEN, LoopbackService


def fresh(service: LoopbackService) -> list[str]:
    return [
        asked.request.at_least_as_fresh for asked in service.asked if asked.method in {"Lookup", "GetItem", "ListItems"}
    ]


def test_reads_ask_for_the_own_last_write(client: Client, service: LoopbackService) -> None:
    client.lookup([signals(1)])
    assert client.as_of == ""
    item = client.contribute(signals(1), labels=["x"]).item
    wrote = client.as_of
    client.lookup([signals(1)])
    client.get_item(item)
    list(client.list_items())
    assert wrote
    assert fresh(service) == ["", wrote, wrote, wrote]
    client.withdraw(item)
    assert client.as_of != wrote


def test_a_token_that_is_given_goes_first(client: Client, service: LoopbackService) -> None:
    client.contribute(signals(1), labels=["x"])
    before = client.as_of
    client.contribute(signals(2), labels=["x"])
    client.lookup([signals(1)], at_least_as_fresh=before)
    assert fresh(service) == [before]


def test_it_can_be_left_away(target: str, service: LoopbackService) -> None:
    with Client(target, token=TOKEN, plaintext=True, read_your_writes=False) as client:
        client.contribute(signals(1), labels=["x"])
        client.lookup([signals(1)])
        assert client.as_of
    assert fresh(service) == [""]


def test_a_restored_list_does_not_stop_reads(client: Client, service: LoopbackService) -> None:
    client.contribute(signals(1), labels=["x"])
    old = client.as_of
    service.epoch = "e2"
    client.lookup([signals(1)])
    client.lookup([signals(1)])
    assert fresh(service) == [old, "", ""]
    assert client.as_of == ""


def test_a_replica_that_is_behind_is_waited_for(client: Client, service: LoopbackService) -> None:
    client.contribute(signals(1), labels=["x"])
    service.sequence -= 1
    arrived = threading.Event()

    def catch_up() -> None:
        arrived.wait(5)
        service.sequence += 1

    thread = threading.Thread(target=catch_up)
    thread.start()
    lookup = service.Lookup

    def noticed(request: Any) -> Message:
        try:
            return lookup(request)
        finally:
            arrived.set()

    service.answers["Lookup"] = noticed
    assert client.lookup([signals(1)])[0].verdict == "match"
    thread.join()
    assert len(fresh(service)) > 1


def test_a_token_of_the_caller_is_the_callers_business(client: Client, service: LoopbackService) -> None:
    for token, reason in (("e9/1", "TOKEN_UNKNOWN_HISTORY"), ("e1/999", "TOKEN_FROM_FUTURE")):
        service.asked.clear()
        with pytest.raises(ConflictError) as caught:
            client.lookup([signals(1)], at_least_as_fresh=token)
        assert caught.value.reason == reason
        assert len(service.asked) == 1
