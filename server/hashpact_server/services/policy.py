"""PolicyService: what the calling member wants to be advised."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hashpact.v1 import lookup_service_pb2, policy_service_pb2_grpc
from hashpact.v1 import policy_service_pb2 as pb

from hashpact_server.engine import Engine
from hashpact_server.refusal import invalid_field
from hashpact_server.rules.member_policy import MemberPolicy, check_policy, member_policy, set_policy
from hashpact_server.scene import Scene
from hashpact_server.services.caller import current_caller
from hashpact_server.services.items import encode_advice
from hashpact_server.services.reading import fresh_head
from hashpact_server.services.writing import write


class PolicyService(policy_service_pb2_grpc.PolicyServiceServicer):
    """Keeps what members want to be advised."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def GetMemberPolicy(  # noqa: N802 - the name in the wire
        self, request: pb.GetMemberPolicyRequest, context: Any
    ) -> pb.GetMemberPolicyResponse:
        """Return the caller's policy."""
        head = fresh_head(self._engine, request.at_least_as_fresh)
        with self._engine.state.read() as view:
            policy, sequence = member_policy(view, current_caller().pseudonym)
        return pb.GetMemberPolicyResponse(policy=_encode(policy), sequence=sequence, as_of=head.position().encode())

    def SetMemberPolicy(  # noqa: N802 - the name in the wire
        self, request: pb.SetMemberPolicyRequest, context: Any
    ) -> pb.SetMemberPolicyResponse:
        """Replace the caller's policy."""
        caller = current_caller()
        if not request.HasField("policy"):
            raise invalid_field("policy", "say what the policy is")
        policy = _decode(request.policy)

        def decide(scene: Scene) -> Callable[[str], pb.SetMemberPolicyResponse]:
            sequence = set_policy(scene, caller.pseudonym, policy)
            return lambda as_of: pb.SetMemberPolicyResponse(policy=_encode(policy), sequence=sequence, as_of=as_of)

        return write(self._engine, caller, request, pb.SetMemberPolicyResponse, decide)


def _decode(sent: pb.MemberPolicy) -> MemberPolicy:
    return check_policy(
        sent.mode,
        sent.groups_min,
        [(each.label, each.mode) for each in sent.labels],
        [(use.name, [(each.signal_type, each.radius) for each in use.radii], use.mode) for use in sent.uses],
    )


def _encode(policy: MemberPolicy) -> pb.MemberPolicy:
    return pb.MemberPolicy(
        mode=encode_advice(policy.mode),
        groups_min=policy.groups_min,
        labels=[pb.LabelMode(label=label, mode=encode_advice(mode)) for label, mode in sorted(policy.labels.items())],
        uses=[
            pb.Use(
                name=name,
                radii=[
                    lookup_service_pb2.Radius(signal_type=signal_type, radius=radius)
                    for signal_type, radius in sorted(use.radii.items())
                ],
                mode=encode_advice(use.mode or 0),
            )
            for name, use in sorted(policy.uses.items())
        ],
    )
