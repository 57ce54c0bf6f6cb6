"""Settings and connections that go wrong: each has an error of its own that says what to do, at once."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message
from hashpact import AsyncClient, Client
from hashpact._target import is_local, require_target
from hashpact.errors import ConfigError, UnavailableError

from tests.unit.client.certificates import Authority
from tests.unit.client.conftest import signals
from tests.unit.client.loopback import TOKEN, LoopbackService, serving


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HASHPACT_TARGET", "HASHPACT_TOKEN", "HASHPACT_CA"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


def reason_of(client: Client) -> str:
    with client, pytest.raises(UnavailableError) as caught:
        client.lookup([signals(1)])
    assert caught.value.message
    return caught.value.reason


def test_tls_with_ca_as_path_and_as_bytes(authority: Authority, tmp_path: Path, service: LoopbackService) -> None:
    path = tmp_path / "ca.pem"
    path.write_bytes(authority.pem)
    with serving(service, credentials=authority.server()) as target:
        for ca in (path, str(path), authority.pem):
            with Client(target, token=TOKEN, ca=ca) as client:
                assert client.lookup([signals(1)])[0].verdict == "none"


def test_the_environment_stands_in(
    authority: Authority, tmp_path: Path, service: LoopbackService, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ca.pem"
    path.write_bytes(authority.pem)
    with serving(service, credentials=authority.server()) as target:
        monkeypatch.setenv("HASHPACT_TARGET", target)
        monkeypatch.setenv("HASHPACT_TOKEN", TOKEN)
        monkeypatch.setenv("HASHPACT_CA", str(path))
        with Client() as client:
            assert client.capabilities().caller == "loop"


def test_another_authority(authority: Authority, service: LoopbackService) -> None:
    for other in (Authority("somebody else"), Authority()):  # the same name, another key: OpenSSL words it otherwise
        with serving(service, credentials=authority.server()) as target:
            assert reason_of(Client(target, token=TOKEN, ca=other.pem, timeout_s=5)) == "TLS_UNTRUSTED"


def test_the_systems_authorities_do_not_know_a_private_one(authority: Authority, service: LoopbackService) -> None:
    with serving(service, credentials=authority.server()) as target:
        assert reason_of(Client(target, token=TOKEN, timeout_s=5)) == "TLS_UNTRUSTED"


def test_another_host_name(authority: Authority, service: LoopbackService) -> None:
    with serving(service, credentials=authority.server(host="list.example.org")) as target:
        assert reason_of(Client(target, token=TOKEN, ca=authority.pem, timeout_s=5)) == "TLS_NAME_MISMATCH"


def test_an_expired_certificate(authority: Authority, service: LoopbackService) -> None:
    with serving(service, credentials=authority.server(expired=True)) as target:
        assert reason_of(Client(target, token=TOKEN, ca=authority.pem, timeout_s=5)) == "TLS_EXPIRED"


def test_tls_to_a_plaintext_server(authority: Authority, target: str) -> None:
    assert reason_of(Client(target, token=TOKEN, ca=authority.pem, timeout_s=5)) == "TLS_NOT_SPOKEN"


def test_plaintext_to_a_tls_server(authority: Authority, service: LoopbackService) -> None:
    with serving(service, credentials=authority.server()) as target:
        assert reason_of(Client(target, token=TOKEN, plaintext=True, timeout_s=5)) == "CONNECTION_CLOSED"


@pytest.fixture
def web_server() -> Iterator[str]:
    """Something that speaks HTTP/1."""
    listener = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.recv(100)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    threading.Thread(target=answer, daemon=True).start()
    yield f"127.0.0.1:{listener.getsockname()[1]}"
    listener.close()


def test_a_web_server(web_server: str) -> None:
    assert reason_of(Client(web_server, token=TOKEN, plaintext=True, timeout_s=5)) == "NOT_A_SERVICE"


def test_a_closed_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        target = f"127.0.0.1:{listener.getsockname()[1]}"
    assert reason_of(Client(target, token=TOKEN, plaintext=True, timeout_s=60)) == "UNREACHABLE"


def test_a_missing_socket(tmp_path: Path) -> None:
    target = f"unix:{tmp_path / 'none.sock'}"
    assert reason_of(Client(target, token=TOKEN, plaintext=True, timeout_s=60)) == "UNREACHABLE"


def test_a_server_that_never_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        target = f"127.0.0.1:{silent.getsockname()[1]}"
        assert reason_of(Client(target, token=TOKEN, plaintext=True, timeout_s=0.3)) == "DEADLINE_EXCEEDED"


def test_a_unix_socket(tmp_path: Path, service: LoopbackService) -> None:
    with (
        serving(service, address=f"unix:{tmp_path / 'hashpact.sock'}") as target,
        Client(target, token=TOKEN, plaintext=True) as client,
    ):
        assert client.capabilities().caller == "loop"


@pytest.mark.parametrize(
    ("token", "hint"),
    [("secret\n", "strip"), (" secret", "strip"), ("sécret", "copy it again"), ("sec ret", "copy it again"),
     ("secret" * 1000, "longer")],
)  # fmt: skip
def test_unusable_tokens(token: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=hint) as caught:
        Client("127.0.0.1:1", token=token, plaintext=True)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "target", ["", "host", "host:0", "host:99999", "https://host:1", "a b:1", "[::1]", "::1:80", ":1"]
)
def test_unusable_targets(target: str) -> None:
    with pytest.raises(ConfigError):
        Client(target, token=TOKEN)


@pytest.mark.parametrize("target", ["list.example.org:7443", "[::1]:1", "10.0.0.1:65535", "dns:///host:1", "unix:/x"])
def test_usable_targets(target: str) -> None:
    assert require_target(target) == target


@pytest.mark.parametrize(
    ("target", "local"),
    [("127.0.0.1:1", True), ("[::1]:1", True), ("localhost:1", True), ("unix:/x", True), ("ipv4:127.0.0.9:1", True),
     ("10.0.0.1:1", False), ("0.0.0.0:1", False), ("localhost.example.org:1", False), ("dns:///list:1", False)],
)  # fmt: skip
def test_plaintext_stays_on_this_machine(target: str, local: bool) -> None:
    assert is_local(target) is local
    if not local:
        with pytest.raises(ConfigError, match="localhost"):
            Client(target, token=TOKEN, plaintext=True)


def test_unusable_authorities(tmp_path: Path, authority: Authority) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        Client("127.0.0.1:1", token=TOKEN, ca=tmp_path / "absent.pem")
    with pytest.raises(ConfigError, match="cannot be read"):
        Client("127.0.0.1:1", token=TOKEN, ca=tmp_path)
    for nonsense in (b"hello", b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", b"\xff" * 99):
        with pytest.raises(ConfigError, match="no certificate"):
            Client("127.0.0.1:1", token=TOKEN, ca=nonsense)
    with pytest.raises(ConfigError, match="exclude"):
        Client("127.0.0.1:1", token=TOKEN, ca=authority.pem, plaintext=True)


def test_other_unusable_settings() -> None:
    for make in (Client, AsyncClient):
        with pytest.raises(ConfigError):
            make("127.0.0.1:1", token=TOKEN, plaintext=True, timeout_s=0)
        with pytest.raises(ConfigError):
            make("127.0.0.1:1", token=TOKEN, plaintext=True, timeout_s=float("nan"))
        with pytest.raises(ConfigError):
            make("127.0.0.1:1", token=TOKEN, plaintext=True, calls_in_flight_max=0)
        with pytest.raises(ConfigError):
            make("127.0.0.1:1", token=TOKEN, plaintext=True, on_unavailable="shrug")  # type: ignore[arg-type] # the mistake that is tested


def test_the_token_goes_into_the_metadata_and_nowhere_else(client: Client, service: LoopbackService) -> None:
    client.capabilities()
    assert service.asked[0].metadata["authorization"] == f"Bearer {TOKEN}"
    for thing in (client, client._transport, client._transport._endpoint, client._session):
        assert TOKEN not in repr(thing)


def test_a_closed_client_says_so(client: Client) -> None:
    client.close()
    client.close()
    with pytest.raises(ConfigError, match="closed"):
        client.capabilities()


def test_nothing_connects_before_the_first_call() -> None:
    client = Client("127.0.0.1:1", token=TOKEN, plaintext=True)
    assert client._transport._channels == {}
    assert repr(client) == "Client('127.0.0.1:1')"
    client.close()


def test_closing_ends_calls_in_flight(service: LoopbackService, target: str) -> None:
    arrived, release = threading.Event(), threading.Event()

    def hold(request: Any) -> Message:
        arrived.set()
        release.wait(10)
        return service.Lookup(request)

    service.answers["Lookup"] = hold
    client = Client(target, token=TOKEN, plaintext=True)

    def close_it() -> None:
        arrived.wait(10)
        client.close()

    closer = threading.Thread(target=close_it)
    closer.start()
    with pytest.raises(ConfigError, match="closed"):
        client.lookup([signals(1)])
    closer.join()
    arrived.clear()

    async def asynchronous() -> None:
        twin = AsyncClient(target, token=TOKEN, plaintext=True)
        call = asyncio.ensure_future(twin.lookup([signals(1)]))
        await asyncio.to_thread(arrived.wait, 10)
        await twin.close()
        with pytest.raises(ConfigError, match="closed"):
            await call

    asyncio.run(asynchronous())
    release.set()


def test_ctrl_c_ends_the_wait_and_the_call(service: LoopbackService, target: str) -> None:
    release = threading.Event()

    def hold(request: Any) -> Message:
        release.wait(0.5)  # the caller is still on its way to waiting
        os.kill(os.getpid(), signal.SIGINT)
        release.wait(10)
        return service.Lookup(request)

    service.answers["Lookup"] = hold
    with Client(target, token=TOKEN, plaintext=True) as client:
        with pytest.raises(KeyboardInterrupt):
            client.lookup([signals(1)])
        assert service.asked[-1].over.wait(5)  # the service heard of it, while it still works
        release.set()
        del service.answers["Lookup"]
        assert client.lookup([signals(1)])[0].verdict == "none"


def test_a_cancelled_task_is_cancelled(service: LoopbackService, target: str) -> None:
    arrived, release = threading.Event(), threading.Event()

    def hold(request: Any) -> Message:
        arrived.set()
        release.wait(10)
        return service.Lookup(request)

    service.answers["Lookup"] = hold

    async def scenario() -> None:
        async with AsyncClient(target, token=TOKEN, plaintext=True) as client:
            call = asyncio.ensure_future(client.lookup([signals(1)]))
            await asyncio.to_thread(arrived.wait, 10)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call

    asyncio.run(scenario())
    release.set()
