"""What drills stand on: a real server on loopback, members connected to it, and somebody whose latency is watched."""

from __future__ import annotations

import json
import os
import random
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from hashpact import Client, Contribution, Signal
from hashpact.governing import Rollback
from hashpact_server.config import Config, Limits
from hashpact_server.engine import Engine
from hashpact_server.ledger.entry import SERVICE
from hashpact_server.rules.members import create_member, issue_token
from hashpact_server.scene import Scene
from hashpact_server.state.rows import Role
from hashpact_server.tokens import member_token_hash, new_member_token
from hashpact_server.writer import Act

from tests.demo.stage import Stage
from tests.forum import value

WAIT_S = 120.0
LABEL = "glorification_of_terrorist_acts"


class Drill:
    """A list with three stewards' worth of people, on a server of its own.

    Args:
        folder: where its files are.
    """

    def __init__(self, folder: Path) -> None:
        self.stage = Stage(folder)
        self._clients: list[Client] = []

    @classmethod
    @contextmanager
    def begin(cls, folder: Path, members: Mapping[str, Sequence[str]], settings: str = "") -> Iterator[Drill]:
        """A server with these members (name -> roles), each of a corporate group of its own; they are full members."""
        made = cls(folder)
        with made.stage as stage:
            stage.init()
            _admit(stage, {"steward-a": ["steward"], "steward-b": ["steward"], **members})
            file = stage.data / "config.toml"
            file.write_text(settings + (file.read_text() if file.exists() else ""))
            stage.serve()
            try:
                yield made
            finally:
                for client in made._clients:
                    client.close()

    def client(self, member: str, timeout_s: float = 60) -> Client:
        """A connection of a member, which waits so long where it is told to; closed with the drill."""
        settings = self.stage.environment(member)
        made = Client(
            settings["HASHPACT_TARGET"],
            token=settings["HASHPACT_TOKEN"],
            ca=settings["HASHPACT_CA"],
            timeout_s=timeout_s,
        )
        self._clients.append(made)
        return made

    def carry(self, act: str, fields: dict[str, object], reason: str) -> None:
        """A motion of one steward, seconded by the other."""
        motion = self.client("steward-a").propose(act, fields, reason=reason).motion
        self.client("steward-b").second(motion.motion)

    def adopt_policy(self, **numbers: object) -> None:
        """A policy with these numbers, in force."""
        self.carry("adopt_policy", {"content": json.dumps(numbers)}, "drill")

    def roll_back(self, member: str, since: datetime) -> tuple[Rollback, float]:
        """Undo what a member did since a time; the rollback, and its seconds from the second steward on."""
        steward = self.client("steward-a")
        number = steward.propose("roll_back", {"member": member, "since_time": since}, reason="drill").motion.motion
        began = time.monotonic()
        self.client("steward-b").second(number)
        while True:
            done = [each for each in steward.list_rollbacks() if each.member == member]
            if done and done[-1].finish_time is not None:
                return done[-1], time.monotonic() - began
            if time.monotonic() - began > WAIT_S:
                raise TimeoutError("the rollback did not end")
            time.sleep(0.05)

    def wait_for(self, there: Callable[[], bool], what: str) -> float:
        """Wait until something is so; seconds that it took."""
        began = time.monotonic()
        while not there():
            if time.monotonic() - began > WAIT_S:
                raise TimeoutError(what)
            time.sleep(0.1)
        return time.monotonic() - began


def _admit(stage: Stage, members: Mapping[str, Sequence[str]]) -> None:
    """Admit members as ``hashpact-server member add`` does, all at once."""
    engine = Engine.open(stage.data, Config())

    def admit(scene: Scene) -> Callable[[str], bytes]:
        for name, words in members.items():
            token, roles = new_member_token(), tuple(sorted(Role[word.upper()] for word in words))
            row = create_member(scene, SERVICE, pseudonym=os.urandom(16), name=name, roles=roles, group=name)
            issue_token(
                scene, SERVICE, row.pseudonym, token_hash=member_token_hash(token), expiry_ms=0, limits=Limits()
            )
            stage.know(name, token)
        return lambda _: b""

    try:
        engine.writer.submit(Act(admit, SERVICE))
    finally:
        engine.close()


class Watcher:
    """A platform that looks up one upload after the other, all the time; how long each took, by phase."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._phase = ""
        self.seconds: dict[str, list[float]] = {}
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def phase(self, name: str) -> None:
        """From here on, look-ups count for this phase."""
        self._phase = name

    def stop(self) -> None:
        """End."""
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        rng = random.Random(1)
        while not self._end.is_set():
            probe = [Signal("pdq", rng.randbytes(32))]
            phase, began = self._phase, time.perf_counter()
            self._client.lookup([probe])
            self.seconds.setdefault(phase, []).append(time.perf_counter() - began)
            self._end.wait(0.005)

    def told(self, phase: str) -> str:
        """p50 and p99 of a phase in ms, and how many look-ups there were."""
        seconds = sorted(self.seconds.get(phase, []))
        if not seconds:
            return "-"
        p50, p99 = statistics.median(seconds), seconds[min(len(seconds) - 1, int(len(seconds) * 0.99))]
        return f"p50 {p50 * 1000:.1f} ms, p99 {p99 * 1000:.1f} ms ({len(seconds)} look-ups)"


def picture(seed: str) -> list[Signal]:
    """The signals of a picture that does not exist: a digest and two perceptual values."""
    return [
        Signal("sha256", value("sha256", seed)),
        Signal("pdq", value("pdq", seed), quality=100),
        Signal("phash256", value("phash256", seed)),
    ]


def contribute(client: Client, seeds: Sequence[str], batch: int = 500) -> dict[str, int]:
    """Contribute pictures, each said to be terrorist media that a person looked at; outcomes by word."""
    outcomes: dict[str, int] = {}
    for start in range(0, len(seeds), batch):
        wanted = [
            Contribution(picture(seed), [LABEL], observer_role="reviewer") for seed in seeds[start : start + batch]
        ]
        for outcome in client.contribute_many(wanted).outcomes:
            word = outcome.outcome if not outcome.reason else f"{outcome.outcome} ({outcome.reason})"
            outcomes[word] = outcomes.get(word, 0) + 1
    return outcomes


def advice(client: Client, seeds: Sequence[str], batch: int = 500) -> dict[str, int]:
    """What a platform is advised when these pictures are uploaded, by word; ``none`` where nothing matches."""
    words: dict[str, int] = {}
    for start in range(0, len(seeds), batch):
        part = seeds[start : start + batch]
        for result in client.lookup([picture(seed) for seed in part]):
            word = max((match.advice for match in result.matches), key=_STRENGTH.index, default="none")
            words[word] = words.get(word, 0) + 1
    return words


_STRENGTH = ("none", "observe", "review", "act")


def counted(words: dict[str, int]) -> str:
    """A tally in one line."""
    return ", ".join(f"{count} {word}" for word, count in sorted(words.items(), key=lambda pair: -pair[1])) or "nothing"


def table(rows: Sequence[tuple[str, str]]) -> None:
    """Two columns, as Markdown."""
    print("| | |\n|---|---|")
    for left, right in rows:
        print(f"| {left} | {right} |")
    print()


def machine() -> str:
    """What it ran on."""
    load = os.getloadavg()[0]
    return f"{os.cpu_count()} cores, load average {load:.1f} when it ended, {datetime.now(UTC):%Y-%m-%d}"
