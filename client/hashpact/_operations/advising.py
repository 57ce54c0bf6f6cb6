"""What a member wants to be advised, why a match means what it means, and putting an item's signals in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from hashpact import _convert as convert
from hashpact import _convert_matches as matches
from hashpact import _wire as wire
from hashpact._operations.confirming import Measured, measured, messages_of
from hashpact._operations.reading import fresh, lookup
from hashpact._operations.session import Session, new_request_id, require_id
from hashpact._operations.writing import write
from hashpact._wire import Operation, ask, compute
from hashpact.advice import ActCondition, Explanation, MemberPolicy, SignalExplanation, Use
from hashpact.items import Item
from hashpact.media_signals import MediaSignals
from hashpact.probes import Probe
from hashpact.results import Problem
from hashpact.signals import ImageSignals, Signal
from hashpact.v1 import contribution_service_pb2 as contribution_pb2
from hashpact.v1 import lookup_service_pb2 as lookup_pb2
from hashpact.v1 import policy_service_pb2 as policy_pb2

CONDITIONS = convert.Words(lookup_pb2.ActCondition.Condition, "CONDITION_")


def explain(
    session: Session,
    signals: MediaSignals,
    item: int,
    *,
    radii: Mapping[str, int] | None,
    use: str,
    at_least_as_fresh: str,
) -> Operation[Explanation]:
    """Ask why an upload matches an item, or why not. Its local points are measured first."""
    require_id("item", item)
    probe, measurements = Probe.of(signals), Measured()
    canvas = signals.canvas if isinstance(signals, ImageSignals) else None
    if probe.points and canvas is not None:
        looked_up = yield from lookup(
            session, [probe], radii=radii, matches_max=0, use=use, at_least_as_fresh=at_least_as_fresh
        )
        (found,) = looked_up
        if any(match.item == item and match.level == "strong" for match in found.matches):
            probe = replace(probe, points=b"")  # certain without them: it is named by no candidate
        elif theirs := [each for each in found.candidates if each.item == item]:
            measurements = yield from compute(lambda: measured(canvas, theirs))
        at_least_as_fresh = looked_up.as_of
    message, radius_messages = matches.probe_message(probe), matches.radius_messages(radii)

    def read(token: str, wait_for: frozenset[str]) -> Operation[Explanation]:
        request = lookup_pb2.ExplainRequest(
            probe=message,
            item=item,
            radii=radius_messages,
            use=use,
            at_least_as_fresh=token,
            measurements=messages_of(measurements),
        )
        response = yield from ask(wire.Call(wire.EXPLAIN, request, wait_for=wait_for))
        return _explanation(item, response)

    return (yield from fresh(session, at_least_as_fresh, read))


def _explanation(item: int, response: lookup_pb2.ExplainResponse) -> Explanation:
    matched = response.HasField("match") and bool(response.match.agreements)
    return Explanation(
        item,
        convert.STATUSES.word(response.status),
        convert.ADVICE.word(response.advice),
        matches.match_of(response.match) if matched else None,
        tuple(
            SignalExplanation(
                one.signal_type,
                one.radius,
                one.agrees,
                one.distance if one.HasField("distance") else None,
                one.distance_is_bound,
                one.listed,
                one.sequence,
                one.vouching_groups,
                one.counts_for_act,
            )
            for one in response.signals
        ),
        tuple(ActCondition(CONDITIONS.word(one.condition), one.holds, one.message) for one in response.conditions),
        tuple(Problem(one.signal_set_index, convert.reason(one.reason), one.message) for one in response.problems),
    )


def get_policy(session: Session, *, at_least_as_fresh: str) -> Operation[MemberPolicy]:
    """Ask for the caller's policy."""

    def read(token: str, wait_for: frozenset[str]) -> Operation[MemberPolicy]:
        request = policy_pb2.GetMemberPolicyRequest(at_least_as_fresh=token)
        response = yield from ask(wire.Call(wire.GET_MEMBER_POLICY, request, wait_for=wait_for))
        return _policy(response.policy, response.sequence)

    return (yield from fresh(session, at_least_as_fresh, read))


def set_policy(
    session: Session, policy: MemberPolicy, *, request_id: str | None, validate_only: bool
) -> Operation[MemberPolicy]:
    """Replace the caller's policy."""
    given_id = new_request_id(request_id)
    request = policy_pb2.SetMemberPolicyRequest(
        request_id=given_id, validate_only=validate_only, policy=_policy_message(policy)
    )
    response = yield from ask(write(wire.SET_MEMBER_POLICY, request, given_id))
    session.wrote(response.as_of)
    return _policy(response.policy, response.sequence)


def _policy_message(policy: MemberPolicy) -> policy_pb2.MemberPolicy:
    message = policy_pb2.MemberPolicy(
        mode=convert.ADVICE.number(policy.mode, "mode"), groups_min=convert.number("groups_min", policy.groups_min)
    )
    for label, mode in policy.labels.items():
        message.labels.add(label=label, mode=convert.ADVICE.number(mode, "mode"))
    for name, use in policy.uses.items():
        own_mode = convert.ADVICE.number(use.mode, "mode") if use.mode else None
        message.uses.add(name=name, radii=matches.radius_messages(use.radii), mode=own_mode)
    return message


def _policy(message: policy_pb2.MemberPolicy, sequence: int) -> MemberPolicy:
    return MemberPolicy(
        convert.ADVICE.word(message.mode),
        message.groups_min,
        MappingProxyType({one.label: convert.ADVICE.word(one.mode) for one in message.labels}),
        MappingProxyType(
            {
                use.name: Use(
                    MappingProxyType({one.signal_type: one.radius for one in use.radii}), convert.ADVICE.word(use.mode)
                )
                for use in message.uses
            }
        ),
        sequence,
    )


def detach(
    session: Session, item: int, signals: tuple[Signal, ...], *, request_id: str | None, validate_only: bool
) -> Operation[Item]:
    """Take signals off an item."""
    require_id("item", item)
    given_id = new_request_id(request_id)
    request = contribution_pb2.DetachRequest(
        request_id=given_id,
        validate_only=validate_only,
        item=item,
        signals=[convert.signal_message(signal) for signal in signals],
    )
    response = yield from ask(write(wire.DETACH, request, given_id))
    session.wrote(response.as_of)
    return convert.item_of(response.item)


def merge_items(
    session: Session, item: int, into_item: int, *, request_id: str | None, validate_only: bool
) -> Operation[Item]:
    """Make two items one."""
    require_id("item", item)
    require_id("into_item", into_item)
    given_id = new_request_id(request_id)
    request = contribution_pb2.MergeItemsRequest(
        request_id=given_id, validate_only=validate_only, item=item, into_item=into_item
    )
    response = yield from ask(write(wire.MERGE_ITEMS, request, given_id))
    session.wrote(response.as_of)
    return convert.item_of(response.item)
