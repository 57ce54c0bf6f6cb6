"""What happens because time passed: the hub's clock, as entries.

Nothing in apply, status or advice reads a clock. What has to be decided at a time stands in the state's table of due
times; here, within a second, the rule that belongs to it is carried out by the writer, and its entries tell every
replica. Duties without a time of their own (a rollback that goes on piece by piece) are asked each round.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from hashpact_server.engine import Engine
from hashpact_server.ledger.entry import SERVICE
from hashpact_server.logs import event
from hashpact_server.refusal import Refusal
from hashpact_server.rules.due import Duty, Rule
from hashpact_server.scene import Scene
from hashpact_server.state.tables import Due
from hashpact_server.writer import Act

ROUND_S: Final = 0.5
"""Time between two rounds: what is due is decided within a second."""

DUE_MAX: Final = 64
"""Due times that are taken in one act, so that nobody's write waits behind thousands of them."""

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
        """One round; whether there is more to do at once."""
        more = self._due()
        for duty in self._duties:
            with self._engine.state.read() as view:
                wanted = duty.wanted(view, self._engine.state.now_ms())
            more = (wanted and self._submit(duty.carry_out)) or more
        return more

    def _run(self) -> None:
        while not self._end.is_set():
            try:
                more = self.turn()
            except Refusal as refusal:  # a full disk, a full queue, the end: the next round tries again
                event(_LOGGER, logging.WARNING, "clockwork waits", reason=refusal.message)
                more = False
            self._end.wait(0 if more else ROUND_S)

    def _due(self) -> bool:
        with self._engine.state.read() as view:
            if not view.due(self._engine.state.now_ms(), limit=1):
                return False
        return self._submit(self._decide_due)

    def _decide_due(self, scene: Scene) -> bool:
        # One by one: what one of them decides may end what another one waits for, as an item's expiry its dispute.
        for _ in range(DUE_MAX):
            due = scene.due(scene.now_ms, limit=1)
            if not due:
                return False
            what, subject = due[0]
            self._rules[what](scene, subject)
        return True

    def _submit(self, work: Callable[[Scene], bool]) -> bool:
        more = False

        def decide(scene: Scene) -> Callable[[str], bytes]:
            nonlocal more
            more = work(scene)
            return lambda _: b""

        self._engine.writer.submit(Act(decide, SERVICE))
        return more
