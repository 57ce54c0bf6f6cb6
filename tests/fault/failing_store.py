"""A store whose every step can be made to fail, before it has happened or after; otherwise the real one."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from hashpact_server.ledger.store import Store, Tx, WriteTx

Fault = Callable[[], BaseException]


@dataclass
class Plan:
    """Which step fails, and how.

    Attributes:
        steps: names of the steps that were taken, in order.
        fails: decides, given a step's name and its number, whether it fails.
        error: makes the error that a failing step raises.
        too_late: fail after the step has happened, in place of before.
    """

    steps: list[str] = field(default_factory=list)
    fails: Callable[[str, int], bool] = lambda _name, _number: False
    error: Fault = RuntimeError
    too_late: bool = False

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Take a step, or fail it."""
        number = len(self.steps)
        self.steps.append(name)
        failing = self.fails(name, number)
        if failing and not self.too_late:
            raise self.error()
        yield
        if failing:
            raise self.error()

    def heal(self) -> None:
        """Nothing fails any more; begin to count anew."""
        self.steps = []
        self.fails = lambda _name, _number: False
        self.too_late = False


class _Steps(Tx):
    """A transaction whose writing steps follow a plan."""

    plan: Plan

    def put(self, table: str, key: bytes, value: bytes, *, append: bool = False) -> None:
        with self.plan.step("put"):
            super().put(table, key, value, append=append)

    def put_many(self, table: str, rows: Sequence[tuple[bytes, bytes]], *, append: bool = False) -> None:
        with self.plan.step("put_many"):
            super().put_many(table, rows, append=append)

    def delete(self, table: str, key: bytes) -> bool:
        with self.plan.step("delete"):
            return super().delete(table, key)


class FailingWriteTx(_Steps, WriteTx):
    """The write transaction."""

    def __init__(self, inner: WriteTx, plan: Plan) -> None:
        super().__init__(inner._txn, inner._dbs)
        self.plan = plan


class FailingStore(Store):
    """The store. Its plan is the class's: set it by making a subclass (see :func:`failing_store`)."""

    plan = Plan()

    def check_room(self) -> None:
        with self.plan.step("check_room"):
            super().check_room()

    def write(self) -> WriteTx:
        with self.plan.step("write"):
            return FailingWriteTx(super().write(), self.plan)

    def commit(self, tx: WriteTx) -> None:
        try:
            with self.plan.step("commit"):
                super().commit(tx)
        except BaseException:
            tx.abort()  # LMDB frees a transaction that it could not commit; one that never got so far is ours to end
            raise

    def reopen(self) -> None:
        with self.plan.step("reopen"):
            super().reopen()

    def sync(self) -> None:
        with self.plan.step("sync"):
            super().sync()


def failing_store() -> tuple[type[FailingStore], Plan]:
    """A store class of its own, and the plan that it follows."""
    plan = Plan()
    return type("PlannedStore", (FailingStore,), {"plan": plan}), plan
