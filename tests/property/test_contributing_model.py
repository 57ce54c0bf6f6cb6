"""Random contributions, amendments and withdrawals against a model in plain Python.

The model knows nothing of ledgers, indexes and hints: items are dictionaries, distances are loops. Values come from
small pools, so that members meet on the same items, contradict each other and come back.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hashpact.signals import SIGNAL_TYPES, hamming
from hashpact_server.refusal import Refusal
from hashpact_server.rules.amending import amend, check_amendment
from hashpact_server.rules.attestation import Attestation
from hashpact_server.rules.claims import Offer
from hashpact_server.rules.identity import near_radius
from hashpact_server.rules.outcomes import Outcome, Result
from hashpact_server.rules.withdrawing import withdraw
from hashpact_server.state.rows import Basis, MemberRow, Role, Status
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.data import effort
from tests.forum import Forum, flipped, forum_in, offer, signal, value

Value = tuple[str, bytes]

POOL: Final[tuple[Value, ...]] = (
    *(("sha256", value("sha256", n)) for n in range(3)),
    *(("md5", value("md5", n)) for n in range(3)),
    *(("pdq", value("pdq", n)) for n in range(3)),
    ("pdq", flipped(value("pdq", 0), 2)),
    ("pdq", flipped(value("pdq", 0), 30)),
    ("pdq", flipped(value("pdq", 0), 32)),
    *(("phash", value("phash", n)) for n in range(2)),
    ("phash", flipped(value("phash", 0), 1)),
)
GROUPS: Final = {"a": "a", "b": "b", "a-sister": "a"}
LABELS: Final = ("art", "x", "y")


@dataclass
class ModelItem:
    """What the model knows of an item: its values; per member basis and labels, the values that it stated (it backs
    them), and those among them that a person of it looked at. Closed: ``said`` does not count.
    """

    values: set[Value] = field(default_factory=set)
    said: dict[str, tuple[int, frozenset[str]]] = field(default_factory=dict)
    backed: dict[str, set[Value]] = field(default_factory=dict)
    seen: dict[str, set[Value]] = field(default_factory=dict)
    closed: bool = False

    def join(self, member: str, basis: int, values: list[Value]) -> None:
        """A member's first word on the item."""
        self.backed[member] = set(values)
        self.seen[member] = set(values) if basis == Basis.PERSON_LOOKED else set()

    def add(self, member: str, *, looked: bool, basis: int, values: list[Value]) -> set[Value]:
        """Of what a member states once more, what its entry has to say: what is new, and what it looked at only now."""
        stated = {each for each in values if each not in self.values}
        if looked and basis == Basis.PERSON_LOOKED:
            stated |= {each for each in values if each not in self.seen[member]}
            self.seen[member] |= stated
        self.backed[member] |= stated
        return stated

    def leave(self, member: str) -> None:
        """A member takes its word back, and with it the values that nobody else backs."""
        del self.said[member], self.backed[member], self.seen[member]
        self.values &= set().union(*self.backed.values())

    @property
    def status(self) -> Status:
        if self.closed:
            return Status.WITHDRAWN
        if len({GROUPS[name] for name, (basis, _) in self.said.items() if basis == Basis.PERSON_LOOKED}) > 1:
            return Status.CORROBORATED
        only_imported = all(basis == Basis.IMPORT for basis, _ in self.said.values())
        return Status.INHERITED if only_imported else Status.PROVISIONAL


class Model:
    """The rules, told again in the shortest way."""

    def __init__(self) -> None:
        self.items: dict[int, ModelItem] = {}

    def owners(self, wanted: Value) -> set[int]:
        live = {number for number, item in self.items.items() if not item.closed and wanted in item.values}
        return live if SIGNAL_TYPES[wanted[0]].identifies else set()

    def near(self, values: list[Value], known: set[int]) -> list[tuple[int, int]]:
        best: dict[int, int] = {}
        for number, item in self.items.items():
            if item.closed or number in known:
                continue
            for name, listed in item.values:
                kind = SIGNAL_TYPES[name]
                for wanted in (each for other, each in values if other == name and not kind.exact):
                    distance = hamming(listed, wanted)
                    if distance <= near_radius(kind):
                        best[number] = min(distance, best.get(number, distance))
        return sorted((distance, number) for number, distance in best.items())[:10]

    def contribute(self, member: str, wish: Offer, new_item: int) -> Outcome:
        """The outcome as far as the model tells it; ``new_item`` is the id if one is created."""
        values = list(dict.fromkeys((each.signal_type, each.value or b"") for each in wish.signals))
        basis, labels = (wish.attestation or Attestation(0)).basis, frozenset(wish.labels)
        looked = basis == Basis.PERSON_LOOKED
        if wish.attach_to:
            target = self.items.get(wish.attach_to)
            values = [each for each in values if not self.owners(each) - {wish.attach_to}]
            if target is None or target.closed or not values:
                return Outcome(Result.REFUSED)
            number = wish.attach_to
        else:
            if not any(SIGNAL_TYPES[name].identifies for name, _ in values):
                return Outcome(Result.REFUSED)
            found = sorted(set().union(*map(self.owners, values)))
            if len(found) > 1:
                return Outcome(Result.AMBIGUOUS, candidates=tuple(found))
            number = found[0] if found else new_item
        item = self.items.setdefault(number, ModelItem())
        if not item.said:
            result = Result.CREATED
        elif member not in item.said:
            result = Result.CORROBORATED
        else:
            old_basis, old_labels = item.said[member]
            order = (Basis.IMPORT, Basis.AUTOMATIC, Basis.PERSON_LOOKED)
            known = old_basis in order and basis in order
            basis = max(old_basis, basis, key=order.index) if known else old_basis
            labels |= old_labels
            fresh = item.add(member, looked=looked, basis=basis, values=values) or (basis, labels) != item.said[member]
            result = Result.ATTACHED if fresh else Result.UNCHANGED
        if result is not Result.ATTACHED and member not in item.said:
            item.join(member, basis, values)
        item.values.update(values)
        item.said[member] = (basis, labels)
        return Outcome(result, number, item.status)


OFFERS = st.builds(
    lambda picks, labels, basis, attach: (picks, labels, basis, attach),
    st.lists(st.sampled_from(range(len(POOL))), min_size=1, max_size=4),
    st.lists(st.sampled_from(LABELS), min_size=1, max_size=2),
    st.sampled_from([1, 1, 1, 2, 3, 4]),
    st.sampled_from([None, None, None, 0, 1, 2, 99]),
)
AMENDMENTS = st.tuples(
    st.integers(0, 4),
    st.lists(st.sampled_from(LABELS), max_size=2),
    st.lists(st.sampled_from(POOL), max_size=2),
)
STEPS = st.one_of(
    st.tuples(st.just("contribute"), st.sampled_from(sorted(GROUPS)), st.lists(OFFERS, min_size=1, max_size=3)),
    st.tuples(st.just("amend"), st.sampled_from(sorted(GROUPS)), AMENDMENTS),
    st.tuples(st.just("withdraw"), st.sampled_from([*sorted(GROUPS), "steward"]), st.integers(0, 4)),
)


class Run:
    """One example: the same steps on the real list and on the model."""

    def __init__(self, forum: Forum) -> None:
        self.forum, self.model = forum, Model()
        sister = forum.admit("a-sister", [Role.CONTRIBUTE], group="a")
        self.members: dict[str, MemberRow] = {"a": forum.a, "b": forum.b, "a-sister": sister, "steward": forum.steward}

    def item(self, pick: int) -> int:
        """Some item: the pick-th that was created, or none."""
        return sorted(self.model.items)[pick] if pick < len(self.model.items) else 10_000 + pick

    def contribute(self, name: str, picked: list[tuple[list[int], list[str], int, int | None]]) -> None:
        wishes = [
            offer(
                *(signal(*POOL[pick]) for pick in picks),
                labels=labels,
                attestation=Attestation(basis),
                attach_to=0 if attach is None else self.item(attach),
            )
            for picks, labels, basis, attach in picked
        ]
        outcomes = self.forum.contribute(self.members[name], *wishes)
        assert len(outcomes) == len(wishes)
        for wish, outcome in zip(wishes, outcomes, strict=True):
            expected = self.model.contribute(name, wish, outcome.item)
            told = (outcome.result, outcome.item, outcome.status, outcome.candidates)
            assert told == (expected.result, expected.item, expected.status, expected.candidates)
            assert bool(outcome.reason) == (outcome.result is Result.REFUSED) == bool(outcome.message)
            if outcome.result is not Result.REFUSED:
                values = [(each.signal_type, each.value or b"") for each in wish.signals]
                near = self.model.near(values, {outcome.item, *outcome.candidates})
                assert [(each.distance, each.item) for each in outcome.near_duplicates] == near

    def amend(self, name: str, change: tuple[int, list[str], list[Value]]) -> None:
        number, labels, values = self.item(change[0]), change[1], change[2]
        cleaned, fit, _ = check_amendment(labels, [signal(*each) for each in values], self.forum.limits)
        item = self.model.items.get(number)
        possible = item is not None and not item.closed and name in item.said
        possible = possible and not any(self.model.owners(each) - {number} for each in values)
        try:
            self.forum.decide(lambda scene: amend(scene, self.members[name].pseudonym, number, cleaned, fit, None))
        except Refusal:
            assert not possible
            return
        assert possible
        assert item is not None
        basis, before = item.said[name]
        item.add(name, looked=True, basis=basis, values=list(values))
        item.values.update(values)
        item.said[name] = (basis, frozenset(labels) or before)

    def withdraw(self, name: str, pick: int) -> None:
        number, steward = self.item(pick), name == "steward"
        item = self.model.items.get(number)
        possible = item is not None and (item.closed or steward or name in item.said)
        try:
            done = self.forum.decide(
                lambda scene: withdraw(scene, self.members[name].pseudonym, number, 1, steward=steward)
            )
        except Refusal:
            assert not possible
            return
        assert possible
        assert item is not None
        if not item.closed:
            if not steward:
                item.leave(name)
            item.closed = steward or not item.said
        assert (done.status, done.contributions_left) == (item.status, 0 if item.closed else len(item.said))

    def check(self) -> None:
        """The real list stands as the model does, and no two live items share an identifying value."""
        owner: dict[Value, int] = {}
        names = {kind.code: kind.name for kind in SIGNAL_TYPES.values()}
        with self.forum.engine.state.read() as view:
            assert [row.item for row in view.items(limit=1000)] == sorted(self.model.items)
            for number, item in self.model.items.items():
                row = view.item(number)
                assert row is not None
                assert row.status is item.status
                listed = {(names[each.code], each.value) for _, each in view.item_signals(number)}
                assert listed == (set() if item.closed else item.values)
                for each in listed:
                    if SIGNAL_TYPES[each[0]].identifies:
                        assert owner.setdefault(each, number) == number
                    if SIGNAL_TYPES[each[0]].exact:
                        assert view.item_by_digest(SIGNAL_TYPES[each[0]].code, each[1]) == number
                if not item.closed:
                    said = {
                        self.name(each.pseudonym): (each.basis, frozenset(each.labels))
                        for each in view.contributions(number)
                    }
                    assert said == item.said

    def name(self, pseudonym: bytes) -> str:
        return next(name for name, member in self.members.items() if member.pseudonym == pseudonym)


@settings(max_examples=effort(15), deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(STEPS, min_size=8, max_size=24))
def test_outcomes_and_state_equal_the_model(steps: list[tuple[str, str, object]]) -> None:
    with tempfile.TemporaryDirectory() as folder, forum_in(Path(folder)) as forum:
        run = Run(forum)
        for verb, name, what in steps:
            getattr(run, verb)(name, what)
        run.check()
        forum.reopen()
        run.check()
