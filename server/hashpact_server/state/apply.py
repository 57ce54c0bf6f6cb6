"""Apply: what an entry does to the state.

Apply never searches by signal value, reads no clock, no randomness and no network, and is defined for an entry whose
private part was redacted. So replaying a ledger into an empty directory gives the same rows, and the state after a
redaction is the state that the redacted ledger adds up to. To keep that true:

* what an entry writes depends on the entry alone, and later entries overwrite earlier ones: taking the private part
  of an early one away cannot change what a later one wrote;
* what the private part of an entry writes never overwrites what that of another one wrote, or taking the later one
  away would have to bring back the earlier: a digest or a name that is taken is refused here, whatever rule asked;
* a contribution states the member's whole row, never a difference;
* signal ids come from the entry's sequence, never from a counter;
* what a redacted entry did to item status, standing and roles stands in its clear part.

Old entries keep their old meaning: the table below is keyed by kind *and* format, and grows. An unknown kind stops
whoever applies it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from hashpact.signals import SIGNAL_TYPES_BY_CODE

from hashpact_server.ledger.codec import u32, u64
from hashpact_server.ledger.entry import FORMAT, Entry, Kind
from hashpact_server.ledger.payloads import (
    CONTRIBUTING,
    OPAQUE,
    ContributionPayload,
    EpochClear,
    MemberClear,
    MemberPayload,
    StandingClear,
    TokenPayload,
)
from hashpact_server.ledger.payloads_members import TokenClear
from hashpact_server.state import apply_incidents, apply_members, apply_rollback, apply_rulebook, apply_steward
from hashpact_server.state.apply_judgement import APPLY_JUDGEMENT
from hashpact_server.state.apply_safeguards import APPLY_SAFEGUARDS
from hashpact_server.state.apply_signals import APPLY_SIGNALS
from hashpact_server.state.effects import (
    context_among,
    require_open_item,
    set_status,
    stated_status,
    unlist_entry,
    unlist_item,
)
from hashpact_server.state.rows import Basis, ContributionRow, ItemRow, MemberRow, Status, TokenRow, signal_id
from hashpact_server.state.scope import ContradictionError, Scope, UnknownEntryError
from hashpact_server.state.tables import (
    Table,
    contribution_key,
    digest_key,
    digest_value,
    item_entry_key,
    value_key,
    value_value,
)
from hashpact_server.state.tallies import Tally, count

_SIGNAL_FORMS: Final = {kind.code: (kind.exact, kind.size_bytes) for kind in SIGNAL_TYPES_BY_CODE.values()}
"""Whether a signal type is exact and the length of its values, by code; every signal that is listed asks."""


def apply(entry: Entry, scope: Scope) -> None:
    """Let an entry take effect.

    Raises:
        UnknownEntryError: its kind is not known to this version.
        LayoutError: its bytes do not follow their layout.
        ContradictionError: it is about what does not exist, or takes what is taken.
    """
    rule = _APPLY.get((entry.kind, FORMAT))
    if rule is None:
        raise UnknownEntryError(
            f"entry {entry.sequence} has kind {entry.kind}, which this version does not know: upgrade"
        )
    rule(entry, scope)
    apply_members.tally(entry, scope)


def _genesis(entry: Entry, scope: Scope) -> None:
    scope.rows.put(Table.EPOCHS, u32(0), u64(entry.sequence))


def _epoch_started(entry: Entry, scope: Scope) -> None:
    epoch = u32(EpochClear.decode(entry.clear).epoch)
    if any(True for _ in scope.rows.scan(Table.EPOCHS, start=epoch)):
        raise ContradictionError(f"entry {entry.sequence} starts an epoch that has begun before, or is over")
    scope.rows.put(Table.EPOCHS, epoch, u64(entry.sequence))


def _member_created(entry: Entry, scope: Scope) -> None:
    clear = MemberClear.decode(entry.clear)
    known = MemberPayload("", "") if entry.payload is None else MemberPayload.decode(entry.payload)
    row = MemberRow(clear.pseudonym, entry.sequence, False, clear.roles, known.name, known.group)
    taken = scope.rows.put(Table.MEMBERS, clear.pseudonym, row.encode())
    if known.name and taken is None:
        taken = scope.rows.put(Table.MEMBER_NAMES, known.name.encode(), clear.pseudonym)
    if taken is not None:
        raise ContradictionError(f"entry {entry.sequence} creates a member that exists")
    if clear.trial:
        apply_members.begin_trial(clear.pseudonym, scope)
    scope.changes.people = True


def _member_standing_set(entry: Entry, scope: Scope) -> None:
    clear = StandingClear.decode(entry.clear)
    value = scope.rows.get(Table.MEMBERS, clear.pseudonym)
    if value is None:
        raise ContradictionError(f"entry {entry.sequence} is about a member that does not exist")
    row = replace(MemberRow.decode(clear.pseudonym, value), suspended=clear.suspended)
    scope.rows.put(Table.MEMBERS, clear.pseudonym, row.encode())
    scope.changes.people = True


def _token_issued(entry: Entry, scope: Scope) -> None:
    if entry.payload is not None:
        clear, payload = TokenClear.decode(entry.clear), TokenPayload.decode(entry.payload)
        row = TokenRow(entry.sequence, clear.pseudonym, payload.token_hash, payload.expiry_ms, clear.roles)
        scope.rows.put(Table.TOKENS, u64(entry.sequence), row.encode())
    scope.changes.people = True


def _token_revoked(entry: Entry, scope: Scope) -> None:
    scope.rows.delete(Table.TOKENS, u64(entry.subject))
    scope.changes.people = True


def _item_created(entry: Entry, scope: Scope) -> None:
    set_status(scope, entry.subject, stated_status(entry), entry.sequence)
    _contribute(entry, scope)
    apply_incidents.note_contribution(entry, scope, created=True)


def _item_contributed(entry: Entry, scope: Scope) -> None:
    before, status = require_open_item(entry, scope), stated_status(entry)
    if _objects(entry, before, status, scope):
        count(scope, Tally.OBJECTIONS, entry)
    set_status(scope, entry.subject, status, entry.sequence)
    scope.rows.put(Table.ITEM_ENTRIES, item_entry_key(entry.subject, entry.sequence), b"")
    _contribute(entry, scope)
    apply_incidents.note_contribution(entry, scope, created=False)


def _objects(entry: Entry, before: Status, status: Status, scope: Scope) -> bool:
    """Whether what a member says of an item that others speak for keeps everybody from being advised to act on it."""
    fell = before is Status.CORROBORATED and status in (Status.PROVISIONAL, Status.INHERITED)
    if not fell and not context_among(entry.classes):
        return False
    mine = contribution_key(entry.subject, entry.member)
    return any(key != mine for key, _ in scope.rows.scan(Table.CONTRIBUTIONS, prefix=u64(entry.subject)))


def _contribute(entry: Entry, scope: Scope) -> None:
    if (private := entry.payload) is None:
        row = _redacted_row(entry)
    else:
        payload = ContributionPayload.decode(private)
        row = ContributionRow(entry.subject, entry.member, entry.sequence, payload.basis, payload.labels)
        _list_signals(entry, payload, scope)
    key = contribution_key(entry.subject, entry.member)
    scope.rows.put(Table.CONTRIBUTIONS, key, row.encode())


def _redacted_row(entry: Entry) -> ContributionRow:
    """What is left of a contribution when its private part is gone: who, where, and the classes of its labels."""
    return ContributionRow(entry.subject, entry.member, entry.sequence, Basis.REDACTED, entry.classes)


def _list_signals(entry: Entry, payload: ContributionPayload, scope: Scope) -> None:
    put, added = scope.rows.put, scope.changes.added.append
    item, first = entry.subject, signal_id(entry.sequence, 0)
    for identity, (code, value, _, _, confirms, _, _) in enumerate(payload.signals, first):
        if confirms or code == OPAQUE:
            continue
        exact, size = _SIGNAL_FORMS.get(code, (False, -1))
        if len(value) != size:
            raise UnknownEntryError(
                f"entry {entry.sequence} has a signal of type {code} that this version does not know: upgrade, or "
                "install the package that adds it here too"
            )
        if exact:
            row = digest_value(identity, item, value)
            previous = put(Table.DIGESTS, digest_key(code, value), row)
            # The same entry may list one twice; the first 6 bytes of a row are the sequence that listed it.
            if previous is not None and previous[:6] != row[:6]:
                raise ContradictionError(f"entry {entry.sequence} lists a digest that another one lists")
            scope.changes.digests.append((code, value, True))
        else:
            put(Table.VALUES, value_key(code, identity), value_value(item, value))
            added((code, identity, item, value))


def _contribution_withdrawn(entry: Entry, scope: Scope) -> None:
    require_open_item(entry, scope)
    status = stated_status(entry)
    scope.rows.delete(Table.CONTRIBUTIONS, contribution_key(entry.subject, entry.member))
    set_status(scope, entry.subject, status, entry.sequence)
    if not status.matches:
        unlist_item(entry.subject, scope)


def _item_withdrawn(entry: Entry, scope: Scope) -> None:
    require_open_item(entry, scope)
    set_status(scope, entry.subject, Status.WITHDRAWN, entry.sequence)
    unlist_item(entry.subject, scope)


def _redacted(entry: Entry, scope: Scope) -> None:
    """Undo what the private part of an earlier entry wrote. On replay it was never there, and nothing happens."""
    target = scope.ledger.entry(entry.subject)
    if target.kind in CONTRIBUTING:
        unlist_entry(target, scope)
        key = contribution_key(target.subject, target.member)
        value = scope.rows.get(Table.CONTRIBUTIONS, key)
        if value and ContributionRow.decode(target.subject, target.member, value).sequence == target.sequence:
            scope.rows.put(Table.CONTRIBUTIONS, key, _redacted_row(target).encode())
        item = scope.rows.get(Table.ITEMS, u64(target.subject))
        if item is not None:
            row = ItemRow.decode(target.subject, item)._replace(redacted=True)
            scope.rows.put(Table.ITEMS, u64(target.subject), row.encode())
    elif target.kind == Kind.MEMBER_CREATED:
        _redact_member(target, scope)
    elif target.kind == Kind.MEMBER_AMENDED:
        apply_members.record_redacted(target, scope)
    elif target.kind == Kind.TOKEN_ISSUED:
        scope.rows.delete(Table.TOKENS, u64(target.sequence))
        scope.changes.people = True
    elif target.kind == Kind.BENIGN_LISTED:
        scope.changes.benign = True  # its row says nothing of its values
    elif target.kind == Kind.INCIDENT_OPENED:
        scope.changes.incidents = True


def _redact_member(target: Entry, scope: Scope) -> None:
    pseudonym = MemberClear.decode(target.clear).pseudonym
    value = scope.rows.get(Table.MEMBERS, pseudonym)
    if value is None:
        return
    row = MemberRow.decode(pseudonym, value)
    name = row.name.encode()
    if name and scope.rows.get(Table.MEMBER_NAMES, name) == pseudonym:
        scope.rows.delete(Table.MEMBER_NAMES, name)
    group = row.group if apply_members.states_group(pseudonym, scope) else ""
    scope.rows.put(Table.MEMBERS, pseudonym, replace(row, name="", group=group).encode())
    scope.changes.people = True


_APPLY: Final[Mapping[tuple[int, int], Callable[[Entry, Scope], None]]] = {
    (Kind.GENESIS, 1): _genesis,
    (Kind.EPOCH_STARTED, 1): _epoch_started,
    (Kind.REDACTED, 1): _redacted,
    (Kind.MEMBER_CREATED, 1): _member_created,
    (Kind.MEMBER_STANDING_SET, 1): _member_standing_set,
    (Kind.TOKEN_ISSUED, 1): _token_issued,
    (Kind.TOKEN_REVOKED, 1): _token_revoked,
    (Kind.ITEM_CREATED, 1): _item_created,
    (Kind.ITEM_CORROBORATED, 1): _item_contributed,
    (Kind.CONTRIBUTION_AMENDED, 1): _item_contributed,
    (Kind.CONTRIBUTION_WITHDRAWN, 1): _contribution_withdrawn,
    (Kind.ITEM_WITHDRAWN, 1): _item_withdrawn,
    **apply_members.APPLY,
    **apply_steward.APPLY,
    **apply_rollback.APPLY,
    **apply_rulebook.APPLY,
    **APPLY_SAFEGUARDS,
    **APPLY_SIGNALS,
    **APPLY_JUDGEMENT,
    **apply_incidents.APPLY,
}
"""{kind, format} -> function. Entries never change what their kind and format mean."""
