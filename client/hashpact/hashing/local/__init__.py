"""A picture -> its details: the local signature that is listed, the points of a probe, what a candidate is measured by.

::

    upright luma --canvas--> LocalCanvas --+--local_signature--> 3,968 bytes, contributed
                                           +--probe_points-----> Probe.points
                                           '--measure (at a candidate's places)--> Measurement.measured

What each is made of, and how it is compared: ``docs/signatures.md``. Safe to call from several threads.
"""

from hashpact.hashing.local.canvas import LocalCanvas, canvas
from hashpact.hashing.local.extract import local_signature, probe_points
from hashpact.hashing.local.measure import LocalCandidate, measure

__all__ = ["LocalCandidate", "LocalCanvas", "canvas", "local_signature", "measure", "probe_points"]
