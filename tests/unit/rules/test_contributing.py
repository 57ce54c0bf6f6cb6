"""Contributing: each outcome and each reason, on a real list."""

from __future__ import annotations

import dataclasses

import pytest
from hashpact.v1 import error_reason_pb2 as reasons
from hashpact_server.config import Limits
from hashpact_server.ledger.entry import Draft, Kind
from hashpact_server.ledger.payloads import ContributionPayload
from hashpact_server.rules import statements
from hashpact_server.rules.attestation import Attestation
from hashpact_server.rules.claims import Offer
from hashpact_server.rules.outcomes import Outcome, Result
from hashpact_server.rules.withdrawing import withdraw
from hashpact_server.state.rows import Basis, MemberRow, Role, Status

from tests.forum import Forum, flipped, offer, one, signal, value


def listed(forum: Forum, item: int) -> set[tuple[int, bytes]]:
    with forum.engine.state.read() as view:
        return {(each.code, each.value) for _, each in view.item_signals(item)}


def test_created(forum: Forum) -> None:
    before = forum.head()
    outcome = one(forum, forum.a, offer(signal("sha256", 1), signal("pdq", 1), signal("phash", 1), labels=["Art", "x"]))
    assert outcome == Outcome(Result.CREATED, before + 1, Status.PROVISIONAL)
    with forum.engine.state.read() as view:
        entry = view.entry(outcome.item)
        assert (entry.kind, entry.member, entry.subject) == (Kind.ITEM_CREATED, forum.a.pseudonym, outcome.item)
        assert entry.classes == ("context:art", "other")
        assert entry.clear == bytes([Status.PROVISIONAL])
        assert view.labels(outcome.item) == ("art", "x")
    assert len(listed(forum, outcome.item)) == 3


def test_no_member_makes_an_item_endless(forum: Forum, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every match reads what was said of the item: one member says only so much of it, others may go on."""
    monkeypatch.setattr(statements, "WORDS_MAX", 4)
    monkeypatch.setattr(statements, "WORD_SIGNALS_MAX", 5)
    item = one(forum, forum.a, offer(*(signal("sha256", seed) for seed in range(6)))).item

    def attach(member: MemberRow, *seeds: int, labels: tuple[str, ...] = ("x",)) -> Outcome:
        return one(forum, member, offer(*(signal("sha256", seed) for seed in seeds), attach_to=item, labels=labels))

    full = attach(forum.a, 7)
    assert (full.result, full.reason) == (Result.REFUSED, reasons.ERROR_REASON_LIMIT_EXCEEDED)
    assert [attach(forum.a, 0, labels=(word,)).result for word in "pqrs"] == [Result.ATTACHED] * 3 + [Result.REFUSED]
    assert [attach(forum.b, *seeds).result for seeds in ((8, 9, 10), (11, 12), (13,))] == [
        Result.CORROBORATED,
        Result.ATTACHED,
        Result.REFUSED,
    ]
    # To take one's word back and give it anew is no way round.
    monkeypatch.setattr(statements, "_FEW", 1)
    forum.decide(lambda scene: withdraw(scene, forum.b.pseudonym, item, 0, steward=False))
    assert attach(forum.b, 14).result is Result.REFUSED


def test_imported_item_is_inherited(forum: Forum) -> None:
    assert (
        one(forum, forum.a, offer(signal("md5", 1), attestation=Attestation(Basis.IMPORT))).status is Status.INHERITED
    )


def test_corroborated_by_each_identifying_type(forum: Forum) -> None:
    for name in ("sha256", "md5", "pdq"):
        item = one(forum, forum.a, offer(signal(name, 1))).item
        outcome = one(forum, forum.b, offer(signal(name, 1), labels=["b"]))
        assert outcome == Outcome(Result.CORROBORATED, item, Status.CORROBORATED)


def test_the_first_word_of_a_member_says_which_signals_it_vouches_for(forum: Forum) -> None:
    """Later rules will need it: what one member attached is not vouched for by those who spoke of something else."""
    item = one(forum, forum.a, offer(signal("sha256", 1), signal("pdq", 1))).item
    one(forum, forum.b, offer(signal("sha256", 1), signal("pdq", 2)))
    with forum.engine.state.read() as view:
        (mine,) = (row for row in view.contributions(item) if row.pseudonym == forum.b.pseudonym)
        payload = view.entry(mine.sequence).payload
    assert payload is not None
    stated = {(each.value, each.confirms) for each in ContributionPayload.decode(payload).signals}
    assert stated == {(value("sha256", 1), True), (value("pdq", 2), False)}
    assert len(listed(forum, item)) == 3


def test_corroboration_attaches_what_is_new_and_nothing_else(forum: Forum) -> None:
    item = one(forum, forum.a, offer(signal("sha256", 1), signal("phash", 1))).item
    outcome = one(forum, forum.b, offer(signal("sha256", 1), signal("phash", 1), signal("pdq", 1), signal("phash", 2)))
    assert outcome.result is Result.CORROBORATED
    with forum.engine.state.read() as view:
        payload = ContributionPayload.decode(view.entry(forum.head()).payload or b"")
        assert [(each.code, each.value) for each in payload.signals if not each.confirms] == [
            (16, value("pdq", 1)),
            (17, value("phash", 2)),
        ]
        assert view.item_by_digest(1, value("sha256", 1)) == item


def test_phash_never_identifies(forum: Forum) -> None:
    first = one(forum, forum.a, offer(signal("md5", 1), signal("phash", 1), signal("phash256", 1)))
    second = one(forum, forum.b, offer(signal("md5", 2), signal("phash", 1), signal("phash256", 1)))
    assert second.result is Result.CREATED
    assert [(near.item, near.distance) for near in second.near_duplicates] == [(first.item, 0)]


def test_found_through_the_list_never_corroborates(forum: Forum) -> None:
    one(forum, forum.a, offer(signal("md5", 1)))
    found = offer(signal("md5", 1), attestation=Attestation(Basis.FOUND_THROUGH_LIST))
    assert one(forum, forum.b, found).status is Status.PROVISIONAL
    assert one(forum, forum.b, offer(signal("md5", 1))).status is Status.PROVISIONAL


def test_one_group_counts_once(forum: Forum) -> None:
    sister = forum.admit("a-sister", [Role.CONTRIBUTE], group="a")
    one(forum, forum.a, offer(signal("md5", 1)))
    assert one(forum, sister, offer(signal("md5", 1))).status is Status.PROVISIONAL
    assert one(forum, forum.b, offer(signal("md5", 1))).status is Status.CORROBORATED


def test_attached_merges_labels_and_keeps_the_attestation(forum: Forum) -> None:
    said = Attestation(Basis.PERSON_LOOKED, 1_000, "counsel")
    item = one(forum, forum.a, offer(signal("md5", 1), labels=["a"], attestation=said)).item
    outcome = one(forum, forum.a, offer(signal("md5", 1), signal("pdq", 1), labels=["b"]))
    assert outcome == Outcome(Result.ATTACHED, item, Status.PROVISIONAL)
    with forum.engine.state.read() as view:
        (row,) = view.contributions(item)
        assert row.labels == ("a", "b")
        payload = ContributionPayload.decode(view.entry(row.sequence).payload or b"")
        assert (payload.basis, payload.observed_ms, payload.observer_role) == (1, 1_000, "counsel")
        assert view.entry(row.sequence).kind == Kind.CONTRIBUTION_AMENDED


def test_unchanged_writes_nothing(forum: Forum) -> None:
    item = one(forum, forum.a, offer(signal("md5", 1), signal("pdq", 1), labels=["a", "b"])).item
    before = forum.head()
    again = offer(signal("pdq", 1), labels=["B "], attestation=Attestation(Basis.AUTOMATIC))
    assert one(forum, forum.a, again) == Outcome(Result.UNCHANGED, item, Status.PROVISIONAL)
    assert forum.head() == before


def test_looking_later_raises_the_basis(forum: Forum) -> None:
    item = one(forum, forum.a, offer(signal("md5", 1), attestation=Attestation(Basis.IMPORT))).item
    outcome = one(forum, forum.a, offer(signal("md5", 1), attestation=Attestation(Basis.PERSON_LOOKED, 7)))
    assert outcome == Outcome(Result.ATTACHED, item, Status.PROVISIONAL)
    assert one(forum, forum.b, offer(signal("md5", 1))).status is Status.CORROBORATED


def test_ambiguous_writes_nothing_and_is_decided_by_attach_to(forum: Forum) -> None:
    first = one(forum, forum.a, offer(signal("sha256", 1))).item
    second = one(forum, forum.a, offer(signal("pdq", 2))).item
    before = forum.head()
    both = offer(signal("sha256", 1), signal("pdq", 2), signal("md5", 3))
    assert one(forum, forum.b, both) == Outcome(Result.AMBIGUOUS, candidates=(first, second))
    assert forum.head() == before
    chosen = one(forum, forum.b, dataclasses.replace(both, attach_to=second))
    assert (chosen.result, chosen.item, chosen.status) == (Result.CORROBORATED, second, Status.CORROBORATED)
    assert [(problem.signal_index, problem.reason) for problem in chosen.problems] == [
        (0, reasons.ERROR_REASON_SIGNAL_TAKEN)
    ]
    assert (2, value("md5", 3)) in listed(forum, second)
    assert (1, value("sha256", 1)) in listed(forum, first)


def test_ambiguous_names_sixteen_candidates_at_most(forum: Forum) -> None:
    items = [outcome.item for outcome in forum.contribute(forum.a, *(offer(signal("md5", n)) for n in range(20)))]
    outcome = one(forum, forum.b, offer(*(signal("md5", n) for n in range(20))))
    assert (outcome.result, outcome.candidates) == (Result.AMBIGUOUS, tuple(items[:16]))


def test_attach_a_variant_without_identity(forum: Forum) -> None:
    item = one(forum, forum.a, offer(signal("md5", 1))).item
    outcome = one(forum, forum.a, offer(signal("phash", 9), attach_to=item))
    assert (outcome.result, outcome.item) == (Result.ATTACHED, item)
    assert (17, value("phash", 9)) in listed(forum, item)


def test_attach_by_another_member_corroborates(forum: Forum) -> None:
    item = one(forum, forum.a, offer(signal("md5", 1))).item
    outcome = one(forum, forum.b, offer(signal("pdq", 9), attach_to=item))
    assert outcome == Outcome(Result.CORROBORATED, item, Status.CORROBORATED)


@pytest.mark.parametrize("name", ["sha256", "md5", "pdq"])
def test_attach_what_is_anothers(forum: Forum, name: str) -> None:
    item = one(forum, forum.a, offer(signal("md5", "first"))).item
    other = one(forum, forum.a, offer(signal(name, 1))).item
    before = forum.head()
    outcome = one(forum, forum.b, offer(signal(name, 1), attach_to=item))
    assert (outcome.result, outcome.reason) == (Result.REFUSED, reasons.ERROR_REASON_SIGNAL_TAKEN)
    assert [problem.signal_index for problem in outcome.problems] == [0]
    assert forum.head() == before
    assert other != item


def test_attach_to_nothing(forum: Forum) -> None:
    for item in (1, 10_000, 2**64 - 1):
        outcome = one(forum, forum.a, offer(signal("md5", 1), attach_to=item))
        assert (outcome.result, outcome.reason) == (Result.REFUSED, reasons.ERROR_REASON_ITEM_NOT_FOUND)


def test_attach_to_a_closed_item(forum: Forum) -> None:
    item = one(forum, forum.a, offer(signal("md5", 1))).item
    forum.decide(lambda scene: withdraw(scene, forum.a.pseudonym, item, 1, steward=False))
    outcome = one(forum, forum.b, offer(signal("md5", 1), attach_to=item))
    assert (outcome.result, outcome.reason) == (Result.REFUSED, reasons.ERROR_REASON_ITEM_CLOSED)


def test_what_was_withdrawn_can_be_listed_anew(forum: Forum) -> None:
    wish = offer(signal("md5", 1), signal("pdq", 1))
    item = one(forum, forum.a, wish).item
    forum.decide(lambda scene: withdraw(scene, forum.a.pseudonym, item, 1, steward=False))
    again = one(forum, forum.a, wish)
    assert again.result is Result.CREATED
    assert again.item != item
    assert again.near_duplicates == ()


def test_bad_signals_are_left_out_and_the_rest_is_listed(forum: Forum) -> None:
    outcome = one(
        forum, forum.a, offer(signal("tmk", b"x"), signal("md5", 1), signal("sha256", bytes(32)), signal("pdq", 1, 10))
    )
    assert outcome.result is Result.CREATED
    assert [(problem.signal_index, problem.reason) for problem in outcome.problems] == [
        (0, reasons.ERROR_REASON_SIGNAL_TYPE_UNKNOWN),
        (2, reasons.ERROR_REASON_SIGNAL_DEGENERATE),
        (3, reasons.ERROR_REASON_SIGNAL_QUALITY_TOO_LOW),
    ]
    assert listed(forum, outcome.item) == {(2, value("md5", 1))}


@pytest.mark.parametrize(
    ("wish", "reason"),
    [
        (offer(), reasons.ERROR_REASON_SIGNALS_INVALID),
        (offer(*(signal("md5", n) for n in range(9))), reasons.ERROR_REASON_SIGNALS_INVALID),
        (offer(signal("md5", 1), labels=[]), reasons.ERROR_REASON_LABELS_INVALID),
        (offer(signal("md5", 1), labels=["a b"]), reasons.ERROR_REASON_LABELS_INVALID),
        (offer(signal("md5", 1), labels=["a"] * 4), reasons.ERROR_REASON_LABELS_INVALID),
        (offer(signal("md5", 1), attestation=None), reasons.ERROR_REASON_ATTESTATION_MISSING),
        (offer(signal("md5", 1), attestation=Attestation(0)), reasons.ERROR_REASON_ATTESTATION_MISSING),
        (offer(signal("md5", 1), attestation=Attestation(1, -1)), reasons.ERROR_REASON_FIELD_INVALID),
        (offer(signal("md5", 1), attestation=Attestation(1, 2**62)), reasons.ERROR_REASON_FIELD_INVALID),
        (offer(signal("phash", 1)), reasons.ERROR_REASON_NO_IDENTITY),
        (offer(signal("phash", 1), signal("pdq", 1, 49)), reasons.ERROR_REASON_NO_IDENTITY),
        (offer(signal("tmk", b"x")), reasons.ERROR_REASON_NO_IDENTITY),
        (offer(signal("tmk", b"x"), attach_to=1), reasons.ERROR_REASON_SIGNALS_INVALID),
    ],
)
def test_refused(forum: Forum, wish: Offer, reason: int) -> None:
    forum.limits = Limits(contribution_signals_max=8, labels_max=3)
    before = forum.head()
    outcome = one(forum, forum.a, wish)
    assert (outcome.result, outcome.reason, outcome.item, outcome.status) == (Result.REFUSED, reason, 0, None)
    assert outcome.message
    assert forum.head() == before


def test_labels_do_not_grow_over_the_limit_by_contributing_again(forum: Forum) -> None:
    forum.limits = Limits(labels_max=3)
    one(forum, forum.a, offer(signal("md5", 1), labels=["a", "b"]))
    outcome = one(forum, forum.a, offer(signal("md5", 1), labels=["c", "d"]))
    assert (outcome.result, outcome.reason) == (Result.REFUSED, reasons.ERROR_REASON_LABELS_INVALID)
    assert one(forum, forum.b, offer(signal("md5", 1), labels=["c", "d"])).result is Result.CORROBORATED


def test_near_duplicates_closest_first_best_per_item_within_the_radius(forum: Forum) -> None:
    base = value("pdq", "base")
    hash_base = value("phash", "base")
    wishes = [
        offer(signal("md5", 1), signal("pdq", flipped(base, 31))),
        offer(signal("md5", 2), signal("pdq", flipped(base, 32))),
        offer(signal("md5", 3), signal("pdq", flipped(base, 5)), signal("pdq", flipped(base, 20, start=100))),
        offer(signal("md5", 4), signal("phash", flipped(hash_base, 4)), signal("pdq", flipped(base, 9, start=99))),
        offer(signal("md5", 5), signal("phash", flipped(hash_base, 9))),
    ]
    items = [outcome.item for outcome in forum.contribute(forum.a, *wishes)]
    new = offer(signal("md5", 9), signal("pdq", base), signal("phash", hash_base))
    outcome = one(forum, forum.b, new)
    assert [(near.item, near.signal_type, near.distance) for near in outcome.near_duplicates] == [
        (items[3], "phash", 4),
        (items[2], "pdq", 5),
        (items[0], "pdq", 31),
    ]
    forum.limits = Limits(near_duplicates_max=1)
    assert [near.item for near in one(forum, forum.b, new).near_duplicates] == [items[3]]


def test_near_duplicates_are_looked_for_up_to_31_bits_away(forum: Forum) -> None:
    base = value("phash256", "base")
    wishes = [offer(signal("md5", number), signal("phash256", flipped(base, 30 + number))) for number in (1, 2)]
    inside, _ = (outcome.item for outcome in forum.contribute(forum.a, *wishes))
    outcome = one(forum, forum.b, offer(signal("md5", 9), signal("phash256", base)))
    assert [(near.item, near.distance) for near in outcome.near_duplicates] == [(inside, 31)]


def test_near_duplicates_leave_out_the_candidates(forum: Forum) -> None:
    one(forum, forum.a, offer(signal("pdq", 1)))
    one(forum, forum.a, offer(signal("pdq", 2)))
    close = one(forum, forum.a, offer(signal("md5", 3), signal("pdq", flipped(value("pdq", 2), 4)))).item
    outcome = one(forum, forum.b, offer(signal("pdq", 1), signal("pdq", 2)))
    assert outcome.result is Result.AMBIGUOUS
    assert [near.item for near in outcome.near_duplicates] == [close]


def test_made_up_digest_cannot_take_a_row(forum: Forum) -> None:
    good = value("sha256", 1)
    item = one(forum, forum.a, offer(signal("sha256", good))).item
    made_up = good[:16] + value("sha256", 2)[16:]
    alone = one(forum, forum.b, offer(signal("sha256", made_up)))
    assert (alone.result, alone.reason) == (Result.REFUSED, reasons.ERROR_REASON_NO_IDENTITY)
    beside = one(forum, forum.b, offer(signal("sha256", made_up), signal("md5", 7)))
    assert beside.result is Result.CREATED
    assert [problem.reason for problem in (*alone.problems, *beside.problems)] == [
        reasons.ERROR_REASON_SIGNAL_TAKEN
    ] * 2
    attached = one(forum, forum.b, offer(signal("sha256", made_up), attach_to=item))
    assert attached.reason == reasons.ERROR_REASON_SIGNAL_TAKEN
    with forum.engine.state.read() as view:
        assert view.item_by_digest(1, good) == item


def test_two_made_up_digests_in_one_contribution(forum: Forum) -> None:
    good = value("sha256", 1)
    outcome = one(forum, forum.a, offer(signal("sha256", good), signal("sha256", good[:16] + bytes(range(16)))))
    assert outcome.result is Result.CREATED
    assert [problem.signal_index for problem in outcome.problems] == [1]
    assert listed(forum, outcome.item) == {(1, good)}


def test_after_a_redaction_the_member_may_speak_again(forum: Forum) -> None:
    wish = offer(signal("md5", 1), labels=["art", "a-name", "incident:lyon"])
    item = one(forum, forum.a, wish).item
    forum.decide(lambda scene: scene.record(Draft(Kind.REDACTED, subject=item, clear=b"\x01")))
    assert listed(forum, item) == set()
    attached = one(forum, forum.a, offer(signal("md5", 1), labels=["new"], attach_to=item))
    assert (attached.result, attached.item) == (Result.ATTACHED, item)
    with forum.engine.state.read() as view:
        (row,) = view.contributions(item)
        assert (row.basis, row.labels) == (Basis.PERSON_LOOKED, ("context:art", "new"))
