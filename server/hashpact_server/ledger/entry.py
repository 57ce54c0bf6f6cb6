"""The byte layout of a ledger entry: what is hashed, signed, replicated and kept for ever.

An entry is a *public part*, stored verbatim and hashed as stored, and a *private part*, to which the public part
commits. Redaction deletes the private part; the tree over the public parts still verifies.

Public part, format 1 (``docs/formats.md``, "Entry")::

    format      u8        1
    sequence    u64       number of the entry, 0 for the first
    time_ms     u64       Unix time; never smaller than that of the entry before
    kind        u16       what happened
    member      16 bytes  pseudonym of the acting member; zero bytes for the service itself
    subject     u64       sequence of the entry that created what this one is about; its own when it creates
    classes     u8 count, then per label class: u8 length, ASCII; sorted, without duplicates
    commitment  32 bytes  SHA-256(domain || format || salt || payload)
    clear       u32 length, bytes: what the kind states in clear

Private part: ``salt (32 bytes) || payload``.
"""

from __future__ import annotations

import hashlib
import struct
from enum import IntEnum
from typing import Final, NamedTuple

from hashpact_server.ledger.codec import LayoutError, u8, u32

FORMAT: Final = 1
SALT_BYTES: Final = 32
PSEUDONYM_BYTES: Final = 16
CLEAR_BYTES_MAX: Final = 1 << 20
CLASSES_MAX: Final = 255

SERVICE: Final = bytes(PSEUDONYM_BYTES)
"""The pseudonym under which the service itself acts."""

COMMITMENT_DOMAIN: Final = b"hashpact/entry-private\x00"
LEAF_PREFIX: Final = b"\x00"

_HEAD: Final = struct.Struct(f">BQQH{PSEUDONYM_BYTES}sQB")
_FORMAT: Final = bytes((FORMAT,))
_LENGTH: Final = struct.Struct(">I")
_KIND: Final = slice(17, 19)
"""Everything up to the number of label classes."""
_COMMITTED: Final = COMMITMENT_DOMAIN + u8(FORMAT)


class Kind(IntEnum):
    """What an entry records. Numbers are never reused; an unknown one stops whoever applies it."""

    GENESIS = 1
    EPOCH_STARTED = 2
    REDACTED = 3
    MEMBER_CREATED = 8
    MEMBER_STANDING_SET = 9
    TOKEN_ISSUED = 10
    TOKEN_REVOKED = 11
    MEMBER_AMENDED = 12
    MEMBER_LEFT = 13
    MEMBER_POLICY_SET = 14
    ITEM_CREATED = 16
    ITEM_CORROBORATED = 17
    CONTRIBUTION_AMENDED = 18
    CONTRIBUTION_WITHDRAWN = 19
    ITEM_WITHDRAWN = 20
    OPINION_GIVEN = 21
    OPINION_REVOKED = 22
    ITEM_LIMITED = 23
    ITEM_LIMIT_LIFTED = 24
    DISPUTE_OPENED = 25
    DISPUTE_VOTED = 26
    DISPUTE_LAPSED = 27
    CHALLENGE_LODGED = 28
    CHALLENGE_ANSWERED = 29
    CHALLENGE_LAPSED = 30
    ITEM_EXPIRED = 31
    SIGNALS_DETACHED = 32
    ITEM_MERGED = 33
    CONTRIBUTION_PENDING = 34
    CONTRIBUTION_DECIDED = 35
    MOTION_PROPOSED = 40
    MOTION_SECONDED = 41
    MOTION_CLOSED = 42
    RULEBOOK_ADOPTED = 43
    RULEBOOK_IN_FORCE = 44
    ROLLBACK_ORDERED = 45
    ROLLED_BACK = 46
    ROLLBACK_FINISHED = 47
    BENIGN_LISTED = 48
    BENIGN_UNLISTED = 49
    ALERT_RAISED = 50
    ALERT_ACKNOWLEDGED = 51
    INCIDENT_OPENED = 56
    INCIDENT_PROLONGED = 57
    INCIDENT_CLOSED = 58
    INCIDENT_ACKNOWLEDGED = 59
    DRILL_CONTRIBUTED = 60


class Draft(NamedTuple):
    """What a rule wants recorded; sequence, time and salt are added when it is appended. A tuple: millions are made.

    Attributes:
        kind: what happened.
        member: pseudonym of the acting member.
        subject: sequence that created what this is about; None when this entry creates it.
        classes: label classes, public.
        clear: what the kind states in clear.
        payload: what only members may see.
    """

    kind: Kind
    member: bytes = SERVICE
    subject: int | None = None
    classes: tuple[str, ...] = ()
    clear: bytes = b""
    payload: bytes = b""

    def __repr__(self) -> str:
        return f"Draft(kind={self.kind}, subject={self.subject}, classes={self.classes})"


class Entry(NamedTuple):
    """One line of the ledger, as read back. A tuple: millions are made.

    Attributes:
        public: the public part, verbatim.
        private: salt and payload; None after redaction.
    """

    sequence: int
    time_ms: int
    kind: int
    member: bytes
    subject: int
    classes: tuple[str, ...]
    commitment: bytes
    clear: bytes
    public: bytes
    private: bytes | None

    def __repr__(self) -> str:
        return f"Entry(sequence={self.sequence}, kind={self.kind}, subject={self.subject}, redacted={self.redacted})"

    @property
    def payload(self) -> bytes | None:
        """The private payload without its salt; None after redaction."""
        return None if self.private is None else self.private[SALT_BYTES:]

    @property
    def redacted(self) -> bool:
        """Whether the private part is gone."""
        return self.private is None


def commitment(salt: bytes, payload: bytes) -> bytes:
    """SHA-256 over domain, format, salt (32 bytes) and payload: binding and, thanks to the salt, hiding."""
    return hashlib.sha256(_COMMITTED + salt + payload).digest()


def leaf_hash(public: bytes) -> bytes:
    """RFC 6962, section 2.1: the Merkle leaf hash of a public part."""
    return hashlib.sha256(LEAF_PREFIX + public).digest()


def seal(draft: Draft, *, sequence: int, time_ms: int, salt: bytes) -> Entry:
    """Turn a draft into the entry with this number.

    Raises:
        LayoutError: the draft does not fit the layout (a bug of the rule that made it).
    """
    if len(salt) != SALT_BYTES or len(draft.member) != PSEUDONYM_BYTES:
        raise LayoutError("salt has 32 bytes and a pseudonym 16")
    if len(draft.clear) > CLEAR_BYTES_MAX or len(draft.classes) > CLASSES_MAX:
        raise LayoutError("clear part or label classes over their bound")
    if not all(name.isascii() for name in draft.classes):
        raise LayoutError("a label class is not ASCII")
    subject = sequence if draft.subject is None else draft.subject
    classes = tuple(sorted(set(draft.classes)))
    seal_of = commitment(salt, draft.payload)
    encoded = [name.encode("ascii") for name in classes]
    try:
        head = _HEAD.pack(FORMAT, sequence, time_ms, draft.kind, draft.member, subject, len(encoded))
    except struct.error as error:
        raise LayoutError("a number of the entry does not fit its field") from error
    named = [u8(len(name)) + name for name in encoded]
    public = b"".join((head, *named, seal_of, u32(len(draft.clear)), draft.clear))
    private = salt + draft.payload
    return Entry(sequence, time_ms, draft.kind, draft.member, subject, classes, seal_of, draft.clear, public, private)


def parse(public: bytes, private: bytes | None) -> Entry:
    """Read an entry back. The private part is not checked here; see :func:`check_private`.

    Raises:
        LayoutError: damaged, or of a format that this version does not know.
    """
    if public[:1] != _FORMAT:
        raise LayoutError(f"entry format {public[:1].hex() or 'of no bytes'} is not known to this version: upgrade")
    # Written out, because every entry passes here; slices past the end are short without complaint.
    try:
        _, sequence, time_ms, kind, member, subject, count = _HEAD.unpack_from(public)
        names, at = [], _HEAD.size
        for _ in range(count):
            end = at + 1 + public[at]
            names.append(public[at + 1 : end].decode("ascii"))
            at = end
        (length,) = _LENGTH.unpack_from(public, at + 32)
    except UnicodeDecodeError as error:
        raise LayoutError("a label class is not ASCII") from error
    except (struct.error, IndexError) as error:
        raise LayoutError(f"an entry of {len(public)} bytes ends early") from error
    clear = public[at + 32 + _LENGTH.size :]
    if len(clear) != length:
        raise LayoutError(f"the clear part of an entry has {len(clear)} bytes and should have {length}")
    if count > 1 and names != sorted(set(names)):
        raise LayoutError("label classes are not sorted and unique")
    seal_of = public[at : at + 32]
    return Entry(sequence, time_ms, kind, member, subject, tuple(names), seal_of, clear, public, private)


def kind_of(public: bytes) -> int:
    """The kind of an entry, without reading the rest of it: for walking through many."""
    return int.from_bytes(public[_KIND], "big")


def check_private(entry: Entry) -> bool:
    """Whether the private part, where it is still there, is the one that the public part commits to."""
    if entry.private is None:
        return True
    if len(entry.private) < SALT_BYTES:
        return False
    return commitment(entry.private[:SALT_BYTES], entry.private[SALT_BYTES:]) == entry.commitment
