"""The values of a call, by signal type: from the probes of a request to what is searched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from hashpact.signals import SIGNAL_TYPES, Comparison, SignalType
from hashpact.v1 import error_reason_pb2, lookup_service_pb2, signal_pb2

from hashpact_server.config import Limits
from hashpact_server.matches import Batch
from hashpact_server.refusal import Reason, invalid_field, over_limit
from hashpact_server.videos import FRAME

Problems = list[lookup_service_pb2.ProbeProblem]
"""Signal sets that cannot be looked up."""

PDQ: Final = SIGNAL_TYPES["pdq"]

_ZERO: Final = np.zeros(1, np.int64)
_ZERO.flags.writeable = False


class _Column:
    """The signal sets of one type, as they come."""

    __slots__ = ("count", "kind", "probes", "searched", "sets", "size", "starts", "times_ms", "wide")

    def __init__(self, kind: SignalType) -> None:
        self.kind = kind
        self.size = kind.size_bytes
        self.searched = kind.comparison is not Comparison.POINTS
        self.sets: list[bytes] = []
        self.probes: list[int] = []
        self.starts: list[int] = []
        self.times_ms: list[int] = []
        self.wide: list[int] = []
        self.count = 0

    def take(self, probe: int, sent: signal_pb2.SignalSet, *, wide: bool) -> int:
        """The next set, of whole values; returns how many. 0: the times of its frames are too few or too many."""
        count = len(sent.values) // self.size
        if self.kind is FRAME:
            if len(sent.times_ms) not in (0, count):
                return 0
            self.times_ms.extend(sent.times_ms or [-1] * count)
        if wide and self.kind is PDQ:
            self.wide.append(len(self.sets))
        self.sets.append(sent.values)
        self.probes.append(probe)
        self.starts.append(self.count)
        self.count += count
        return count

    def batch(self) -> Batch:
        """All of them in one block."""
        times_ms = np.array(self.times_ms) if self.kind is FRAME else None
        if len(self.sets) == 1 and not self.probes[0]:  # one probe: what most calls ask about
            return Batch(self.kind, self.sets[0], _ZERO, _ZERO, times_ms, tuple(self.wide))
        probes, starts = np.array(self.probes), np.array(self.starts)
        return Batch(self.kind, b"".join(self.sets), probes, starts, times_ms, tuple(self.wide))


def gather(probes: Sequence[lookup_service_pb2.Probe], limits: Limits) -> tuple[list[Batch], Problems]:
    """All values of a call, by signal type; and the signal sets that cannot be looked up.

    Raises:
        Refusal: FIELD_INVALID for no probes, LIMIT_EXCEEDED.
    """
    if not probes:
        raise invalid_field("probes", "give at least one probe")
    if len(probes) > limits.lookup_probes_max:
        raise over_limit("lookup_probes_max", limits.lookup_probes_max, len(probes))
    columns: dict[str, _Column] = {}
    problems: Problems = []
    in_all = 0
    for probe_index, probe in enumerate(probes):
        in_probe = 0
        for set_index, each in enumerate(probe.signal_sets):
            name, values = each.signal_type, each.values
            column = columns.get(name)
            if column is None and (kind := SIGNAL_TYPES.get(name)):
                column = columns[name] = _Column(kind)
            size = len(values)
            unfit = column is None or not column.searched or not size or size % column.size
            if column is None or unfit or (column.probes and column.probes[-1] == probe_index):
                problems.append(_problem(probe_index, set_index, column, size))
                in_probe += 1  # a set that cannot be read counts as a value, or problems without end would be free
                continue
            count = column.take(probe_index, each, wide=probe.wide)
            if not count:
                problems.append(_times_problem(probe_index, set_index, len(each.times_ms), size // column.size))
            in_probe += count or 1
        if in_probe > limits.probe_values_max:
            raise over_limit("probe_values_max", limits.probe_values_max, in_probe)
        in_all += in_probe
        if in_all > limits.lookup_values_max:
            raise over_limit("lookup_values_max", limits.lookup_values_max, in_all)
    return [column.batch() for column in columns.values() if column.sets], problems


def _times_problem(probe_index: int, set_index: int, times: int, values: int) -> lookup_service_pb2.ProbeProblem:
    return lookup_service_pb2.ProbeProblem(
        probe_index=probe_index,
        signal_set_index=set_index,
        reason=error_reason_pb2.ERROR_REASON_SIGNAL_MALFORMED,
        message=f"times_ms says when each value is shown: {values} values, {times} times",
    )


def _problem(probe_index: int, set_index: int, column: _Column | None, size: int) -> lookup_service_pb2.ProbeProblem:
    reason: Reason = error_reason_pb2.ERROR_REASON_SIGNAL_MALFORMED
    if column is not None and not column.searched:
        message = f"{column.kind.name} is what is listed: a probe sends its local points in `points`"
    elif column is None:
        reason = error_reason_pb2.ERROR_REASON_SIGNAL_TYPE_UNKNOWN
        message = "this server does not know the signal type; GetCapabilities lists those it knows"
    elif not size or size % column.kind.size_bytes:
        message = f"values of {column.kind.name} have {column.kind.size_bytes} bytes each, all together {size}"
    else:
        message = f"the probe has a set of {column.kind.name} already; put all of its values into one set"
    return lookup_service_pb2.ProbeProblem(
        probe_index=probe_index, signal_set_index=set_index, reason=reason, message=message
    )
