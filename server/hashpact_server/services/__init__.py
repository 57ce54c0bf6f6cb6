"""Services: one file per gRPC service. They parse, call a rule or the look-up, and encode; nothing is decided here."""

from __future__ import annotations

from typing import Any

from hashpact.v1 import (
    capabilities_service_pb2_grpc,
    contribution_service_pb2_grpc,
    feed_service_pb2_grpc,
    incident_service_pb2_grpc,
    lookup_service_pb2_grpc,
    member_service_pb2_grpc,
    opinion_service_pb2_grpc,
    pending_service_pb2_grpc,
    policy_service_pb2_grpc,
    report_service_pb2_grpc,
    safeguard_service_pb2_grpc,
    steward_service_pb2_grpc,
    upload_service_pb2_grpc,
)

from hashpact_server.config import Config
from hashpact_server.engine import Engine
from hashpact_server.guards import Guards
from hashpact_server.reports import Reports
from hashpact_server.services.capabilities import CapabilitiesService
from hashpact_server.services.contribution import ContributionService
from hashpact_server.services.feed import FeedService
from hashpact_server.services.incident import IncidentService
from hashpact_server.services.lookup import LookupService
from hashpact_server.services.member import MemberService
from hashpact_server.services.opinion import OpinionService
from hashpact_server.services.pending import PendingService
from hashpact_server.services.policy import PolicyService
from hashpact_server.services.report import ReportService
from hashpact_server.services.safeguard import SafeguardService
from hashpact_server.services.steward import StewardService
from hashpact_server.services.upload import UploadService
from hashpact_server.snapshot_files import SnapshotFiles
from hashpact_server.uploads import UploadMemory


def register(
    server: Any,
    engine: Engine,
    files: SnapshotFiles,
    config: Config,
    *,
    reports: Reports | None,
    memory: UploadMemory | None,
    guards: Guards | None = None,
) -> None:
    """Add every service of ``hashpact.v1`` to a ``grpc.Server``, or to whatever takes handlers as one does."""
    limits = config.limits
    lookup_service_pb2_grpc.add_LookupServiceServicer_to_server(LookupService(engine, limits, guards), server)
    contribution_service_pb2_grpc.add_ContributionServiceServicer_to_server(
        ContributionService(engine, limits, guards), server
    )
    member_service_pb2_grpc.add_MemberServiceServicer_to_server(MemberService(engine, limits), server)
    pending_service_pb2_grpc.add_PendingServiceServicer_to_server(PendingService(engine, limits), server)
    steward_service_pb2_grpc.add_StewardServiceServicer_to_server(StewardService(engine, limits), server)
    opinion_service_pb2_grpc.add_OpinionServiceServicer_to_server(OpinionService(engine, limits), server)
    feed_service_pb2_grpc.add_FeedServiceServicer_to_server(FeedService(engine, files, limits), server)
    policy_service_pb2_grpc.add_PolicyServiceServicer_to_server(PolicyService(engine), server)
    report_service_pb2_grpc.add_ReportServiceServicer_to_server(ReportService(engine, reports, limits), server)
    safeguard_service_pb2_grpc.add_SafeguardServiceServicer_to_server(SafeguardService(engine, limits, guards), server)
    upload_service_pb2_grpc.add_UploadServiceServicer_to_server(UploadService(engine, memory, limits), server)
    incident_service_pb2_grpc.add_IncidentServiceServicer_to_server(IncidentService(engine, reports, limits), server)
    capabilities_service_pb2_grpc.add_CapabilitiesServiceServicer_to_server(
        CapabilitiesService(engine, limits, memory.settings if memory else None), server
    )


__all__ = ["register"]
