"""The promotion drill: the hub is lost, a replica becomes the hub, and nobody relies unknowingly on what was lost."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hashpact import Client, Probe, Signal
from hashpact.errors import ConflictError

from tests.fault.fleet import Fleet, assert_equal
from tests.integration.harness import Forum, ServerProcess, command, token_in


def client_of(server: ServerProcess) -> Client:
    forum = server.forum
    return Client(str(server.address), token=forum.tokens["alpha"], ca=forum.ca, read_your_writes=False)


def listed(client: Client, value: bytes) -> bool:
    return bool(client.lookup([Probe.of([Signal("pdq", value, 100)])])[0].matches)


@pytest.mark.timeout(180)
def test_promotion_drill(four_writers: Forum, tmp_path: Path) -> None:
    kept, lost, new = (bytes(range(start, start + 32)) for start in (0, 100, 200))
    old = four_writers.copy(tmp_path / "hub")
    token = token_in(command("member", "add", "archive", "--role", "replicate", "--data", old.data).stdout)
    with Fleet(old, token, tmp_path) as fleet:
        first, second, third = fleet.replicas
        with ServerProcess(old) as hub, client_of(hub.ready()) as client:
            fleet.hub.to = hub.address
            for replica in fleet.replicas:
                replica.start()
            item = client.contribute([Signal("pdq", kept, 100)], labels=["test"]).item
            for replica in fleet.replicas:
                replica.reach(client.as_of)
            # The network fails; one more write is acknowledged; then the hub is gone.
            fleet.hub.to = None
            fleet.hub.cut()
            client.contribute([Signal("pdq", lost, 100)], labels=["test"])
            seen = client.as_of
            hub.kill()

        assert first.server.stop() == 0
        told = command("promote", "--data", first.forum.data).stderr
        window = re.search(r"newest entry that it received, (\d+), is of (\S+Z), \d+ s ago", told)
        assert window, told
        assert int(window[1]) == item
        with ServerProcess(first.forum) as hub, client_of(hub.ready()) as client:
            first.relay.to = hub.address  # the third goes on by itself, where it stood
            second.kill()
            second.start(upstream=first.relay, ca=first.forum.data / "ca.pem")
            client.contribute([Signal("pdq", new, 100)], labels=["test"])
            for replica in (second, third):
                replica.reach(client.as_of)

            for server in (hub, second.server, third.server):
                with client_of(server) as asking:
                    assert [listed(asking, value) for value in (kept, lost, new)] == [True, False, True]
                    with pytest.raises(ConflictError) as caught:
                        asking.lookup([Probe.of([Signal("pdq", lost, 100)])], at_least_as_fresh=seen)
                    assert caught.value.reason == "TOKEN_UNKNOWN_HISTORY"

            # Somebody starts the old hub again: whoever stood before the new epoch refuses it, and says why.
            assert third.server.stop() == 0
            with ServerProcess(old) as stranger:
                fleet.hub.to = stranger.ready().address
                astray = third.start(upstream=fleet.hub, ca=old.data / "ca.pem")
                assert "does not know our history" in astray.wait_for("replica and upstream differ")["why"]
                assert astray.wait() == 70
                assert stranger.stop() == 0
            assert second.server.stop() == 0
            assert hub.stop() == 0
        # What the stranger said left no trace.
        assert_equal([first.forum.data, second.forum.data, third.forum.data])
