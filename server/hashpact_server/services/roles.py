"""Which roles may call what. The comments of the proto say the same; a test compares the two."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from hashpact_server.state.rows import Role

ANY: Final = frozenset(Role)
"""Every member: each has at least one role."""

_READERS: Final = frozenset({Role.CONTRIBUTE, Role.REVIEW, Role.REPLICATE, Role.STEWARD, Role.AUDIT})
_STEWARD: Final = frozenset({Role.STEWARD})
_GOVERNORS: Final = frozenset({Role.STEWARD, Role.AUDIT})
_CHECK: Final = frozenset({Role.CHECK})
_REVIEW: Final = frozenset({Role.REVIEW})
_FOUR_EYES: Final = frozenset({Role.CONTRIBUTE, Role.APPROVE})

ROLES: Final[Mapping[str, frozenset[Role]]] = MappingProxyType(
    {
        "/hashpact.v1.LookupService/Lookup": _CHECK,
        "/hashpact.v1.LookupService/Confirm": _CHECK,
        "/hashpact.v1.LookupService/Explain": _CHECK,
        "/hashpact.v1.ContributionService/Contribute": frozenset({Role.CONTRIBUTE}),
        "/hashpact.v1.ContributionService/Amend": frozenset({Role.CONTRIBUTE}),
        "/hashpact.v1.ContributionService/Withdraw": frozenset({Role.CONTRIBUTE, Role.STEWARD}),
        "/hashpact.v1.ContributionService/Detach": frozenset({Role.CONTRIBUTE}),
        "/hashpact.v1.ContributionService/MergeItems": frozenset({Role.CONTRIBUTE}),
        "/hashpact.v1.ContributionService/GetItem": _READERS | {Role.CHECK},
        "/hashpact.v1.ContributionService/ListItems": _READERS,
        "/hashpact.v1.MemberService/CreateMember": _STEWARD,
        "/hashpact.v1.MemberService/ListMembers": frozenset({Role.STEWARD, Role.AUDIT}),
        # Every member for itself; for others the rule asks for a steward or auditor.
        "/hashpact.v1.MemberService/GetMember": ANY,
        "/hashpact.v1.MemberService/AmendMember": _STEWARD,
        "/hashpact.v1.MemberService/SuspendMember": _STEWARD,
        "/hashpact.v1.MemberService/ResumeMember": _STEWARD,
        # Every member for itself; for others the rule asks for a steward.
        "/hashpact.v1.MemberService/IssueToken": ANY,
        "/hashpact.v1.MemberService/RevokeToken": ANY,
        "/hashpact.v1.StewardService/LimitItem": _STEWARD,
        "/hashpact.v1.StewardService/GetRulebook": ANY,
        "/hashpact.v1.StewardService/ListRollbacks": _GOVERNORS,
        "/hashpact.v1.StewardService/GetDigest": _GOVERNORS,
        "/hashpact.v1.StewardService/Propose": _STEWARD,
        "/hashpact.v1.StewardService/Second": _STEWARD,
        "/hashpact.v1.StewardService/WithdrawMotion": _STEWARD,
        "/hashpact.v1.StewardService/ListMotions": _GOVERNORS,
        "/hashpact.v1.IncidentService/OpenIncident": frozenset({Role.STEWARD, Role.CONTRIBUTE, Role.REVIEW}),
        "/hashpact.v1.IncidentService/SupportIncident": frozenset({Role.CONTRIBUTE, Role.REVIEW}),
        # A steward; whoever called for it while it is only that.
        "/hashpact.v1.IncidentService/CloseIncident": frozenset({Role.STEWARD, Role.CONTRIBUTE, Role.REVIEW}),
        "/hashpact.v1.IncidentService/ListIncidents": ANY,
        "/hashpact.v1.IncidentService/AcknowledgeIncident": ANY,
        "/hashpact.v1.IncidentService/WatchIncidents": ANY,
        "/hashpact.v1.IncidentService/GetDebrief": _READERS,
        "/hashpact.v1.OpinionService/GiveOpinion": _REVIEW,
        "/hashpact.v1.OpinionService/RevokeOpinion": _REVIEW,
        "/hashpact.v1.OpinionService/ListOpinions": _READERS,
        "/hashpact.v1.OpinionService/OpenDispute": _REVIEW,
        "/hashpact.v1.OpinionService/VoteOnDispute": _REVIEW,
        "/hashpact.v1.OpinionService/ListDisputes": _READERS,
        "/hashpact.v1.OpinionService/LodgeChallenge": frozenset({Role.REVIEW, Role.STEWARD}),
        "/hashpact.v1.OpinionService/AnswerChallenge": frozenset({Role.CONTRIBUTE}),
        "/hashpact.v1.OpinionService/ListChallenges": frozenset(
            {Role.CONTRIBUTE, Role.REVIEW, Role.STEWARD, Role.AUDIT}
        ),
        "/hashpact.v1.OpinionService/GetJudgementCounts": ANY,
        "/hashpact.v1.PolicyService/GetMemberPolicy": ANY,
        "/hashpact.v1.PolicyService/SetMemberPolicy": frozenset({Role.APPROVE}),
        "/hashpact.v1.PendingService/ListPending": _FOUR_EYES,
        "/hashpact.v1.PendingService/ApproveContribution": frozenset({Role.APPROVE}),
        "/hashpact.v1.PendingService/RejectContribution": _FOUR_EYES,
        "/hashpact.v1.FeedService/Watch": frozenset({Role.REPLICATE}),
        "/hashpact.v1.FeedService/Snapshot": frozenset({Role.REPLICATE}),
        "/hashpact.v1.CapabilitiesService/GetCapabilities": ANY,
        "/hashpact.v1.ReportService/ReportMatches": _CHECK,
        # Everybody their own; all of them for stewards and auditors.
        "/hashpact.v1.ReportService/GetMatchStatistics": frozenset({Role.CHECK, Role.STEWARD, Role.AUDIT}),
        "/hashpact.v1.ReportService/DeleteReports": frozenset({Role.CHECK, Role.STEWARD}),
        "/hashpact.v1.SafeguardService/ListBenign": _READERS,
        "/hashpact.v1.SafeguardService/ListAlerts": frozenset({Role.STEWARD, Role.AUDIT}),
        "/hashpact.v1.SafeguardService/AcknowledgeAlert": _STEWARD,
        "/hashpact.v1.SafeguardService/TraceSignals": _STEWARD,
        "/hashpact.v1.UploadService/RememberUploads": _CHECK,
        "/hashpact.v1.UploadService/RecordActions": _CHECK,
        "/hashpact.v1.UploadService/ForgetUploads": _CHECK,
        "/hashpact.v1.UploadService/WatchRetroMatches": _CHECK,
        "/hashpact.v1.UploadService/WatchCorrections": _CHECK,
    }
)
"""Full method name -> roles, any of which is enough."""

STREAMS: Final = frozenset(
    {
        "/hashpact.v1.FeedService/Watch",
        "/hashpact.v1.FeedService/Snapshot",
        "/hashpact.v1.UploadService/WatchRetroMatches",
        "/hashpact.v1.UploadService/WatchCorrections",
        "/hashpact.v1.IncidentService/WatchIncidents",
    }
)
"""Methods whose calls go on for as long as the caller likes."""

LOCAL: Final = frozenset(path for path in ROLES if "/hashpact.v1.UploadService/" in path)
"""Methods about what a replica keeps for its member: they change no list."""
