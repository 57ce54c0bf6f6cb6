"""From the packets of a video to one decoded frame per interval, decoding as little as possible.

::

    packet --shown before the wanted time?--> waits --a key frame comes that is not later than it--> thrown away
                 '--no--> those that wait (of them only what others refer to), then this one --> decoder --> sample

A decoder needs everything since the last key frame, nothing before it, and never the frames that no other refers to.
What comes out is the same as when all are decoded: the first frame that is shown at the wanted time or later.

What a file says of itself can be a lie. Times stand still or jump: a frame is taken at least every
``PACKETS_BETWEEN_MAX`` packets, whatever the times say. Key frames are none: :class:`FalseKeyFrames` is raised, and the
caller has everything decoded, as players do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import av.error
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from hashpact.hashing.frame_times import FrameTimes

PACKETS_BETWEEN_MAX: Final = 300
"""A frame is taken at least so often: no usual camera makes more than 240 in a second."""
_WAITING_BYTES_MAX: Final = 64_000_000
_READ_ERRORS_MAX: Final = 20
_FRAME_S: Final = 0.04
"""How long a frame is shown where the file does not say."""
_INTRA: Final = 1
"""A frame that refers to no other (FFmpeg's AV_PICTURE_TYPE_I); 0 where the codec knows no such types."""


class FalseKeyFrames(Exception):  # noqa: N818  # tells the caller to begin anew; nobody else sees it
    """A packet that the file calls a key frame is none, or what follows it does not suffice."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A frame, and when it is shown in seconds from the first one."""

    frame: VideoFrame
    time_s: float


class Sampler:
    """Iterating yields samples in order.

    Args:
        container: where the packets come from.
        stream: the stream that is looked at.
        interval_s: seconds between wanted frames; 0: every frame.
        check: called for each packet and frame; raises when time is up.
        leap: whether to trust key frames.

    Attributes:
        times: when what was seen so far is shown.
        damaged: something could not be read or decoded; the rest was.
    """

    def __init__(
        self,
        container: InputContainer,
        stream: VideoStream,
        *,
        interval_s: float,
        check: Callable[[], None],
        leap: bool,
    ) -> None:
        rate = stream.codec_context.framerate or stream.guessed_rate
        self.times = FrameTimes(interval_s, float(stream.time_base or 0), 1.0 / float(rate) if rate else _FRAME_S)
        self.damaged = False
        self._container = container
        self._stream = stream
        self._decoder = stream.codec_context
        self._check = check
        self._leap = leap and interval_s > 0
        self._waiting: list[Any] = []
        self._waiting_bytes = 0
        self._since_sample = 0
        self._leaps = 0
        self._flush_first = False
        self._key_expected = False

    def __iter__(self) -> Iterator[Sample]:
        for packet in self._packets():
            self._check()
            self._since_sample += 1
            self.times.saw_packet(packet)
            if self._leap and packet.is_keyframe and self.times.not_after_wanted(packet):
                self._leap_to_here()
            self._waiting.append(packet)
            self._waiting_bytes += packet.size
            if not self._all_may_wait(packet):
                due, self._waiting, self._waiting_bytes = self._waiting, [], 0
                for one in due:
                    yield from self._decode(one)
        yield from self._decode(None)  # what waits is shown before the wanted time: nobody asks for it
        if self._key_expected:
            raise FalseKeyFrames

    def _packets(self) -> Iterator[Any]:
        """Packets, until the file ends or cannot be read any further."""
        for _ in range(_READ_ERRORS_MAX):
            try:
                for packet in self._container.demux(self._stream):
                    if packet.size:  # an empty one says that this was all
                        yield packet
            except av.error.FFmpegError:
                self.damaged = True
            else:
                return

    def _leap_to_here(self) -> None:
        """Forget what waits: it is shown before a key frame that is early enough."""
        if self._waiting:
            if self._key_expected:
                raise FalseKeyFrames  # the last leap has led to no frame at all
            self._waiting, self._waiting_bytes = [], 0
            self._flush_first = True

    def _all_may_wait(self, packet: Any) -> bool:
        return (
            self._leap
            and self.times.before_wanted(packet)
            and self._since_sample < PACKETS_BETWEEN_MAX
            and self._waiting_bytes < _WAITING_BYTES_MAX
        )

    def _decode(self, packet: Any) -> Iterator[Sample]:
        if self._flush_first and packet is not None:
            self._decoder.flush_buffers()
            self._flush_first, self._key_expected = False, True
            self._leaps += 1
        overdue = self._since_sample >= PACKETS_BETWEEN_MAX
        unasked = self._leap and packet is not None and not overdue and self.times.before_wanted(packet)
        self._decoder.skip_frame = "NONREF" if unasked else "DEFAULT"
        try:
            frames = self._decoder.decode(packet)
        except av.error.FFmpegError:
            self._broken()
            return
        for frame in frames:
            self._check()
            self._look_at(frame)
            if self.times.show(frame) or overdue:
                overdue = False
                self._since_sample = 0
                yield Sample(frame, self.times.take())

    def _look_at(self, frame: VideoFrame) -> None:
        if self._key_expected and not (frame.key_frame and frame.pict_type <= _INTRA):
            raise FalseKeyFrames
        self._key_expected = False
        if frame.is_corrupt:
            self._broken()

    def _broken(self) -> None:
        """Was it the file, or did we leap over what it refers to?"""
        if self._leaps:
            raise FalseKeyFrames
        self.damaged = True
