"""Every method, called by every role alone and by everybody who must not call: exactly what the wire's comments say."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from grpc_health.v1 import health_pb2_grpc
from hashpact.v1 import member_service_pb2 as members
from hashpact_server.services.roles import ANY, ROLES
from hashpact_server.state.rows import Role

from tests.integration.harness import WAIT_S, Forum, Said, ServerInside, raw_method, refused, said
from tests.repository import ROOT

METHODS = sorted(ROLES)
OPEN_METHODS = ("/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/List")
LOCKED_OUT = {
    "missing": ("UNAUTHENTICATED", "TOKEN_MISSING"),
    "other scheme": ("UNAUTHENTICATED", "TOKEN_MISSING"),
    "sent twice": ("UNAUTHENTICATED", "TOKEN_INVALID"),
    "malformed": ("UNAUTHENTICATED", "TOKEN_INVALID"),
    "unknown": ("UNAUTHENTICATED", "TOKEN_INVALID"),
    "revoked": ("UNAUTHENTICATED", "TOKEN_INVALID"),
    "expired": ("UNAUTHENTICATED", "TOKEN_INVALID"),
    "suspended": ("PERMISSION_DENIED", "MEMBER_SUSPENDED"),
}
ROLES_LINE = re.compile(r"// Roles: (.*?\.)\n", re.DOTALL)


@dataclass(frozen=True)
class Cast:
    """A server and the metadata that each member, or each stranger, sends."""

    server: ServerInside
    channel: grpc.Channel
    metadata: dict[str, tuple[tuple[str, str], ...]]

    def ask(self, path: str, who: str) -> Said:
        """Call a method with an empty message: past the gate it may be refused for what it lacks, not for who asks."""
        try:
            raw_method(self.channel, path)(b"", metadata=self.metadata[who], timeout=WAIT_S)
        except grpc.RpcError as error:
            return said(error)
        return Said("OK")


@pytest.fixture(scope="module")
def cast(made_forum: Forum, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cast]:
    with ServerInside(made_forum.copy(tmp_path_factory.mktemp("isolation") / "data")) as server:
        steward = server.member("steward")
        tokens = {f"only {role.name.lower()}": steward.create(f"only-{role.name.lower()}", role) for role in Role}
        every = [role.value for role in Role]
        tokens["suspended"] = steward.create("suspended", *every)
        steward.call(steward.members.SuspendMember, members.SuspendMemberRequest(member="suspended"))
        steward.create("all", *every)
        issue = steward.members.IssueToken
        revoked = steward.call(issue, members.IssueTokenRequest(member="all"))
        steward.call(steward.members.RevokeToken, members.RevokeTokenRequest(token_id=revoked.info.token_id))
        tokens["revoked"] = revoked.token
        soon = Timestamp()
        soon.FromMilliseconds(time.time_ns() // 1_000_000 + 500)
        expiring = steward.call(issue, members.IssueTokenRequest(member="all", expire_time=soon))
        tokens["expired"] = expiring.token
        tokens["unknown"] = "hpt_" + "A" * 43
        tokens["malformed"] = "let me in"
        metadata: dict[str, tuple[tuple[str, str], ...]] = {
            who: (("authorization", f"Bearer {token}"),) for who, token in tokens.items()
        }
        metadata["missing"] = ()
        metadata["other scheme"] = (("authorization", "Basic YTpi"),)
        metadata["sent twice"] = metadata["only steward"] * 2
        made = Cast(server, server.channel(), metadata)
        give_up = time.monotonic() + WAIT_S
        while made.ask(METHODS[0], "expired").reason != "TOKEN_INVALID":
            assert time.monotonic() < give_up
        yield made


@pytest.mark.parametrize("role", Role, ids=lambda role: role.name.lower())
@pytest.mark.parametrize("path", METHODS)
def test_a_single_role_opens_exactly_its_methods(cast: Cast, path: str, role: Role) -> None:
    answer = cast.ask(path, f"only {role.name.lower()}")
    if role in ROLES[path]:
        assert answer.code not in ("UNAUTHENTICATED", "PERMISSION_DENIED", "INTERNAL", "UNIMPLEMENTED"), answer
    else:
        assert (answer.code, answer.reason) == ("PERMISSION_DENIED", "ROLE_MISSING")
        assert set(answer.metadata["roles"].split(", ")) == {each.name.lower() for each in ROLES[path]}


@pytest.mark.parametrize("who", LOCKED_OUT)
@pytest.mark.parametrize("path", METHODS)
def test_who_must_not_call_is_refused_everywhere(cast: Cast, path: str, who: str) -> None:
    answer = cast.ask(path, who)
    assert (answer.code, answer.reason) == LOCKED_OUT[who]


@pytest.mark.parametrize("path", OPEN_METHODS)
@pytest.mark.parametrize("who", ["missing", "unknown", "suspended", "only check"])
def test_health_needs_no_token(cast: Cast, path: str, who: str) -> None:
    if path.endswith("/List") and not hasattr(health_pb2_grpc.HealthServicer, "List"):
        pytest.skip("this version of grpcio-health-checking knows no List (1.85 does)")
    assert cast.ask(path, who).code == "OK"


def test_every_method_on_the_wire_has_its_roles() -> None:
    on_the_wire = {}
    for file in sorted((ROOT / "proto" / "hashpact" / "v1").glob("*_service.proto")):
        text = file.read_text()
        for service, body in re.findall(r"^service (\w+) \{\n(.*?)^\}", text, re.MULTILINE | re.DOTALL):
            for comment, name in re.findall(r"((?:^ *//.*\n)+)^ *rpc (\w+)", body, re.MULTILINE):
                told = ROLES_LINE.search(re.sub(r"\n *//(?! (Roles|Errors))", "", comment))
                assert told, f"{name} does not say who may call it"
                on_the_wire[f"/hashpact.v1.{service}/{name}"] = _roles(told[1])
    assert on_the_wire == dict(ROLES)


def _roles(sentence: str) -> frozenset[Role]:
    if "every member" in sentence or "any member that" in sentence:
        return ANY
    return frozenset(Role[word.upper()] for word in re.findall(r"`(\w+)`", sentence))


def test_an_unknown_method_does_not_exist_for_anybody(cast: Cast) -> None:
    for who in ("only steward", "missing"):
        assert cast.ask("/hashpact.v1.LookupService/Invent", who).code == "UNIMPLEMENTED"


def test_a_suspended_member_is_out_with_the_acknowledgement_and_back_when_resumed(inside: ServerInside) -> None:
    steward, acme = inside.member("steward"), inside.member("acme")
    assert not acme.finds(bytes(range(32)))
    steward.call(steward.members.SuspendMember, members.SuspendMemberRequest(member="acme"))
    with refused("MEMBER_SUSPENDED"):
        acme.finds(bytes(range(32)))
    steward.call(steward.members.ResumeMember, members.ResumeMemberRequest(member="acme"))
    assert not acme.finds(bytes(range(32)))


def test_a_revoked_token_is_out_and_the_other_token_is_not(inside: ServerInside) -> None:
    acme = inside.member("acme")
    issued = acme.call(acme.members.IssueToken, members.IssueTokenRequest())
    second = inside.bearer(issued.token)
    assert not second.finds(bytes(range(32)))
    acme.call(acme.members.RevokeToken, members.RevokeTokenRequest(token_id=issued.info.token_id))
    with refused("TOKEN_INVALID"):
        second.finds(bytes(range(32)))
    assert not acme.finds(bytes(range(32)))
