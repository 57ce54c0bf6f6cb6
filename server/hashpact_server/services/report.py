"""ReportService: how often items were met."""

from __future__ import annotations

from typing import Any

from hashpact.v1 import report_service_pb2 as pb
from hashpact.v1 import report_service_pb2_grpc

from hashpact_server.refusal import not_serving


class ReportService(report_service_pb2_grpc.ReportServiceServicer):
    """Takes no reports."""

    def ReportMatches(  # noqa: N802 - the name in the wire
        self, request: pb.ReportMatchesRequest, context: Any
    ) -> pb.ReportMatchesResponse:
        """Refuse."""
        raise not_serving()

    def GetMatchStatistics(  # noqa: N802 - the name in the wire
        self, request: pb.GetMatchStatisticsRequest, context: Any
    ) -> pb.GetMatchStatisticsResponse:
        """Refuse."""
        raise not_serving()

    def DeleteReports(  # noqa: N802 - the name in the wire
        self, request: pb.DeleteReportsRequest, context: Any
    ) -> pb.DeleteReportsResponse:
        """Refuse."""
        raise not_serving()
