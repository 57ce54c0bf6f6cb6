"""The one writer: requests in, durable entries out.

::

    submit(act) --> queue --> group --> [ decide -> ledger.append -> state.apply ] per act, each undone alone if refused
                                                            |
                             entries, rows, tiles, heads --+--> commit (fsync) --> matcher, roster, head --> answers

LMDB write transactions belong to a thread, so there is one writer thread; it takes what is waiting as a group that
shares one commit. Decide runs inside the transaction, after the act before it was applied, so every act sees a list on
which the rules hold. What a group records is held in memory until all of it is decided, then written in key order.
What a crash means stands beside each step of :meth:`Writer._write`; the common answer is: until the commit returned,
nobody was told anything, and the store is what it was before the group.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from hashpact.v1 import error_reason_pb2 as reasons

from hashpact_server import idempotency
from hashpact_server.collector import resting
from hashpact_server.ledger.store import CommitUnknownError, StoreError, StoreFullError
from hashpact_server.refusal import Refusal, not_serving
from hashpact_server.scene import Scene, Undo

if TYPE_CHECKING:
    from hashpact_server.core import Core, Opened

log: Final = logging.getLogger(__name__)

SHARE_OF_OTHERS: Final = 8
"""One act in so many of a group belongs to others when urgent ones wait."""

Encode = Callable[[str], bytes]
"""Given the ``as_of`` token of the state after the write, the serialised answer."""


@dataclass(frozen=True, slots=True)
class Act:
    """One request to write.

    Attributes:
        decide: the rule. Records drafts on the scene and returns how to encode the answer; a Refusal that it raises
            undoes the whole act.
        member: pseudonym of the caller.
        request_id: remembered with the answer when not empty.
        fingerprint: SHA-256 of the request without its request_id (32 bytes): tells a retry from a reuse.
        validate_only: decide, answer, and write nothing.
        deadline: ``time.monotonic()`` after which the act is not begun, and given up where the rule asks.
        urgent: whether it goes before others: what is contributed under an open incident.
    """

    decide: Callable[[Scene], Encode]
    member: bytes
    request_id: str = ""
    fingerprint: bytes = bytes(32)
    validate_only: bool = False
    deadline: float = math.inf
    urgent: bool = False


@dataclass(slots=True)
class _Waiting:
    act: Act
    answer: Future[bytes] = field(default_factory=Future)


@dataclass(slots=True)
class Figures:
    """What the writer tells the metrics; written by the writer thread only.

    Attributes:
        groups: groups committed.
        acts: acts answered, refused ones included.
        commit_s: seconds spent in commits.
        last_group: acts in the last group.
    """

    groups: int = 0
    acts: int = 0
    commit_s: float = 0.0
    last_group: int = 0


class Writer:
    """Takes acts from any thread and carries them out in one.

    Args:
        core: store, matcher and what is published.
        queue_max: acts that may wait; more are refused with TOO_MANY_REQUESTS.
        group_max: acts that share one commit.
        request_id_ttl_s: time for which answers are remembered at least.
        on_fatal: called once, from the writer's thread, when the store cannot be used any more.
    """

    def __init__(
        self,
        core: Core,
        *,
        queue_max: int,
        group_max: int,
        request_id_ttl_s: int,
        on_fatal: Callable[[BaseException], None] | None = None,
    ) -> None:
        self._core = core
        self._queue_max = queue_max
        self._group_max = group_max
        self._request_id_ttl_ms = request_id_ttl_s * 1000
        self._on_fatal = on_fatal
        self._waiting: deque[_Waiting] = deque()
        self._urgent: deque[_Waiting] = deque()
        self._wake = threading.Condition()
        self._stopping = False
        self._fatal: BaseException | None = None
        self._committing = False
        self.figures = Figures()
        self._thread = threading.Thread(target=self._run, name="hashpact-writer", daemon=True)
        self._thread.start()

    @property
    def queue_length(self) -> int:
        """Acts that wait."""
        return len(self._waiting) + len(self._urgent)

    @property
    def alive(self) -> bool:
        """Whether acts can be carried out."""
        return self._fatal is None and self._thread.is_alive()

    def submit(self, act: Act) -> bytes:
        """Carry out an act; returns its serialised answer when it is durable.

        Raises:
            Refusal: what the rule refused, TOO_MANY_REQUESTS, STORE_FULL, DEADLINE_EXCEEDED, WRITE_OUTCOME_UNKNOWN,
                NOT_SERVING.
        """
        waiting = _Waiting(act)
        with self._wake:
            if self._stopping or self._fatal is not None:
                raise not_serving()
            queue = self._urgent if act.urgent else self._waiting
            # Each has as much room as the other: everybody's writes never keep out what an incident sends.
            if len(queue) >= self._queue_max:
                raise Refusal(
                    reasons.ERROR_REASON_TOO_MANY_REQUESTS,
                    "the write queue is full; try again shortly",
                    metadata={"limit": "write_queue_max", "limit_value": str(self._queue_max)},
                    retry_after_s=0.5,
                )
            queue.append(waiting)
            self._wake.notify()
        return waiting.answer.result()

    def stop(self) -> None:
        """Carry out what waits, then end the thread. Acts submitted from now on are refused."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join()

    def _run(self) -> None:
        try:
            while group := self._next_group():
                self._carry_out(group)
        except BaseException as error:  # noqa: BLE001 - whatever it was, nobody may wait for ever
            # Nothing that was not committed may be answered as done: everyone who waits is told that we are gone.
            self._die(error)

    def _next_group(self) -> list[_Waiting]:
        with self._wake:
            while not self._waiting and not self._urgent and not self._stopping:
                self._wake.wait()
            # What is urgent goes first, and leaves an eighth of each group to the others, who must not starve.
            left = min(len(self._waiting), max(1, self._group_max // SHARE_OF_OTHERS))
            urgent = min(len(self._urgent), max(1, self._group_max - left))
            others = min(len(self._waiting), self._group_max - urgent)
            return [self._urgent.popleft() for _ in range(urgent)] + [self._waiting.popleft() for _ in range(others)]

    def _die(self, error: BaseException) -> None:
        log.critical("the writer stops: %s", type(error).__name__, exc_info=error)
        with self._wake:
            self._fatal = error
            left = [*self._urgent, *self._waiting]
            self._urgent.clear()
            self._waiting.clear()
        for waiting in left:
            waiting.answer.set_exception(not_serving())
        if self._on_fatal is not None:
            self._on_fatal(error)

    def _carry_out(self, group: Sequence[_Waiting]) -> None:
        self._committing = False
        try:
            with resting():  # a large group holds hundreds of thousands of rows, and none of them in a cycle
                self._answer_all(group)
        except BaseException:
            # Nobody may wait for ever, nor be told that nothing was written when the disk was asked to.
            for waiting in group:
                if not waiting.answer.done():
                    waiting.answer.set_exception(_unknown() if self._committing else not_serving())
            raise

    def _answer_all(self, group: Sequence[_Waiting]) -> None:
        acts = [waiting.act for waiting in group]
        self.figures.last_group = len(group)
        try:
            answers = self._write(acts)
        except StoreFullError as error:
            # Nothing of the group is kept. One by one, so that an act that fits does not suffer for its neighbour.
            if len(group) > 1:
                self._one_by_one(group)
                return
            answers = [self._when_full(acts[0], error)]
        except CommitUnknownError as error:
            answers = self._find_out(acts, error)
        self.figures.acts += len(group)
        for waiting, answer in zip(group, answers, strict=True):
            if isinstance(answer, bytes):
                waiting.answer.set_result(answer)
            else:
                waiting.answer.set_exception(answer)

    def _one_by_one(self, group: Sequence[_Waiting]) -> None:
        try:
            for waiting in group:
                self._carry_out([waiting])
        except BaseException:
            self._committing = False  # for those whose turn never came
            raise

    def _write(self, acts: Sequence[Act]) -> list[bytes | Exception]:
        core = self._core
        core.store.check_room()
        # Crash from here to the commit: the transaction was never on disk. The callers see a broken connection, and a
        # retry with the same request_id is decided afresh.
        opened = core.begin()
        try:
            answers = [self._answer(act, opened) for act in acts]
            if not opened.dirty:
                opened.tx.abort()
                return answers
            idempotency.forget(opened.tx, opened.scene.now_ms - self._request_id_ttl_ms)
            sealed = core.seal(opened)
        except BaseException:
            opened.tx.abort()
            core.forget_recent()
            raise
        # Crash during the commit: LMDB writes the new pages, syncs, then writes and syncs one of its two meta pages.
        # Before the meta page is on disk the group never happened; after it, all of it did, with the answers under
        # their request_ids. There is no state between.
        started = time.monotonic()
        self._committing = True
        core.commit(opened)
        self.figures.commit_s += time.monotonic() - started
        self.figures.groups += 1
        # Crash from here on: the group is durable and nobody was told. Memory is rebuilt from the state at the
        # next start, and a retry with the same request_id gets the remembered answer.
        core.publish(sealed)
        return answers

    def _answer(self, act: Act, opened: Opened) -> bytes | Exception:
        if time.monotonic() > act.deadline:
            return Refusal(
                reasons.ERROR_REASON_DEADLINE_EXCEEDED,
                "the deadline passed while the write waited; nothing was written",
            )
        try:
            if act.request_id:
                known = idempotency.remembered(opened.tx, act.member, act.request_id, act.fingerprint)
                if known is not None:
                    return known
            return self._decide(act, opened)
        except StoreError:
            raise
        except Refusal as refusal:
            return refusal
        except Exception as error:  # noqa: BLE001 - a bug in one rule must not take its neighbours along
            return error

    def _decide(self, act: Act, opened: Opened) -> bytes:
        scene, answer = opened.scene, b""
        scene.deadline = act.deadline
        with scene.trial():
            before = scene.head.sequence
            encode = act.decide(scene)
            if act.validate_only:
                answer = encode(opened.start.position().encode())
                raise Undo
            answer = encode(scene.head.position().encode())
            opened.dirty = opened.dirty or scene.head.sequence != before
        if act.request_id and not act.validate_only:
            idempotency.remember(opened.tx, act.member, act.request_id, act.fingerprint, answer, scene.now_ms)
            opened.dirty = True
        return answer

    def _when_full(self, act: Act, error: StoreFullError) -> bytes | Exception:
        """There is no room for this act; but it may be one that was carried out before, when there was."""
        try:
            if act.request_id:
                with self._core.store.read() as tx:
                    known = idempotency.remembered(tx, act.member, act.request_id, act.fingerprint)
                if known is not None:
                    return known
        except Refusal as refusal:
            return refusal
        return _store_full(error)

    def _find_out(self, acts: Sequence[Act], error: CommitUnknownError) -> list[bytes | Exception]:
        """After a commit that failed on the way: open the store again, and believe only what it says.

        Whether the group is there or not, it is answered as unknown (or as refused, when the disk was full and the
        group is not there): the answers that were made are remembered with the group, if it is there, and a retry with
        the same request_id gets them. Memory is rebuilt, never patched.
        """
        log.error("a commit failed and its outcome is not known yet: %s", error)
        before = self._core.published.head.sequence
        self._core.recover()
        now = self._core.published.head.sequence
        log.warning("the store was opened again: it stands at entry %d, before the group it stood at %d", now, before)
        if error.disk_full and now == before:
            return [_store_full(StoreFullError("the disk is full")) for _ in acts]
        return [_unknown() for _ in acts]


def _unknown() -> Refusal:
    return Refusal(
        reasons.ERROR_REASON_WRITE_OUTCOME_UNKNOWN,
        "the disk failed while committing; ask again with the same request_id to learn what became of it",
        retry_after_s=1.0,
    )


def _store_full(error: StoreFullError) -> Refusal:
    return Refusal(
        reasons.ERROR_REASON_STORE_FULL,
        f"nothing was written: {error}; look-ups go on, an operator has to make room",
        metadata={"limit": "store_bytes_max", "limit_value": str(error.limit)} if error.limit else {},
    )
