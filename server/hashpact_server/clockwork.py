"""What happens because time passed: the hub's clock, as entries.

Nothing in apply, status or advice reads a clock. What has to be decided at a time stands in the state's table of due
times; here, within a second, the rule that belongs to it is carried out by the writer, and its entries tell every
replica. Duties without a time of their own (a rollback that goes on piece by piece) are asked each round.

What cannot be decided is told in the log and tried again later, alone: it keeps nothing else from happening.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from hashpact_server.engine import Engine
from hashpact_server.ledger.entry import SERVICE
from hashpact_server.ledger.store import StoreError
from hashpact_server.logs import event, where
from hashpact_server.refusal import Refusal
from hashpact_server.rules.due import Duty, Rule
from hashpact_server.scene import Scene
from hashpact_server.state.tables import Due
from hashpact_server.state.view import View
from hashpact_server.writer import Act

ROUND_S: Final = 0.5
"""Time between two rounds: what is due is decided within a second."""

DUE_MAX: Final = 64
"""Due times that are taken in one act, so that nobody's write waits behind thousands of them."""

PUT_OFF_S: Final = 60.0
"""Time until something that failed is tried again."""

_LOGGER: Final = logging.getLogger(__name__)


class Clockwork:
    """Carries out what is due. One thread, on the hub alone.

    Args:
        engine: the list.
        rules: what decides, by what is due.
        duties: work without a time of its own.
    """

    def __init__(self, engine: Engine, rules: Mapping[Due, Rule], duties: Sequence[Duty] = ()) -> None:
        self._engine = engine
        self._rules = rules
        self._duties = duties
        self._put_off: dict[tuple[Due, int], float] = {}
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hashpact-clockwork", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, after the piece that is being done."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join()

    def turn(self) -> bool:
        """One round; whether there is more to do at once.

        Raises:
            Refusal: the writer takes nothing now.
        """
        more = self._due()
        for duty in self._duties:
            try:
                with self._engine.state.read() as view:
                    wanted = duty.wanted(view, self._engine.state.now_ms())
                more = (wanted and self._submit(duty.carry_out)) or more
            except (Refusal, StoreError):
                raise
            except Exception as error:  # noqa: BLE001 - a bug in one duty must not stop the clock
                event(_LOGGER, logging.ERROR, "a duty failed", where=where(error))
        return more

    def _run(self) -> None:
        while not self._end.is_set():
            try:
                more = self.turn()
            except Refusal as refusal:  # a full disk, a full queue, the end: the next round tries again
                event(_LOGGER, logging.WARNING, "clockwork waits", reason=refusal.message)
                more = False
            except Exception as error:  # noqa: BLE001 - the clock goes on as long as the server does
                event(_LOGGER, logging.ERROR, "clockwork waits", where=where(error))
                more = False
            self._end.wait(0 if more else ROUND_S)

    def _due(self) -> bool:
        self._put_off = {what: until for what, until in self._put_off.items() if until > time.monotonic()}
        with self._engine.state.read() as view:
            if self._next(view, self._engine.state.now_ms()) is None:
                return False
        return self._submit(self._decide_due)

    def _decide_due(self, scene: Scene) -> bool:
        # One by one: what one of them decides may end what another one waits for, as an item's expiry its dispute.
        for _ in range(DUE_MAX):
            due = self._next(scene, scene.now_ms)
            if due is None:
                return False
            self._decide(scene, *due)
        return True

    def _next(self, view: View, now_ms: int) -> tuple[Due, int] | None:
        """What is due first, of what was not put off."""
        due = view.due(now_ms, limit=1 + len(self._put_off))
        return next((each for each in due if each not in self._put_off), None)

    def _decide(self, scene: Scene, what: Due, subject: int) -> None:
        try:
            with scene.trial():
                self._rules[what](scene, subject)
        except StoreError:
            raise
        except Exception as error:  # noqa: BLE001 - one rule's bug, or its refusal, must not stop all others
            self._put_off[what, subject] = time.monotonic() + PUT_OFF_S
            event(
                _LOGGER, logging.ERROR, "what is due failed", due=what.name.lower(), about=subject, where=where(error)
            )

    def _submit(self, work: Callable[[Scene], bool]) -> bool:
        more = False

        def decide(scene: Scene) -> Callable[[str], bytes]:
            nonlocal more
            more = work(scene)
            return lambda _: b""

        self._engine.writer.submit(Act(decide, SERVICE))
        return more
