"""The table of roles is what the comments of the proto say, for every rpc of every service."""

from __future__ import annotations

import re

from hashpact.v1 import (
    capabilities_service_pb2,
    contribution_service_pb2,
    feed_service_pb2,
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
from hashpact_server.services.roles import ANY, ROLES
from hashpact_server.state.rows import Role

from tests.repository import ROOT

SERVICES = [
    service
    for module in (
        capabilities_service_pb2,
        contribution_service_pb2,
        feed_service_pb2,
        incident_service_pb2,
        incident_service_pb2,
        lookup_service_pb2,
        member_service_pb2,
        opinion_service_pb2,
        policy_service_pb2,
        pending_service_pb2,
        report_service_pb2,
        steward_service_pb2,
        safeguard_service_pb2,
        upload_service_pb2,
    )
    for service in module.DESCRIPTOR.services_by_name.values()
]


def stated_roles() -> dict[str, frozenset[Role]]:
    """Full method name -> the roles of its ``Roles:`` paragraph; every member where it says so."""
    stated = {}
    for path in sorted((ROOT / "proto" / "hashpact" / "v1").glob("*_service.proto")):
        text = path.read_text(encoding="utf-8")
        for service, body in re.findall(r"^service (\w+) \{(.*?)^\}", text, re.DOTALL | re.MULTILINE):
            for comment, method in re.findall(r"((?:^  //.*\n)+)  rpc (\w+)\(", body, re.MULTILINE):
                words = " ".join(line.strip(" /") for line in comment.splitlines())
                sentence = re.search(r"Roles: (.*?)(?: Errors\b|$)", words)
                assert sentence, f"{service}.{method} does not say who may call it"
                if "every member" in sentence[1] or "any member" in sentence[1]:
                    roles = ANY
                else:
                    words_in_ticks = [name.upper() for name in re.findall(r"`(\w+)`", sentence[1])]
                    roles = frozenset(Role[name] for name in words_in_ticks)
                stated[f"/hashpact.v1.{service}/{method}"] = roles
    return stated


def test_every_rpc_is_in_the_table() -> None:
    methods = {f"/{service.full_name}/{method.name}" for service in SERVICES for method in service.methods}
    assert set(ROLES) == methods


def test_the_table_says_what_the_proto_says() -> None:
    assert dict(ROLES) == stated_roles()
