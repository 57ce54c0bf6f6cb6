"""Is this value fit to be listed? Shape, quality, and whether it carries a picture at all.

A signal that is not fit is left out with a :class:`SignalProblem`; the rest of the contribution goes on. Messages say
what to do and never repeat what was sent: a value may have been put in the wrong field.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from hashpact.errors import InvalidSignalError
from hashpact.local_signature import LocalSignature
from hashpact.plugins import SignalTypePlugin, added
from hashpact.signals import QUALITY_MAX, SIGNAL_TYPES, Comparison, SignalType, parse_hex
from hashpact.v1 import error_reason_pb2, signal_pb2

from hashpact_server.ledger.payloads import ListedSignal
from hashpact_server.refusal import Reason
from hashpact_server.videos import FRAME

_EMPTY_DIGESTS: Final = frozenset(
    # MD5 is a signal type because the lists of the world are full of it; nothing is protected by it here.
    {hashlib.sha256().digest(), hashlib.md5(usedforsecurity=False).digest()}
)


class OfferedSignal(NamedTuple):
    """A signal as sent, unchecked. One of ``value`` and ``hex`` is set, or neither."""

    signal_type: str
    value: bytes | None = None
    hex: str | None = None
    quality: int | None = None
    stretch: tuple[int, int] | None = None

    def __repr__(self) -> str:
        return f"OfferedSignal(signal_type={self.signal_type!r}, quality={self.quality})"


def offered(sent: signal_pb2.Signal) -> OfferedSignal:
    """A signal as sent."""
    # Empty and unset look alike: only then does it take a second look.
    value, quality = sent.value, sent.quality
    encoding = "value" if value else sent.WhichOneof("encoding")
    return OfferedSignal(
        sent.signal_type,
        value if encoding == "value" else None,
        sent.hex if encoding == "hex" else None,
        quality if quality or sent.HasField("quality") else None,
        (sent.stretch.start_ms, sent.stretch.end_ms) if sent.HasField("stretch") else None,
    )


@dataclass(frozen=True, slots=True)
class SignalProblem:
    """Why the signal at a position was not listed."""

    signal_index: int
    reason: Reason
    message: str


class FitSignal(NamedTuple):
    """A signal that may be listed, with its position in the contribution and its type."""

    signal_index: int
    kind: SignalType
    value: bytes
    quality: int | None
    stretch: tuple[int, int] | None = None

    def __repr__(self) -> str:
        return f"FitSignal(signal_index={self.signal_index}, kind={self.kind.name!r}, quality={self.quality})"

    @property
    def listed(self) -> ListedSignal:
        """As an entry states it."""
        return ListedSignal(self.kind.code, self.value, self.quality, stretch=self.stretch)


class _UnfitError(Exception):
    """Carries the reason why a signal is not fit to :func:`sort_out`; never leaves this module."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


def sort_out(offered: Sequence[OfferedSignal]) -> tuple[tuple[FitSignal, ...], tuple[SignalProblem, ...]]:
    """Tell what may be listed from what may not.

    The same value twice is kept once, silently: it is no mistake that anyone has to repair.
    """
    fit: dict[tuple[int, bytes], FitSignal] = {}
    problems = []
    for position, signal in enumerate(offered):
        try:
            good = _check(position, signal)
        except _UnfitError as error:
            problems.append(SignalProblem(position, error.reason, error.message))
        else:
            fit.setdefault((good.kind.code, good.value), good)
    return tuple(fit.values()), tuple(problems)


def parsed(signal: OfferedSignal) -> tuple[tuple[int, bytes] | None, str]:
    """Code of the type and value of a signal that need not be fit to be listed; or None, and what is wrong with it."""
    kind = SIGNAL_TYPES.get(signal.signal_type.strip())
    if kind is None:
        return None, "this server does not know the signal type"
    try:
        return (kind.code, _value(kind, signal)), ""
    except _UnfitError as error:
        return None, error.message


def _check(position: int, signal: OfferedSignal) -> FitSignal:
    kind = SIGNAL_TYPES.get(signal.signal_type.strip())
    if kind is None:
        raise _UnfitError(
            error_reason_pb2.ERROR_REASON_SIGNAL_TYPE_UNKNOWN,
            "this server does not know the signal type; GetCapabilities lists those it knows",
        )
    value = _value(kind, signal)
    quality = _quality(kind, signal.quality)
    if flaw := degeneracy(kind, value):
        raise _UnfitError(
            error_reason_pb2.ERROR_REASON_SIGNAL_DEGENERATE, f"the {kind.name} value carries no content: {flaw}"
        )
    if kind.comparison is Comparison.POINTS:
        _check_signature(value)
    return FitSignal(position, kind, value, quality, _stretch(kind, signal.stretch))


def _value(kind: SignalType, signal: OfferedSignal) -> bytes:
    if signal.value is not None:
        value = signal.value
    elif signal.hex is not None:
        try:
            value = parse_hex(signal.hex)
        except InvalidSignalError as error:
            raise _malformed(error.message) from error
    else:
        raise _malformed("there is no value: set value or hex")
    if len(value) != kind.size_bytes:
        raise _malformed(
            f"a {kind.name} value has {kind.size_bytes} bytes ({kind.size_bytes * 2} hex digits), "
            f"this one has {len(value)} bytes"
        )
    return value


def _check_signature(value: bytes) -> None:
    try:
        LocalSignature.decode(value)
    except InvalidSignalError as error:
        raise _malformed(error.message) from error


def _quality(kind: SignalType, quality: int | None) -> int | None:
    if kind.exact:
        return None  # a digest has no quality, whatever was sent
    if quality is not None and quality > QUALITY_MAX:
        raise _malformed(f"quality is 0 to {QUALITY_MAX}, this one is {quality}")
    if kind.quality_min and quality is None:
        raise _UnfitError(
            error_reason_pb2.ERROR_REASON_SIGNAL_QUALITY_TOO_LOW,
            f"a {kind.name} value needs the quality that its algorithm stated, at least {kind.quality_min}",
        )
    if quality is not None and quality < kind.quality_min:
        raise _UnfitError(
            error_reason_pb2.ERROR_REASON_SIGNAL_QUALITY_TOO_LOW,
            f"{kind.name} quality {quality} is under {kind.quality_min}: it would match unrelated content",
        )
    return quality


def _stretch(kind: SignalType, stretch: tuple[int, int] | None) -> tuple[int, int] | None:
    if kind is not FRAME:
        return None  # of nothing else is it kept, whatever was sent
    if stretch is None:
        raise _malformed(f"a {kind.name} value stands for a stretch of its video: say which, with `stretch`")
    if stretch[1] < stretch[0]:
        raise _malformed("the stretch ends before it begins")
    return stretch


def degeneracy(kind: SignalType, value: bytes) -> str | None:
    """Why a value of the right length describes nothing in particular; None when it may well describe something.

    * All bits equal, or the same bytes over and over (a period that divides the length): blank files, test values,
      wrong fields. A random value has a period with odds of 2^-32 (64-bit pHash; 2^-64 and less for the others).
    * SHA-256 or MD5 of no bytes: an upload that failed before its first byte.
    * For perceptual hashes, fewer than a quarter of the bits set, or of the bits clear. PDQ and pHash compare each DCT
      coefficient with the median of all, so that half of the bits are set, save where many coefficients *equal* the
      median: that is a picture of one bar or of one colour. A photograph has exactly half; the published PDQ
      reference values have 107 to 145 of 256; a picture that is half black, half white has 0 to 9, though its PDQ
      quality can be 70. A quarter lies 64 bits from the middle, past anything that a picture worth listing produces.
      TLSH states for each bucket in which quarter of all it lies, so half of its bits are set as well.
    * What a package that added the type says of it, in place of the last two.
    """
    number = int.from_bytes(value, "big")
    ones = number.bit_count()
    if ones in (0, kind.bits):
        return "all of its bits are equal"
    # A string has a period that divides its length exactly when it is found inside its own double, off the ends.
    if value in (value + value)[1:-1]:
        return "the same bytes repeat in it"
    if (plugin := added().plugins.get(kind.name)) is not None:  # only whoever made it knows what else is empty
        return _flaw_by(plugin, value)
    if not kind.ranged:  # a local signature may rightly be zero for the most part
        return "it is the digest of no bytes" if value in _EMPTY_DIGESTS else None
    if not kind.bits // 4 <= ones <= kind.bits - kind.bits // 4:
        return "almost all of its bits are equal, as for a picture of one colour or one bar, or a text of few letters"
    return None


def _flaw_by(plugin: SignalTypePlugin, value: bytes) -> str | None:
    """What a package says of a value of its type; one that fails at it does not vouch for it."""
    try:
        return plugin.flaw(value) if plugin.flaw is not None else None
    except Exception as error:  # noqa: BLE001  # a stranger's function; what it says may hold the value
        return f"the package {added().packages[plugin.kind.name]} fails at it ({type(error).__name__})"


def _malformed(message: str) -> _UnfitError:
    return _UnfitError(error_reason_pb2.ERROR_REASON_SIGNAL_MALFORMED, message)
