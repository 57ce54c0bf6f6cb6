"""pHash, 64 and 256 bits, computed by the imagehash library on the picture that PDQ used.

imagehash shrinks a picture to 32 x 32 (64 bits) and to 64 x 64 (256 bits) with Lanczos. Shrinking a
megapixel twice costs more than the rest of the work, so the picture is brought to 64 x 64 once, with the
same filter: the 256-bit value is exactly imagehash's, the 64-bit one differs by a bit now and then
(``docs/hashing.md`` has the measured distances).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from PIL import Image

if TYPE_CHECKING:
    from types import ModuleType

_SMALL: Final = 8
_LARGE: Final = 16
_REDUCED_PX: Final = 4 * _LARGE  # see imagehash: hash_size times highfreq_factor


def phashes(luma: Image.Image) -> tuple[bytes, bytes]:
    """The 64-bit and the 256-bit pHash.

    Args:
        luma: a picture in mode ``L``.

    Returns:
        8 and 32 bytes: those of imagehash's hex string, left to right.
    """
    library = _imagehash()
    reduced = luma.resize((_REDUCED_PX, _REDUCED_PX), Image.Resampling.LANCZOS)
    small = str(library.phash(reduced, hash_size=_SMALL))
    large = str(library.phash(reduced, hash_size=_LARGE))
    return bytes.fromhex(small), bytes.fromhex(large)


def _imagehash() -> ModuleType:
    # Imported on first use: it brings SciPy along, half a second that `hashpact --help` should not pay.
    import imagehash  # noqa: PLC0415

    return imagehash
