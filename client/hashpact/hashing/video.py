"""A video -> its signals: what :func:`hashpact.hash_video` does.

::

    file --streamed--> sha256, md5
      '--container by content--> packets --sampling--> a frame per second --luma, upright--> pdq, quality
                                                         '--near-equal to the last one kept? it stands for this one too

What is fixed about frames, so that two members get values that are close, is written down in ``docs/video.md``.
"""

from __future__ import annotations

import io
import os
from contextlib import ExitStack
from dataclasses import dataclass
from typing import BinaryIO, Final

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from hashpact.errors import UnreadableMediaError
from hashpact.hashing.added import with_added
from hashpact.hashing.containers import CONTAINER_HEAD_BYTES, container_format
from hashpact.hashing.formats import HEAD_BYTES, is_image
from hashpact.hashing.frame import FrameHasher, display_matrix
from hashpact.hashing.kept_frames import KeptFrames
from hashpact.hashing.limits import DEFAULT_VIDEO_LIMITS, VideoLimits
from hashpact.hashing.sampling import FalseKeyFrames, Sampler
from hashpact.hashing.source import check_size, display_name, open_file
from hashpact.hashing.video_file import VideoFile, moving_pictures
from hashpact.signals import Signal
from hashpact.video_signals import VideoSignals

INTERVAL_S: Final = 1.0
PRUNE_BITS: Final = 12
"""A sampled frame this close to the last one kept is not kept; docs/video.md tells what that costs and saves."""
_NAME_OF_BYTES: Final = "video"


def hash_video(
    source: str | os.PathLike[str] | bytes,
    *,
    interval_s: float = INTERVAL_S,
    prune_bits: int | None = PRUNE_BITS,
    limits: VideoLimits = DEFAULT_VIDEO_LIMITS,
) -> VideoSignals:
    """The signals of one video. Safe on untrusted files, and to call from several threads; works on one core.

    Args:
        source: a path, or the bytes of a file.
        interval_s: seconds between sampled frames; 0 samples every frame.
        prune_bits: a sampled frame within this distance of the last one kept is not kept itself; None keeps all.
        limits: what one file may cost.

    Raises:
        UnreadableMediaError: the file is missing, broken, too large, too slow, without a moving picture, or no video.
        TypeError, ValueError: a mistake of the caller.
    """
    if not 0 <= interval_s < float("inf"):
        raise ValueError(f"interval_s is a number of seconds, 0 or more, not {interval_s}")
    return _hash_source(source, Plan(interval_s, prune_bits), limits)


@dataclass(frozen=True, slots=True)
class Plan:
    """Which frames of a video are hashed, and how.

    Attributes:
        interval_s: see :func:`hash_video`.
        prune_bits: see :func:`hash_video`.
        samples_min: shorter videos are sampled more often, so that there are about so many samples.
        spread: of a video with more frames than may be sampled, evenly chosen ones are, instead of the first.
        mirrored: whether to hash what a mirror shows, too.
    """

    interval_s: float
    prune_bits: int | None
    samples_min: int = 0
    spread: bool = False
    mirrored: bool = False


CHECK: Final = Plan(INTERVAL_S, PRUNE_BITS, samples_min=40, mirrored=True)
"""How an upload is hashed to be looked up."""

LISTING: Final = Plan(0.0, PRUNE_BITS, spread=True)
"""How a video is hashed to be contributed: densely, see ``docs/video.md``."""

_INTERVAL_S_MIN: Final = 0.1


def hash_video_as(
    source: str | os.PathLike[str] | bytes, plan: Plan, *, limits: VideoLimits = DEFAULT_VIDEO_LIMITS
) -> VideoSignals:
    """As :func:`hash_video`, for a purpose: :data:`CHECK` or :data:`LISTING`."""
    return _hash_source(source, plan, limits)


def _hash_source(source: object, plan: Plan, limits: VideoLimits) -> VideoSignals:
    with ExitStack() as stack:
        opened: BinaryIO
        if isinstance(source, bytes | bytearray | memoryview):
            name = _NAME_OF_BYTES
            check_size(name, len(source), limits.bytes_max)
            opened = io.BytesIO(source)
        elif isinstance(source, str | os.PathLike):
            name = display_name(source)
            opened = stack.enter_context(open_file(source, limits.bytes_max))
        else:
            raise TypeError(f"a video is a path or bytes, not {type(source).__name__}")
        file = VideoFile(opened, name, limits)
        try:
            found = _hash(file, plan)
        except UnreadableMediaError:
            raise
        except Exception as error:  # a decoder of untrusted bytes may raise anything: see tests of broken files
            raise file.too_slow() if file.out_of_time else UnreadableMediaError(f"{name}: {_why(error)}") from error
    if isinstance(source, str | os.PathLike):
        return with_added(found, "video", path=source)
    return with_added(found, "video", data=bytes(source))


@dataclass(frozen=True, slots=True)
class _Found:
    """What one pass over the frames gave."""

    kept: KeptFrames
    end_s: float
    size: tuple[int, int]
    codec: str
    complete: bool
    notes: tuple[str, ...]


def _hash(file: VideoFile, plan: Plan) -> VideoSignals:
    name, version = file.display_name, file.version()
    head = file.read(CONTAINER_HEAD_BYTES)
    kind = container_format(head)
    if kind is None:
        raise UnreadableMediaError(f"{name}: {_describe_unknown(head)}")
    try:
        found = _look(file, kind, plan, leap=True)
    except FalseKeyFrames:
        found = _look(file, kind, plan, leap=False)
    if not found.kept.samples:
        raise UnreadableMediaError(f"{name}: no frame of it can be decoded: it is damaged or in an unknown coding")
    # Digests last: a file that is refused costs no time for them.
    sha256, md5 = file.digests()
    if file.version() != version:
        raise UnreadableMediaError(f"{name}: was changed while it was read: try again when it is complete")
    return VideoSignals(
        sha256=Signal("sha256", sha256),
        md5=Signal("md5", md5),
        frames=found.kept.frames(found.end_s),
        samples=found.kept.samples,
        duration_s=round(found.end_s, 3),
        width_px=found.size[0],
        height_px=found.size[1],
        container=kind,
        codec=found.codec,
        complete=found.complete,
        notes=found.notes,
    )


def _interval_s(plan: Plan, container: InputContainer, stream: VideoStream, samples_max: int) -> float:
    """Seconds between samples. A file that lies about its length is sampled too often or too rarely, within limits."""
    length_s = (container.duration or 0) / av.time_base
    interval_s = plan.interval_s
    if length_s <= 0:
        return interval_s
    if plan.samples_min:
        interval_s = min(interval_s, max(_INTERVAL_S_MIN, length_s / plan.samples_min))
    if plan.spread:
        rate = float(stream.average_rate or stream.guessed_rate or 0)
        samples = length_s / interval_s if interval_s else length_s * rate
        if samples > samples_max:
            interval_s = 1.01 * length_s / samples_max
    return interval_s


def _look(file: VideoFile, kind: str, plan: Plan, *, leap: bool) -> _Found:
    """Go through the frames once."""
    kept, size, complete = KeptFrames(plan.prune_bits), (0, 0), True
    hasher = FrameHasher(mirrored=plan.mirrored)
    with file.container(kind) as container:
        stream = file.moving_picture(container)
        interval_s = _interval_s(plan, container, stream, file.limits.frames_max)
        sampler = Sampler(container, stream, interval_s=interval_s, check=file.check_time, leap=leap)
        for sample in sampler:
            if kept.samples == file.limits.frames_max:
                complete = False
                break
            frame = sample.frame
            file.check_pixels(frame.width, frame.height)
            if not kept.samples:
                turned = display_matrix(frame)[0] == 0
                size = (frame.height, frame.width) if turned else (frame.width, frame.height)
            hashed = hasher.hash(frame)
            kept.add(hashed.whole, sample.time_s, hashed.trimmed)
        several = len(moving_pictures(container)) > 1
        codec, end_s = stream.codec_context.name, sampler.times.end_s
    notes = []
    if sampler.damaged:
        notes.append("the file is cut short or damaged: what could be decoded was hashed")
    if not complete:
        notes.append(f"goes on after {kept.samples:,} sampled frames (frames_max): the rest was not hashed")
    if several:
        notes.append("several moving pictures in one file: only the main one was hashed")
    return _Found(kept, end_s, size, codec, complete, tuple(notes))


def _describe_unknown(head: bytes) -> str:
    if not head:
        return "the file is empty"
    if is_image(head[:HEAD_BYTES]):
        return "is a picture: hash_image takes it"
    return "not a video in a container that is read here: save it as MP4, MOV, WebM, Matroska, AVI or MPEG"


def _why(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return "not enough memory to decode it: give a smaller copy"
    return "cannot be decoded, it is damaged or not what its first bytes say: save it again as MP4"
