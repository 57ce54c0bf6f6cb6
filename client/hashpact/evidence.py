"""Evidence: what it is of an upload that agrees with an item, as small frozen objects. See :mod:`hashpact.results`."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any, Final

from hashpact.signals import SIGNAL_TYPES, Witness

_WORDS: Final = MappingProxyType(
    {
        Witness.FILE: "the same file",
        Witness.PICTURE: "the whole picture looks alike",
        Witness.POINTS: "its details are in their places",
        Witness.FRAMES: "a frame looks alike",
        Witness.PAGES: "a page looks alike",
        Witness.TEXT: "the text reads alike",
        Witness.ADDRESS: "the same address",
    }
)


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

    Callers that may not see distances are told ``visible_percent`` alone; the others are 0.
    """

    points: int
    points_visible: int
    visible_percent: int
    thumbnail_percent: int
    aligned_distance: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """As in the command line's ``--json``."""
        return asdict(self)

    @property
    def sentence(self) -> str:
        """For people, e.g. ``34 of 40 details are in their places; the upload shows 100 % of the listed picture``."""
        found = f"{self.points:,} of {self.points_visible:,} details are" if self.points_visible else "its details are"
        return f"{found} in their places; the upload shows {self.visible_percent} % of the listed picture"


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
        """For people, e.g. ``it shows 80 % of the listed video, from 0:12 to 1:30 (100 % of the upload)``."""
        if not self.stretches:
            return ""
        start, end = self.stretches[0].query_ms[0], self.stretches[-1].query_ms[1]
        return (
            f"it shows {self.item_percent:.0f} % of the listed video, from {_clock(start)} to {_clock(end)} "
            f"({self.query_percent:.0f} % of the upload)"
        )


def _clock(time_ms: int) -> str:
    return f"{time_ms // 60_000}:{time_ms // 1000 % 60:02}"


@dataclass(frozen=True, slots=True)
class Agreement:
    """One signal type that agreed.

    Attributes:
        signal_type: its name.
        value_index: which value of the probe agreed, where it had several (the 8 variants of a picture).
        distance: in bits, or in units of the type; 0 for digests.
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
    def sentence(self) -> str:
        """What agrees, for people."""
        kind = SIGNAL_TYPES.get(self.signal_type)
        if self.confirmation is not None:
            return self.confirmation.sentence
        if self.overlap is not None and self.overlap.sentence:
            return self.overlap.sentence
        said = "it agrees" if kind is None else _WORDS[kind.witness]
        if kind is None or kind.exact:
            return f"{said} ({self.signal_type})"
        about = "at most " if self.distance_is_bound and self.distance else ""
        unit = "bits" if kind.hamming else "steps"
        return f"{said} ({self.signal_type}, {about}{self.distance} {unit} apart)"

    def to_dict(self) -> dict[str, Any]:
        """As in the command line's ``--json``."""
        told: dict[str, Any] = {
            "signal_type": self.signal_type,
            "value_index": self.value_index,
            "distance": self.distance,
            "distance_is_bound": self.distance_is_bound,
            "sequence": self.sequence,
            "vouching_groups": self.vouching_groups,
        }
        if self.confirmation is not None:
            told["confirmation"] = self.confirmation.to_dict()
        if self.overlap is not None:
            told["overlap"] = self.overlap.to_dict()
        return told

    @property
    def rank(self) -> tuple[bool, bool, int, str]:
        """Sort key: digests first, then other types that identify, then the rest in the order of the table."""
        kind = SIGNAL_TYPES.get(self.signal_type)
        if kind is None:
            return (True, True, 1 << 32, self.signal_type)
        return (not kind.exact, not kind.identifies, kind.code, self.signal_type)
