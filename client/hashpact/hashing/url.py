"""A URL -> the SHA-256 of its one form: what :func:`hashpact.hash_url` does.

Taken out is what does not change what a visitor sees: the differences that RFC 3986, section 6, calls equivalent, and
what uploaders and their programs do to addresses: tracking parameters, ``hxxp`` and ``[.]`` against previews, ``http``
instead of ``https``.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

from hashpact.document_signals import Url, UrlSignals
from hashpact.errors import UnreadableMediaError
from hashpact.signals import Signal

URL_CHARACTERS_MAX: Final = 8_192

_SCHEME: Final = re.compile(r"(https?|hxxps?|ftp)://", re.IGNORECASE)
_DEFAULT_PORTS: Final = {"https": (80, 443), "ftp": (21,)}
_DOT: Final = re.compile(r"\[\.\]|\(\.\)|\[dot\]|[\u3002\uff0e\uff61]", re.IGNORECASE)
_ESCAPE: Final = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_KEPT: Final = _UNRESERVED | frozenset(b"!$&'()*+,;=:@/?%[]")
_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?")
_TRACKING: Final = frozenset(
    (
        *("fbclid", "gclid", "dclid", "gbraid", "wbraid", "msclkid", "twclid", "ttclid", "yclid", "igsh", "igshid"),
        *("li_fat_id", "mc_cid", "mc_eid", "_ga", "_gl", "_hsenc", "_hsmi", "mkt_tok", "ref_src", "ref_url"),
        *("vero_id", "oly_anon_id", "oly_enc_id"),
    )
)
_TRACKING_PREFIX: Final = "utm_"
# What the share button of a platform adds; elsewhere these names may mean something.
_SHARED_FROM: Final = {
    "youtu.be": frozenset({"si", "feature"}),
    "youtube.com": frozenset({"si", "feature"}),
    "open.spotify.com": frozenset({"si"}),
    "x.com": frozenset({"s", "t"}),
    "twitter.com": frozenset({"s", "t"}),
}


def hash_url(url: str) -> Signal:
    """SHA-256 of the one form of a URL.

    Raises:
        UnreadableMediaError: it is no web address.
    """
    return Signal("url_sha256", hashlib.sha256(normal_url(url).encode("ascii")).digest())


def hash_address(url: Url) -> UrlSignals:
    """The signals of a web address.

    Raises:
        UnreadableMediaError: it is none.
    """
    return UrlSignals(hash_url(url.address))


def normal_url(url: str) -> str:
    """The one form that all spellings of a web address have: ASCII, beginning with ``https://`` (or ``ftp://``).

    Raises:
        UnreadableMediaError: it is no web address.
    """
    text = "".join(character for character in url.strip() if character.isprintable())
    if not text or len(text) > URL_CHARACTERS_MAX:
        raise UnreadableMediaError(f"url: a web address has 1 to {URL_CHARACTERS_MAX:,} characters")
    scheme = _SCHEME.match(text)
    word = scheme[1].lower() if scheme else "https"
    rest = _DOT.sub(".", text[scheme.end() if scheme else 0 :])
    try:
        parts = urlsplit(f"//{rest}")
        host, port = _host(parts), parts.port
        if scheme is None and parts.username is not None:  # mailto:, or a mail address
            raise ValueError("not a host")
    except (ValueError, UnicodeError) as error:
        raise UnreadableMediaError("url: not a web address: give it as https://example.org/page") from error
    kind = "ftp" if word == "ftp" else "https"
    place = host if port is None or port in _DEFAULT_PORTS[kind] else f"{host}:{port}"
    query = _query(parts.query, host)
    return f"{kind}://{place}{_path(parts.path)}{'?' if query else ''}{query}"


def _host(parts: SplitResult) -> str:
    """The host in lower case and ASCII (IDNA 2003), without the dot at its end."""
    name = (parts.hostname or "").rstrip(".")
    if ":" in name:
        return f"[{ipaddress.IPv6Address(name).compressed}]"
    ascii_name = name.encode("idna").decode("ascii").lower()
    if "." not in ascii_name or len(ascii_name) > 253 or not all(map(_LABEL.fullmatch, ascii_name.split("."))):
        raise ValueError("not a host on the internet")
    return ascii_name


def _path(path: str) -> str:
    """Without dot segments (RFC 3986, 5.2.4), with escapes only where they are needed."""
    kept: list[str] = []
    segments = _escaped(path).split("/")[1:] or [""]
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in {".", ".."}:
        kept.append("")
    return "/" + "/".join(kept)


def _query(query: str, host: str) -> str:
    """Without tracking parameters, in one order."""
    noise = _TRACKING | _SHARED_FROM.get(host.removeprefix("www."), frozenset())
    kept = []
    for pair in query.split("&"):
        name = pair.partition("=")[0].lower()
        if pair and name not in noise and not name.startswith(_TRACKING_PREFIX):
            kept.append(_escaped(pair))
    return "&".join(sorted(kept))


def _escaped(text: str) -> str:
    """Percent-encoding in one form: capitals, and only where a character needs it (RFC 3986, 6.2.2)."""

    def plain(found: re.Match[str]) -> str:
        byte = int(found[1], 16)
        return chr(byte) if byte in _UNRESERVED else f"%{byte:02X}"

    decoded = _ESCAPE.sub(plain, re.sub(r"%(?![0-9A-Fa-f]{2})", "%25", text))
    return "".join(chr(byte) if byte in _KEPT else f"%{byte:02X}" for byte in decoded.encode("utf-8", "surrogatepass"))
