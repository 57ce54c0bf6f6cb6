"""pHash, 64 and 256 bits, computed by the imagehash library on the picture that PDQ used.

imagehash shrinks a picture to 32 x 32 (64 bits) and to 64 x 64 (256 bits) with Lanczos. Shrinking a
megapixel twice costs more than the rest of the work, so the picture is brought to 64 x 64 once: by whole
factors with a box filter down to at least 3 times that, then with Lanczos. Against imagehash on the
unreduced luma this moves at most 2 of 64 and 4 of 256 bits (``docs/hashing.md``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PIL import Image

if TYPE_CHECKING:
    from types import ModuleType

_SMALL: Final = 8
_LARGE: Final = 16
_REDUCED_PX: Final = 4 * _LARGE  # see imagehash: hash_size times highfreq_factor
_REDUCING_GAP: Final = 3.0  # values are stored: changing it changes the signal


def phashes(luma: Image.Image) -> tuple[bytes, bytes]:
    """The 64-bit and the 256-bit pHash.

    Args:
        luma: a picture in mode ``L``.

    Returns:
        8 and 32 bytes: those of imagehash's hex string, left to right.
    """
    library = _imagehash()
    reduced = luma.resize((_REDUCED_PX, _REDUCED_PX), Image.Resampling.LANCZOS, reducing_gap=_REDUCING_GAP)
    small = str(library.phash(reduced, hash_size=_SMALL))
    large = str(library.phash(reduced, hash_size=_LARGE))
    return bytes.fromhex(small), bytes.fromhex(large)


def _imagehash() -> ModuleType:
    import imagehash  # noqa: PLC0415  # it brings SciPy along, half a second that `hashpact --help` should not pay

    return imagehash
