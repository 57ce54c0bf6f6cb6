"""Signatures of webhooks, after the Standard Webhooks specification, 1.0.0.

Signed is ``ID.TIMESTAMP.BODY`` with HMAC-SHA-256; the header names every signature, one per secret, so that a secret
can be changed without losing an event: give the new one beside the old one, change the receiver, drop the old one.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from typing import Final

from hashpact.errors import ConfigError

PREFIX: Final = "whsec_"
KEY_BYTES_MIN: Final = 24
KEY_BYTES_MAX: Final = 64
SECRETS_MAX: Final = 4


def new_secret() -> str:
    """A random secret, as it is given to both sides."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode("ascii")


class Signer:
    """Signs with every secret that is in force.

    Args:
        texts: secrets, ``whsec_`` and 24 to 64 bytes in base64; one to four.

    Raises:
        ConfigError: none, too many, or one of another shape. It is not repeated.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        if not 1 <= len(texts) <= SECRETS_MAX:
            raise ConfigError(f"a webhook has 1 to {SECRETS_MAX} secrets, not {len(texts)}")
        self._keys = tuple(_key(number, text) for number, text in enumerate(texts, 1))

    def headers(self, letter_id: str, now_s: int, body: bytes) -> dict[str, str]:
        """The headers of one attempt."""
        signed = f"{letter_id}.{now_s}.".encode("ascii") + body
        signatures = (
            base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode("ascii") for key in self._keys
        )
        return {
            "webhook-id": letter_id,
            "webhook-timestamp": str(now_s),
            "webhook-signature": " ".join(f"v1,{each}" for each in signatures),
        }

    def __repr__(self) -> str:
        return f"Signer(<{len(self._keys)} secrets>)"


def _key(number: int, text: str) -> bytes:
    wrong = (
        f"webhook secret {number} is not {PREFIX} and {KEY_BYTES_MIN} to {KEY_BYTES_MAX} random bytes in base64: "
        f'make one with: echo "{PREFIX}$(openssl rand -base64 32)"'
    )
    if not text.startswith(PREFIX):
        raise ConfigError(wrong)
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ConfigError(wrong) from None  # its message might quote what it read
    if not KEY_BYTES_MIN <= len(key) <= KEY_BYTES_MAX:
        raise ConfigError(wrong)
    return key
