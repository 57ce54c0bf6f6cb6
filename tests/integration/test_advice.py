"""Advice on a real hub and its replica: the same from both, by library and command line."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hashpact import AsyncClient, Client
from hashpact.advice import MemberPolicy, Use
from hashpact.errors import ConflictError, InvalidRequestError, NotAllowedError
from hashpact.v1 import steward_service_pb2 as steward_pb
from hashpact_server.config import Limits
from hashpact_server.rules import members, motions
from hashpact_server.scene import Scene
from hashpact_server.state.rows import Role
from hashpact_server.tokens import member_token_hash
from hashpact_server.writer import Act

from tests.integration.harness import WAIT_S, Forum, ServerInside
from tests.integration.replicas import ReplicaInside, empty_directory
from tests.integration.test_client import photograph

ROLES = {
    "ada": (Role.CHECK, Role.CONTRIBUTE, Role.APPROVE),
    "bea": (Role.CHECK, Role.CONTRIBUTE),
    "eve": (Role.STEWARD,),
    "fay": (Role.STEWARD,),
}
TOKENS = {name: f"hpt_{name:A<43}" for name in ROLES}


def pseudonym(name: str) -> bytes:
    return name.encode().ljust(16, b"\x03")


def set_up(scene: Scene) -> Callable[[str], bytes]:
    """Four full members; two of them, stewards, have the forum's policy let members act."""
    for name, roles in ROLES.items():
        members.create_member(scene, bytes(16), pseudonym=pseudonym(name), name=name, roles=roles, group=name)
        digest = member_token_hash(TOKENS[name])
        members.issue_token(scene, bytes(16), pseudonym(name), token_hash=digest, expiry_ms=0, limits=Limits())
    act = steward_pb.StewardAct(adopt_policy=steward_pb.StewardAct.AdoptPolicy(content='{"act": true}'))
    motions.second(scene, pseudonym("fay"), motions.propose(scene, pseudonym("eve"), act, "").motion)
    return lambda _: b""


@pytest.fixture
def hub(inside: ServerInside) -> ServerInside:
    inside.node.engine.writer.submit(Act(set_up, bytes(16)))
    return inside


def client(hub: ServerInside, name: str, replica: ReplicaInside | None = None) -> Client:
    reads = replica or hub
    return Client(
        str(reads.address), token=TOKENS[name], ca=reads.forum.ca, write_target=str(hub.address),
        write_ca=hub.forum.ca, timeout_s=WAIT_S,
    )  # fmt: skip


def run(hub: ServerInside, name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """``hashpact``, as this member."""
    return subprocess.run(
        [sys.executable, "-c", "from hashpact.cli import main; main()", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        check=False,
        env={
            **os.environ,
            "HASHPACT_TARGET": str(hub.address),
            "HASHPACT_TOKEN": TOKENS[name],
            "HASHPACT_CA": str(hub.forum.data / "ca.pem"),
            "HASHPACT_CONFIG": "",
            "NO_COLOR": "1",
            "COLUMNS": "300",
        },
    )


def test_hub_and_replica_advise_alike_by_library_and_command_line(
    hub: ServerInside, forum: Forum, tmp_path: Path
) -> None:
    cat, copy, coffee = (tmp_path / name for name in ("cat.png", "copy.jpg", "coffee.png"))
    photograph("chelsea").save(cat)
    photograph("chelsea").resize((300, 200)).save(copy, quality=60)
    photograph("coffee").save(coffee)
    archive = hub.member("steward").create("archive", Role.REPLICATE)
    with (
        ReplicaInside(empty_directory(tmp_path / "replica", forum), hub, archive) as replica,
        client(hub, "ada") as ada,
        client(hub, "ada", replica) as near,
        client(hub, "bea") as bea,
    ):
        item = ada.contribute(cat, labels=["un_listed_entity"]).item
        assert bea.contribute(cat, labels=["un_listed_entity"]).status == "corroborated"
        assert ada.check(copy).advice == "review", "nobody is advised to act who did not ask for it"

        done = run(
            hub, "ada", "policy", "set", "--mode", "act", "--label", "art=review", "--use", "live:pdq=9,mode=review"
        )
        assert done.returncode == 0, done.stderr
        wanted = MemberPolicy("act", 0, {"context:art": "review"}, {"live": Use({"pdq": 9}, "review")})
        as_of = ada.capabilities().as_of
        for one in (ada, near):
            assert one.get_policy(at_least_as_fresh=as_of).to_dict() == wanted.to_dict()
        shown = run(hub, "ada", "policy", "show", "--json")
        assert json.loads(shown.stdout) == wanted.to_dict()
        with pytest.raises(NotAllowedError):
            bea.set_policy(wanted)

        found, there = ada.check(cat), near.check(cat, at_least_as_fresh=as_of)
        assert (found.advice, found.matches) == ("act", there.matches)
        assert found.matches[0].members == ("ada", "bea")
        assert ada.check(cat, use="live").advice == near.check(cat, use="live").advice == "review"
        told, near_told = ada.explain(cat, item), near.explain(cat, item, at_least_as_fresh=as_of)
        assert told == near_told
        assert told.match == found.matches[0]
        assert all(each.holds for each in told.conditions)
        assert ada.get_item(item).advice == near.get_item(item).advice == "act"
        assert ada.get_item(item).review_time

        explained = run(hub, "ada", "explain", cat, item)
        assert explained.returncode == 10, explained.stderr
        assert "matches, advice act" in explained.stdout
        explained = run(hub, "bea", "explain", "--json", coffee, item)
        assert explained.returncode == 0, explained.stderr
        answer = json.loads(explained.stdout)
        assert (answer["advice"], answer["match"]) == ("none", None)
        assert {one["condition"] for one in answer["conditions"] if not one["holds"]} >= {"member_policy", "agreement"}

        bea.contribute(coffee, labels=["un_listed_entity"], attach_to=item)
        (weak,) = ada.check(coffee).matches
        assert (weak.advice, weak.weakly_vouched, weak.vouching_groups) == ("review", True, 1)
        with pytest.raises(NotAllowedError):
            client(hub, "eve").detach(item, coffee)
        assert run(hub, "bea", "detach", item, coffee).returncode == 0
        assert not ada.check(coffee).matches
        other = bea.contribute(coffee, labels=["un_listed_entity"]).item
        assert run(hub, "bea", "merge", other, item).returncode == 0
        assert [match.item for match in ada.check(coffee).matches] == [item]
        with pytest.raises(ConflictError):
            bea.merge_items(other, item)
        with pytest.raises(InvalidRequestError):
            ada.set_policy(MemberPolicy("always"))

        async def awaited() -> None:
            async with AsyncClient(str(hub.address), token=TOKENS["ada"], ca=hub.forum.ca, timeout_s=WAIT_S) as other:
                assert await other.explain(copy, item) == ada.explain(copy, item)
                assert await other.get_policy() == ada.get_policy()

        asyncio.run(awaited())
