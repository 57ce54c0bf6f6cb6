"""The queue before the one writer: how much waits there, and who goes first."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hashpact.v1 import error_reason_pb2 as reasons
from hashpact_server.config import Config
from hashpact_server.engine import Engine
from hashpact_server.refusal import Refusal
from hashpact_server.scene import Scene
from hashpact_server.writer import Act, Encode

from tests.listing import new_list, together
from tests.writing import CALLER, act


@pytest.fixture
def small_queue(tmp_path: Path) -> Iterator[Engine]:
    with new_list(tmp_path, config=replace(Config(), write_queue_max=3, write_group_max=2)) as opened:
        yield opened


def test_a_full_queue_is_refused(small_queue: Engine) -> None:
    engine, refused = small_queue, []
    begun, go = threading.Event(), threading.Event()

    def hold(_scene: Scene) -> Encode:
        begun.set()
        go.wait()
        return lambda _as_of: b""

    holder = threading.Thread(target=engine.writer.submit, args=(Act(hold, CALLER),))
    holder.start()
    begun.wait()
    waiting = [threading.Thread(target=engine.writer.submit, args=(act(engine, number),)) for number in range(3)]
    for place, thread in enumerate(waiting, start=1):
        thread.start()
        while engine.writer.queue_length < place:
            time.sleep(0)
    with pytest.raises(Refusal) as full:
        engine.writer.submit(act(engine, 9))
    refused.append(full.value)
    go.set()
    for thread in (holder, *waiting):
        thread.join()
    assert refused[0].reason == reasons.ERROR_REASON_TOO_MANY_REQUESTS
    assert refused[0].metadata == {"limit": "write_queue_max", "limit_value": "3"}
    assert refused[0].retry_after_s
    assert engine.published.head.sequence == 2 + 3
    assert engine.writer.figures.last_group == 1, "three acts in groups of two"


def test_urgent_acts_go_first_and_the_others_do_not_starve(tmp_path: Path) -> None:
    order: list[str] = []

    def noting(name: str) -> Act:
        def decide(_scene: Scene) -> Encode:
            order.append(name)
            return lambda _as_of: b""

        return Act(decide, CALLER, urgent=name.startswith("urgent"))

    with new_list(tmp_path, config=replace(Config(), write_group_max=8)) as opened:
        others, urgent = [noting(f"other {n}") for n in range(20)], [noting(f"urgent {n}") for n in range(20)]
        together(opened, [*others, *urgent])
    assert [name for name in order if name.startswith("urgent")] == [f"urgent {n}" for n in range(20)]
    assert [name for name in order if name.startswith("other")] == [f"other {n}" for n in range(20)]
    first = order[:24]  # three groups
    assert sum(name.startswith("other") for name in first) == 4  # one in eight, and what the urgent ones left free
    assert order[:8] == [*(f"urgent {n}" for n in range(7)), "other 0"]


def test_a_full_queue_of_others_keeps_no_urgent_act_out(tmp_path: Path) -> None:
    with new_list(tmp_path, config=replace(Config(), write_queue_max=2)) as opened:
        acts = [act(opened, 1), act(opened, 2), act(opened, 3, urgent=True)]
        assert all(isinstance(outcome, bytes) for outcome in together(opened, acts))
