"""What operators see of the memory of uploads: numbers, never a reference or a value."""

from __future__ import annotations

from collections.abc import Iterator

from hashpact_server.metrics import Reading
from hashpact_server.uploads.memory import UploadMemory


def readings(memory: UploadMemory) -> Iterator[Reading]:
    """Its metrics as of now."""
    counts, figures = memory.counts(), memory.figures
    yield Reading("hashpact_uploads", "Uploads that are remembered.", counts["uploads"])
    yield Reading("hashpact_actions", "Records of actions.", counts["journal"])
    yield Reading("hashpact_retro_waiting", "Retroactive matches not acknowledged.", counts["retro"])
    yield Reading("hashpact_corrections_waiting", "Corrections not acknowledged.", counts["corrections"])
    yield Reading("hashpact_retro_matches", "Retroactive matches found.", figures.retro_matches, counter=True)
    yield Reading("hashpact_corrections", "Corrections noted.", figures.corrections, counter=True)
    gone = "forgotten before their time: there were too many."
    yield Reading("hashpact_uploads_early", f"Uploads {gone}", figures.early.uploads, counter=True)
    yield Reading("hashpact_actions_early", f"Actions {gone}", figures.early.actions, counter=True)
    yield Reading("hashpact_retro_lag_entries", "Entries not held against uploads yet.", memory.lag_entries)
    yield Reading("hashpact_uploads_bytes", "Size of the file of uploads.", memory.database.used_bytes())
