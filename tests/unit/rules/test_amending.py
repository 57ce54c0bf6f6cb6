"""Amending one's own word on an item."""

from __future__ import annotations

import pytest
from hashpact.v1 import error_reason_pb2 as reasons
from hashpact_server.config import Limits
from hashpact_server.refusal import Refusal
from hashpact_server.rules.amending import amend, check_amendment
from hashpact_server.rules.attestation import Attestation
from hashpact_server.rules.signals import OfferedSignal
from hashpact_server.rules.withdrawing import withdraw
from hashpact_server.state.rows import Basis, MemberRow, Status

from tests.forum import Forum, offer, signal, value


def change(
    forum: Forum, member: MemberRow, item: int, labels: list[str], *signals: OfferedSignal
) -> list[tuple[int, int]]:
    cleaned, fit, problems = check_amendment(labels, signals, forum.limits)
    forum.decide(lambda scene: amend(scene, member.pseudonym, item, cleaned, fit, None))
    return [(problem.signal_index, problem.reason) for problem in problems]


def reason_of(forum: Forum, member: MemberRow, item: int, labels: list[str], *signals: OfferedSignal) -> int:
    with pytest.raises(Refusal) as refused:
        change(forum, member, item, labels, *signals)
    return refused.value.reason


def test_labels_are_replaced_and_the_rest_stays(forum: Forum) -> None:
    said = Attestation(Basis.PERSON_LOOKED, 9, "counsel")
    item = forum.contribute(forum.a, offer(signal("md5", 1), labels=["a", "b"], attestation=said))[0].item
    forum.contribute(forum.b, offer(signal("md5", 1), labels=["b-label"]))
    change(forum, forum.a, item, ["C", "c"])
    with forum.engine.state.read() as view:
        assert view.labels(item) == ("b-label", "c")
        row = view.contribution(item, forum.a.pseudonym)
        assert row is not None
        assert row.basis == Basis.PERSON_LOOKED
        assert (view.item(item) or row).status is Status.CORROBORATED  # type: ignore[union-attr] # it is there


def test_signals_are_added_and_bad_ones_reported(forum: Forum) -> None:
    item = forum.contribute(forum.a, offer(signal("md5", 1)))[0].item
    problems = change(forum, forum.a, item, [], signal("tmk", b"x"), signal("phash", 1), signal("md5", 1))
    assert problems == [(0, reasons.ERROR_REASON_SIGNAL_TYPE_UNKNOWN)]
    with forum.engine.state.read() as view:
        assert [each.value for _, each in view.item_signals(item)] == [value("md5", 1), value("phash", 1)]
        assert view.labels(item) == ("glorification_of_terrorist_acts",)


def test_nothing_new_writes_nothing(forum: Forum) -> None:
    item = forum.contribute(forum.a, offer(signal("md5", 1), labels=["a"]))[0].item
    before = forum.head()
    change(forum, forum.a, item, [])
    change(forum, forum.a, item, ["A"], signal("md5", 1))
    assert forum.head() == before


def test_refusals(forum: Forum) -> None:
    item = forum.contribute(forum.a, offer(signal("md5", 1)))[0].item
    other = forum.contribute(forum.b, offer(signal("pdq", 2)))[0].item
    before = forum.head()
    assert reason_of(forum, forum.a, 10_000, ["x"]) == reasons.ERROR_REASON_ITEM_NOT_FOUND
    assert reason_of(forum, forum.a, other, ["x"]) == reasons.ERROR_REASON_NOT_CONTRIBUTOR
    assert reason_of(forum, forum.a, item, ["x"], signal("pdq", 2)) == reasons.ERROR_REASON_SIGNAL_TAKEN
    assert reason_of(forum, forum.a, item, ["x y"]) == reasons.ERROR_REASON_FIELD_INVALID
    assert forum.head() == before
    forum.decide(lambda scene: withdraw(scene, forum.steward.pseudonym, item, 1, steward=True))
    assert reason_of(forum, forum.a, item, ["x"]) == reasons.ERROR_REASON_ITEM_CLOSED


def test_taken_names_every_field(forum: Forum) -> None:
    item = forum.contribute(forum.a, offer(signal("md5", 1)))[0].item
    forum.contribute(forum.b, offer(signal("pdq", 2), signal("sha256", 2)))
    with pytest.raises(Refusal) as refused:
        change(forum, forum.a, item, [], signal("pdq", 2), signal("phash", 2), signal("sha256", 2))
    assert [field for field, _ in refused.value.violations] == ["attach_signals[0]", "attach_signals[2]"]


def test_too_many_signals() -> None:
    with pytest.raises(Refusal) as refused:
        check_amendment([], [signal("md5", n) for n in range(3)], Limits(contribution_signals_max=2))
    assert refused.value.reason == reasons.ERROR_REASON_LIMIT_EXCEEDED
    assert refused.value.metadata == {"limit": "contribution_signals_max", "limit_value": "2", "value": "3"}
