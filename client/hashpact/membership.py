"""What the service answers about members, and about itself: small frozen objects, as in :mod:`hashpact.results`."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from hashpact.items import iso


@dataclass(frozen=True, slots=True)
class MemberToken:
    """What is known of a member's token, without the secret.

    Attributes:
        token_id: its id, by which it is revoked.
        create_time: when it was issued, in UTC.
        expire_time: when it stops working, in UTC; None when it does not expire.
        roles: the rights that it carries, sorted.
        issued_by: name of the member that issued it: itself, or a steward; "" for the data directory's operator.
    """

    token_id: int
    create_time: datetime | None
    expire_time: datetime | None
    roles: tuple[str, ...] = ()
    issued_by: str = ""

    def to_dict(self) -> dict[str, Any]:
        """As in the command line's ``--json``."""
        return {
            "token_id": self.token_id,
            "create_time": iso(self.create_time),
            "expire_time": iso(self.expire_time),
            "roles": list(self.roles),
            "issued_by": self.issued_by,
        }


@dataclass(frozen=True, slots=True)
class Member:
    """One member.

    Attributes:
        name: its unique name.
        roles: its rights, sorted.
        group: the corporate group it belongs to; members of one group count once towards corroboration.
        suspended: True while it may not take part.
        create_time: when it was admitted, in UTC.
        tokens: its tokens that were not revoked.
        tier: ``trial``, ``full`` or ``left``.
        four_eyes: whether its contributions wait for a colleague, whatever the forum's policy says.
        next_review_time: when its record is to be looked at again, in UTC; None when not said.
        agreement: version of the agreement that it signed.
        contact_day: how a person there is reached by day; told to stewards and the member itself.
        contact_night: the same by night.
        leave_time: when it left, in UTC; None while it takes part.
        copies_deleted_time: by when it attested that its copies are deleted, in UTC.
        contributions_withdrawn: whether its contributions were withdrawn when it left.
    """

    name: str
    roles: tuple[str, ...]
    group: str
    suspended: bool
    create_time: datetime | None
    tokens: tuple[MemberToken, ...]
    tier: str = ""
    four_eyes: bool = False
    next_review_time: datetime | None = None
    agreement: str = ""
    contact_day: str = field(default="", repr=False)
    contact_night: str = field(default="", repr=False)
    leave_time: datetime | None = None
    copies_deleted_time: datetime | None = None
    contributions_withdrawn: bool = False

    def to_dict(self) -> dict[str, Any]:
        """As in the command line's ``--json``."""
        return {
            "name": self.name,
            "roles": list(self.roles),
            "group": self.group,
            "suspended": self.suspended,
            "create_time": iso(self.create_time),
            "tokens": [token.to_dict() for token in self.tokens],
            "tier": self.tier,
            "four_eyes": self.four_eyes,
            "next_review_time": iso(self.next_review_time),
            "agreement": self.agreement,
            "contact_day": self.contact_day,
            "contact_night": self.contact_night,
            "leave_time": iso(self.leave_time),
            "copies_deleted_time": iso(self.copies_deleted_time),
            "contributions_withdrawn": self.contributions_withdrawn,
        }


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A new token. The service shows the secret once and keeps only its hash.

    Attributes:
        token: the secret; not in the repr.
        info: what is known of it.
    """

    token: str = field(repr=False)
    info: MemberToken


@dataclass(frozen=True, slots=True)
class SignalTypeInfo:
    """One signal type, as the server treats it.

    Attributes:
        name: its word.
        size_bytes: length of a value.
        exact: True for digests, False for perceptual hashes.
        radius_default: distance up to which two values match unless the caller asks otherwise; in bits, save for
            types with a ``comparison`` of their own.
        radius_max: largest radius that a caller may ask for.
        identifies: whether an equal value means "the same item" when something is contributed.
        quality_min: smallest quality (0 to 100) accepted for contribution.
        comparison: ``equality``, ``hamming``, ``distance`` (of the type's own) or ``points``; "" from an old server.
        witness: what it is evidence of; two types of one witness count once.
    """

    name: str
    size_bytes: int
    exact: bool
    radius_default: int
    radius_max: int
    identifies: bool
    quality_min: int
    comparison: str = ""
    witness: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits that the server keeps; each has its unit in its name. ``CapabilitiesService`` describes them."""

    message_bytes_max: int
    lookup_probes_max: int
    lookup_values_max: int
    probe_values_max: int
    matches_default: int
    matches_max: int
    contributions_max: int
    contribution_signals_max: int
    labels_max: int
    near_duplicates_max: int
    page_size_max: int
    deadline_s_max: int
    requests_max: int
    member_requests_max: int
    streams_max: int
    member_tokens_max: int
    request_id_ttl_s: int
    store_bytes_max: int
    reports_max: int


@dataclass(frozen=True, slots=True)
class ReplicaStatus:
    """How far a replica is behind.

    Attributes:
        connected: whether the server that it follows is sending.
        upstream_sequence: newest entry there, as far as the replica heard.
        lag_entries: entries that are there, as far as the replica heard, and not here.
        lag_s: how old the list is, at most, in seconds.
    """

    connected: bool
    upstream_sequence: int
    lag_entries: int
    lag_s: float


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the server can do, and who is asking.

    Attributes:
        server_version: version of its software.
        ledger_id: identity of the list's history, hex.
        signal_types: those that can be contributed and looked up.
        limits: limits in force.
        caller: name of the calling member.
        caller_roles: its rights.
        as_of: position in the list's history; opaque.
        replica: how far the server is behind; None where it writes the list itself.
        server_time: the server's clock; None from a server that does not tell.
    """

    server_version: str
    ledger_id: str
    signal_types: tuple[SignalTypeInfo, ...]
    limits: Limits
    caller: str
    caller_roles: tuple[str, ...]
    as_of: str = field(default="", repr=False)
    replica: ReplicaStatus | None = None
    server_time: datetime | None = None

    def to_dict(self) -> dict[str, Any]:
        """As in the command line's ``--json``."""
        return {
            **asdict(self),
            "signal_types": [asdict(kind) for kind in self.signal_types],
            "server_time": None if self.server_time is None else self.server_time.isoformat(),
        }
