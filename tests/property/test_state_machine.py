"""Whatever happens to a list, in whatever order: what lives is what the ledger adds up to.

A run makes random operations on the real engine: several in one act, several acts in one group, acts that are
refused or fail after they recorded, rehearsals, redaction of anything, closing and opening again, and what a power cut
leaves behind, with indexes that are older than the store. After each step the store, what is replayed from its ledger,
memory, and the model (plain dictionaries) must agree.
"""

from __future__ import annotations

import copy
import shutil
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from hashpact.signals import SIGNAL_TYPES
from hashpact.v1 import error_reason_pb2 as reasons
from hashpact_server import fsck, replay
from hashpact_server.config import Config
from hashpact_server.core import INDEX_FOLDER, STORE_FOLDER
from hashpact_server.engine import Engine
from hashpact_server.ledger.embedded import LedgerReader
from hashpact_server.ledger.entry import Draft
from hashpact_server.refusal import Refusal
from hashpact_server.scene import Scene
from hashpact_server.writer import Act, Encode
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests import listing, rfc6962
from tests.data import effort
from tests.listing import recording, sequences
from tests.property.list_model import OPERATIONS, Model, Operation, pool_digests, pool_values

OPERATION = st.tuples(
    st.sampled_from(OPERATIONS), st.integers(0, 8191), st.integers(0, 2**18 - 1), st.integers(0, 8191)
)
KEPT, REFUSED, BROKEN, REHEARSED = "kept", "refused", "broken", "rehearsed"
RADII = {16: (0, 3, 31), 17: (0, 3, 8), 18: (0, 3, 63), 32: (0, 3, 31)}


@dataclass
class Planned:
    """An act that waits for its group.

    Attributes:
        act: what it records.
        fate: what becomes of it.
        expected: the sequences that it must get.
        seen: what it saw near each value of the pool, after it recorded and before anything was committed.
        near: what it must see there.
    """

    act: Act
    fate: str
    expected: list[int]
    seen: list[list[tuple[int, int]]] = field(default_factory=list)
    near: list[list[tuple[int, int]]] = field(default_factory=list)


def looking(drafts: list[Draft], seen: list[list[tuple[int, int]]]) -> Act:
    """An act that records and then looks around."""

    def decide(scene: Scene) -> Encode:
        encode = recording(*drafts)(scene)
        seen[:] = [scene.near(code, value, RADII[code][1]) for code, value in pool_values()]
        return encode

    return Act(decide, bytes(16))


def near_in(model: Model) -> list[list[tuple[int, int]]]:
    """What lies near each value of the pool, by a plain loop."""
    found = []
    for code, value in pool_values():
        best: dict[int, int] = {}
        for (of, _), (item, other) in model.values.items():
            distance = (int.from_bytes(value, "big") ^ int.from_bytes(other, "big")).bit_count()
            if of == code and distance <= RADII[code][1]:
                best[item] = min(distance, best.get(item, distance))
        found.append(sorted(best.items(), key=lambda pair: (pair[1], pair[0])))
    return found


def breaking(drafts: list[Draft], error: Exception) -> Act:
    """An act that records and then fails."""

    def decide(scene: Scene) -> Encode:
        recording(*drafts)(scene)
        raise error

    return Act(decide, bytes(16))


class ListMachine(RuleBasedStateMachine):
    """See the module."""

    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp(prefix="hashpact-test-"))
        self.folder = self.home / "0"
        self.folder.mkdir()
        Engine.create(self.folder, listing.STEWARD_NAME)
        self.engine = Engine.open(self.folder, Config())
        steward = listing.steward_of(self.engine)
        self.model = Model(steward, self.engine.published.head.sequence)
        self.model.members[steward] = (1, listing.STEWARD_NAME, False)
        self.model.admitted[1] = steward
        (token,) = self.engine.published.roster.tokens.values()
        self.model.tokens[token.token_id] = (steward, token.token_hash)
        self.model.issued.append(token.token_id)
        self.group: list[Planned] = []
        self.unchecked = True
        self.answers: dict[str, bytes] = {}
        self.copies = 0

    def teardown(self) -> None:
        self.engine.close()
        shutil.rmtree(self.home)

    # What happens.

    def drafts(self, model: Model, operations: list[Operation]) -> list[Draft]:
        made = [model.draft(operation) for operation in operations]
        return [draft for draft in made if draft is not None]

    @initialize(operations=st.lists(OPERATION, min_size=10, max_size=30))
    def begin_with_something(self, operations: list[Operation]) -> None:
        self.plan(operations, named=True)

    @rule(operations=st.lists(OPERATION, min_size=2, max_size=12), named=st.booleans())
    def plan(self, operations: list[Operation], named: bool) -> None:
        first = self.model.head + 1
        drafts = self.drafts(self.model, operations)
        request_id = f"request-{first}" if named and drafts else ""
        planned = Planned(looking(drafts, []), KEPT, list(range(first, self.model.head + 1)), near=near_in(self.model))
        planned.act = replace(looking(drafts, planned.seen), request_id=request_id)
        self.group.append(planned)

    @rule(operations=st.lists(OPERATION, min_size=1, max_size=3), fate=st.sampled_from((REFUSED, BROKEN, REHEARSED)))
    def plan_without_trace(self, operations: list[Operation], fate: str) -> None:
        model = copy.deepcopy(self.model)
        drafts = self.drafts(model, operations)
        if fate == REHEARSED:
            act = Act(recording(*drafts), bytes(16), validate_only=True)
        else:
            refusal = Refusal(reasons.ERROR_REASON_ITEM_NOT_FOUND, "refused after it recorded")
            act = breaking(drafts, refusal if fate == REFUSED else ZeroDivisionError("broken after it recorded"))
        self.group.append(Planned(act, fate, list(range(self.model.head + 1, model.head + 1))))

    @precondition(lambda self: self.group)
    @rule(at_once=st.booleans())
    def carry_out(self, at_once: bool) -> None:
        if at_once:
            outcomes = listing.together(self.engine, [planned.act for planned in self.group])
        else:
            outcomes = [listing.together(self.engine, [planned.act])[0] for planned in self.group]
        for planned, outcome in zip(self.group, outcomes, strict=True):
            if planned.fate in (KEPT, REHEARSED):
                assert isinstance(outcome, bytes), outcome
                assert sequences(outcome) == planned.expected
                assert planned.seen == planned.near
                if planned.fate == KEPT and planned.act.request_id:
                    self.answers[planned.act.request_id] = outcome
            else:
                assert isinstance(outcome, Refusal if planned.fate == REFUSED else ZeroDivisionError)
        self.group = []
        self.unchecked = True

    @precondition(lambda self: self.answers and not self.group)
    @rule(number=st.integers(0, 99))
    def ask_again(self, number: int) -> None:
        request_id = list(self.answers)[number % len(self.answers)]
        again = Act(breaking([], ZeroDivisionError("decided twice")).decide, bytes(16), request_id)
        assert self.engine.writer.submit(again) == self.answers[request_id]

    @precondition(lambda self: not self.group)
    @rule()
    def close_and_open(self) -> None:
        self.engine.close()
        self.engine = Engine.open(self.folder, Config())
        self.unchecked = True

    @precondition(lambda self: not self.group)
    @rule()
    def write_down_the_indexes(self) -> None:
        """A start after lost power then finds them older than the store."""
        with self.engine.state.read() as view:
            self.engine.matcher.checkpoint(view)

    @precondition(lambda self: not self.group)
    @rule(operations=st.lists(OPERATION, min_size=1, max_size=3))
    def lose_power_while_deciding(self, operations: list[Operation]) -> None:
        """Go on with a copy of the file as it is while an act has recorded and is not committed."""
        drafts = self.drafts(copy.deepcopy(self.model), operations)
        self.copies += 1
        copied = self.home / str(self.copies)

        def decide(scene: Scene) -> Encode:
            recording(*drafts)(scene)
            (copied / STORE_FOLDER).mkdir(parents=True)
            shutil.copy(self.folder / STORE_FOLDER / "data.mdb", copied / STORE_FOLDER)
            shutil.copytree(self.folder / INDEX_FOLDER, copied / INDEX_FOLDER)
            raise ZeroDivisionError("power lost")

        with pytest.raises(ZeroDivisionError):
            self.engine.writer.submit(Act(decide, bytes(16)))
        self.engine.close()
        self.folder = copied
        self.engine = Engine.open(self.folder, Config())
        self.unchecked = True

    # What must be true.

    @precondition(lambda self: self.unchecked and not self.group)
    @invariant()
    def all_agree(self) -> None:
        self.store_holds_together_and_replays()
        self.state_is_the_models()
        self.roster_is_the_models()
        self.matcher_finds_what_a_plain_loop_finds()
        self.a_rule_sees_what_a_search_sees()
        self.unchecked = False

    def store_holds_together_and_replays(self) -> None:
        with self.engine.store.read() as tx:
            checked, replayed = fsck.check_stored(tx), replay.check_stored(tx)
            leaves = [rfc6962.leaf(entry.public) for entry in LedgerReader(tx).entries()]
            gone = {entry.sequence for entry in LedgerReader(tx).entries() if entry.redacted}
        assert checked.problems == []
        assert replayed.problems == []
        assert checked.entries == replayed.entries == len(leaves) == self.model.head + 1
        assert checked.digest == replayed.digest
        assert self.engine.published.head.root == rfc6962.root(leaves)
        assert gone == self.model.redacted

    def state_is_the_models(self) -> None:
        model = self.model
        with self.engine.state.read() as view:
            assert view.head == self.engine.published.head
            assert (view.head.epoch, view.head.sequence) == (model.epoch, model.head)
            for code, value in pool_digests():
                assert view.item_by_digest(code, value) == model.digests.get((code, value), (0, None))[1]
            rows = view.items(limit=10**6)
            assert {row.item: (row.status, row.redacted) for row in rows} == {
                item: (row.status, row.redacted) for item, row in model.items.items()
            }
            for item, row in model.items.items():
                standing = {each.pseudonym: (each.sequence, each.labels) for each in view.contributions(item)}
                assert standing == row.contributions
                listed = {value for of, value in model.values.values() if of == item}
                listed |= {digest for (_, digest), (_, of) in model.digests.items() if of == item}
                assert {signal.value for _, signal in view.item_signals(item) if signal.code} == listed
            for code in RADII:
                stored = {
                    (code, signal): (item, bytes(value))
                    for ids, items, values in view.value_blocks(code)
                    for signal, item, value in zip(ids.tolist(), items.tolist(), values, strict=True)
                }
                assert stored == {key: row for key, row in model.values.items() if key[0] == code}

    def roster_is_the_models(self) -> None:
        roster = self.engine.published.roster
        assert {row.token_id: (row.pseudonym, row.token_hash) for row in roster.tokens.values()} == self.model.tokens
        assert {
            who: (row.created_sequence, row.name, row.suspended) for who, row in roster.members.items()
        } == self.model.members
        with self.engine.state.read() as view:
            named = {name: who for who, (_, name, _) in self.model.members.items() if name}
            assert {row.name: row.pseudonym for row in view.members(limit=100)} == named

    def matcher_finds_what_a_plain_loop_finds(self) -> None:
        sizes = {kind.code: kind.size_bytes for kind in SIGNAL_TYPES.values()}
        for code, radii in RADII.items():
            listed = {key[1]: row for key, row in self.model.values.items() if key[0] == code}
            assert self.engine.matcher.counts()[code] == len(listed)
            queries = [value for of, value in pool_values() if of == code]
            packed = np.frombuffer(b"".join(queries), np.uint8).reshape(len(queries), sizes[code])
            for radius in radii:
                lims, distances, ids = self.engine.matcher.search(code, packed, radius)
                items = self.engine.matcher.items_of(ids)
                for at, query in enumerate(queries):
                    hits = slice(int(lims[at]), int(lims[at + 1]))
                    found = list(zip(distances[hits].tolist(), ids[hits].tolist(), items[hits].tolist(), strict=True))
                    near = (
                        ((int.from_bytes(query, "big") ^ int.from_bytes(value, "big")).bit_count(), signal, item)
                        for signal, (item, value) in listed.items()
                    )
                    assert found == sorted(row for row in near if row[0] <= radius)

    def a_rule_sees_what_a_search_sees(self) -> None:
        """``Scene.near``, with what is recent and with a hint, is the same loop over live items."""
        hint = self.engine.matcher.neighbours([(code, value, RADII[code][1]) for code, value in pool_values()])
        seen: list[list[tuple[int, int]]] = []

        def look(scene: Scene) -> Encode:
            seen.extend(
                scene.near(code, value, RADII[code][1], given)
                for code, value in pool_values()
                for given in (None, hint)
            )
            return lambda _as_of: b""

        self.engine.writer.submit(Act(look, bytes(16)))
        assert seen == [near for near in near_in(self.model) for _ in range(2)]


def test_whatever_happens_the_state_is_what_the_ledger_adds_up_to() -> None:
    run_state_machine_as_test(
        ListMachine,
        settings=settings(
            max_examples=effort(20),
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
