"""The list that is measured: a real server, filled through the public client, asked through the public client."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any, Final

from hashpact import CheckResult, Client, Contribution
from hashpact.errors import InvalidRequestError
from hashpact.modes import Mode

from tests.bench.robustness.hashed import listed_signals
from tests.bench.robustness.material import File
from tests.bench.robustness.tally import Answer, Hit
from tests.bench.running import admit, prepared, serving, size_bytes

BATCH: Final = 100
MATCHES_MAX: Final = 50
LABELS: Final = ("behaviour:glorification_of_terrorist_acts",)
STEWARDS: Final = ("first-steward", "second-steward")


@dataclass
class Listing:
    """A list under measurement.

    Attributes:
        data: the server's data directory.
        process: the server's process id.
        contributor: lists.
        checker: checks.
        stewards: two, who agree on what is benign.
        names: of the pictures that each item stands for.
        kinds: class of each listed picture, by name.
        refused: how many of each class were not taken.
    """

    data: Path
    process: int
    contributor: Client
    checker: Client
    stewards: tuple[Client, ...]
    names: dict[int, tuple[str, ...]] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)

    def add(self, files: Sequence[File], work: Path) -> None:
        """List pictures. What is refused (nothing to see in it) is counted; what is known already joins its item."""
        waiting = iter(zip(files, listed_signals([file.path for file in files], work), strict=True))
        while batch := list(islice(waiting, BATCH)):
            outcomes = self.contributor.contribute_many([Contribution(signals, LABELS) for _, signals in batch])
            for (file, _), outcome in zip(batch, outcomes, strict=True):
                if outcome.item:
                    self.names[outcome.item] = (*self.names.get(outcome.item, ()), file.name)
                    self.kinds[file.name] = file.kind
                else:
                    self.refused[file.kind] += 1

    def known_good(self, files: Iterable[File]) -> None:
        """Put pictures on the benign list: one steward proposes, another agrees. What shows too little is refused."""
        for file in files:
            try:
                motion = self.stewards[0].propose_benign(file.path, file.name, reason="a template")
            except InvalidRequestError:
                self.refused[f"{file.kind}, benign"] += 1
            else:
                self.stewards[1].second(motion)

    def sizes(self) -> Counter[str]:
        """How many listed pictures there are of each class."""
        return Counter(self.kinds.values())

    def check(self, files: Sequence[File], mode: Mode) -> Iterator[Answer]:
        """What the service says of each, in order."""
        results = self.checker.check_many([file.path for file in files], mode=mode, matches_max=MATCHES_MAX, workers=1)
        for file, result in zip(files, results, strict=True):
            if not isinstance(result, CheckResult):
                raise AssertionError(f"{file.path}: {result.error}")
            yield Answer(file.name, file.kind, tuple(self._hit(match) for match in result.matches))

    def _hit(self, match: Any) -> Hit:
        types = tuple(sorted({agreement.signal_type for agreement in match.agreements}))
        return Hit(self.names.get(match.item, ()), match.level, types)

    def cost(self, files: Sequence[File], mode: Mode) -> dict[str, float]:
        """Processor time of one check, one after the other: the member's side (median, worst), the server's (mean)."""
        self.checker.check(files[0].path, mode=mode)
        spent, before = [], _cpu_s(self.process)
        for file in files:
            begun = time.process_time()
            self.checker.check(file.path, mode=mode)
            spent.append(time.process_time() - begun)
        return {
            "checks": len(files),
            "member_ms": round(1e3 * median(spent), 1),
            "member_p95_ms": round(1e3 * sorted(spent)[int(0.95 * (len(spent) - 1))], 1),
            "server_ms": round(1e3 * (_cpu_s(self.process) - before) / len(files), 1),
        }

    def bytes_per_item(self) -> int:
        """What an item takes on the server's disk, ledger, state and indexes together."""
        return round(size_bytes(self.data) / max(1, len(self.names)))


def _cpu_s(process: int) -> float:
    """Processor time of a process so far."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def new_listing() -> Iterator[Listing]:
    """An empty list, served; gone afterwards."""
    with ExitStack() as stack:
        place = stack.enter_context(prepared())
        tokens = [admit(place.data, name, ["steward"]) for name in STEWARDS]
        running = stack.enter_context(serving(place))
        stewards = tuple(stack.enter_context(Client(running.target, token=token, ca=running.ca)) for token in tokens)
        contributor = stack.enter_context(running.contributing())
        checker = stack.enter_context(running.checking())
        yield Listing(place.data, running.process.pid, contributor, checker, stewards)
