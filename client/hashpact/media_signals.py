"""What hashing media gives, of whatever kind. Pure Python, as :mod:`hashpact.signals` is.

Each says its ``kind``, what is contributed of it (``listed()``) and what is looked up (``probed()``), so that nobody
else needs to ask which of them it has.
"""

from __future__ import annotations

from typing import TypeAlias

from hashpact.document_signals import DocumentSignals, TextSignals, UrlSignals
from hashpact.signals import ImageSignals
from hashpact.video_signals import VideoSignals

FileSignals: TypeAlias = ImageSignals | VideoSignals | DocumentSignals | TextSignals
"""What hashing a file gives."""

MediaSignals: TypeAlias = FileSignals | UrlSignals
"""The same, or what hashing a web address gives."""
