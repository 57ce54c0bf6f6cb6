"""kill -9 while the index seals, merges and writes down segments: the next start finds all that was acknowledged.

    HASHPACT_TEST_EFFORT=100 .venv/bin/pytest tests/fault/test_kill_index.py -q -s        200 rounds; 2 without

As in ``test_kill.py``, but one of the contributors brings *films*: so many values in one call that the index seals
a segment at once, and soon merges. The kill comes by an event: the n-th name that appears in the index's folder (a
segment that begins to be sealed or merged, a manifest beside the one in place, the word that names a checkpoint) while
clients write, or while the server, told to stop, writes the indexes down. Then ``fsck`` compares every row of the index
with the state, and the next start is asked for every value of every film. ``HASHPACT_KILL_SEED`` repeats the choices.
"""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hashpact.v1 import contribution_service_pb2, item_pb2, signal_pb2
from hashpact_server.index.tail import TAIL_ROWS_MAX
from hashpact_server.ledger.entry import Kind
from hashpact_server.shelf import CURRENT

from tests.bench.filling import fill
from tests.data import effort, run_seed
from tests.fault.killing import Chain
from tests.fault.mixed_writes import Client, Deed, Workload
from tests.integration.harness import WAIT_S, Forum, Member, ServerProcess

ROUNDS_PER_CHAIN = min(4, effort(2))
CHAINS = max(1, effort(2) // ROUNDS_PER_CHAIN)
FILM_FRAMES = 3000
FILMS_AT_ONCE = TAIL_ROWS_MAX // FILM_FRAMES + 1
"""Of one call: more rows than the tail takes."""

FILMS_BEFORE = 6
NAMES_BEFORE_KILL = (1, 4)
PROBES_AT_ONCE = 4000
SEED = run_seed("HASHPACT_KILL_SEED")


class Filmer(Client):
    """Contributes and withdraws films, and knows which of them the server has acknowledged."""

    def __init__(self, name: str, pseudonym: bytes, seed: int, shared: list[tuple[int, bytes]]) -> None:
        super().__init__(name, pseudonym, seed, shared)
        self.listed: dict[int, list[bytes]] = {}
        self.withdrawn: dict[int, list[bytes]] = {}
        self.unclear: dict[int, list[bytes]] = {}  # its withdrawal had no answer yet

    def films(self) -> tuple[Deed, Callable[[Any], None]]:
        """A call's worth of new films; each is known to the ledger by the digest of its file."""
        made = [[self.random.randbytes(32) for _ in range(FILM_FRAMES)] for _ in range(FILMS_AT_ONCE)]
        request = contribution_service_pb2.ContributeRequest(request_id=self._request_id())
        basis = item_pb2.ATTESTATION_BASIS_PERSON_LOOKED
        for file, *frames in made:
            signals = [signal_pb2.Signal(signal_type="sha256", value=file)]
            signals += [signal_pb2.Signal(signal_type="pdq", value=frame, quality=100) for frame in frames]
            request.contributions.append(
                contribution_service_pb2.Contribution(
                    signals=signals, labels=["test"], attestation=item_pb2.Attestation(basis=basis)
                )
            )
        keys: list[tuple[object, ...]] = [(Kind.ITEM_CREATED, self.pseudonym, film[0]) for film in made]

        def remember(answer: Any) -> None:
            for outcome, film in zip(answer.outcomes, made, strict=True):
                assert outcome.result == contribution_service_pb2.ContributionOutcome.RESULT_CREATED
                self.listed[outcome.item] = film[1:]

        return Deed("contributions.Contribute", request, keys), remember

    def take_back(self) -> tuple[Deed, Callable[[Any], None]] | None:
        """A film of one's own."""
        if not self.listed:
            return None
        item = self.random.choice(sorted(self.listed))
        self.unclear[item] = self.listed.pop(item)
        request = contribution_service_pb2.WithdrawRequest(request_id=self._request_id(), item=item)

        def remember(answer: Any) -> None:
            assert answer.status == item_pb2.ITEM_STATUS_WITHDRAWN
            self.withdrawn[item] = self.unclear.pop(item)

        return Deed("contributions.Withdraw", request, [(Kind.CONTRIBUTION_WITHDRAWN, self.pseudonym, item)]), remember

    def do_one(self, member: Member) -> None:
        """Bring films, or take one back."""
        kinds: list[Callable[[], Any]] = [self.films, self.films, self.take_back]
        self.do(member, *(self.random.choice(kinds)() or self.films()))


class FilmChain(Chain):
    """A chain that looks every acknowledged value up after each start."""

    def __init__(self, forum: Forum, seed: int) -> None:
        super().__init__(forum, seed)
        alpha, *others = self.clients
        self.filmer = Filmer(alpha.name, alpha.pseudonym, seed, alpha.shared)
        self.clients = [self.filmer, *others]
        self.folder = forum.data / "index"
        self.ready_s: list[float] = []
        self.killed_at: Counter[str] = Counter()

    def look(self, server: ServerProcess, members: list[Member]) -> None:
        """Every value of every listed film is found, none of a withdrawn one, and old generations are gone."""
        self.ready_s.append(server.wait_for("ready")["seconds"])
        generations = [path for path in self.folder.iterdir() if path.name.isdecimal()]
        assert len(generations) == 1, "the shelf keeps what nobody reads"
        asked = known(self.filmer)
        for begin in range(0, len(asked), PROBES_AT_ONCE):
            part = asked[begin : begin + PROBES_AT_ONCE]
            answer = members[0].lookup(*(value for value, _ in part))
            found = {matched.probe_index: {match.item for match in matched.matches} for matched in answer.matched}
            expected = {at: {item} for at, (_, item) in enumerate(part) if item is not None}
            assert found == expected, "look-ups and acknowledged writes differ"

    def moment(self, server: ServerProcess, _workload: Workload) -> bool:
        """Return at the n-th new name in the folder, while clients write or while the server ends in order."""
        watch = Watch(self.folder)
        stopping = self.random.random() < 0.4
        watch.wait(server, self.random.randint(1, 2) if stopping else self.random.randint(*NAMES_BEFORE_KILL))
        if stopping:
            server.signal(signal.SIGTERM)
            watch.wait(server, self.random.randint(*NAMES_BEFORE_KILL))
        where = watch.last.name if not watch.last.name.startswith("segment-") else "segment"
        self.killed_at["stopped" if server.process.poll() is not None else f"{where}{' stopping' * stopping}"] += 1
        return stopping or server.process.poll() is None


class Watch:
    """Names that appear in a folder and below."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen = self._names()
        self.last = Path()

    def _names(self) -> set[Path]:
        return set(self._folder.rglob("*"))

    def wait(self, server: ServerProcess, count: int) -> None:
        """Until ``count`` more names have appeared, or the server is gone, or takes too long."""
        deadline = time.monotonic() + WAIT_S
        while count > 0 and server.process.poll() is None and time.monotonic() < deadline:
            new = self._names() - self._seen
            if new:
                self._seen |= new
                self.last = max(new)
                count -= len(new)
            else:
                time.sleep(0.0005)


def known(client: Filmer) -> list[tuple[bytes, int | None]]:
    """Every value that the server must find, with its item, or must not find, with None."""
    listed = [(value, item) for item, film in client.listed.items() for value in film]
    return [*listed, *((value, None) for film in client.withdrawn.values() for value in film)]


@pytest.mark.timeout(60 + 60 * ROUNDS_PER_CHAIN)
@pytest.mark.parametrize("number", range(CHAINS))
def test_killed_while_the_index_seals_merges_and_is_written_down(
    four_writers: Forum, tmp_path: Path, number: int
) -> None:
    seed = SEED + number
    print(f"\nHASHPACT_KILL_SEED={seed}", end="")
    forum = four_writers.copy(tmp_path / "data")
    fill(forum.data, FILMS_BEFORE, FILM_FRAMES)
    if number % 2:  # as if killed before anything was written down: a new generation begins. Else: catching up
        (forum.data / "index" / CURRENT).unlink()
    chain = FilmChain(forum, seed)
    for _ in range(ROUNDS_PER_CHAIN):
        answered = chain.round(chain.moment)
        print(f" [{answered} answered, {chain.check()} entries]", end="", flush=True)
    with ServerProcess(chain.forum) as server:
        server.ready()
        chain.look(server, [server.member("alpha")])
    print(f" ready after {np.round(chain.ready_s, 2).tolist()} s; killed at {dict(chain.killed_at)}", end="")
