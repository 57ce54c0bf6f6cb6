"""Everything of the pact, at random: hub, replica, what a crash left of the hub, and a replay are the same list.

Beside the rows and their digest, every answer that reads them is compared: look-ups and their advice, items, opinions,
disputes, challenges, motions, rulebooks, rollbacks, alerts, the benign list, incidents, members, policies.
"""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message
from hashpact.signals import SIGNAL_TYPES
from hashpact.v1 import (
    contribution_service_pb2,
    incident_service_pb2,
    lookup_service_pb2,
    member_service_pb2,
    opinion_service_pb2,
    pending_service_pb2,
    policy_service_pb2,
    safeguard_service_pb2,
    signal_pb2,
    steward_service_pb2,
)
from hashpact_server import fsck, replay
from hashpact_server.adopting import compare
from hashpact_server.config import Config, Limits
from hashpact_server.core import INDEX_FOLDER, STORE_FOLDER
from hashpact_server.engine import Engine
from hashpact_server.refusal import Refusal
from hashpact_server.services.caller import Caller, set_caller
from hashpact_server.services.contribution import ContributionService
from hashpact_server.services.incident import IncidentService
from hashpact_server.services.lookup import LookupService
from hashpact_server.services.member import MemberService
from hashpact_server.services.opinion import OpinionService
from hashpact_server.services.pending import PendingService
from hashpact_server.services.policy import PolicyService
from hashpact_server.services.safeguard import SafeguardService
from hashpact_server.services.steward import StewardService

from tests.data import effort
from tests.following import begun, expected_of, follow, next_of, rows_of
from tests.forum import flipped, forum_in, value
from tests.listing import assert_sound
from tests.property.pact_story import SEEDS, TYPES, PactStory

STEPS = 150


def probes() -> list[lookup_service_pb2.Probe]:
    """What was listed and what lies near it, each type alone and all together."""
    made = []
    for seed in range(SEEDS):
        values = {kind: [value(kind, seed)] for kind in TYPES}
        near = {kind: [flipped(value(kind, seed), 5)] for kind in ("pdq", "phash")}
        far = {"pdq": [flipped(value("pdq", seed), 35)]}
        for each in (values, near, far, *({kind: [value(kind, seed)]} for kind in TYPES)):
            sets = [signal_pb2.SignalSet(signal_type=kind, values=b"".join(some)) for kind, some in each.items()]
            made.append(lookup_service_pb2.Probe(signal_sets=sets))
    return made


def answers(engine: Engine) -> Iterator[tuple[str, Message | str]]:
    """All that can be read of a list, by everybody who may."""

    def ask(call: Callable[[Any, None], Message], request: Message) -> Message | str:
        try:
            return call(request, None)
        except Refusal as refusal:
            return refusal.message

    limits = Limits()
    lookup, items = LookupService(engine, limits), ContributionService(engine, limits)
    opinions, stewards = OpinionService(engine, limits), StewardService(engine, limits)
    safeguards, incidents = SafeguardService(engine, limits), IncidentService(engine, None, limits)
    with engine.state.read() as view:
        members, listed = list(view.members(limit=100)), [row.item for row in view.items(limit=500)]
    everything = probes()
    for member in members:
        set_caller(Caller(member))
        who = member.pseudonym.hex()
        for use in ("", "upload"):
            request = lookup_service_pb2.LookupRequest(probes=everything, use=use)
            yield f"{who} Lookup {use}", ask(lookup.Lookup, request)
        yield who, ask(PolicyService(engine).GetMemberPolicy, policy_service_pb2.GetMemberPolicyRequest())
        yield who, ask(PendingService(engine, limits).ListPending, pending_service_pb2.ListPendingRequest())
        yield who, ask(opinions.ListChallenges, opinion_service_pb2.ListChallengesRequest())
        yield who, ask(items.ListItems, contribution_service_pb2.ListItemsRequest())
        for item in listed:
            yield f"{who} GetItem {item}", ask(items.GetItem, contribution_service_pb2.GetItemRequest(item=item))
    for item in listed:
        yield f"ListOpinions {item}", ask(opinions.ListOpinions, opinion_service_pb2.ListOpinionsRequest(item=item))
        for probe in everything[:7]:
            explain = lookup_service_pb2.ExplainRequest(probe=probe, item=item)
            yield f"Explain {item}", ask(lookup.Explain, explain)
    yield "ListDisputes", ask(opinions.ListDisputes, opinion_service_pb2.ListDisputesRequest())
    counts = opinion_service_pb2.GetJudgementCountsRequest()
    yield "Count", ask(opinions.GetJudgementCounts, counts)
    yield "ListMotions", ask(stewards.ListMotions, steward_service_pb2.ListMotionsRequest())
    for kind in steward_service_pb2.RulebookKind.values()[1:]:
        yield "GetRulebook", ask(stewards.GetRulebook, steward_service_pb2.GetRulebookRequest(kind=kind))
    yield "ListRollbacks", ask(stewards.ListRollbacks, steward_service_pb2.ListRollbacksRequest())
    yield "ListAlerts", ask(safeguards.ListAlerts, safeguard_service_pb2.ListAlertsRequest())
    yield "ListBenign", ask(safeguards.ListBenign, safeguard_service_pb2.ListBenignRequest())
    yield "ListIncidents", ask(incidents.ListIncidents, incident_service_pb2.ListIncidentsRequest())
    yield "ListMembers", ask(MemberService(engine, limits).ListMembers, member_service_pb2.ListMembersRequest())


def assert_same(engine: Engine, hub: Engine) -> None:
    """The same rows, heads, indexes, and answers."""
    assert rows_of(engine.state) == rows_of(hub.state)
    assert engine.published.head == hub.published.head
    assert engine.matcher.counts() == hub.matcher.counts()
    assert engine.published.roster.members == hub.published.roster.members
    assert engine.published.roster.tokens == hub.published.roster.tokens
    for kind in map(SIGNAL_TYPES.__getitem__, TYPES):
        values = [value(kind.name, f"{seed}{number}") for seed in ("", "benign") for number in range(SEEDS)]
        here, there = (each.published.benign.distances(kind, values, 5) for each in (engine, hub))
        assert here == there, "the benign list in memory"
    for (about, said), (_, told) in zip(answers(engine), answers(hub), strict=True):
        assert said == told, about


def crashed(folder: Path, store: Path, indexes: Path) -> Engine:
    """The list as it opens beside indexes that are older."""
    (folder / STORE_FOLDER).mkdir(parents=True)
    shutil.copy(store / "data.mdb", folder / STORE_FOLDER)
    shutil.copytree(indexes, folder / INDEX_FOLDER)
    return Engine.open(folder, Config())


@pytest.mark.parametrize("seed", range(effort(3)))
def test_hub_replica_and_replay_are_the_same_list(seed: int) -> None:
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as home, forum_in(Path(home, "hub")) as forum:
        hub = forum.engine
        story = PactStory(forum, seed)
        replica = begun(Path(home, "replica"), hub)
        try:
            for number in range(STEPS):
                story.step()
                if number == STEPS // 3:
                    with hub.state.read() as view:
                        hub.matcher.checkpoint(view)
                    shutil.copytree(forum.folder / INDEX_FOLDER, Path(home, "older"))
                what = rng.random()
                if what < 0.2:  # an answer that broke off somewhere
                    follow(replica, hub, rng.randint(next_of(replica), next_of(hub)))
                elif what < 0.22:
                    replica.close()
                    replica = Engine.open(Path(home, "replica"), Config())
                elif what < 0.24:
                    replica.close()
                    shutil.rmtree(Path(home, "replica"))
                    replica = begun(Path(home, "replica"), hub)
            follow(replica, hub, next_of(hub))
            compare(replica.state, expected_of(hub.state, next_of(hub)))
            assert_same(replica, hub)
            assert_sound(hub)
            with replica.state.store.read() as tx:
                assert fsck.check_stored(tx).problems == []
                assert replay.check_stored(tx).problems == []
            again = crashed(Path(home, "crashed"), forum.folder / STORE_FOLDER, Path(home, "older"))
            try:
                assert_same(again, hub)
                assert_sound(again)
            finally:
                again.close()
            assert fsck.check(Path(home, "crashed")).problems == []
            assert (Path(home, "crashed", INDEX_FOLDER, "current").read_text().split()[0]) == "1", "not built anew"
        finally:
            replica.close()
