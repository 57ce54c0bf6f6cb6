"""UploadService: what a replica remembers of its member's uploads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hashpact.v1 import error_reason_pb2, upload_service_pb2_grpc
from hashpact.v1 import upload_service_pb2 as pb

from hashpact_server.refusal import Refusal


class UploadService(upload_service_pb2_grpc.UploadServiceServicer):
    """Refuses everything: this server remembers no uploads."""

    def RememberUploads(  # noqa: N802 - the name in the wire
        self, request: pb.RememberUploadsRequest, context: Any
    ) -> pb.RememberUploadsResponse:
        """Refuse."""
        raise not_remembered()

    def RecordActions(  # noqa: N802 - the name in the wire
        self, request: pb.RecordActionsRequest, context: Any
    ) -> pb.RecordActionsResponse:
        """Refuse."""
        raise not_remembered()

    def ForgetUploads(  # noqa: N802 - the name in the wire
        self, request: pb.ForgetUploadsRequest, context: Any
    ) -> pb.ForgetUploadsResponse:
        """Refuse."""
        raise not_remembered()

    def WatchRetroMatches(  # noqa: N802 - the name in the wire
        self, request: pb.WatchRetroMatchesRequest, context: Any
    ) -> Iterator[pb.WatchRetroMatchesResponse]:
        """Refuse."""
        raise not_remembered()

    def WatchCorrections(  # noqa: N802 - the name in the wire
        self, request: pb.WatchCorrectionsRequest, context: Any
    ) -> Iterator[pb.WatchCorrectionsResponse]:
        """Refuse."""
        raise not_remembered()


def not_remembered() -> Refusal:
    """The refusal of a server that remembers no uploads."""
    return Refusal(
        error_reason_pb2.ERROR_REASON_UPLOADS_NOT_REMEMBERED,
        "this server remembers no uploads: ask a replica whose operator set [uploads] enabled = true",
    )
