"""What the service answers, as small frozen objects.

Words on the wire (``ITEM_STATUS_PROVISIONAL``) become lower-case words here (``"provisional"``), so that they read
the same in Python, in JSON and on the command line. A word that a newer server sends and this version does not know
becomes ``"unknown-<number>"``. No repr shows a hash value or a token.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, overload

from hashpact.evidence import Agreement, Candidate, Overlap
from hashpact.media_signals import MediaSignals

if TYPE_CHECKING:
    from hashpact.errors import HashpactError

Verdict = Literal["none", "near", "match"]
"""``match``: a signal type that identifies (``sha256``, ``md5``, ``pdq``) agreed within its default radius, or a match
is strong; ``near``: less than that."""

ADVICE_ORDER: Final = ("none", "observe", "review", "act")
"""Advice from the weakest to the strongest."""


def strongest_advice(matches: Sequence[Match]) -> str:
    """The strongest advice of some matches; a word that this version does not know counts as ``review``."""
    known = [match.advice if match.advice in ADVICE_ORDER else "review" for match in matches]
    return max(known, key=ADVICE_ORDER.index, default="none")


@dataclass(frozen=True, slots=True)
class Match:
    """One item that a probe matched.

    Attributes:
        item: its id.
        status: where it stands: ``provisional``, ``corroborated``, ``disputed``, ``inherited``.
        labels: its labels, sorted.
        advice: what the match means for the asking member: ``none``, ``observe``, ``review``, ``act``.
        agreements: the signal types that agreed, best first; never empty.
        vouching_groups: the most corporate groups that vouch for one of the signals that agreed.
        weakly_vouched: True when fewer groups vouch for each of them than it takes to corroborate such an item: what
            status and labels say was then not said of what matched.
        members: names of the members that speak for the item, sorted.
        incidents: names of the incidents that it belongs to.
        sequence: number of the newest ledger entry by which a member speaks for it.
        level: how sure it is: ``strong`` (SHA-256, most of a video in its order, or two independent witnesses) or
            ``near`` (one).
    """

    item: int
    status: str
    labels: tuple[str, ...]
    advice: str
    agreements: tuple[Agreement, ...]
    vouching_groups: int = 0
    weakly_vouched: bool = False
    members: tuple[str, ...] = ()
    incidents: tuple[str, ...] = ()
    sequence: int = 0
    level: str = "near"

    @property
    def reason(self) -> str:
        """How sure it is and why, in a sentence for people."""
        return f"{self.level}: {'; '.join(each.sentence for each in self.agreements)}"

    @property
    def best(self) -> Agreement:
        """The agreement that says most."""
        return self.agreements[0]

    @property
    def overlap(self) -> Overlap | None:
        """Of a video, how much of it is the same."""
        return next((each.overlap for each in self.agreements if each.overlap is not None), None)

    @property
    def signal_type(self) -> str:
        """Signal type of the best agreement."""
        return self.best.signal_type

    @property
    def distance(self) -> int:
        """Distance of the best agreement, in bits or in units of its type."""
        return self.best.distance

    @property
    def distance_is_bound(self) -> bool:
        """Whether ``distance`` is an upper bound."""
        return self.best.distance_is_bound

    def to_dict(self) -> dict[str, Any]:
        """As in the command line's ``--json``."""
        return {
            "item": self.item,
            "signal_type": self.signal_type,
            "distance": self.distance,
            "level": self.level,
            "reason": self.reason,
            "status": self.status,
            "labels": list(self.labels),
            "advice": self.advice,
            "distance_is_bound": self.distance_is_bound,
            "vouching_groups": self.vouching_groups,
            "weakly_vouched": self.weakly_vouched,
            "members": list(self.members),
            "incidents": list(self.incidents),
            "sequence": self.sequence,
            "agreements": [agreement.to_dict() for agreement in self.agreements],
        }


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that could not be looked up or listed, while the rest was.

    Attributes:
        index: its position in what was sent: the signal set of a probe, or the signal of a contribution.
        reason: a word of ``ErrorReason``.
        message: one sentence for people.
    """

    index: int
    reason: str
    message: str

    def to_dict(self) -> dict[str, Any]:
        """As in the command line's ``--json``."""
        return {"index": self.index, "reason": self.reason, "message": self.message}


def _verdict(matches: Sequence[Match]) -> Verdict:
    if any(match.level == "strong" or any(each.identifies for each in match.agreements) for match in matches):
        return "match"
    return "near" if matches else "none"


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """What one probe matched.

    Attributes:
        matches: the items, best first.
        truncated: True when more items matched than asked for.
        problems: signal sets of this probe that could not be looked up.
        candidates: items that may match by local points, once they are confirmed. They count for no verdict.
    """

    matches: tuple[Match, ...] = ()
    truncated: bool = False
    problems: tuple[Problem, ...] = ()
    candidates: tuple[Candidate, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """``match``, ``near`` or ``none``."""
        return _verdict(self.matches)

    @property
    def advice(self) -> str:
        """The strongest advice of the matches."""
        return strongest_advice(self.matches)


@dataclass(frozen=True, slots=True)
class LookupResult(Sequence[ProbeResult]):
    """What a batch of probes matched: a sequence with one :class:`ProbeResult` per probe, in the order asked.

    Attributes:
        results: one per probe.
        as_of: opaque token; the whole answer reflects the list at least as of it.
    """

    results: tuple[ProbeResult, ...]
    as_of: str = field(default="", repr=False)

    @overload
    def __getitem__(self, index: int) -> ProbeResult: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[ProbeResult]: ...
    def __getitem__(self, index: int | slice) -> ProbeResult | Sequence[ProbeResult]:
        return self.results[index]

    def __len__(self) -> int:
        return len(self.results)

    def __iter__(self) -> Iterator[ProbeResult]:
        return iter(self.results)


@dataclass(frozen=True, slots=True)
class CheckResult:
    """Whether one upload is on the list.

    Attributes:
        path: the path that was checked, or None.
        verdict: ``match``, ``near`` or ``none``.
        advice: the strongest advice: ``none``, ``observe``, ``review``, ``act``.
        matches: the items, best first.
        truncated: True when more items matched than asked for.
        problems: signal sets that could not be looked up.
        signals: what was looked up, or None.
        as_of: opaque token; the answer reflects the list at least as of it.
        unavailable: why the service could not be asked, where ``on_unavailable`` is ``open`` or ``closed``; else None.
    """

    path: Path | None
    verdict: Verdict
    advice: str
    matches: tuple[Match, ...] = ()
    truncated: bool = False
    problems: tuple[Problem, ...] = ()
    signals: MediaSignals | None = field(default=None, repr=False)
    as_of: str = field(default="", repr=False)
    unavailable: HashpactError | None = None

    @classmethod
    def of(cls, path: Path | None, signals: MediaSignals, found: ProbeResult, as_of: str) -> CheckResult:
        """What a look-up says about an upload."""
        return cls(path, found.verdict, found.advice, found.matches, found.truncated, found.problems, signals, as_of)

    @property
    def unchecked(self) -> bool:
        """True when the service could not be asked: the verdict says nothing about the upload."""
        return self.unavailable is not None

    def to_dict(self) -> dict[str, Any]:
        """As in the command line's ``--json``."""
        result: dict[str, Any] = {
            "path": None if self.path is None else str(self.path),
            "verdict": self.verdict,
            "advice": self.advice,
            "matches": [match.to_dict() for match in self.matches],
            "truncated": self.truncated,
        }
        if self.problems:
            result["problems"] = [problem.to_dict() for problem in self.problems]
        if self.signals is not None and self.signals.notes:
            result["notes"] = list(self.signals.notes)
        if self.unavailable is not None:
            result["unchecked"] = True
        return result


@dataclass(frozen=True, slots=True)
class FailedCheck:
    """An upload of :meth:`hashpact.Client.check_many` that has no answer.

    It has no verdict on purpose: whoever forgets that inputs can fail gets an AttributeError, never a silent "none".

    Attributes:
        path: the path, or None when something else was given.
        error: what is wrong with it.
    """

    path: Path | None
    error: HashpactError
