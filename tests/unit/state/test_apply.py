"""Redaction in every order that matters: the live state is what the redacted ledger adds up to.

The state machine in ``tests/property`` finds orders by chance; these are the ones that somebody thought of.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hashpact_server.engine import Engine
from hashpact_server.ledger.entry import Draft, Kind
from hashpact_server.ledger.payloads import ListedSignal
from hashpact_server.state.rows import Basis, Status
from hashpact_server.state.scope import ContradictionError, UnknownEntryError

from tests import listing
from tests.listing import (
    MD5,
    SHA256,
    assert_sound,
    contribution,
    item_withdrawal,
    new_list,
    picture,
    record,
    redaction,
    withdrawal,
)

ONE = picture(1)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with new_list(tmp_path) as opened:
        yield opened
        assert_sound(opened)


def create(engine: Engine, signals: tuple[ListedSignal, ...] = ONE, member: bytes | None = None) -> int:
    (item,) = record(engine, contribution(member or listing.steward_of(engine), None, signals))
    return item


def redact(engine: Engine, sequence: int) -> None:
    record(engine, redaction(listing.steward_of(engine), sequence))
    assert_sound(engine)


def listed_on(engine: Engine, signals: tuple[ListedSignal, ...] = ONE) -> set[int | None]:
    with engine.state.read() as view:
        return {view.item_by_digest(signal.code, signal.value) for signal in signals if signal.code in (SHA256, MD5)}


def test_redacted_and_listed_anew(engine: Engine) -> None:
    first = create(engine)
    redact(engine, first)
    assert listed_on(engine) == {None}
    second = create(engine)
    redact(engine, first)  # once more: nothing of the new item is touched
    assert listed_on(engine) == {second}
    redact(engine, second)
    assert listed_on(engine) == {None}


@pytest.mark.parametrize("before", [True, False], ids=["redacted before it is withdrawn", "after"])
def test_withdrawn_redacted_and_listed_anew(engine: Engine, *, before: bool) -> None:
    first, who = create(engine), listing.steward_of(engine)
    if before:
        redact(engine, first)
    record(engine, item_withdrawal(who, first))
    second = create(engine)
    redact(engine, first)
    assert listed_on(engine) == {second}
    with engine.state.read() as view:
        row = view.item(first)
    assert row is not None
    assert (row.status, row.redacted) == (Status.WITHDRAWN, True)


def test_withdrawn_listed_anew_and_withdrawn_once_more(engine: Engine) -> None:
    who = listing.steward_of(engine)
    for _ in range(3):
        item = create(engine)
        assert listed_on(engine) == {item}
        record(engine, withdrawal(who, item))
        assert listed_on(engine) == {None}
    assert_sound(engine)


def test_all_of_it_in_one_act(engine: Engine) -> None:
    who, head = listing.steward_of(engine), engine.published.head.sequence
    drafts = [
        contribution(who, None, ONE),
        redaction(who, head + 1),
        contribution(who, None, ONE),
        item_withdrawal(who, head + 3),
        contribution(who, None, ONE),
        redaction(who, head + 3),
    ]
    record(engine, *drafts)
    assert listed_on(engine) == {head + 5}


def test_one_entry_of_several_is_redacted(engine: Engine) -> None:
    """What other entries listed stays; the member's word of that entry is gone, a later one stands."""
    who, other = listing.steward_of(engine), listing.pseudonym()
    record(engine, listing.admission(who, other, "other"))
    item = create(engine, ONE[:1])
    (second,) = record(engine, contribution(other, item, ONE[1:2], kind=Kind.ITEM_CORROBORATED))
    (third,) = record(engine, contribution(who, item, ONE[2:3], kind=Kind.CONTRIBUTION_AMENDED, labels=("new",)))
    redact(engine, second)
    with engine.state.read() as view:
        rows = {row.pseudonym: row for row in view.contributions(item)}
        assert (rows[other].basis, rows[other].labels) == (Basis.REDACTED, ("behaviour",))
        assert (rows[who].sequence, rows[who].labels) == (third, ("new",))
        assert [signal for _, signal in view.item_signals(item)] == [ONE[0], ONE[2]]
        assert view.item_by_digest(ONE[1].code, ONE[1].value) is None
    redact(engine, item)
    with engine.state.read() as view:
        assert {row.pseudonym: row.labels for row in view.contributions(item)}[who] == ("new",)


def test_the_same_digest_twice_in_one_entry(engine: Engine) -> None:
    item = create(engine, (ONE[0], ONE[0], *ONE[2:], ONE[0]))
    assert listed_on(engine, ONE[:1]) == {item}
    assert_sound(engine)
    redact(engine, item)
    assert listed_on(engine, ONE[:1]) == {None}


def test_a_name_is_free_again_after_redaction(engine: Engine) -> None:
    who = listing.steward_of(engine)
    (first,) = record(engine, listing.admission(who, listing.pseudonym(), "acme"))
    redact(engine, first)
    second = listing.pseudonym()
    record(engine, listing.admission(who, second, "acme"))
    redact(engine, first)
    with engine.state.read() as view:
        member = view.member_by_name("acme")
    assert member is not None
    assert member.pseudonym == second


def test_standing_outlives_the_redaction_of_the_admission(engine: Engine) -> None:
    who, member = listing.steward_of(engine), listing.pseudonym()
    (created,) = record(engine, listing.admission(who, member, "acme"))
    record(engine, listing.standing(who, member, created, suspended=True))
    redact(engine, created)
    row = engine.published.roster.members[member]
    assert (row.name, row.suspended) == ("", True)
    record(engine, listing.standing(who, member, created, suspended=False))
    assert not engine.published.roster.members[member].suspended


@pytest.mark.parametrize("revoked", ["never", "before", "after"])
def test_a_redacted_token_is_gone(engine: Engine, revoked: str) -> None:
    who, token_hash = listing.steward_of(engine), listing.pseudonym() * 2
    (token,) = record(engine, listing.issue(who, who, token_hash))
    assert token_hash in engine.published.roster.tokens
    if revoked == "before":
        record(engine, listing.revocation(who, token))
    redact(engine, token)
    if revoked == "after":
        record(engine, listing.revocation(who, token))
    assert token_hash not in engine.published.roster.tokens


def test_redactions_of_what_holds_nothing(engine: Engine) -> None:
    """The first entry, an epoch, a withdrawal, a redaction, and the redaction itself."""
    who, item = listing.steward_of(engine), create(engine)
    (gone,) = record(engine, item_withdrawal(who, item))
    (began,) = record(engine, listing.epoch(1))
    (removed,) = record(engine, redaction(who, item))
    for sequence in (0, gone, began, removed, engine.published.head.sequence + 1):
        redact(engine, sequence)
    assert engine.published.head.epoch == 1


CONTRADICTIONS: dict[str, Callable[[Engine, bytes, int], Draft]] = {
    "a digest of another item": lambda _engine, who, _item: contribution(who, None, ONE[:1]),
    "a digest of the same item": lambda _engine, who, item: contribution(
        who, item, ONE[:1], kind=Kind.CONTRIBUTION_AMENDED
    ),
    "a digest that begins alike": lambda _engine, who, _item: contribution(
        who, None, (ListedSignal(SHA256, ONE[0].value[:16] + bytes(16)),)
    ),
    "a name": lambda _engine, who, _item: listing.admission(who, listing.pseudonym(), listing.STEWARD_NAME),
    "a pseudonym": lambda _engine, who, _item: listing.admission(who, who, "other"),
    "an epoch": lambda _engine, _who, _item: listing.epoch(0),
    "no such member": lambda _engine, who, _item: listing.standing(who, bytes(16), 1, suspended=True),
    "no such item": lambda _engine, who, _item: contribution(who, 1, (), kind=Kind.ITEM_CORROBORATED),
    "no such item to withdraw": lambda _engine, who, _item: item_withdrawal(who, 1),
}


@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_what_redaction_could_not_undo_is_never_recorded(engine: Engine, case: str) -> None:
    """Were a digest listed twice, redacting the later entry would have to bring the earlier one's row back."""
    who, item = listing.steward_of(engine), create(engine)
    head = engine.published.head
    with pytest.raises(ContradictionError):
        record(engine, CONTRADICTIONS[case](engine, who, item))
    assert engine.published.head == head
    assert listed_on(engine) == {item}


def test_a_closed_item_stays_closed(engine: Engine) -> None:
    who, item = listing.steward_of(engine), create(engine)
    record(engine, item_withdrawal(who, item))
    for draft in (
        contribution(who, item, (), kind=Kind.ITEM_CORROBORATED),
        withdrawal(who, item, Status.PROVISIONAL),
        item_withdrawal(who, item),
    ):
        with pytest.raises(ContradictionError):
            record(engine, draft)


@pytest.mark.parametrize(
    "signal", [ListedSignal(99, bytes(32)), ListedSignal(SHA256, bytes(31))], ids=["unknown type", "other length"]
)
def test_what_this_version_does_not_know_stops_it(engine: Engine, signal: ListedSignal) -> None:
    with pytest.raises(UnknownEntryError, match="upgrade"):
        create(engine, (signal,))
    with pytest.raises(UnknownEntryError, match="upgrade"):
        record(engine, Draft(Kind.ITEM_CREATED, listing.steward_of(engine), clear=b"\x63"))


def test_an_opaque_signal_is_kept_and_not_searched(engine: Engine) -> None:
    kept = ListedSignal(0, b"\x01\x02\x03", None, "future")
    item = create(engine, (kept, *ONE))
    with engine.state.read() as view:
        assert [signal for _, signal in view.item_signals(item)] == [kept, *ONE]
    assert sum(engine.matcher.counts().values()) == 2
