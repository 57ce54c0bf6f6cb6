from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import shutil
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from hashpact.errors import ConfigError, InvalidRequestError, QueueFullError
from hashpact.sidecar import webhook as webhooks
from hashpact.sidecar.signing import Signer, new_secret
from hashpact.sidecar.webhook import Event, Webhook, require_url

from tests.unit.sidecar.receiver import (
    ENDLESS,
    ERROR,
    HANG,
    MOVED,
    OK,
    OPEN_ENDED,
    RESET,
    Delivery,
    Receiver,
    documented_verify,
    snippet,
)

SECRET = new_secret()
PUBLISHED = ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330)
"""The example that the specification's own libraries are tested with."""


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses of milliseconds: what is tested is that it comes again, not how long that takes."""
    monkeypatch.setattr(webhooks, "_DELAY_S", 0.01)
    monkeypatch.setattr(webhooks, "_PAUSE_S", 0.001)
    monkeypatch.setattr(webhooks, "PAUSE_S_MAX", 0.05)
    monkeypatch.setattr(webhooks, "DELAY_S_MAX", 0.05)


@contextlib.asynccontextmanager
async def running(url: str, folder: Path, timeout_s: float = 30.0) -> AsyncIterator[Webhook]:
    made = Webhook(url, [SECRET], folder, timeout_s=timeout_s)
    task = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        made.close()


async def emptied(webhook: Webhook) -> None:
    """Wait until everything is confirmed: the outbox is settled after the receiver has answered."""
    async with asyncio.timeout(60):
        while len(webhook):
            await asyncio.sleep(0.005)


def go(body: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(body())  # type: ignore[arg-type]  # a coroutine function is one


def event(number: int = 0) -> Event:
    return Event("check.completed", f"upload-{number}", {"advice": "none", "matches": []})


def test_the_published_example_is_signed_alike() -> None:
    secret, name, when = PUBLISHED
    headers = Signer([secret]).headers(name, when, b'{"test": 2432232314}')
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_an_event_arrives_and_can_be_verified_as_documented(tmp_path: Path) -> None:
    async def body() -> None:
        async with Receiver() as receiver, running(receiver.url, tmp_path / "m") as webhook:
            name = await webhook.post(event(7))
            await receiver.until(lambda came: len(came) == 1)
            await emptied(webhook)
            (delivery,) = receiver.came
            assert delivery.id == name
            assert delivery.headers["content-type"] == "application/json"
            assert {**delivery.event, "timestamp": ""} == {
                "type": "check.completed",
                "timestamp": "",
                "reference": "upload-7",
                "advice": "none",
                "matches": [],
            }
            verify = documented_verify()
            verify(delivery.headers, delivery.body, SECRET)
            for headers, sent, secret in (
                (delivery.headers, delivery.body + b" ", SECRET),
                (delivery.headers, delivery.body, new_secret()),
                (delivery.headers | {"webhook-id": "msg_other"}, delivery.body, SECRET),
                (delivery.headers | {"webhook-timestamp": str(int(time.time()) - 301)}, delivery.body, SECRET),
                (delivery.headers | {"webhook-signature": "v1, v2,x"}, delivery.body, SECRET),
                ({}, delivery.body, SECRET),
            ):
                with pytest.raises(ValueError, match=r"wrong|old|int"):
                    verify(headers, sent, secret)

    go(body)


def test_a_secret_is_changed_without_a_gap() -> None:
    old, new = new_secret(), new_secret()
    headers = Signer([new, old]).headers("msg_1", int(time.time()), b"{}")
    for secret in (old, new):
        documented_verify()(headers, b"{}", secret)


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_the_documented_function_for_node() -> None:
    headers = Signer([SECRET, new_secret()]).headers("msg_1", int(time.time()), b'{"a": 1}')
    stale = Signer([SECRET]).headers("msg_1", int(time.time()) - 301, b'{"a": 1}')
    cases = [
        (headers, '{"a": 1}', SECRET, True),
        (headers, '{"a": 2}', SECRET, False),
        (headers, '{"a": 1}', new_secret(), False),
        (stale, '{"a": 1}', SECRET, False),
        (Signer([SECRET]).headers("msg_1", float("nan"), b'{"a": 1}'), '{"a": 1}', SECRET, False),  # type: ignore[arg-type]
        (headers | {"webhook-signature": "v1,AAAA"}, '{"a": 1}', SECRET, False),
    ]
    program = f"""{snippet("javascript")}
    const said = {json.dumps(cases)}.map(([headers, body, secret]) => {{
      try {{ verify(headers, Buffer.from(body), secret); return true; }} catch (error) {{ return false; }}
    }});
    console.log(JSON.stringify(said));"""
    run = subprocess.run(["node", "-e", program], capture_output=True, text=True, check=True)
    assert json.loads(run.stdout) == [expected for *_, expected in cases]


@pytest.mark.parametrize("failure", [ERROR, RESET, HANG, MOVED, b"no HTTP at all\r\n\r\n"])
def test_a_receiver_that_fails_is_asked_again_with_the_same_id(tmp_path: Path, failure: bytes) -> None:
    async def body() -> None:
        tries: dict[str, int] = {}

        def answer(delivery: Delivery) -> bytes:
            tries[delivery.id] = tries.get(delivery.id, 0) + 1
            return failure if tries[delivery.id] <= 3 else OK

        async with Receiver(answer) as receiver, running(receiver.url, tmp_path / "m", timeout_s=0.2) as webhook:
            posted = {await webhook.post(event(number)) for number in range(3)}
            await emptied(webhook)
            assert set(tries) == posted
            assert min(tries.values()) >= 4
            assert webhook.delivered == 3
            assert webhook.failed_attempts >= 9
            for delivery in receiver.came:
                assert delivery.path.startswith("/hook"), "a redirect was followed"
                documented_verify()(delivery.headers, delivery.body, SECRET)

    go(body)


@pytest.mark.parametrize(("confirmation", "timeout_s"), [(ENDLESS, 600.0), (OPEN_ENDED, 2.0)])
def test_a_confirmation_is_one_whatever_its_body_does(tmp_path: Path, confirmation: bytes, timeout_s: float) -> None:
    async def body() -> None:
        receiver = Receiver(lambda _: confirmation)
        async with receiver, running(receiver.url, tmp_path / "m", timeout_s=timeout_s) as webhook:
            await webhook.post(event())
            await emptied(webhook)
            assert len(receiver.came) == 1

    go(body)


def test_an_answer_after_the_deadline_is_none(tmp_path: Path) -> None:
    """It was handled, and comes again: the same id tells."""

    async def body() -> None:
        handled: list[str] = []

        def answer(delivery: Delivery) -> bytes:
            handled.append(delivery.id)
            return HANG if len(handled) == 1 else OK

        async with Receiver(answer) as receiver, running(receiver.url, tmp_path / "m", timeout_s=0.2) as webhook:
            name = await webhook.post(event())
            await emptied(webhook)
            assert len(handled) >= 2
            assert set(handled) == {name}

    go(body)


def test_one_event_that_always_fails_holds_up_no_other(tmp_path: Path) -> None:
    async def body() -> None:
        def answer(delivery: Delivery) -> bytes:
            return ERROR if delivery.event["reference"] == "upload-0" else OK

        async with Receiver(answer) as receiver, running(receiver.url, tmp_path / "m") as webhook:
            for number in range(30):
                await webhook.post(event(number))
            await receiver.until(lambda came: len({each.id for each in came}) == 30)
            async with asyncio.timeout(60):
                while len(webhook) > 1:
                    await asyncio.sleep(0.005)
            assert await webhook.forget("upload-0") == 1
            assert len(webhook) == 0

    go(body)


def test_a_receiver_that_fails_is_asked_one_event_at_a_time(tmp_path: Path) -> None:
    async def body() -> None:
        settled: list[int] = []

        async with Receiver() as receiver, running(receiver.url, tmp_path / "m") as webhook:

            def answer(_: Delivery) -> bytes:
                settled.append(webhook.failed_attempts)
                return ERROR

            receiver.answer = answer
            for number in range(20):
                await webhook.post(event(number))
            await receiver.until(lambda came: len(came) >= 40)
            first = next(number for number, count in enumerate(settled) if count)
            assert first <= webhooks.CONCURRENCY
            assert settled[first:] == list(range(first, len(settled))), "each is settled before the next is sent"

    go(body)


def test_what_waits_survives_a_restart_and_one_key_is_one_event(tmp_path: Path) -> None:
    async def body() -> None:
        async with Receiver() as receiver:
            before = Webhook("http://127.0.0.1:9/", [SECRET], tmp_path / "m")
            keyed = Event("check.completed", "r", {}, key="recheck-1")
            posted = {await before.post(event(1)), await before.post(keyed), await before.post(keyed)}
            assert len(before) == len(posted) == 2
            assert before.oldest_age_s >= 0
            before.close()
            async with running(receiver.url, tmp_path / "m") as webhook:
                await emptied(webhook)
                assert await webhook.post(keyed) in posted  # after delivery too
                await emptied(webhook)
            assert {each.id for each in receiver.came} == posted

    go(body)


def test_a_full_outbox_refuses_and_loses_nothing(tmp_path: Path) -> None:
    async def body() -> None:
        webhook = Webhook("http://[::1]:9/", [SECRET], tmp_path / "m", entries_max=2, bytes_max=100_000)
        with pytest.raises(QueueFullError) as large:
            await webhook.post(Event("upload.undo", "r", {"remarks": "x" * 100_000}))
        assert large.value.limit_name == "webhook_bytes_max"
        await webhook.post(event(1))
        await webhook.post(event(2))
        with pytest.raises(QueueFullError) as many:
            await webhook.post(event(3))
        assert many.value.limit_name == "webhook_entries_max"
        assert await webhook.forget("upload-1") == 1
        await webhook.post(event(3))
        assert (len(webhook), webhook.bytes_waiting < 1000) == (2, True)
        webhook.close()

    go(body)


def test_events_that_are_none(tmp_path: Path) -> None:
    async def body() -> None:
        webhook = Webhook("http://localhost:9/", [SECRET], tmp_path / "m")
        for wrong in (
            Event("check.started", "r"),
            Event("check.completed", "r" * 257),
            Event("check.completed", "\ud800"),
            Event("check.completed", "r", {"remarks": "x" * (256 << 10)}),
        ):
            with pytest.raises(InvalidRequestError):
                await webhook.post(wrong)
        assert len(webhook) == 0
        webhook.close()

    go(body)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example.org/x",
        "ftp://hooks.example.org/x",
        "https:///x",
        "https://user:word@hooks.example.org/",
        "http://hooks.example.org/x",
        "http://10.0.0.1/",
        "http://127.0.0.1.example.org/",
        "https://[::1/",
        "http://0.0.0.0/",
    ],
)
def test_addresses_that_are_refused(url: str) -> None:
    with pytest.raises(ConfigError) as refused:
        require_url(url)
    assert "word" not in refused.value.message.replace("password", "")


@pytest.mark.parametrize(
    "url", ["https://hooks.example.org/x?y", "http://127.0.0.9:80/", "http://[::1]/", "http://localhost/"]
)
def test_addresses_that_are_taken(url: str) -> None:
    assert require_url(url) == url


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        "whsec_!!!",
        pytest.param(SECRET[6:], id="no-prefix"),
        "whsec_" + "AAAA" * 7,
        "whsec_" + "AAAA" * 22,
    ],
)
def test_secrets_that_are_none(secret: str) -> None:
    with pytest.raises(ConfigError) as refused:
        Signer([SECRET, secret])
    assert not secret or secret not in refused.value.message.replace("whsec_ ", "").replace('"whsec_$', "")
    with pytest.raises(ConfigError, match="1 to 4 secrets"):
        Signer([])
    assert SECRET not in repr(Signer([SECRET]))


def test_logs_hold_nothing_that_is_secret(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def body() -> None:
        answers = iter([ERROR, HANG, RESET])
        receiver = Receiver(lambda _: next(answers, OK))
        async with receiver, running(receiver.url, tmp_path / "m", timeout_s=1.0) as webhook:
            await webhook.post(event(42))
            await emptied(webhook)

    with caplog.at_level(logging.DEBUG):
        go(body)
    assert "answered with 500" in caplog.text
    assert "no answer (TimeoutError)" in caplog.text
    assert "confirms again" in caplog.text
    for secret in ("upload-42", "of-the-receiver", SECRET):
        assert secret not in caplog.text


def test_cookies_of_the_receiver_are_not_kept(tmp_path: Path) -> None:
    kept = b"HTTP/1.1 200 OK\r\nSet-Cookie: track=1; Path=/\r\nContent-Length: 0\r\n\r\n"

    async def body() -> None:
        async with Receiver(lambda _: kept) as receiver, running(receiver.url, tmp_path / "m") as webhook:
            for number in (1, 2):
                await webhook.post(event(number))
                await emptied(webhook)
            assert len(receiver.came) == 2
            assert all("cookie" not in delivery.headers for delivery in receiver.came)

    go(body)
