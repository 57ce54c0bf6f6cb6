"""Hashing what the command line named: many inputs at a time, in order, a file that fails never stops the others.

::

    a few named files ------------> threads of this process
    a folder, or many files ------> processes, one of which is all that a file can crash or keep busy
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from typing import Any, Final, TypeAlias, TypeVar, cast

from hashpact._isolated import IsolatedMap, Loss
from hashpact._media import checked_signals, media_to_list
from hashpact._parallel import OrderedMap
from hashpact.cli.paths import Input
from hashpact.cli.resuming import Answered
from hashpact.document_signals import Url
from hashpact.errors import HashpactError, UnreadableMediaError
from hashpact.media_signals import FileSignals, MediaSignals
from hashpact.modes import Mode
from hashpact.signals import Signal

PROCESSES_FROM: Final = 8
"""Named files from which processes pay, as they do for every folder: starting them takes about a second."""
SECONDS_MAX: Final = 900.0
"""Of one file, when it is hashed in a process: hours of video take minutes."""

Shown: TypeAlias = "FileSignals | HashpactError"
Checked: TypeAlias = "MediaSignals | Answered | HashpactError"
Out = TypeVar("Out")
Work: TypeAlias = OrderedMap[Input, Out] | IsolatedMap[Input, Out]


@dataclass(frozen=True, slots=True)
class ListedMedia:
    """What is contributed of one file.

    Attributes:
        kind: picture, video, document, text or address.
        signals: all of them.
    """

    kind: str
    signals: tuple[Signal, ...]


Listed: TypeAlias = "ListedMedia | Answered | HashpactError"


def require_hashing() -> None:
    """Fail before any work when hashing is not installed.

    Raises:
        MissingExtraError: says what to install.
    """
    import hashpact  # noqa: PLC0415  # its attribute does the checking

    _ = hashpact.hash_image


def shown_inputs(inputs: Iterable[Input], *, dihedral: bool, workers: int | None, seconds_max: float) -> Work[Shown]:
    """(input, signals or error) pairs in order, as ``hash`` shows them."""
    return _work(partial(_shown, dihedral=dihedral), inputs, workers, seconds_max)


def checked_inputs(inputs: Iterable[Input], *, mode: Mode, workers: int | None, seconds_max: float) -> Work[Checked]:
    """(input, signals or error) pairs in order, as they are looked up."""
    return _work(partial(_checked, mode=mode), inputs, workers, seconds_max)


def listed_inputs(inputs: Iterable[Input], *, workers: int | None, seconds_max: float) -> Work[Listed]:
    """(input, signals or error) pairs in order, as they are contributed."""
    return _work(_listed, inputs, workers, seconds_max)


def _work(
    function: Callable[[Input], Out],
    inputs: Iterable[Input],
    workers: int | None,
    seconds_max: float,
) -> Work[Out]:
    require_hashing()
    source = iter(inputs)
    head = list(islice(source, PROCESSES_FROM))
    everything = chain(head, source)
    if len(head) < PROCESSES_FROM and not any(one.in_folder for one in head):
        return OrderedMap(function, everything, workers=workers)
    lost: Any = partial(_lost, seconds_max=seconds_max)  # an error is a result of every kind of work
    return IsolatedMap(function, everything, seconds_max=seconds_max, on_loss=lost, workers=workers)


def _lost(_: Input, loss: Loss, *, seconds_max: float) -> UnreadableMediaError:
    if loss is Loss.TOO_SLOW:
        return UnreadableMediaError(f"takes longer than {seconds_max:g} s: give it more with --file-seconds")
    return UnreadableMediaError("the decoder crashed on it, or it needs more memory than there is")


def _shown(one: Input, *, dihedral: bool) -> Shown:
    from hashpact import hash_media  # noqa: PLC0415  # needs the media extra

    return _tried(one, lambda source: hash_media(cast("str | bytes", source), dihedral=dihedral))


def _checked(one: Input, *, mode: Mode) -> Checked:
    if one.answered is not None:
        return one.answered
    return _tried(one, lambda source: checked_signals(source, mode))


def _listed(one: Input) -> Listed:
    return _tried(one, _listed_media) if one.answered is None else one.answered


def _listed_media(source: str | bytes | Url) -> ListedMedia:
    signals = media_to_list(source)
    return ListedMedia(signals.kind, signals.listed())


def _tried(one: Input, hashing: Callable[[str | bytes | Url], Out]) -> Out | HashpactError:
    try:
        source = _source(one)
    except HashpactError as error:
        return error
    try:
        return hashing(source)
    except HashpactError as error:
        return _without_name(one, error)


def _source(one: Input) -> str | bytes | Url:
    """What there is to hash; raises why it cannot be read, when that is known already."""
    from hashpact.hashing import DEFAULT_LIMITS  # noqa: PLC0415  # as above

    if one.error is not None:
        raise one.error
    if one.data is None:
        return Url(one.path) if one.is_address else one.path
    if len(one.data) > DEFAULT_LIMITS.bytes_max:  # the rest was not read
        raise UnreadableMediaError(f"has more than {DEFAULT_LIMITS.bytes_max:,} bytes: name the file instead")
    return one.data


def _without_name(one: Input, error: HashpactError) -> HashpactError:
    """The error without the file's name in front: the whole path stands beside it wherever it is shown."""
    from hashpact.hashing.source import display_name  # noqa: PLC0415  # as above

    if not isinstance(error, UnreadableMediaError):
        return error
    if one.data is not None or one.is_address:  # "picture: ", "video: ": there was no name
        return UnreadableMediaError(error.message.partition(": ")[2] or error.message, reason=error.reason)
    return UnreadableMediaError(error.message.removeprefix(f"{display_name(one.path)}: "), reason=error.reason)
