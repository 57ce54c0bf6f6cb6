"""Media -> signals, on the member's side only. The only part of the house that decodes media.

Needs the extra ``media``. Public: :func:`hash_image`, :class:`ImageLimits`, :func:`is_image`.
"""

from hashpact.hashing.formats import HEAD_BYTES, image_format, is_image
from hashpact.hashing.image import hash_image
from hashpact.hashing.limits import DEFAULT_LIMITS, ImageLimits

__all__ = ["DEFAULT_LIMITS", "HEAD_BYTES", "ImageLimits", "hash_image", "image_format", "is_image"]
