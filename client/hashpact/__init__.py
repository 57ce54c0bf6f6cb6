"""Hashpact: find known terrorist media without passing media around.

::

    from hashpact import Client

    with Client("list.example.org:7443", token=..., ca="ca.pem") as client:
        print(client.check("upload.jpg").verdict)          # none, near or match

Everything public is named in ``__all__`` and loaded when it is first used, so that ``import hashpact`` costs next to
nothing and works without the extras.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hashpact import errors
    from hashpact._media import Contribution
    from hashpact.aio import AsyncClient
    from hashpact.client import Client
    from hashpact.document_signals import DocumentPage, DocumentSignals, TextSignals, Url, UrlSignals
    from hashpact.hashing import hash_image
    from hashpact.hashing.document import hash_document
    from hashpact.hashing.media import hash_media
    from hashpact.hashing.text import hash_text
    from hashpact.hashing.url import hash_address, hash_url
    from hashpact.hashing.video import hash_video
    from hashpact.media_signals import MediaSignals
    from hashpact.probes import Probe
    from hashpact.results import CheckResult, FailedCheck, LookupResult, Match
    from hashpact.signals import ImageSignals, Signal
    from hashpact.video_signals import VideoFrame, VideoSignals

_HOME = {
    "AsyncClient": "hashpact.aio",
    "CheckResult": "hashpact.results",
    "Client": "hashpact.client",
    "Contribution": "hashpact._media",
    "DocumentPage": "hashpact.document_signals",
    "DocumentSignals": "hashpact.document_signals",
    "FailedCheck": "hashpact.results",
    "ImageSignals": "hashpact.signals",
    "LookupResult": "hashpact.results",
    "Match": "hashpact.results",
    "MediaSignals": "hashpact.media_signals",
    "Probe": "hashpact.probes",
    "Signal": "hashpact.signals",
    "TextSignals": "hashpact.document_signals",
    "Url": "hashpact.document_signals",
    "UrlSignals": "hashpact.document_signals",
    "VideoFrame": "hashpact.video_signals",
    "VideoSignals": "hashpact.video_signals",
    "errors": "hashpact.errors",
    "hash_address": "hashpact.hashing.url",
    "hash_document": "hashpact.hashing.document",
    "hash_image": "hashpact.hashing",
    "hash_media": "hashpact.hashing.media",
    "hash_text": "hashpact.hashing.text",
    "hash_url": "hashpact.hashing.url",
    "hash_video": "hashpact.hashing.video",
}

__all__ = [
    "AsyncClient",
    "CheckResult",
    "Client",
    "Contribution",
    "DocumentPage",
    "DocumentSignals",
    "FailedCheck",
    "ImageSignals",
    "LookupResult",
    "Match",
    "MediaSignals",
    "Probe",
    "Signal",
    "TextSignals",
    "Url",
    "UrlSignals",
    "VideoFrame",
    "VideoSignals",
    "errors",
    "hash_address",
    "hash_document",
    "hash_image",
    "hash_media",
    "hash_text",
    "hash_url",
    "hash_video",
]


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'hashpact' has no attribute {name!r}")
    try:
        module = import_module(home)
    except ModuleNotFoundError as error:
        if not home.startswith("hashpact.hashing") or (error.name or "").partition(".")[0] == "hashpact":
            raise
        from hashpact.errors import MissingExtraError  # noqa: PLC0415  # only needed here

        raise MissingExtraError(
            f"hashing needs the media extra ({error.name} is not installed): pip install 'hashpact[media]'"
        ) from error
    value = module if home == f"hashpact.{name}" else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
