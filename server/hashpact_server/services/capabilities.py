"""CapabilitiesService: what this server knows, allows and limits."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

from hashpact.signals import SIGNAL_TYPES
from hashpact.v1 import capabilities_service_pb2 as pb
from hashpact.v1 import capabilities_service_pb2_grpc, member_service_pb2

from hashpact_server import versions
from hashpact_server.config import Limits, Uploads
from hashpact_server.engine import Engine
from hashpact_server.following import Following
from hashpact_server.services.caller import current_caller
from hashpact_server.services.reading import fresh_head, timestamp


class CapabilitiesService(capabilities_service_pb2_grpc.CapabilitiesServiceServicer):
    """Tells what this server can do."""

    def __init__(self, engine: Engine, limits: Limits, uploads: Uploads | None = None) -> None:
        self._engine = engine
        self._uploads = None if uploads is None else _encode_uploads(uploads)
        # The names and units of the limits are the same in the configuration and on the wire.
        self._limits = pb.Limits(**dataclasses.asdict(limits))
        self._signal_types = [
            pb.SignalTypeInfo(
                name=kind.name,
                size_bytes=kind.size_bytes,
                exact=kind.exact,
                radius_default=kind.radius_default,
                radius_max=kind.radius_max,
                identifies=kind.identifies,
                quality_min=kind.quality_min,
                comparison=kind.comparison.value,
                witness=kind.witness.value,
            )
            for kind in SIGNAL_TYPES.values()
        ]

    def GetCapabilities(  # noqa: N802 - the name in the wire
        self, request: pb.GetCapabilitiesRequest, context: Any
    ) -> pb.GetCapabilitiesResponse:
        """Return signal types, limits, versions, and who the caller is."""
        caller = current_caller()
        head = fresh_head(self._engine)
        return pb.GetCapabilitiesResponse(
            server_version=versions.own(),
            ledger_id=head.ledger_id.hex(),
            signal_types=self._signal_types,
            limits=self._limits,
            caller=caller.member.name,
            caller_roles=[member_service_pb2.Role.ValueType(role) for role in caller.roles],
            as_of=head.position().encode(),
            uploads=self._uploads,
            replica=None if (following := self._engine.following) is None else _status(following, head.sequence),
            server_time=timestamp(time.time_ns() // 1_000_000),
        )


def _status(following: Following, sequence: int) -> pb.ReplicaStatus:
    status = pb.ReplicaStatus(
        connected=following.connected,
        upstream_sequence=max(0, following.upstream_sequence),
        lag_entries=following.lag_entries(sequence),
    )
    status.lag.FromMilliseconds(round(following.lag_s() * 1000))
    return status


def _encode_uploads(uploads: Uploads) -> pb.UploadMemory:
    bounds = dataclasses.asdict(uploads)
    del bounds["enabled"]
    return pb.UploadMemory(**bounds)
