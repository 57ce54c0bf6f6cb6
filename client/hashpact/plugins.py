"""Signal types that other packages add: ``docs/signal-types.md``.

::

    a package's entry point, group hashpact.signal_types
       '--> SignalTypePlugin: the type --> SIGNAL_TYPES       server, replica, client, command line, import, export
                              its hasher --> hash_image ...    the member's side alone

They are looked for once in a process, when somebody first asks for :data:`hashpact.signals.SIGNAL_TYPES`. One that is
broken, or clashes with another, is remembered and added to nothing: :func:`require_plugins` then says which package it
came from. Clients and servers ask before they begin, since to go on without a type is to miss what it would find.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from hashpact.errors import PluginError
from hashpact.signals import BUILT_IN, QUALITY_MAX, Comparison, Signal, SignalType, Witness

if TYPE_CHECKING:
    from PIL.Image import Image

GROUP: Final = "hashpact.signal_types"
"""The group of entry points."""

MEDIA: Final = ("image", "video", "document", "text", "url")
CODE_MIN: Final = 128
CODE_MAX: Final = 255
HAMMING_BITS_MAX: Final = 1024
VALUE_BITS_MAX: Final = 4096
DIGEST_BITS_MIN: Final = 128
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{1,31}")


@dataclass(frozen=True, slots=True)
class Media:
    """One file, as a hasher gets it. Everything in it is a stranger's: only ``picture`` was decoded within limits.

    Attributes:
        kind: ``image``, ``video``, ``document`` or ``text``.
        picture: of an image: decoded, upright, grey (mode ``L``), of at least 512 pixels where the file has them; a
            copy of the hasher's own. Who needs colour or size decodes ``data``. Else None.
        data: the file's bytes, where they are at hand.
        path: the file, where it was named.
    """

    kind: str
    picture: Image | None = None
    data: bytes | None = None
    path: str | None = None

    def __repr__(self) -> str:
        return f"Media({self.kind!r})"


Hasher: TypeAlias = "Callable[[Media], Iterable[Signal]]"
"""Media -> signals of the one type; none where there is nothing to say. Imports what it needs when it is called."""


@dataclass(frozen=True, slots=True)
class SignalTypePlugin:
    """What an entry point of the group :data:`GROUP` names: one signal type.

    The module that holds it imports nothing but :mod:`hashpact.signals` and this one: servers load it, which have no
    libraries that decode media.

    Attributes:
        kind: the type: a name and a code (128-255) that nobody else in the forum uses. ``HAMMING`` types have 64 to
            1,024 bits in steps of 64 and find within a quarter of them; ``EQUALITY`` types 128 to 4,096 bits;
            ``DISTANCE`` types up to 4,096 bits, and their ``measure``. ``POINTS`` is ours alone.
        hash: from media of ``kind.media`` to signals; called on the member's side only.
        flaw: why a value describes nothing in particular and must not be listed; None: when it is fit. Values whose
            bits are all equal, or that repeat the same bytes, are refused without it.
    """

    kind: SignalType
    hash: Hasher
    flaw: Callable[[bytes], str | None] | None = None


@dataclass(frozen=True, slots=True)
class Added:
    """What the installed packages add.

    Attributes:
        plugins: by name of the type.
        packages: where each comes from: ``name version``.
        problems: what is wrong with those that cannot be used, each with its package.
    """

    plugins: Mapping[str, SignalTypePlugin]
    packages: Mapping[str, str]
    problems: tuple[str, ...]


def load(points: Iterable[EntryPoint]) -> Added:
    """What some entry points add. Never raises: what is wrong with them is told."""
    plugins: dict[str, SignalTypePlugin] = {}
    packages: dict[str, str] = {}
    problems: list[str] = []
    taken = {kind.code: "Hashpact itself" for kind in BUILT_IN.values()} | dict.fromkeys(BUILT_IN, "Hashpact itself")
    for point in sorted(points, key=lambda one: (_package(one), one.name)):
        package = _package(point)
        about = f"the signal type {point.name!r} of the package {package}"
        try:
            plugin = point.load()
            flaw = flaw_of(plugin)
        except (Exception, SystemExit) as error:  # noqa: BLE001  # a stranger's module may do anything while imported
            problems.append(f"{about} cannot be loaded ({type(error).__name__}: {error})")
            continue
        if flaw:
            problems.append(f"{about} is not one: {flaw}")
            continue
        kind = plugin.kind
        if kind.name != point.name:
            problems.append(f"{about} calls itself {kind.name!r}: entry point and type have one name")
        elif (other := taken.get(kind.name) or taken.get(kind.code)) is not None:
            problems.append(f"{about} (code {kind.code}) clashes with one of {other}: it needs a name and a code alone")
        else:
            plugins[kind.name], packages[kind.name] = plugin, package
            taken[kind.name] = taken[kind.code] = package
    return Added(MappingProxyType(plugins), MappingProxyType(packages), tuple(problems))


def flaw_of(plugin: Any) -> str | None:
    """Why something cannot be used as a plug-in; None when it can."""
    if not isinstance(plugin, SignalTypePlugin):
        return f"it has to be a SignalTypePlugin, and is of type {type(plugin).__name__}"
    return next((flaw for right, flaw in _requirements(plugin, plugin.kind) if not right), None)


def _requirements(plugin: SignalTypePlugin, kind: Any) -> Iterator[tuple[bool, str]]:
    """What a plug-in has to be, each with what to say when it is not; one relies on those before it."""
    yield isinstance(kind, SignalType), "its kind is a SignalType"
    yield isinstance(kind.comparison, Comparison), "its comparison is of the enum Comparison"
    yield isinstance(kind.witness, Witness), "its witness is of the enum Witness"
    yield (
        isinstance(kind.name, str) and _NAME.fullmatch(kind.name) is not None,
        "its name is 2 to 32 lower-case letters, digits and _, beginning with a letter",
    )
    numbers = (kind.code, kind.bits, kind.radius_default, kind.radius_max, kind.quality_min)
    yield all(isinstance(number, int) for number in numbers), "code, bits, radii and quality_min are whole numbers"
    yield CODE_MIN <= kind.code <= CODE_MAX, f"types that others add have codes from {CODE_MIN} to {CODE_MAX}"
    yield bool(kind.media) and set(kind.media) <= set(MEDIA), f"its media are one or more of {', '.join(MEDIA)}"
    yield 0 <= kind.quality_min <= QUALITY_MAX, f"its quality_min is 0 to {QUALITY_MAX}"
    yield callable(plugin.hash), "hash is a function"
    yield plugin.flaw is None or callable(plugin.flaw), "flaw is a function, or None"
    yield kind.bits % 8 == 0 and 0 < kind.bits <= VALUE_BITS_MAX, f"its bits are whole bytes, {VALUE_BITS_MAX} at most"
    yield 0 <= kind.radius_default <= kind.radius_max, "its radius_default is 0 to radius_max"
    yield kind.comparison is not Comparison.POINTS, "types are compared by EQUALITY, HAMMING or DISTANCE"
    yield (
        callable(kind.measure) is (kind.comparison is Comparison.DISTANCE),
        "types compared by DISTANCE have a measure, which is a function, and only they",
    )
    if kind.exact:
        yield kind.bits >= DIGEST_BITS_MIN, f"types compared by EQUALITY have {DIGEST_BITS_MIN} bits or more"
        yield kind.radius_max == 0, "types compared by EQUALITY have no radius"
    if kind.hamming:
        yield (
            kind.bits % 64 == 0 and kind.bits <= HAMMING_BITS_MAX,
            (f"types compared by HAMMING have 64 to {HAMMING_BITS_MAX} bits, in steps of 64"),
        )
        yield kind.radius_max <= kind.bits // 4, "types compared by HAMMING have radii up to a quarter of their bits"


def _package(point: EntryPoint) -> str:
    return "that nobody installed" if point.dist is None else f"{point.dist.name} {point.dist.version}"


_lock: Final = threading.RLock()
_found: Added | None = None
_loading = False


def added() -> Added:
    """What the packages installed here add; looked for once."""
    global _found, _loading  # noqa: PLW0603  # once in a process, as modules are
    if _found is not None:
        return _found
    with _lock:
        if _loading:
            raise PluginError(
                "a package that adds a signal type asks for the table of signal types while it is imported: "
                "let it import hashpact.signals and hashpact.plugins only, and the rest when its hasher is called"
            )
        if _found is None:
            _loading = True
            try:
                _found = load(entry_points(group=GROUP))
            finally:
                _loading = False
        return _found


def require_plugins() -> None:
    """Make sure that every installed signal type can be used.

    Raises:
        PluginError: says which cannot, why, and of which package it is.
    """
    if problems := added().problems:
        raise PluginError("; ".join(problems) + ": repair the package, or remove it")


def hashers(media: str) -> tuple[SignalTypePlugin, ...]:
    """The added types that describe a kind of media.

    Raises:
        PluginError: one of them cannot be used.
    """
    require_plugins()
    return tuple(plugin for plugin in added().plugins.values() if media in plugin.kind.media)
