"""The file of a video as FFmpeg sees it: bytes that come only as long as there is time, and nothing beside them."""

from __future__ import annotations

import hashlib
import os
import time
from typing import Any, BinaryIO, Final

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from hashpact.errors import UnreadableMediaError
from hashpact.hashing.limits import VideoLimits

_READ_BYTES: Final = 1 << 18
_STREAMS_MAX: Final = 64


class VideoFile:
    """An open file with a name for messages and an end of its time.

    Args:
        file: where the bytes are.
        name: for messages.
        limits: what it may cost.
    """

    def __init__(self, file: BinaryIO, name: str, limits: VideoLimits) -> None:
        self._file = file
        self.display_name = name  # not "name": FFmpeg would make something of it
        self.limits = limits
        self._until = time.monotonic() + limits.seconds_max
        self.seek = file.seek
        self.tell = file.tell

    @property
    def out_of_time(self) -> bool:
        """Whether it took too long."""
        return time.monotonic() > self._until

    def check_time(self) -> None:
        """Raise when it took too long.

        Raises:
            UnreadableMediaError: it did.
        """
        if self.out_of_time:
            raise self.too_slow()

    def too_slow(self) -> UnreadableMediaError:
        """The error to raise."""
        return UnreadableMediaError(
            f"{self.display_name}: takes longer than {self.limits.seconds_max:g} s (seconds_max): give a smaller copy"
        )

    def read(self, size: int = -1) -> bytes:
        """Some bytes.

        Raises:
            UnreadableMediaError: time is up.
        """
        self.check_time()
        return self._file.read(size)

    def version(self) -> tuple[int, int]:
        """Changes when somebody writes into the file."""
        try:
            status = os.fstat(self._file.fileno())
        except OSError:  # bytes in memory
            return 0, 0
        return status.st_size, status.st_mtime_ns

    def digests(self) -> tuple[bytes, bytes]:
        """SHA-256 and MD5 of the whole file. They are not for security here."""
        sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
        self.seek(0)
        while block := self.read(_READ_BYTES):
            sha256.update(block)
            md5.update(block)
        return sha256.digest(), md5.digest()

    def container(self, kind: str) -> InputContainer:
        """Open it from its beginning.

        Args:
            kind: FFmpeg's name of the container.
        """
        self.seek(0)
        # What probing decodes is bounded, too.
        options = {
            "max_pixels": str(self.limits.pixels_max),
            "threads": "1",
            "max_streams": str(_STREAMS_MAX),
            "protocol_whitelist": "",
            "format_whitelist": kind,
        }
        return av.open(self, "r", format=kind, buffer_size=_READ_BYTES, io_open=_refuse, options=options)

    def moving_picture(self, container: InputContainer) -> VideoStream:
        """The main moving picture, ready to be decoded by one thread.

        Raises:
            UnreadableMediaError: there is none, it is too large, or in an unknown coding.
        """
        moving = moving_pictures(container)
        if not moving:
            what = "has a cover picture but" if container.streams.video else "has"
            raise UnreadableMediaError(f"{self.display_name}: {what} no moving picture: it has digests and no frames")
        best = container.streams.best("video")
        stream = best if best in moving else moving[0]
        decoder = stream.codec_context
        if decoder is None:
            raise UnreadableMediaError(
                f"{self.display_name}: its picture is in a coding that is not known here: save it as H.264"
            )
        self.check_pixels(decoder.width, decoder.height)
        decoder.options = {"max_pixels": str(self.limits.pixels_max)}
        decoder.thread_count = 1
        decoder.thread_type = "NONE"
        return stream

    def check_pixels(self, width: int, height: int) -> None:
        """Refuse frames over ``limits.pixels_max``.

        Raises:
            UnreadableMediaError: they are.
        """
        if width * height > self.limits.pixels_max:
            raise UnreadableMediaError(
                f"{self.display_name}: its frames are {width} x {height}; {width * height:,} pixels are over the limit "
                f"pixels_max of {self.limits.pixels_max:,}: give a smaller copy"
            )


def moving_pictures(container: InputContainer) -> list[VideoStream]:
    """The streams of pictures that are not covers."""
    cover = av.stream.Disposition.attached_pic
    return [stream for stream in container.streams.video if not stream.disposition & cover]


def _refuse(*_: object) -> Any:
    """A file that names other files or addresses gets none of them."""
    raise PermissionError("a video is one file")
