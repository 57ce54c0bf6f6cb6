"""Every index, under any order of operations, answers what a dictionary and a loop answer."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pytest
from hashpact_server.index import LinearIndex, MultiIndex, merging, multi_index, plans, tail
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

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


class MultiMachine(IndexMachine):
    """The same for the fast index, with small tails, so that everything that happens to millions happens here.

    Beside it: seals, merges, checkpoints, restarts from the last checkpoint, and files that were damaged.
    """

    constants: ClassVar[dict[str, float]] = {}

    def make(self, bits: int) -> Index:
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(tail, "TAIL_ROWS_MAX", 300)
        self.patch.setattr(multi_index, "TAIL_ROWS_MAX", 300)
        self.patch.setattr(merging, "TAIL_ROWS_MAX", 300)
        self.patch.setattr(merging, "DEAD_ROWS_MIN", 50)
        self.patch.setattr(multi_index, "HELPED_ROWS_MAX", 700)
        self.patch.setattr(multi_index, "MERGED_KEPT_S", 0.0)
        for name, value in self.constants.items():
            module, constant = name.split(".")
            self.patch.setattr({"plans": plans, "tail": tail}[module], constant, value)
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name)
        self.saved: dict[int, int] = {}
        self.saved_sequence = 0
        return MultiIndex(bits, self.path)

    @property
    def multi(self) -> MultiIndex:
        assert isinstance(self.index, MultiIndex)
        return self.index

    @rule()
    def seal(self) -> None:
        self.multi.seal()

    @rule()
    def merge(self) -> None:
        self.multi.merge_all()
        assert self.multi.segments == (1 if self.present else 0)

    @rule()
    def wait_for_merges(self) -> None:
        self.multi.wait()
        assert self.multi.segments <= merging.SEGMENTS_MAX

    @rule()
    def checkpoint(self) -> None:
        self.saved_sequence += 1
        self.multi.checkpoint(self.saved_sequence)
        self.saved = dict(self.present)

    @rule()
    def restart(self) -> None:
        """The next process finds the last checkpoint, whatever was done since."""
        self.multi.close()
        self.index = MultiIndex(self.bits, self.path)
        assert self.multi.damage is None
        assert self.multi.sequence == self.saved_sequence
        self.removed += [number for number in self.present if number not in self.saved]
        self.present = dict(self.saved)

    @precondition(lambda self: self.saved_sequence > 0)
    @rule(data=st.data())
    def damage_and_restart(self, data: st.DataObject) -> None:
        """Whatever happens to a file, the index says so and is empty: its owner fills it again."""
        self.multi.close()
        written = (self.path / "manifest").read_bytes()
        head_bytes = int.from_bytes(written[12:16], sys.byteorder)
        named = json.loads(written[16 : 16 + head_bytes])["segments"]
        file = self.path / data.draw(st.sampled_from(["manifest", *(name for name, _ in named)]))
        content = bytearray(file.read_bytes())
        match data.draw(st.sampled_from(["flip", "cut", "grow", "gone", "empty"])):
            case "flip":
                # The end of a page may be padding, which carries nothing: a flip there is no damage.
                at = data.draw(st.integers(0, min(len(content), 60) - 1))
                content[at] ^= 1 << data.draw(st.integers(0, 7))
                file.write_bytes(content)
            case "cut":
                file.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
            case "grow":
                file.write_bytes(bytes(content) + b"more")
            case "empty":
                file.write_bytes(b"")
            case "gone" if file.name != "manifest":
                file.unlink()
        self.index = MultiIndex(self.bits, self.path)
        if self.multi.damage is not None:
            self.saved, self.saved_sequence = {}, 0
            assert list(self.path.iterdir()) == []
        assert self.multi.sequence == self.saved_sequence
        self.present = dict(self.saved)

    def teardown(self) -> None:
        super().teardown()
        if hasattr(self, "patch"):
            self.patch.undo()
            self.folder.cleanup()


class TablesMachine(MultiMachine):
    """Everything is searched through the tables, also where a scan were cheaper."""

    constants: ClassVar[dict[str, float]] = {
        "plans.SCAN_ALONE_NS": 1e9,
        "plans.SCAN_BATCH_NS": 1e9,
        "tail.TAIL_BUCKET_NS": 0.0,
        "plans.HITS_ROOM": 2,
        "plans.HITS_ROOM_PER_QUERY": 1,
    }


class TornMachine(MultiMachine):
    """Plans are mistaken as often as can be: many searches begin in the tables and end with a scan."""

    constants: ClassVar[dict[str, float]] = {
        "plans.SCAN_ALONE_NS": 15.0,
        "plans.SCAN_BATCH_NS": 40.0,
        "tail.TAIL_BUCKET_NS": 0.0,
        "plans.HITS_ROOM": 2,
        "plans.HITS_ROOM_PER_QUERY": 1,
    }


def _examined(machine: type[RuleBasedStateMachine], examples: int) -> Any:
    """The test that runs a machine; ``Any``, because Hypothesis makes the class as it goes."""
    case: Any = machine.TestCase
    case.settings = settings(max_examples=effort(examples), stateful_step_count=15, deadline=None)
    return case


TestLinear = _examined(IndexMachine, 20)
TestMulti = _examined(MultiMachine, 20)
TestMultiTables = _examined(TablesMachine, 10)
TestMultiTorn = _examined(TornMachine, 10)
