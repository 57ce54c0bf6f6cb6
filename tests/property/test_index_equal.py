"""Every index, under any order of operations, answers what a dictionary and a loop answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from hashpact_server.index import LinearIndex
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.data import effort

if TYPE_CHECKING:
    from hashpact_server.index import Index

BITS = st.sampled_from([64, 128, 256])
SEEDS = st.integers(0, 2**32 - 1)


class IndexMachine(RuleBasedStateMachine):
    """Random adds, removals and searches; values come from few centres, so that many are near or equal."""

    index: Index

    def make(self, bits: int) -> Index:
        return LinearIndex(bits)

    @initialize(bits=BITS, seed=SEEDS)
    def begin(self, bits: int, seed: int) -> None:
        self.bits = bits
        self.present: dict[int, int] = {}
        self.removed: list[int] = []
        rng = np.random.default_rng(seed)
        self.centres = rng.integers(0, 256, (3, bits // 8), dtype=np.uint8)
        self.index = self.make(bits)

    def values(self, rng: np.random.Generator, count: int) -> np.ndarray:
        flips = rng.integers(0, 48, (count, 1))
        mask = rng.random((count, self.bits)) * self.bits < flips
        return self.centres[rng.integers(0, 3, count)] ^ np.packbits(mask, axis=1)

    def put(self, ids: np.ndarray, values: np.ndarray) -> None:
        self.index.add(ids, values)
        for number, value in zip(ids.tolist(), values, strict=True):
            self.present[number] = int.from_bytes(value.tobytes(), "big")

    @rule(seed=SEEDS, count=st.integers(0, 700), above=st.booleans())
    def add(self, seed: int, count: int, above: bool) -> None:
        rng = np.random.default_rng(seed)
        if above:
            first = max(self.present, default=0) + 1
            ids = first + np.arange(count)
        else:
            ids = rng.permutation(np.setdiff1d(rng.integers(0, 2**40, count), list(self.present)))
        self.put(ids.astype(np.uint64), self.values(rng, len(ids)))

    @rule(seed=SEEDS, share=st.sampled_from([0.0, 0.02, 0.5, 1.0]))
    def remove(self, seed: int, share: float) -> None:
        rng = np.random.default_rng(seed)
        known = np.array(sorted(self.present), np.uint64)
        ids = known[rng.random(len(known)) < share]
        unknown = np.setdiff1d(rng.integers(0, 2**40, 5).astype(np.uint64), known)
        assert self.index.remove(np.concatenate([ids, unknown])) == len(ids)
        for number in ids.tolist():
            del self.present[number]
            self.removed.append(number)

    @rule(seed=SEEDS)
    def add_again(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        ids = np.unique(np.array(self.removed[-50:], np.uint64))
        ids = np.setdiff1d(ids, np.array(list(self.present), np.uint64))
        self.put(ids, self.values(rng, len(ids)))

    @rule(seed=SEEDS, count=st.sampled_from([0, 1, 3, 9]), data=st.data())
    def search(self, seed: int, count: int, data: st.DataObject) -> None:
        radius = data.draw(st.integers(0, self.bits) | st.sampled_from([0, 8, 31, 47, 63, self.bits]))
        queries = self.values(np.random.default_rng(seed), count)
        lims, distances, ids = self.index.range_search(queries, radius)
        expected: list[tuple[int, int, int]] = []
        for number, query in enumerate(queries):
            asked = int.from_bytes(query.tobytes(), "big")
            near = ((asked ^ value).bit_count() for value in self.present.values())
            found = sorted((d, i) for d, i in zip(near, self.present, strict=True) if d <= radius)
            expected += [(number, d, i) for d, i in found]
        query_of = np.repeat(np.arange(count), np.diff(lims)).tolist()
        assert list(zip(query_of, distances.tolist(), ids.tolist(), strict=True)) == expected

    @invariant()
    def entries_are_what_is_present(self) -> None:
        if not hasattr(self, "index"):
            return
        assert len(self.index) == len(self.present)
        found = {
            number: int.from_bytes(value.tobytes(), "big")
            for ids, values in self.index.entries()
            for number, value in zip(ids.tolist(), values, strict=True)
        }
        assert found == self.present

    def teardown(self) -> None:
        if hasattr(self, "index"):
            self.index.close()


class TestLinear(IndexMachine.TestCase):
    settings = settings(max_examples=effort(20), stateful_step_count=15, deadline=None)
