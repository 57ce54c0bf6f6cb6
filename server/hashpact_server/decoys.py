"""Decoys: made-up digests by which a leaked copy of the list tells to whom it was handed out.

::

    a = first 16 bytes of HMAC-SHA256(secret, "decoy" || member || item)
    b = first 16 bytes of HMAC-SHA256(secret, "whose" || a)
    decoy = a || (b xor member)

To whoever lacks the secret, both halves are random, as a SHA-256 is. Whoever has it reads the member out of the digest,
without asking for every item and every member.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path
from typing import Final

from hashpact_server.trouble import Trouble

SECRET_BYTES: Final = 32
ITEMS_PER_DECOY: Final = 64
"""One item in so many carries a decoy: a few thousand digests of a leaked list are enough to tell."""

DIGEST_BYTES: Final = 32
_HALF: Final = 16


class Decoys:
    """Decoys under one secret.

    Args:
        secret: 32 random bytes.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    @classmethod
    def open(cls, path: Path) -> Decoys:
        """With the secret of a data directory, which is made when there is none.

        Raises:
            Trouble: the file cannot be read or made, or is none of ours.
        """
        try:
            if not path.exists():
                made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(made, "wb") as file:
                    file.write(secrets.token_bytes(SECRET_BYTES))
                    file.flush()
                    os.fsync(file.fileno())
            secret = path.read_bytes()
        except OSError as error:
            raise Trouble(f"cannot read or make {path}: {error.strerror}") from error
        if len(secret) != SECRET_BYTES:
            raise Trouble(
                f"{path} does not hold {SECRET_BYTES} bytes: restore it, or delete it to begin with new decoys"
            )
        return cls(secret)

    def decoy(self, member: bytes, item: int) -> bytes | None:
        """The decoy that an item carries when this member is shown its values; None: it carries none."""
        start = self._hash(b"decoy", member + item.to_bytes(8, "big"))
        if start[-1] % ITEMS_PER_DECOY:
            return None
        first = start[:_HALF]
        return first + self._veiled(first, member)

    def whose(self, digest: bytes) -> bytes:
        """The pseudonym in a digest (32 bytes); random bytes, and nobody's pseudonym, when it is no decoy."""
        return self._veiled(digest[:_HALF], digest[_HALF:])

    def _veiled(self, first: bytes, member: bytes) -> bytes:
        veil = self._hash(b"whose", first)
        return bytes(a ^ b for a, b in zip(veil, member, strict=False))

    def _hash(self, purpose: bytes, message: bytes) -> bytes:
        return hmac.new(self._secret, purpose + message, hashlib.sha256).digest()
