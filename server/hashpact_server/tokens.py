"""Tokens: positions in history (``as_of``) and the secrets by which members are known.

An ``as_of`` token is opaque to clients: URL-safe base64 without padding of
``version u8 (1) || ledger id (16) || epoch u32 || sequence u64 || check (4)``, where check is the start of
SHA-256(domain || all before). The check catches typing errors, not forgery: a token grants nothing.

A member token is ``hpt_`` and 43 characters of URL-safe base64 (32 random bytes). The server keeps
SHA-256(domain || token); a random secret of 256 bits needs no slow hash (``docs/formats.md``, "Tokens").
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from dataclasses import dataclass
from typing import Final

from hashpact_server.ledger.codec import Reader, u8, u32, u64

AS_OF_DOMAIN: Final = b"hashpact/as-of\x00"
MEMBER_TOKEN_DOMAIN: Final = b"hashpact/member-token\x00"
MEMBER_TOKEN_PREFIX: Final = "hpt_"  # noqa: S105 - a prefix for secret scanners, not a secret

_VERSION: Final = 1
_AS_OF: Final = re.compile(r"[A-Za-z0-9_-]{44}")
_MEMBER_TOKEN: Final = re.compile(r"hpt_[A-Za-z0-9_-]{43}")


class TokenMalformedError(ValueError):
    """The text is no ``as_of`` token."""


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a list's history.

    Attributes:
        ledger_id: 16 bytes, the list's identity.
        epoch: which part of its history; a restore or a promotion starts the next.
        sequence: number of the last entry that is reflected.
    """

    ledger_id: bytes
    epoch: int
    sequence: int

    def encode(self) -> str:
        """The token."""
        body = u8(_VERSION) + self.ledger_id + u32(self.epoch) + u64(self.sequence)
        check = hashlib.sha256(AS_OF_DOMAIN + body).digest()[:4]
        return base64.urlsafe_b64encode(body + check).rstrip(b"=").decode()

    @classmethod
    def decode(cls, token: str) -> Position:
        """Read a token.

        Raises:
            TokenMalformedError: it is none.
        """
        if not _AS_OF.fullmatch(token):
            raise TokenMalformedError("a token is 44 characters of URL-safe base64")
        raw = base64.urlsafe_b64decode(token)
        if raw[0] != _VERSION:
            raise TokenMalformedError("not a token of this version")
        if hashlib.sha256(AS_OF_DOMAIN + raw[:-4]).digest()[:4] != raw[-4:]:
            raise TokenMalformedError("a character is wrong")
        reader = Reader(raw[1:-4])
        return cls(reader.take(16), reader.u32(), reader.u64())


def new_member_token() -> str:
    """A fresh secret for a member."""
    return MEMBER_TOKEN_PREFIX + base64.urlsafe_b64encode(secrets.token_bytes(32)).rstrip(b"=").decode()


def is_member_token(token: str) -> bool:
    """Whether the text has the shape of a member token."""
    return _MEMBER_TOKEN.fullmatch(token) is not None


def member_token_hash(token: str) -> bytes:
    """What is stored of a member token: 32 bytes."""
    return hashlib.sha256(MEMBER_TOKEN_DOMAIN + token.encode()).digest()
