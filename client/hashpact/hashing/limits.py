"""What one untrusted picture, video, document or text may cost."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """Bounds that are checked before anything is decoded; a file over one of them is refused.

    The defaults let through what people upload (200-megapixel telephone photographs as baseline JPEG,
    80-megapixel PNG) and bound the memory of one call to about 700 MB, 1.1 GB for a lossless WebP with transparency.

    Attributes:
        bytes_max: size of the file.
        pixels_max: width times height as stored in the file, before any reduction.
        decoded_pixels_max: width times height of what has to be held in memory. Smaller than
            ``pixels_max`` because a JPEG is decoded at a reduced scale; a progressive JPEG counts in
            full, since its decoder keeps every coefficient.
        jpeg_scans_max: passes over the picture that a progressive JPEG may ask for. Usual encoders
            write about ten; thousands of nearly empty ones are a known way to keep a decoder busy.
        frames_max: how far frames and pages are counted (only the first is ever decoded).
    """

    bytes_max: int = 100_000_000
    pixels_max: int = 250_000_000
    decoded_pixels_max: int = 80_000_000
    jpeg_scans_max: int = 100
    frames_max: int = 10_000


DEFAULT_LIMITS = ImageLimits()


@dataclass(frozen=True, slots=True)
class VideoLimits:
    """What one video may cost. One call needs at most about a gigabyte, most of it the frames that its codec refers to.

    Attributes:
        bytes_max: size of the file.
        pixels_max: width times height of a frame; the default lets 8K through.
        frames_max: frames that are sampled; at one per second the default is six hours. What comes later is not
            looked at, and the result says so.
        seconds_max: of wall clock for one file; beyond it the file is refused.
    """

    bytes_max: int = 20_000_000_000
    pixels_max: int = 36_000_000
    frames_max: int = 21_600
    seconds_max: float = 3_600.0


DEFAULT_VIDEO_LIMITS = VideoLimits()


@dataclass(frozen=True, slots=True)
class DocumentLimits:
    """What one document may cost.

    Attributes:
        bytes_max: size of the file.
        pages_max: pages that are drawn and read. What comes later is not looked at, and the result says so.
        letters_max: letters and digits that are compared; likewise.
        seconds_max: of wall clock for one file; beyond it the file is refused.
    """

    bytes_max: int = 200_000_000
    pages_max: int = 300
    letters_max: int = 2_000_000
    seconds_max: float = 120.0


DEFAULT_DOCUMENT_LIMITS = DocumentLimits()


@dataclass(frozen=True, slots=True)
class TextLimits:
    """What one text may cost.

    Attributes:
        bytes_max: size of the file or text; the default takes a few seconds.
    """

    bytes_max: int = 10_000_000


DEFAULT_TEXT_LIMITS = TextLimits()
