"""Signals and signal types: the vocabulary that hashing, client and server share.

A *signal type* is a kind of hash; a *signal* is one value of it. This module is pure Python and
imports nothing of ours, so that every floor of the house can stand on it. Types that other packages add
(:mod:`hashpact.plugins`) are looked for when somebody first asks for :data:`SIGNAL_TYPES`.

Signal bytes are the bytes of the reference implementation's hex string, read left to right
(``docs/formats.md``, "Signal bytes").
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Final

from hashpact.distances import tlsh_distance
from hashpact.errors import InvalidSignalError

QUALITY_MAX: Final = 100
PDQ_QUALITY_MIN: Final = 50
"""PDQ values of lower quality describe too little of the picture to be listed (PDQ paper, section 4)."""

STRETCH_MS_MAX: Final = 2**32 - 1
"""Farthest that a stretch of a video reaches, in ms: 49 days."""

LOCAL_SIGNATURE_BYTES: Final = 3968
"""Length of a local signature: with its row's key it fits one page of the store."""

PROBE_POINT_BYTES: Final = 38
"""Length of one local point of a probe, behind a head that is shorter: ``docs/signatures.md``, "Probe points"."""

_HEX: Final = re.compile(r"[0-9a-f]*")


class Comparison(Enum):
    """How two values of a signal type are compared."""

    EQUALITY = "equality"
    """They are the same bytes, or they do not match: digests."""
    HAMMING = "hamming"
    """By the number of bits that differ."""
    DISTANCE = "distance"
    """By a distance of the type's own, in units of its own: TLSH."""
    POINTS = "points"
    """Point by point, in three steps: ``docs/signatures.md``."""


class Witness(Enum):
    """What a signal type is evidence of. Two types of one witness fail together, and count once."""

    FILE = "file"
    """The bytes of the file."""
    PICTURE = "picture"
    """The whole picture, seen coarsely: PDQ and pHash are both its lowest frequencies."""
    POINTS = "points"
    """Details of the picture and where they lie."""
    FRAMES = "frames"
    """The pictures of a video."""
    PAGES = "pages"
    """The pictures of a document's pages."""
    TEXT = "text"
    """What a document says."""
    ADDRESS = "address"
    """Where something is found."""


@dataclass(frozen=True, slots=True)
class SignalType:
    """One kind of hash.

    Attributes:
        name: its word on the wire and on the command line.
        code: its number in entries and state, 1 to 255; never reused. From 128 on: types that others add.
        bits: length of a value in bits.
        comparison: how two values are compared.
        radius_default: distance up to which two values match (0 for digests): bits, save for types with a distance of
            their own.
        radius_max: largest distance that a look-up may ask for.
        identifies: whether an equal value means "the same item" when something is contributed.
            Never true for pHash: flat pictures collide.
        quality_min: smallest quality (0-100) accepted for contribution; 0 where the algorithm has none.
        media: what it describes.
        witness: what it is evidence of.
        measure: the distance of two values, for types with a distance of their own (see :mod:`hashpact.distances`); a
            function at the top of a module, since types are pickled. None for all others.
    """

    name: str
    code: int
    bits: int
    comparison: Comparison
    radius_default: int
    radius_max: int
    identifies: bool
    quality_min: int
    media: tuple[str, ...]
    witness: Witness
    measure: Callable[[bytes, bytes], int] | None = None

    @property
    def exact(self) -> bool:
        """Whether it is a digest, compared by equality."""
        return self.comparison is Comparison.EQUALITY

    @property
    def hamming(self) -> bool:
        """Whether it is compared by Hamming distance."""
        return self.comparison is Comparison.HAMMING

    @property
    def ranged(self) -> bool:
        """Whether a look-up finds what lies within a radius, by whatever distance."""
        return self.comparison in (Comparison.HAMMING, Comparison.DISTANCE)

    @property
    def of_a_part(self) -> bool:
        """Whether one value describes a part of an item, a frame or a page, and so says little about the whole."""
        return self.witness in (Witness.FRAMES, Witness.PAGES)

    @property
    def size_bytes(self) -> int:
        """Length of a value in bytes."""
        return self.bits // 8

    def distance(self, left: bytes, right: bytes) -> int:
        """How far two values of this type are apart, in its own units: bits, save for types with another distance.

        Raises:
            InvalidSignalError: the lengths differ, or values of this type have no distance.
        """
        if self.hamming:
            return hamming(left, right)
        if self.measure is None:
            raise InvalidSignalError(f"{self.name} values have no distance")
        if not len(left) == len(right) == self.size_bytes:
            raise InvalidSignalError(f"{self.name} values have {self.size_bytes} bytes each")
        return self.measure(left, right)


_ANY: Final = ("image", "video", "document", "text")

BUILT_IN: Final = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            SignalType("sha256", 1, 256, Comparison.EQUALITY, 0, 0, True, 0, _ANY, Witness.FILE),
            SignalType("md5", 2, 128, Comparison.EQUALITY, 0, 0, True, 0, _ANY, Witness.FILE),
            SignalType("url_sha256", 3, 256, Comparison.EQUALITY, 0, 0, True, 0, ("url",), Witness.ADDRESS),
            SignalType("pdq", 16, 256, Comparison.HAMMING, 31, 63, True, PDQ_QUALITY_MIN, ("image",), Witness.PICTURE),
            # Radii of pHash: no two of 190 photographs, and no edited copy and another photograph (2,338
            # copies), come closer than 12 (64 bits) and 92 (256 bits): docs/hashing.md, "Radii". Against ten
            # million listed values chance alone finds one within 4 of 64 bits in one of 2.7 million
            # look-ups, within 8 in one of 360: so the short one is tight. The long one is bounded by what
            # a look-up costs, not by chance: within 47 some 16-bit word differs by two bits at most.
            SignalType("phash", 17, 64, Comparison.HAMMING, 4, 8, False, 0, ("image",), Witness.PICTURE),
            SignalType("phash256", 18, 256, Comparison.HAMMING, 47, 63, False, 0, ("image",), Witness.PICTURE),
            # PDQ again, of what is no picture by itself: one frame or page says little about the whole, so it neither
            # identifies nor meets the pictures of the list.
            SignalType(
                "pdq_frame", 32, 256, Comparison.HAMMING, 31, 31, False, PDQ_QUALITY_MIN, ("video",), Witness.FRAMES
            ),
            SignalType(
                "pdq_page", 33, 256, Comparison.HAMMING, 31, 31, False, PDQ_QUALITY_MIN, ("document",), Witness.PAGES
            ),
            SignalType(
                "tlsh",
                34,
                280,
                Comparison.DISTANCE,
                30,
                60,
                False,
                0,
                ("document", "text"),
                Witness.TEXT,
                tlsh_distance,
            ),
            SignalType(
                "local_sift",
                48,
                8 * LOCAL_SIGNATURE_BYTES,
                Comparison.POINTS,
                0,
                0,
                False,
                0,
                ("image",),
                Witness.POINTS,
            ),
        )
    }
)
"""The signal types of Hashpact itself, by name."""

if TYPE_CHECKING:
    SIGNAL_TYPES: Mapping[str, SignalType]
    """Every signal type there is here, by name: ours, then what installed packages add."""
    SIGNAL_TYPES_BY_CODE: Mapping[int, SignalType]


def __getattr__(name: str) -> Any:
    # When asked for, not when imported: a package that adds a type imports this module.
    if name not in {"SIGNAL_TYPES", "SIGNAL_TYPES_BY_CODE"}:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    types = MappingProxyType({**BUILT_IN, **_added()})
    globals()["SIGNAL_TYPES"] = types
    globals()["SIGNAL_TYPES_BY_CODE"] = MappingProxyType({kind.code: kind for kind in types.values()})
    return globals()[name]


def _added() -> dict[str, SignalType]:
    from hashpact.plugins import added  # noqa: PLC0415  # it stands on this module

    return {name: plugin.kind for name, plugin in added().plugins.items()}


@dataclass(frozen=True, slots=True)
class Signal:
    """One value of a signal type.

    Attributes:
        signal_type: name of a signal type. Names unknown to this version are allowed: the server
            answers them with an outcome of their own.
        value: the value, ``SignalType.size_bytes`` long where the type is known.
        quality: 0-100 where the algorithm states one (PDQ), else None.
        stretch_ms: of a video's frame, the stretch that it stands for: (start, end) in ms from the first frame.

    Raises:
        InvalidSignalError: the value is not bytes, its length does not fit the type, quality is outside 0-100, or the
            stretch is none.
    """

    signal_type: str
    value: bytes
    quality: int | None = None
    stretch_ms: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.value, bytes):
            raise InvalidSignalError(
                f"a value is bytes, not {type(self.value).__name__}: Signal.from_hex() takes hex digits"
            )
        kind = BUILT_IN.get(self.signal_type) or _added().get(self.signal_type)
        if kind is not None and len(self.value) != kind.size_bytes:
            raise InvalidSignalError(
                f"a {kind.name} value has {kind.size_bytes} bytes ({kind.size_bytes * 2} hex digits), "
                f"this one has {len(self.value)} bytes"
            )
        if self.quality is not None and not 0 <= self.quality <= QUALITY_MAX:
            raise InvalidSignalError(f"quality is 0-{QUALITY_MAX}, this one is {self.quality}")
        if self.stretch_ms is not None and not 0 <= self.stretch_ms[0] <= self.stretch_ms[1] <= STRETCH_MS_MAX:
            raise InvalidSignalError("a stretch is a start and an end in ms from the first frame, in this order")

    @property
    def hex(self) -> str:
        """The value in lower-case hex."""
        return self.value.hex()

    @classmethod
    def from_hex(cls, signal_type: str, text: str, quality: int | None = None) -> Signal:
        """Read a value from hex: blanks around it are trimmed, upper case is accepted.

        Raises:
            InvalidSignalError: not hex, or of a length that does not fit the type.
        """
        return cls(signal_type, parse_hex(text), quality)

    def __repr__(self) -> str:
        # Hash values are sensitive: a repr ends in logs and tracebacks, so it never shows one.
        return f"Signal({self.signal_type!r}, <{len(self.value)} bytes>, quality={self.quality})"


def parse_hex(text: str) -> bytes:
    """Bytes of a hex string; blanks around it are trimmed, upper case is accepted.

    Raises:
        InvalidSignalError: not an even number of hex digits. The text is not repeated in the message.
    """
    digits = text.strip().lower()
    if not _HEX.fullmatch(digits) or len(digits) % 2 or not digits:
        raise InvalidSignalError("a hash in hex is an even number of the digits 0-9 and a-f")
    return bytes.fromhex(digits)


def hamming(left: bytes, right: bytes) -> int:
    """Number of differing bits of two values of equal length.

    Raises:
        InvalidSignalError: the lengths differ.
    """
    if len(left) != len(right):
        raise InvalidSignalError(f"values of {len(left)} and {len(right)} bytes have no distance")
    return (int.from_bytes(left, "big") ^ int.from_bytes(right, "big")).bit_count()


@dataclass(frozen=True, slots=True)
class ImageSignals:
    """What :func:`hashpact.hash_image` finds in one picture. Iterating yields each :class:`Signal` once.

    Attributes:
        sha256: digest of the file's bytes; None when a decoded picture was given.
        md5: digest of the file's bytes; None when a decoded picture was given.
        pdq: PDQ with quality.
        pdq_dihedral: the 8 PDQ values of the rotated and mirrored picture, in the order of
            ``docs/hashing.md``; ``()`` unless asked for. The first equals ``pdq``.
        phash: 64-bit pHash.
        phash256: 256-bit pHash.
        width_px: width as displayed, after EXIF orientation.
        height_px: height as displayed, after EXIF orientation.
        frames: frames in the file; only the first is hashed.
        notes: what a person should know, e.g. that an animation was hashed by its first frame.
        added: signals of types that other packages add.
        pdq_regions: PDQ of the pictures inside this one, 8 values of each as in ``pdq_dihedral``; for look-ups.
        wide: whether it is so detailed that PDQ may be compared beyond its radius; for look-ups.
        points: local points (:class:`hashpact.local_signature.ProbePoints`) as bytes; b"" for none; for look-ups.
        canvas: a small grey copy (:class:`hashpact.hashing.local.LocalCanvas`), in which candidates are measured; None
            where there are no points. It is a picture: it stays in memory, and a check lets go of it.
        listing: signals that are listed beside the others: PDQ of the picture without its frame, and its local
            signature.
    """

    kind: ClassVar[str] = "picture"

    sha256: Signal | None
    md5: Signal | None
    pdq: Signal
    pdq_dihedral: tuple[Signal, ...]
    phash: Signal
    phash256: Signal
    width_px: int
    height_px: int
    frames: int = 1
    notes: tuple[str, ...] = ()
    added: tuple[Signal, ...] = ()
    pdq_regions: tuple[Signal, ...] = ()
    wide: bool = False
    points: bytes = field(default=b"", repr=False)
    canvas: object | None = field(default=None, repr=False, compare=False)
    listing: tuple[Signal, ...] = ()

    def __iter__(self) -> Iterator[Signal]:
        everything: Iterable[Signal | None] = (
            self.sha256,
            self.md5,
            self.pdq,
            self.phash,
            self.phash256,
            *self.added,
            *self.listing,
        )
        return (signal for signal in everything if signal is not None)

    def listed(self) -> tuple[Signal, ...]:
        """The signals to contribute."""
        return tuple(self)

    def probed(self) -> Iterator[Signal]:
        """The signals to look up: all variants of PDQ in place of the one, and those of the pictures inside."""
        yield from (signal for signal in self if signal.signal_type not in {"pdq", "local_sift"})
        # Quality 0 is a blank or tiny picture: its PDQ says nothing, and would be near to other nothings.
        if self.pdq.quality != 0:
            yield from self.pdq_dihedral or (self.pdq,)
        yield from self.pdq_regions
