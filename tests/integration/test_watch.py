"""Watching a real server: in order, across its restarts, by library and command line."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from hashpact import AsyncClient, Client
from hashpact.entries import Entry
from hashpact.errors import NotAllowedError, ServiceError
from hashpact_server.state.rows import Role

from tests.integration.harness import WAIT_S, Forum, ServerInside


@pytest.fixture(name="token")
def made_token(inside: ServerInside) -> str:
    """The token of a member that may watch."""
    return inside.member("steward").create("archive", Role.REPLICATE)


def take(entries: Iterator[Entry], until: int) -> list[Entry]:
    """Entries up to a number."""
    taken = [next(entries)]
    while taken[-1].sequence < until:
        taken.append(next(entries))
    return taken


def head_of(server: ServerInside) -> int:
    return server.node.engine.published.head.sequence


def test_nothing_is_left_out_and_nothing_comes_twice_across_a_restart(
    forum: Forum, new_pdq: Callable[[], bytes]
) -> None:
    away: list[ServiceError] = []
    with ServerInside(forum) as hub:
        token = hub.member("steward").create("archive", Role.REPLICATE)
        hub.member("alpha").contribute(new_pdq(), new_pdq())
        before = head_of(hub)
        client = Client(str(hub.address), token=token, ca=forum.ca)
        entries = client.watch(start=0, on_away=away.append)
        seen = take(entries, before)
    with ServerInside(forum, listen=str(hub.address)) as hub, client:
        hub.member("alpha").contribute(*(new_pdq() for _ in range(5)))
        seen += take(entries, head_of(hub))
        assert [entry.sequence for entry in seen] == list(range(head_of(hub) + 1))
        assert away
        assert {entry.kind for entry in seen} >= {"genesis", "member_created", "token_issued", "item_created"}
        newest = seen[-1]
        assert (newest.item, newest.status, newest.redacted) == (newest.sequence, "provisional", False)


def test_from_now_on_and_by_a_filter(inside: ServerInside, token: str, new_pdq: Callable[[], bytes]) -> None:
    async def asynchronous(expected: int) -> list[int]:
        async with AsyncClient(str(inside.address), token=token, ca=inside.forum.ca) as client:
            seen = []
            async for entry in client.watch(start=expected - 2, signal_types=["pdq"]):
                seen.append(entry.sequence)
                if entry.sequence == expected:
                    break
            return seen

    alpha = inside.member("alpha")
    alpha.contribute(new_pdq())
    with Client(str(inside.address), token=token, ca=inside.forum.ca) as client:
        as_of = client.capabilities().as_of
        alpha.contribute(new_pdq())
        expected = head_of(inside)
        assert next(client.watch(after=as_of)).sequence == expected
        assert next(client.watch(start=expected, label_classes=["other"])).sequence == expected
        with pytest.raises(ServiceError) as caught:
            next(client.watch(start=expected + 2))
        assert caught.value.reason == "FIELD_INVALID"
    assert asyncio.run(asynchronous(expected))[-1] == expected
    with (
        Client(str(inside.address), token=inside.forum.tokens["acme"], ca=inside.forum.ca) as client,
        pytest.raises(NotAllowedError),
    ):
        next(client.watch())


@contextmanager
def watching(server: ServerInside, token: str, *options: str) -> Iterator[subprocess.Popen[str]]:
    """``hashpact watch`` beside a server."""
    process = subprocess.Popen(
        [sys.executable, "-c", "from hashpact.cli import main; main()", "watch", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={
            **os.environ,
            "HASHPACT_TARGET": str(server.address),
            "HASHPACT_TOKEN": token,
            "HASHPACT_CA": str(server.forum.data / "ca.pem"),
        },
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_the_command_line_follows_until_ctrl_c(forum: Forum, new_pdq: Callable[[], bytes]) -> None:
    values = [new_pdq() for _ in range(3)]
    with ServerInside(forum) as hub:
        token = hub.member("steward").create("archive", Role.REPLICATE)
        hub.member("alpha").contribute(values[0])
        first = head_of(hub)
        with watching(hub, token, "--json", "--from", str(first)) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            lines = [process.stdout.readline()]
            hub.__exit__(None, None, None)
            assert "trying again" in process.stderr.readline()
            with ServerInside(forum, listen=str(hub.address)) as again:
                again.member("alpha").contribute(*values[1:])
                lines += [process.stdout.readline() for _ in values[1:]]
                process.send_signal(signal.SIGINT)
                rest, told = process.communicate(timeout=WAIT_S)
            assert (process.returncode, rest) == (0, "")
            assert "nothing was missed" in told
    found = [json.loads(line) for line in lines]
    assert [entry["sequence"] for entry in found] == [first, first + 1, first + 2]
    assert [entry["item"] for entry in found] == [first, first + 1, first + 2]
    assert {entry["kind"] for entry in found} == {"item_created"}
    assert not any(value.hex() in "".join(lines) for value in values)


def test_the_command_line_says_what_is_in_the_way(inside: ServerInside, token: str) -> None:
    for options, words, code, who in (
        (("--from", "999999"), "comes next", 3, token),
        (("--signal-type", "smell"), "signal type", 3, token),
        ((), "replicate", 4, inside.forum.tokens["acme"]),
    ):
        with watching(inside, who, *options) as process:
            said, told = process.communicate(timeout=WAIT_S)
        assert process.returncode == code, told
        assert words in told
        assert said == ""
