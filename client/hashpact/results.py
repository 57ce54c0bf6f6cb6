"""What the service answers, as small frozen objects.

Words on the wire (``ITEM_STATUS_PROVISIONAL``) become lower-case words here (``"provisional"``), so that they read
the same in Python, in JSON and on the command line. A word that a newer server sends and this version does not know
becomes ``"unknown-<number>"``. No repr shows a hash value or a token.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias, overload

from hashpact.document_signals import DocumentSignals, TextSignals
from hashpact.signals import SIGNAL_TYPES, ImageSignals
from hashpact.video_signals import VideoSignals

MediaSignals: TypeAlias = ImageSignals | VideoSignals | DocumentSignals | TextSignals
"""What hashing a media file gives."""

if TYPE_CHECKING:
    from hashpact.errors import HashpactError

Verdict = Literal["none", "near", "match"]
"""``match``: a signal type that identifies (``sha256``, ``md5``, ``pdq``) agreed; ``near``: only another one did."""

ADVICE_ORDER: Final = ("none", "observe", "review", "act")
"""Advice from the weakest to the strongest."""


def strongest_advice(matches: Sequence[Match]) -> str:
    """The strongest advice of some matches; a word that this version does not know counts as ``review``."""
    known = [match.advice if match.advice in ADVICE_ORDER else "review" for match in matches]
    return max(known, key=ADVICE_ORDER.index, default="none")


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What local points say.

    Attributes:
        points: points of the listed picture that were found again where they belong.
        points_visible: of those that would be visible there.
        visible_percent: part of the listed picture that is in view.
        thumbnail_percent: how far the coarse shades agree where both are in view.
        aligned_distance: bits between PDQ of the listed picture and of the upload laid over it; None when it is not
            wholly in view, or the caller may not see distances.
    """

    points: int
    points_visible: int
    visible_percent: int
    thumbnail_percent: int
    aligned_distance: int | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """An item that may match by local points: :meth:`hashpact.Client.check` measures and confirms it.

    Attributes:
        item: its id.
        signal: id of the listed local signature.
        votes: points that agree on where the listed picture lies in the upload.
        placement: where it lies (:class:`hashpact.local_signature.Placement`).
        mirrored: whether it is mirrored there.
        width_px: of the listed picture's frame.
        height_px: of it.
        places: of the listed points (:class:`hashpact.local_signature.Places`), as bytes. Not in the repr.
    """

    item: int
    signal: int
    votes: int
    placement: tuple[float, ...] = field(repr=False)
    mirrored: bool
    width_px: int
    height_px: int
    places: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class MatchedStretch:
    """The same in an upload and in an item: (start, end) in ms from the first frame of each."""

    query_ms: tuple[int, int]
    item_ms: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Overlap:
    """How much of an uploaded and a listed video is the same.

    Attributes:
        query_percent: part of the upload that shows the item, in percent of its time.
        item_percent: part of the item that the upload shows, in percent of its time.
        stretches: what is the same, in the order of the upload.
        offset_ms: how much later than in the item it is seen in the upload.
        speed: how much faster the upload runs than the item.
    """

    query_percent: float
    item_percent: float
    stretches: tuple[MatchedStretch, ...]
    offset_ms: int
    speed: float

    def to_dict(self) -> dict[str, Any]:
        """As in the command line's ``--json``."""
        return {
            "query_percent": self.query_percent,
            "item_percent": self.item_percent,
            "stretches": [{"query_ms": list(one.query_ms), "item_ms": list(one.item_ms)} for one in self.stretches],
            "offset_ms": self.offset_ms,
            "speed": self.speed,
        }

    @property
    def sentence(self) -> str:
        """For people, e.g. ``80 % of the item from 0:12 to 1:30, 100 % of the upload``."""
        if not self.stretches:
            return ""
        start, end = self.stretches[0].query_ms[0], self.stretches[-1].query_ms[1]
        return (
            f"{self.item_percent:.0f} % of the item, in {self.query_percent:.0f} % of the upload, from {_clock(start)} "
            f"to {_clock(end)}"
        )


def _clock(time_ms: int) -> str:
    return f"{time_ms // 60_000}:{time_ms // 1000 % 60:02}"


@dataclass(frozen=True, slots=True)
class Agreement:
    """One signal type that agreed.

    Attributes:
        signal_type: its name.
        value_index: which value of the probe agreed, where it had several (the 8 variants of a picture).
        distance: Hamming distance in bits; 0 for digests.
        distance_is_bound: True when the caller may not see the exact distance, which is then at most ``distance``.
        sequence: number of the ledger entry that listed the signal that agreed.
        vouching_groups: corporate groups that vouch for that signal.
        confirmation: for ``local_sift``, what was confirmed; None where nothing was, or the caller may not see it.
        overlap: of a video's frames, how much of the two videos is the same; else None.
    """

    signal_type: str
    value_index: int
    distance: int
    distance_is_bound: bool
    sequence: int = 0
    vouching_groups: int = 0
    confirmation: Confirmation | None = None
    overlap: Overlap | None = None

    @property
    def identifies(self) -> bool:
        """Whether it says "the same item", as opposed to "looks alike": never beyond the type's default radius."""
        kind = SIGNAL_TYPES.get(self.signal_type)
        return kind is not None and kind.identifies and self.distance <= kind.radius_default

    @property
    def rank(self) -> tuple[bool, bool, int, str]:
        """Sort key: digests first, then other types that identify, then the rest in the order of the table."""
        kind = SIGNAL_TYPES.get(self.signal_type)
        if kind is None:
            return (True, True, 1 << 32, self.signal_type)
        return (not kind.exact, not kind.identifies, kind.code, self.signal_type)


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
        level: how sure it is: ``strong`` (a digest, or two independent witnesses) or ``near`` (one).
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
        """Distance of the best agreement, in bits."""
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
            "status": self.status,
            "labels": list(self.labels),
            "advice": self.advice,
            "distance_is_bound": self.distance_is_bound,
            "vouching_groups": self.vouching_groups,
            "weakly_vouched": self.weakly_vouched,
            "members": list(self.members),
            "incidents": list(self.incidents),
            "sequence": self.sequence,
            "agreements": [
                {
                    "signal_type": agreement.signal_type,
                    "value_index": agreement.value_index,
                    "distance": agreement.distance,
                    "distance_is_bound": agreement.distance_is_bound,
                    "sequence": agreement.sequence,
                    "vouching_groups": agreement.vouching_groups,
                    **({} if agreement.overlap is None else {"overlap": agreement.overlap.to_dict()}),
                }
                for agreement in self.agreements
            ],
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
    if any(agreement.identifies for match in matches for agreement in match.agreements):
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
