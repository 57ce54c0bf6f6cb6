"""The calls of the wire in one table: name, message types, and when a call may be sent again.

Client and AsyncClient both read it, so that they cannot differ.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, Generic, TypeVar, cast

from google.protobuf.message import Message

from hashpact.v1 import capabilities_service_pb2 as capabilities_pb2
from hashpact.v1 import contribution_service_pb2 as contribution_pb2
from hashpact.v1 import feed_service_pb2 as feed_pb2
from hashpact.v1 import incident_service_pb2 as incident_pb2
from hashpact.v1 import lookup_service_pb2 as lookup_pb2
from hashpact.v1 import member_service_pb2 as member_pb2
from hashpact.v1 import opinion_service_pb2 as opinion_pb2
from hashpact.v1 import pending_service_pb2 as pending_pb2
from hashpact.v1 import policy_service_pb2 as policy_pb2
from hashpact.v1 import report_service_pb2 as report_pb2
from hashpact.v1 import safeguard_service_pb2 as safeguard_pb2
from hashpact.v1 import steward_service_pb2 as steward_pb2
from hashpact.v1 import upload_service_pb2 as upload_pb2

Response = TypeVar("Response", bound=Message)
Result = TypeVar("Result")


class Repeat(Enum):
    """When a call that got no answer may be sent again."""

    READ = "read"
    """Always: it changes nothing. gRPC itself does it, told by the service config."""
    IDEMPOTENT = "idempotent"
    """When it carries a request_id, or is the same twice by its nature."""
    NEVER = "never"
    """Not at all: twice would be two."""


class Place(Enum):
    """Where a method is called, when reads go to a replica and writes to the hub."""

    BY_REPEAT = "by repeat"
    """A read at the replica, everything else at the hub."""
    REPLICA = "replica"
    """What the replica keeps for its member alone."""
    HUB = "hub"
    """What only the hub knows."""


@dataclass(frozen=True, slots=True)
class Method(Generic[Response]):
    """One RPC."""

    service: str
    name: str
    response: type[Response]
    repeat: Repeat
    place: Place = Place.BY_REPEAT

    @property
    def at_hub(self) -> bool:
        """Whether it is called where writes go, when that is another place."""
        return self.place is Place.HUB or (self.place is Place.BY_REPEAT and self.repeat is not Repeat.READ)

    @property
    def path(self) -> str:
        """As gRPC addresses it."""
        return f"/hashpact.v1.{self.service}/{self.name}"


@dataclass(frozen=True, slots=True)
class Call(Generic[Response]):
    """One RPC with its request.

    Attributes:
        method: which.
        request: the message.
        repeatable: whether an unanswered write may be sent again (it carries a request_id).
        wait_for: reasons that pass by waiting, and are waited for within the deadline.
    """

    method: Method[Response]
    request: Message = field(repr=False)
    repeatable: bool = False
    wait_for: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Work:
    """Something to compute between two calls: the async client does it in a thread."""

    function: Callable[[], Any]


AnyCall = Call[Any]
Step = Sequence[AnyCall] | Work
Operation = Generator[Step, Any, Result]
"""One method of the client, without input or output: it yields calls, which are made at the same time, and is sent
their answers in the same order; or one piece of work, and is sent its result. What fails is thrown in as a
:class:`hashpact.errors.HashpactError`. The sync and the async client run the same operations, so they answer alike."""


def ask(call: Call[Response]) -> Operation[Response]:
    """Make one call."""
    (response,) = yield (call,)
    return cast("Response", response)


def ask_all(calls: Sequence[Call[Response]]) -> Operation[list[Response]]:
    """Make several calls, some of them at the same time; answers in the order of the calls."""
    responses = yield calls
    return cast("list[Response]", list(responses))


def compute(function: Callable[[], Result]) -> Operation[Result]:
    """Compute something that takes a while."""
    return cast("Result", (yield Work(function)))


LOOKUP: Final = Method("LookupService", "Lookup", lookup_pb2.LookupResponse, Repeat.READ)
CONTRIBUTE: Final = Method("ContributionService", "Contribute", contribution_pb2.ContributeResponse, Repeat.IDEMPOTENT)
AMEND: Final = Method("ContributionService", "Amend", contribution_pb2.AmendResponse, Repeat.IDEMPOTENT)
WITHDRAW: Final = Method("ContributionService", "Withdraw", contribution_pb2.WithdrawResponse, Repeat.IDEMPOTENT)
DETACH: Final = Method("ContributionService", "Detach", contribution_pb2.DetachResponse, Repeat.IDEMPOTENT)
MERGE_ITEMS: Final = Method("ContributionService", "MergeItems", contribution_pb2.MergeItemsResponse, Repeat.IDEMPOTENT)
CONFIRM: Final = Method("LookupService", "Confirm", lookup_pb2.ConfirmResponse, Repeat.READ)
EXPLAIN: Final = Method("LookupService", "Explain", lookup_pb2.ExplainResponse, Repeat.READ)
GET_MEMBER_POLICY: Final = Method("PolicyService", "GetMemberPolicy", policy_pb2.GetMemberPolicyResponse, Repeat.READ)
SET_MEMBER_POLICY: Final = Method(
    "PolicyService", "SetMemberPolicy", policy_pb2.SetMemberPolicyResponse, Repeat.IDEMPOTENT
)
GET_ITEM: Final = Method("ContributionService", "GetItem", contribution_pb2.GetItemResponse, Repeat.READ)
LIST_ITEMS: Final = Method("ContributionService", "ListItems", contribution_pb2.ListItemsResponse, Repeat.READ)
CREATE_MEMBER: Final = Method("MemberService", "CreateMember", member_pb2.CreateMemberResponse, Repeat.IDEMPOTENT)
LIST_MEMBERS: Final = Method("MemberService", "ListMembers", member_pb2.ListMembersResponse, Repeat.READ)
SUSPEND_MEMBER: Final = Method("MemberService", "SuspendMember", member_pb2.SuspendMemberResponse, Repeat.IDEMPOTENT)
RESUME_MEMBER: Final = Method("MemberService", "ResumeMember", member_pb2.ResumeMemberResponse, Repeat.IDEMPOTENT)
GET_MEMBER: Final = Method("MemberService", "GetMember", member_pb2.GetMemberResponse, Repeat.READ)
AMEND_MEMBER: Final = Method("MemberService", "AmendMember", member_pb2.AmendMemberResponse, Repeat.IDEMPOTENT)
LIST_PENDING: Final = Method("PendingService", "ListPending", pending_pb2.ListPendingResponse, Repeat.READ, Place.HUB)
APPROVE_CONTRIBUTION: Final = Method(
    "PendingService", "ApproveContribution", pending_pb2.ApproveContributionResponse, Repeat.IDEMPOTENT
)
REJECT_CONTRIBUTION: Final = Method(
    "PendingService", "RejectContribution", pending_pb2.RejectContributionResponse, Repeat.IDEMPOTENT
)
# Its answer holds a secret that is shown once: a second try would issue a second token.
ISSUE_TOKEN: Final = Method("MemberService", "IssueToken", member_pb2.IssueTokenResponse, Repeat.NEVER)
# Takes no request_id; revoking a revoked token succeeds and changes nothing.
REVOKE_TOKEN: Final = Method("MemberService", "RevokeToken", member_pb2.RevokeTokenResponse, Repeat.IDEMPOTENT)
GIVE_OPINION: Final = Method("OpinionService", "GiveOpinion", opinion_pb2.GiveOpinionResponse, Repeat.IDEMPOTENT)
REVOKE_OPINION: Final = Method("OpinionService", "RevokeOpinion", opinion_pb2.RevokeOpinionResponse, Repeat.IDEMPOTENT)
LIST_OPINIONS: Final = Method("OpinionService", "ListOpinions", opinion_pb2.ListOpinionsResponse, Repeat.READ)
OPEN_DISPUTE: Final = Method("OpinionService", "OpenDispute", opinion_pb2.OpenDisputeResponse, Repeat.IDEMPOTENT)
VOTE_ON_DISPUTE: Final = Method("OpinionService", "VoteOnDispute", opinion_pb2.VoteOnDisputeResponse, Repeat.IDEMPOTENT)
LIST_DISPUTES: Final = Method("OpinionService", "ListDisputes", opinion_pb2.ListDisputesResponse, Repeat.READ)
LODGE_CHALLENGE: Final = Method(
    "OpinionService", "LodgeChallenge", opinion_pb2.LodgeChallengeResponse, Repeat.IDEMPOTENT
)
ANSWER_CHALLENGE: Final = Method(
    "OpinionService", "AnswerChallenge", opinion_pb2.AnswerChallengeResponse, Repeat.IDEMPOTENT
)
LIST_CHALLENGES: Final = Method("OpinionService", "ListChallenges", opinion_pb2.ListChallengesResponse, Repeat.READ)
GET_JUDGEMENT_COUNTS: Final = Method(
    "OpinionService", "GetJudgementCounts", opinion_pb2.GetJudgementCountsResponse, Repeat.READ
)
GET_CAPABILITIES: Final = Method(
    "CapabilitiesService", "GetCapabilities", capabilities_pb2.GetCapabilitiesResponse, Repeat.READ
)

# A stream that has no end and no deadline: it is not among the METHODS that an operation asks for.
WATCH: Final = Method("FeedService", "Watch", feed_pb2.WatchResponse, Repeat.READ)

REMEMBER_UPLOADS: Final = Method(
    "UploadService", "RememberUploads", upload_pb2.RememberUploadsResponse, Repeat.IDEMPOTENT, Place.REPLICA
)
RECORD_ACTIONS: Final = Method(
    "UploadService", "RecordActions", upload_pb2.RecordActionsResponse, Repeat.IDEMPOTENT, Place.REPLICA
)
FORGET_UPLOADS: Final = Method(
    "UploadService", "ForgetUploads", upload_pb2.ForgetUploadsResponse, Repeat.IDEMPOTENT, Place.REPLICA
)
REPORT_MATCHES: Final = Method(
    "ReportService", "ReportMatches", report_pb2.ReportMatchesResponse, Repeat.IDEMPOTENT, Place.HUB
)
GET_MATCH_STATISTICS: Final = Method(
    "ReportService", "GetMatchStatistics", report_pb2.GetMatchStatisticsResponse, Repeat.READ, Place.HUB
)
DELETE_REPORTS: Final = Method(
    "ReportService", "DeleteReports", report_pb2.DeleteReportsResponse, Repeat.IDEMPOTENT, Place.HUB
)
LIST_ALERTS: Final = Method("SafeguardService", "ListAlerts", safeguard_pb2.ListAlertsResponse, Repeat.READ)
ACKNOWLEDGE_ALERT: Final = Method(
    "SafeguardService", "AcknowledgeAlert", safeguard_pb2.AcknowledgeAlertResponse, Repeat.IDEMPOTENT
)
LIST_BENIGN: Final = Method("SafeguardService", "ListBenign", safeguard_pb2.ListBenignResponse, Repeat.READ)
# Tracing the same again finds the same, and raises no second alert.
TRACE_SIGNALS: Final = Method(
    "SafeguardService", "TraceSignals", safeguard_pb2.TraceSignalsResponse, Repeat.IDEMPOTENT, Place.HUB
)
LIMIT_ITEM: Final = Method("StewardService", "LimitItem", steward_pb2.LimitItemResponse, Repeat.IDEMPOTENT)
SECOND: Final = Method("StewardService", "Second", steward_pb2.SecondResponse, Repeat.IDEMPOTENT)
WITHDRAW_MOTION: Final = Method(
    "StewardService", "WithdrawMotion", steward_pb2.WithdrawMotionResponse, Repeat.IDEMPOTENT
)
LIST_MOTIONS: Final = Method("StewardService", "ListMotions", steward_pb2.ListMotionsResponse, Repeat.READ)
GET_RULEBOOK: Final = Method("StewardService", "GetRulebook", steward_pb2.GetRulebookResponse, Repeat.READ)
LIST_ROLLBACKS: Final = Method("StewardService", "ListRollbacks", steward_pb2.ListRollbacksResponse, Repeat.READ)
# Who called, and who follows, the hub knows best.
GET_DIGEST: Final = Method("StewardService", "GetDigest", steward_pb2.GetDigestResponse, Repeat.READ, Place.HUB)
PROPOSE: Final = Method("StewardService", "Propose", steward_pb2.ProposeResponse, Repeat.IDEMPOTENT)
# Streams, as WATCH.
WATCH_RETRO_MATCHES: Final = Method(
    "UploadService", "WatchRetroMatches", upload_pb2.WatchRetroMatchesResponse, Repeat.READ
)
WATCH_CORRECTIONS: Final = Method("UploadService", "WatchCorrections", upload_pb2.WatchCorrectionsResponse, Repeat.READ)

OPEN_INCIDENT: Final = Method("IncidentService", "OpenIncident", incident_pb2.OpenIncidentResponse, Repeat.IDEMPOTENT)
SUPPORT_INCIDENT: Final = Method(
    "IncidentService", "SupportIncident", incident_pb2.SupportIncidentResponse, Repeat.IDEMPOTENT
)
CLOSE_INCIDENT: Final = Method(
    "IncidentService", "CloseIncident", incident_pb2.CloseIncidentResponse, Repeat.IDEMPOTENT
)
ACKNOWLEDGE_INCIDENT: Final = Method(
    "IncidentService", "AcknowledgeIncident", incident_pb2.AcknowledgeIncidentResponse, Repeat.IDEMPOTENT
)
LIST_INCIDENTS: Final = Method("IncidentService", "ListIncidents", incident_pb2.ListIncidentsResponse, Repeat.READ)
# The hub alone knows what members reported.
GET_DEBRIEF: Final = Method("IncidentService", "GetDebrief", incident_pb2.GetDebriefResponse, Repeat.READ, Place.HUB)
# A stream, as WATCH.
WATCH_INCIDENTS: Final = Method("IncidentService", "WatchIncidents", incident_pb2.WatchIncidentsResponse, Repeat.READ)

METHODS: Final[tuple[Method[Any], ...]] = (
    LOOKUP,
    CONFIRM,
    CONTRIBUTE,
    AMEND,
    WITHDRAW,
    DETACH,
    MERGE_ITEMS,
    EXPLAIN,
    GET_MEMBER_POLICY,
    SET_MEMBER_POLICY,
    GET_ITEM,
    LIST_ITEMS,
    CREATE_MEMBER,
    LIST_MEMBERS,
    SUSPEND_MEMBER,
    RESUME_MEMBER,
    ISSUE_TOKEN,
    REVOKE_TOKEN,
    GET_MEMBER,
    AMEND_MEMBER,
    LIST_PENDING,
    APPROVE_CONTRIBUTION,
    REJECT_CONTRIBUTION,
    GIVE_OPINION,
    REVOKE_OPINION,
    LIST_OPINIONS,
    OPEN_DISPUTE,
    VOTE_ON_DISPUTE,
    LIST_DISPUTES,
    LODGE_CHALLENGE,
    ANSWER_CHALLENGE,
    LIST_CHALLENGES,
    GET_JUDGEMENT_COUNTS,
    GET_CAPABILITIES,
    REMEMBER_UPLOADS,
    RECORD_ACTIONS,
    FORGET_UPLOADS,
    REPORT_MATCHES,
    GET_MATCH_STATISTICS,
    DELETE_REPORTS,
    OPEN_INCIDENT,
    SUPPORT_INCIDENT,
    CLOSE_INCIDENT,
    ACKNOWLEDGE_INCIDENT,
    LIST_INCIDENTS,
    GET_DEBRIEF,
    LIST_ALERTS,
    ACKNOWLEDGE_ALERT,
    LIST_BENIGN,
    TRACE_SIGNALS,
    LIMIT_ITEM,
    PROPOSE,
    SECOND,
    WITHDRAW_MOTION,
    LIST_MOTIONS,
    GET_RULEBOOK,
    LIST_ROLLBACKS,
    GET_DIGEST,
)

ATTEMPTS_MAX: Final = 5
BACKOFF_FIRST_S: Final = 0.1
BACKOFF_MAX_S: Final = 1.0
BACKOFF_FACTOR: Final = 2.0


def service_config() -> str:
    """The gRPC service config: reads that find nobody are tried again, with growing pauses.

    gRPC adds a jitter of a fifth to each pause. A closed port is reported after about 1.5 s.
    """
    return json.dumps(
        {
            "methodConfig": [
                {
                    "name": [
                        {"service": f"hashpact.v1.{method.service}", "method": method.name}
                        for method in METHODS
                        if method.repeat is Repeat.READ
                    ],
                    "retryPolicy": {
                        "maxAttempts": ATTEMPTS_MAX,
                        "initialBackoff": f"{BACKOFF_FIRST_S}s",
                        "maxBackoff": f"{BACKOFF_MAX_S}s",
                        "backoffMultiplier": BACKOFF_FACTOR,
                        "retryableStatusCodes": ["UNAVAILABLE"],
                    },
                }
            ]
        }
    )
