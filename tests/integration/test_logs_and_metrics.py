"""What a server tells about itself, after a run in which everything happened: enough, and never a hash or a token."""

from __future__ import annotations

import base64
import json
import urllib.request
from collections.abc import Callable

import pytest
from hashpact.v1 import contribution_service_pb2 as contributions
from hashpact.v1 import lookup_service_pb2 as lookups
from hashpact.v1 import signal_pb2

from tests.integration.harness import Forum, ServerProcess, contribution, lookup_request, refused


def scrape(server: ServerProcess) -> str:
    place = server.wait_for("metrics")["address"]
    with urllib.request.urlopen(f"http://{place}/metrics") as answer:
        return str(answer.read().decode())


def forms(value: bytes) -> list[str]:
    """How a value could show: hex in both cases, base64, Python's and octal escapes, a list of numbers."""
    return [
        value.hex(),
        value.hex().upper(),
        base64.b64encode(value).decode().rstrip("="),
        base64.urlsafe_b64encode(value).decode().rstrip("="),
        repr(value)[2:-1],
        "".join(f"\\{byte:03o}" for byte in value),
        ", ".join(map(str, value)),
    ]


@pytest.fixture
def talkative(forum: Forum) -> Forum:
    forum.configure('log_level = "debug"\ncall_log_lines_per_s_max = 100000\n')
    return forum


def test_neither_logs_nor_metrics_hold_a_hash_or_a_token(talkative: Forum, new_pdq: Callable[[], bytes]) -> None:
    values = [new_pdq() for _ in range(6)]
    tokens = dict(talkative.tokens)
    with ServerProcess(talkative, "--metrics", "127.0.0.1:0") as server:
        steward, alpha, acme = (server.ready().member(name) for name in ("steward", "alpha", "acme"))
        tokens["late"] = steward.create("late", 1)
        made = alpha.contribute(*values[:3], request_id="remembered-1")
        alpha.contribute(*values[:3], request_id="remembered-1")
        with refused("REQUEST_ID_REUSED"):
            alpha.contribute(values[3], request_id="remembered-1")
        acme.lookup(*values)
        with refused("FIELD_INVALID"):
            request = lookup_request(*values)
            request.radii.add(signal_type=values[4].hex(), radius=3)
            acme.call(acme.lookup_stub.Lookup, request)
        odd = signal_pb2.SignalSet(signal_type=values[4].hex(), values=values[4])
        acme.call(acme.lookup_stub.Lookup, lookups.LookupRequest(probes=[lookups.Probe(signal_sets=[odd])]))
        with refused("ROLE_MISSING"):
            acme.contribute(values[5])
        with refused("TOKEN_INVALID"):
            server.bearer("hpt_" + "B" * 43).finds(values[5])
        with refused("FIELD_INVALID"):
            acme.raw("/hashpact.v1.LookupService/Lookup", values[5] * 3)
        bad = contribution(values[5])
        bad.labels.append(values[5].hex() * 4)
        alpha.call(alpha.contributions.Contribute, contributions.ContributeRequest(contributions=[bad]))
        item = made.outcomes[0].item
        alpha.call(alpha.contributions.GetItem, contributions.GetItemRequest(item=item))
        with refused("TOKEN_MALFORMED"):
            request_item = contributions.GetItemRequest(item=item, at_least_as_fresh=values[5].hex())
            alpha.call(alpha.contributions.GetItem, request_item)
        told = scrape(server)
        assert server.stop() == 0
    log = "".join(server.lines)
    assert '"/hashpact.v1.LookupService/Lookup"' in log
    for name, text in (("log", log), ("metrics", told)):
        for value in values:
            assert not [form for form in forms(value) if form in text], name
        for token in [*tokens.values(), "B" * 43, "remembered-1"]:
            assert token not in text, name


def test_every_line_is_json_with_its_time_level_and_event(talkative: Forum) -> None:
    with ServerProcess(talkative) as server:
        server.ready().member("acme").finds(bytes(range(32)))
        with refused("TOKEN_MISSING"):
            server.bearer(None).finds(bytes(range(32)))
        assert server.stop() == 0
    events = []
    for line in server.lines:
        entry = json.loads(line)
        assert {"time", "level", "event", "logger"} <= set(entry)
        events.append(entry)
    names = [entry["event"] for entry in events]
    assert names.index("listening") < names.index("ready") < names.index("call") < names.index("stopping")
    assert names[-1] == "stopped"
    good, bad = (entry for entry in events if entry["event"] == "call")
    assert (good["member"], good["code"], good["level"]) == ("acme", "OK", "debug")
    assert (bad["member"], bad["code"], bad["reason"]) == ("", "UNAUTHENTICATED", "TOKEN_MISSING")
    assert len(good["request"]) == 16


def test_a_flood_of_calls_is_no_flood_of_lines(forum: Forum) -> None:
    forum.configure("call_log_lines_per_s_max = 1\n")
    with ServerProcess(forum) as server:
        stranger = server.ready().bearer(None)
        for _ in range(200):
            with refused("TOKEN_MISSING"):
                stranger.finds(bytes(range(32)))
        assert server.stop() == 0
    lines = [line for line in server.lines if '"event": "call"' in line]
    assert 1 <= len(lines) < 100


def test_metrics_count_what_happened(forum: Forum, new_pdq: Callable[[], bytes]) -> None:
    with ServerProcess(forum, "--metrics", "127.0.0.1:0") as server:
        alpha = server.ready().member("alpha")
        alpha.contribute(new_pdq(), new_pdq())
        alpha.finds(new_pdq())
        with refused("ROLE_MISSING"):
            alpha.raw("/hashpact.v1.MemberService/ListMembers")
        lines = scrape(server).splitlines()
        assert server.stop() == 0
    for line in (
        'hashpact_calls_total{code="OK",method="/hashpact.v1.ContributionService/Contribute"} 1.0',
        'hashpact_calls_total{code="PERMISSION_DENIED",method="/hashpact.v1.MemberService/ListMembers"} 1.0',
        'hashpact_call_seconds_count{method="/hashpact.v1.LookupService/Lookup"} 1.0',
        'hashpact_member_calls_total{member="alpha"} 2.0',
        'hashpact_signals{signal_type="pdq"} 2.0',
        "hashpact_members 3.0",
        "hashpact_commits_total 1.0",
        'hashpact_in_flight{kind="request"} 0.0',
        "hashpact_write_queue 0.0",
    ):
        assert line in lines
    named = {line.split("{")[0].split(" ")[0] for line in lines if not line.startswith("#")}
    assert {
        "hashpact_store_bytes",
        "hashpact_store_bytes_max",
        "hashpact_head_sequence",
        "hashpact_oldest_reader_seconds",
        "hashpact_commit_seconds_total",
        "hashpact_build_info",
    } <= named
