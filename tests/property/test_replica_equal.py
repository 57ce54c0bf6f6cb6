"""A replica that adopts a ledger is the hub, row by row, wherever the ledger was cut on the way."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hashpact_server.adopting import DivergedError, Parts, adopt, compare
from hashpact_server.config import Config
from hashpact_server.engine import Engine
from hashpact_server.writer import Act
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import listing
from tests.data import effort
from tests.following import begun, expected_of, follow, next_of, parts_from, rows_of
from tests.listing import recording
from tests.property.list_model import OPERATIONS, Model

OPERATION = st.tuples(
    st.sampled_from(OPERATIONS), st.integers(0, 8191), st.integers(0, 2**18 - 1), st.integers(0, 8191)
)
STEPS = st.lists(
    st.tuples(OPERATION, st.sampled_from(("", "", "follow", "cut", "restart", "snapshot"))), min_size=5, max_size=40
)


@settings(max_examples=effort(15), deadline=None)
@given(steps=STEPS, shares=st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_a_replica_equals_its_hub(steps: list[tuple[tuple[str, int, int, int], str]], shares: list[float]) -> None:
    with tempfile.TemporaryDirectory(prefix="hashpact-test-") as home:
        place = Path(home, "hub")
        place.mkdir()
        Engine.create(place, listing.STEWARD_NAME)
        hub = Engine.open(place, Config())
        replica = begun(Path(home, "replica"), hub)
        try:
            model = model_of(hub)
            for number, (operation, then) in enumerate(steps):
                draft = model.draft(operation)
                if draft is not None:
                    hub.writer.submit(Act(recording(draft), bytes(16)))
                if then == "cut":  # an answer that broke off somewhere
                    behind = next_of(hub) - next_of(replica)
                    follow(replica, hub, next_of(replica) + round(behind * shares[number % len(shares)]))
                elif then:
                    follow(replica, hub, next_of(hub))
                    assert rows_of(replica.state) == rows_of(hub.state)
                if then == "restart":
                    replica.close()
                    replica = Engine.open(Path(home, "replica"), Config())
                if then == "snapshot":
                    replica.close()
                    replica = begun(Path(home, f"replica-{number}"), hub)
            follow(replica, hub, next_of(hub))
            assert rows_of(replica.state) == rows_of(hub.state)
            assert replica.published.head == hub.published.head
            assert replica.matcher.counts() == hub.matcher.counts()
            compare(replica.state, expected_of(hub.state, next_of(hub)))
        finally:
            replica.close()
            hub.close()


def test_two_that_lack_different_private_parts_are_not_compared(tmp_path: Path) -> None:
    """As many on both sides, and not the same ones: each read one of two entries after its redaction elsewhere."""
    (tmp_path / "hub").mkdir()
    Engine.create(tmp_path / "hub", listing.STEWARD_NAME)
    hub = Engine.open(tmp_path / "hub", Config())
    left, right = begun(tmp_path / "left", hub), begun(tmp_path / "right", hub)
    try:
        model = model_of(hub)
        for number in range(2):
            draft = model.draft(("create", 1 << number, 1 << number, number))
            assert draft is not None
            hub.writer.submit(Act(recording(draft), bytes(16)))
        one, other = parts_from(hub.state, next_of(left))
        adopt(left.writer, left.state, [replace(one, private=None), other])
        adopt(right.writer, right.state, [one, replace(other, private=None)])
        expected = expected_of(right.state, next_of(right))
        assert expected.private_parts == expected_of(left.state, next_of(left)).private_parts
        assert rows_of(left.state) != rows_of(right.state)
        compare(left.state, expected)
    finally:
        for engine in (left, right, hub):
            engine.close()


@settings(max_examples=effort(15), deadline=None)
@given(
    steps=st.lists(
        st.tuples(OPERATION, st.sampled_from(("", "left", "right", "meet")), st.floats(0, 1)), min_size=5, max_size=40
    )
)
def test_replicas_of_one_hub_never_take_each_other_for_others(
    steps: list[tuple[tuple[str, int, int, int], str, float]],
) -> None:
    """Each has seen other redactions, and some private parts are missing before the redaction came; then one follows
    the other."""
    with tempfile.TemporaryDirectory(prefix="hashpact-test-") as home:
        place = Path(home, "hub")
        place.mkdir()
        Engine.create(place, listing.STEWARD_NAME)
        hub = Engine.open(place, Config())
        left, right = begun(Path(home, "left"), hub), begun(Path(home, "right"), hub)
        try:
            model = model_of(hub)
            for operation, then, share in steps:
                draft = model.draft(operation)
                if draft is not None:
                    hub.writer.submit(Act(recording(draft), bytes(16)))
                if then == "meet":
                    ahead, behind = sorted((left, right), key=next_of, reverse=True)
                    follow(behind, ahead, next_of(ahead))
                elif then:
                    replica = left if then == "left" else right
                    follow(replica, hub, next_of(replica) + round((next_of(hub) - next_of(replica)) * share))
                if next_of(left) == next_of(right):
                    compare(left.state, expected_of(right.state, next_of(right)))
                    compare(right.state, expected_of(left.state, next_of(left)))
            for replica in (left, right):
                follow(replica, hub, next_of(hub))
                assert rows_of(replica.state) == rows_of(hub.state)
        finally:
            for engine in (left, right, hub):
                engine.close()


def model_of(engine: Engine) -> Model:
    """The model of a fresh list."""
    steward = listing.steward_of(engine)
    model = Model(steward, engine.published.head.sequence)
    model.members[steward] = (1, listing.STEWARD_NAME, False)
    model.admitted[1] = steward
    (token,) = engine.published.roster.tokens.values()
    model.tokens[token.token_id] = (steward, token.token_hash)
    model.issued.append(token.token_id)
    return model


@pytest.mark.parametrize("damage", ["public", "private", "order", "missing", "root", "digest"])
def test_what_does_not_fit_is_not_taken_over(tmp_path: Path, damage: str) -> None:
    (tmp_path / "hub").mkdir()
    Engine.create(tmp_path / "hub", listing.STEWARD_NAME)
    hub = Engine.open(tmp_path / "hub", Config())
    replica = begun(tmp_path / "replica", hub)
    try:
        model = model_of(hub)
        for number in range(6):
            draft = model.draft(("create", 1 << number % 5, 1 << number, number))
            assert draft is not None
            hub.writer.submit(Act(recording(draft), bytes(16)))
        before = replica.published.head
        parts = parts_from(hub.state, next_of(replica))
        expected = expected_of(hub.state, next_of(hub))
        if damage == "public":
            parts[2] = Parts(parts[2].public[:-1] + bytes([parts[2].public[-1] ^ 1]), parts[2].private)
        elif damage == "private":
            parts[2] = Parts(parts[2].public, (parts[2].private or b"")[:-1] + b"\x55")
        elif damage == "order":
            parts[2], parts[3] = parts[3], parts[2]
        elif damage == "missing":
            del parts[2]
        elif damage == "root":
            expected = replace(expected, root=bytes(32))
        else:
            expected = replace(expected, state_digest=bytes(32))
        with pytest.raises(DivergedError):
            adopt(replica.writer, replica.state, parts, expected)
        taken = damage == "digest"  # only known to differ once it is there
        assert (replica.published.head == before) is not taken
    finally:
        replica.close()
        hub.close()
