"""Batches in flight: unrelated ones together, those about one item one after the other; written down in order."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from hashpact import Client, Contribution, Signal
from hashpact.errors import UnavailableError
from hashpact.exchange.importing import CALLS_IN_FLIGHT_MAX, Importer
from hashpact.exchange.items import Batch, ListItem
from hashpact.exchange.journal import Journal
from hashpact.exchange.records import Place
from hashpact.exchange.side_files import SideFile
from hashpact.items import ContributeResult, ContributionOutcome

WAIT_S = 60.0


class Service:
    """Answers contributions as a service would that knows none of them; each first does what it is told to.

    Args:
        before: is given the number of the batch.
    """

    def __init__(self, before: Callable[[int], None]) -> None:
        self._before = before
        self.request_ids: list[str] = []

    def contribute_many(
        self, contributions: Sequence[Contribution], *, request_id: str, validate_only: bool
    ) -> ContributeResult:
        assert not validate_only
        (label,) = contributions[0].labels
        number = int(label.removeprefix("batch-"))
        self.request_ids.append(request_id)
        self._before(number)
        return ContributeResult(tuple(ContributionOutcome("created", 100 + number) for _ in contributions))


def batch(number: int, seed: str, group: str = "") -> Batch:
    item = ListItem(
        group, {Signal("md5", hashlib.md5(seed.encode()).digest()): Place("f", number + 1)}, {f"batch-{number}"}
    )
    return Batch(number, [item], records=1)


def run(service: Service, batches: Sequence[Batch], journal: Path | None = None) -> Journal:
    with Journal(journal, "x") as opened, SideFile(None, 0) as nothing:
        Importer(cast("Client", service), opened, nothing, nothing).run(batches)
        return opened


def test_unrelated_batches_fly_together() -> None:
    together = threading.Barrier(CALLS_IN_FLIGHT_MAX)

    def meet(_: int) -> None:
        together.wait(WAIT_S)  # broken when fewer calls are made at the same time

    run(Service(meet), [batch(number, str(number)) for number in range(2 * CALLS_IN_FLIGHT_MAX)])


@pytest.mark.parametrize(("seeds", "group"), [(("a", "a"), ""), (("a", "b"), "g")], ids=["value", "group"])
def test_batches_about_one_item_wait_for_each_other(seeds: tuple[str, str], group: str) -> None:
    second = threading.Event()
    overtaken: list[bool] = []

    def look(number: int) -> None:
        if number:
            second.set()
        else:
            overtaken.append(second.wait(0.5))

    run(Service(look), [batch(number, seed, group) for number, seed in enumerate(seeds)])
    assert overtaken == [False]
    assert second.is_set()


def test_the_same_batch_has_the_same_id_until_the_import_is_through(tmp_path: Path) -> None:
    def fail(number: int) -> None:
        if number:
            raise UnavailableError("away")

    path = tmp_path / "journal"
    batches = [batch(0, "a", "g"), batch(1, "b", "g")]
    first, again, anew = Service(fail), Service(lambda _: None), Service(lambda _: None)
    with pytest.raises(UnavailableError):
        run(first, batches, path)
    run(again, batches, path)
    assert again.request_ids == first.request_ids[1:]
    path.unlink()
    run(anew, batches, path)
    assert not set(anew.request_ids) & set(first.request_ids)


def test_the_journal_counts_in_order(tmp_path: Path) -> None:
    """The third answer comes first: it is written down after those before it, or not at all."""
    third = threading.Event()

    def turn(number: int) -> None:
        if number == 2:
            third.set()
            return
        assert third.wait(WAIT_S)
        if number == 1:
            raise UnavailableError("away")

    path = tmp_path / "journal"
    with pytest.raises(UnavailableError):
        run(Service(turn), [batch(number, str(number)) for number in range(3)], path)
    with Journal(path, "x") as kept:
        assert (kept.batches_done, kept.tally.records, kept.fresh) == (1, 1, False)


def test_a_later_row_of_a_group_finds_its_item() -> None:
    sent: list[Any] = []
    service = Service(lambda _: None)
    real = service.contribute_many

    def keep(contributions: Sequence[Contribution], **more: Any) -> ContributeResult:
        sent.extend(one.attach_to for one in contributions)
        return real(contributions, **more)

    service.contribute_many = keep  # type: ignore[method-assign]  # to see what is sent
    run(service, [batch(0, "a", "g"), batch(1, "b", "other"), batch(2, "c", "g")])
    assert sent == [0, 0, 100]
