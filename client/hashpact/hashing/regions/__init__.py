"""The pictures inside a picture: without its frame, cut out of a screenshot, turned upright again.

::

    luma --<= 2048 px--> sheet --<= 512 px--> sketch --frame, cuts, tilt--> boxes --out of the sheet--> up to 3 regions

Hash values see the whole picture at once, so a border of three per cent hides it from them. What is found here is
hashed beside the whole. Public: :func:`find_regions`, :func:`unframed`, :func:`is_detailed`.
"""

from hashpact.hashing.regions.detail import is_detailed
from hashpact.hashing.regions.finding import REGIONS_MAX, find_regions, unframed

__all__ = ["REGIONS_MAX", "find_regions", "is_detailed", "unframed"]
