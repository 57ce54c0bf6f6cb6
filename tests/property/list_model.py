"""What a list must be, in plain dictionaries: the twin that the engine is held against.

The model knows nothing of rows, entries' bytes or indexes. It takes *operations* with numbers in place of choices
("withdraw the n-th live item"), turns each into the draft that the engine shall record, and keeps what must be true.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hashpact.signals import SIGNAL_TYPES_BY_CODE
from hashpact_server.ledger.entry import Draft, Kind
from hashpact_server.ledger.payloads import ListedSignal
from hashpact_server.state.rows import Status

from tests import listing
from tests.listing import MD5, PDQ, PDQ_FRAME, PHASH, PHASH256, SHA256

OPERATIONS = (
    "create",
    "corroborate",
    "amend",
    "withdraw",
    "withdraw_item",
    "admit",
    "suspend",
    "resume",
    "issue",
    "revoke",
    "redact",
    "redact",
    "epoch",
)
Operation = tuple[str, int, int, int]
"""Name, and three numbers that choose among what there is."""

LIVE = (Status.PROVISIONAL, Status.CORROBORATED, Status.DISPUTED, Status.INHERITED)
BEGINNING = (Status.PROVISIONAL, Status.INHERITED)
"""Where a new item may stand: see ``state/transitions.py``."""

POOL = 5
NAMES = ("alpha", "beta", "gamma")


def pool_digests() -> list[tuple[int, bytes]]:
    """Every digest that a run can list: few, so that they come back."""
    return [(code, listing.digest(code, number)) for code in (SHA256, MD5) for number in range(POOL)]


def pool_values() -> list[tuple[int, bytes]]:
    """Every perceptual value that a run can list; some lie close together."""
    found = []
    for code in (PDQ, PHASH, PHASH256, PDQ_FRAME):
        for number in range(3):
            found += [(code, listing.value(code, number, range(bits))) for bits in (0, 3)]
    return found


@dataclass
class Item:
    """An item: where it stands, its live signals per entry, and each member's standing word."""

    status: Status
    redacted: bool = False
    contributions: dict[bytes, tuple[int, tuple[str, ...]]] = field(default_factory=dict)
    entries: list[int] = field(default_factory=list)


@dataclass
class Model:
    """The list as it must be after the entries recorded so far."""

    steward: bytes
    head: int
    epoch: int = 0
    members: dict[bytes, tuple[int, str, bool]] = field(default_factory=dict)  # created, name, suspended
    tokens: dict[int, tuple[bytes, bytes]] = field(default_factory=dict)  # whose, hash
    issued: list[int] = field(default_factory=list)
    items: dict[int, Item] = field(default_factory=dict)
    digests: dict[tuple[int, bytes], tuple[int, int]] = field(default_factory=dict)  # entry, item
    values: dict[tuple[int, int], tuple[int, bytes]] = field(default_factory=dict)  # code, signal id -> item, value
    said: dict[int, tuple[int, bytes, tuple[str, ...]]] = field(default_factory=dict)  # item, member, classes
    admitted: dict[int, bytes] = field(default_factory=dict)
    redacted: set[int] = field(default_factory=set)

    def draft(self, operation: Operation) -> Draft | None:
        """The operation's draft, with the model moved on; None when there is nothing to choose from."""
        name, a, b, c = operation
        made: Draft | None = getattr(self, f"_{name}")(a, b, c)
        if made is not None:
            self.head += 1
        return made

    def live_items(self) -> list[int]:
        return [item for item, row in self.items.items() if row.status.matches]

    def _someone(self, number: int) -> bytes:
        return list(self.members)[number % len(self.members)]

    def _signals(self, a: int, b: int) -> list[ListedSignal]:
        """A choice of signals; digests only where they are free, as the rules see to."""
        digests = [
            ListedSignal(code, value)
            for at, (code, value) in enumerate(pool_digests())
            if a >> at & 1 and (code, value) not in self.digests
        ]
        values = [ListedSignal(code, value, 100) for at, (code, value) in enumerate(pool_values()) if b >> at & 1]
        opaque = [ListedSignal(0, b"\x01\x02", None, "future")] if a & 1 << 12 else []
        return [*values[:2], *opaque, *digests, *values[2:]]

    def _confirmed(self, a: int, item: int) -> list[ListedSignal]:
        """Some of what the item has already."""
        digests = [key for key, (_, of) in self.digests.items() if of == item]
        values = [(code, value) for (code, _), (of, value) in self.values.items() if of == item]
        return [ListedSignal(code, value, 100, confirms=True) for code, value in (digests + values)[: a % 4]]

    def _speak(self, kind: Kind, item: int | None, member: bytes, a: int, b: int, c: int) -> Draft:
        sequence = self.head + 1
        number = sequence if item is None else item
        signals = self._signals(a, b) + self._confirmed(a, number)
        row = self.items.setdefault(number, Item(Status.PROVISIONAL))
        can_be = LIVE if item else BEGINNING
        row.status = can_be[c % len(can_be)]
        labels = ("behaviour:a", f"list:{c % 7}")
        row.contributions[member] = (sequence, labels)
        row.entries.append(sequence)
        for ordinal, signal in enumerate(signals):
            if signal.confirms:
                continue
            if signal.code in (SHA256, MD5):
                self.digests[signal.code, signal.value] = (sequence, number)
            elif signal.code in SIGNAL_TYPES_BY_CODE:
                self.values[signal.code, sequence << 16 | ordinal] = (number, signal.value)
        self.said[sequence] = (number, member, ("behaviour", "list"))
        return listing.contribution(
            member, item, signals, kind=kind, status=row.status, labels=labels, classes=("behaviour", "list")
        )

    def _create(self, a: int, b: int, c: int) -> Draft:
        return self._speak(Kind.ITEM_CREATED, None, self._someone(c), a, b, c)

    def _corroborate(self, a: int, b: int, c: int) -> Draft | None:
        live = self.live_items()
        return self._speak(Kind.ITEM_CORROBORATED, live[c % len(live)], self._someone(a), a, b, c) if live else None

    def _amend(self, a: int, b: int, c: int) -> Draft | None:
        live = [item for item in self.live_items() if self.items[item].contributions]
        if not live:
            return None
        item = live[c % len(live)]
        member = list(self.items[item].contributions)[a % len(self.items[item].contributions)]
        return self._speak(Kind.CONTRIBUTION_AMENDED, item, member, a, b, c)

    def _withdraw(self, a: int, b: int, c: int) -> Draft | None:
        standing = [(item, who) for item in self.live_items() for who in self.items[item].contributions]
        if not standing:
            return None
        item, member = standing[a % len(standing)]
        row = self.items[item]
        del row.contributions[member]
        row.status = (*LIVE, Status.WITHDRAWN, Status.EXPIRED)[c % 6] if b % 2 else Status.WITHDRAWN
        if not row.status.matches:
            self._unlist_item(item)
        return listing.withdrawal(member, item, row.status)

    def _withdraw_item(self, a: int, _b: int, _c: int) -> Draft | None:
        live = self.live_items()
        if not live:
            return None
        item = live[a % len(live)]
        self.items[item].status = Status.WITHDRAWN
        self._unlist_item(item)
        return listing.item_withdrawal(self.steward, item)

    def _unlist_item(self, item: int) -> None:
        for sequence in self.items[item].entries:
            self._unlist_entry(sequence)

    def _unlist_entry(self, sequence: int) -> None:
        self.digests = {key: at for key, at in self.digests.items() if at[0] != sequence}
        self.values = {key: row for key, row in self.values.items() if key[1] >> 16 != sequence}

    def _admit(self, a: int, _b: int, _c: int) -> Draft | None:
        free = [name for name in NAMES if name not in {name for _, name, _ in self.members.values()}]
        if not free:
            return None
        who, name = listing.pseudonym(), free[a % len(free)]
        self.members[who] = (self.head + 1, name, False)
        self.admitted[self.head + 1] = who
        return listing.admission(self.steward, who, name)

    def _suspend(self, a: int, _b: int, _c: int) -> Draft:
        return self._standing(self._someone(a), suspended=True)

    def _resume(self, a: int, _b: int, _c: int) -> Draft:
        return self._standing(self._someone(a), suspended=False)

    def _standing(self, who: bytes, *, suspended: bool) -> Draft:
        created, name, _ = self.members[who]
        self.members[who] = (created, name, suspended)
        return listing.standing(self.steward, who, created, suspended=suspended)

    def _issue(self, a: int, _b: int, _c: int) -> Draft:
        who, secret = self._someone(a), listing.pseudonym() * 2
        self.tokens[self.head + 1] = (who, secret)
        self.issued.append(self.head + 1)
        return listing.issue(who, who, secret)

    def _revoke(self, a: int, _b: int, _c: int) -> Draft | None:
        if not self.issued:
            return None
        token = self.issued[a % len(self.issued)]
        self.tokens.pop(token, None)
        return listing.revocation(self.steward, token)

    def _epoch(self, a: int, _b: int, _c: int) -> Draft:
        self.epoch += 1 + a % 3
        return listing.epoch(self.epoch)

    def _redact(self, a: int, b: int, _c: int) -> Draft:
        # Half of the time something that somebody said, else any entry, whatever it is, also one redacted before.
        said = list(self.said)
        target = said[a % len(said)] if said and b % 2 else a % (self.head + 2)
        self.redacted.add(target)
        if target in self.said:
            item, member, classes = self.said[target]
            self._unlist_entry(target)
            self.items[item].redacted = True
            if self.items[item].contributions.get(member, (0,))[0] == target:
                self.items[item].contributions[member] = (target, classes)
        elif target in self.admitted:
            who = self.admitted[target]
            self.members[who] = (self.members[who][0], "", self.members[who][2])
        elif target in self.issued:
            self.tokens.pop(target, None)
        return listing.redaction(self.steward, target)
