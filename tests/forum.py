"""A small forum on a real list in a temporary directory: what tests of rules and services stand on."""

from __future__ import annotations

import atexit
import contextlib
import functools
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from hashpact.signals import SIGNAL_TYPES
from hashpact_server.config import Config, Limits
from hashpact_server.engine import Engine
from hashpact_server.rules import members
from hashpact_server.rules.attestation import Attestation
from hashpact_server.rules.claims import Claim, Offer, check
from hashpact_server.rules.contributing import contribute
from hashpact_server.rules.identity import wanted
from hashpact_server.rules.outcomes import Outcome
from hashpact_server.rules.signals import OfferedSignal
from hashpact_server.scene import Scene
from hashpact_server.services.caller import Caller, set_caller
from hashpact_server.services.capabilities import CapabilitiesService
from hashpact_server.services.contribution import ContributionService
from hashpact_server.services.lookup import LookupService
from hashpact_server.services.member import MemberService
from hashpact_server.services.opinion import OpinionService
from hashpact_server.services.writing import neighbours
from hashpact_server.state.rows import Basis, MemberRow, Role
from hashpact_server.writer import Act

T = TypeVar("T")

PERSON = Attestation(Basis.PERSON_LOOKED)
LABELS = ("glorification_of_terrorist_acts",)


class Forum:
    """An open list with a steward (``steward``) and two platforms that may do everything but govern (``a``, ``b``)."""

    def __init__(self, folder: Path, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.folder = folder
        self.config = Config(limits=self.limits)
        shutil.copytree(_template(), folder, dirs_exist_ok=True)
        self.engine = Engine.open(folder, self.config)
        self.steward, self.a, self.b = (self.member(name) for name in ("steward", "a", "b"))

    @property
    def services(self) -> Services:
        """The services, to be called under :meth:`as_`."""
        return Services(self.engine, self.limits)

    def as_(self, member: MemberRow) -> Services:
        """The services, called by a member."""
        set_caller(Caller(self.member(member.name)))
        return self.services

    def admit(self, name: str, roles: Sequence[Role], group: str = "") -> MemberRow:
        """One more member."""
        return self.decide(lambda scene: _admit(scene, name, roles, group))

    def member(self, name: str) -> MemberRow:
        """The member with this name, as it stands now."""
        with self.engine.state.read() as view:
            return members.existing_member(view, name)

    def decide(self, rule: Callable[[Scene], T], *, validate_only: bool = False) -> T:
        """Carry out a rule through the real writer and return what it returns."""
        kept: list[T] = []

        def act(scene: Scene) -> Callable[[str], bytes]:
            kept.append(rule(scene))
            return lambda _: b""

        self.engine.writer.submit(Act(act, bytes(16), validate_only=validate_only))
        return kept[0]

    def contribute(self, member: MemberRow, *offers: Offer) -> list[Outcome]:
        """Contribute a batch, as the service does."""
        claims = [check(each, self.limits) for each in offers]
        signals = [signal for claim in claims if isinstance(claim, Claim) for signal in claim.signals]
        hint = neighbours(self.engine, Caller(member), wanted(signals))
        return self.decide(lambda scene: contribute(scene, member.pseudonym, claims, self.limits, hint))

    def head(self) -> int:
        """Number of the newest entry."""
        return self.engine.published.head.sequence

    def reopen(self) -> None:
        """Close the list and open it again."""
        self.engine.close()
        self.engine = Engine.open(self.folder, self.config)

    def close(self) -> None:
        """Close the list."""
        self.engine.close()


class Services:
    """The services of one list."""

    def __init__(self, engine: Engine, limits: Limits) -> None:
        self.lookup = LookupService(engine, limits)
        self.contribution = ContributionService(engine, limits)
        self.member = MemberService(engine, limits)
        self.opinion = OpinionService(engine, limits)
        self.capabilities = CapabilitiesService(engine, limits)


@functools.cache
def _template() -> Path:
    """The list that every forum starts from, made once: most of what these tests would wait for is commits."""
    folder = Path(tempfile.mkdtemp(prefix="hashpact-forum-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    Engine.create(folder, "steward")
    engine = Engine.open(folder, Config())
    everything = tuple(role for role in Role if role is not Role.STEWARD)

    def admit(scene: Scene) -> Callable[[str], bytes]:
        for name in ("a", "b"):
            _admit(scene, name, everything)
        return lambda _: b""

    engine.writer.submit(Act(admit, bytes(16)))
    engine.close()
    return folder


def _admit(scene: Scene, name: str, roles: Sequence[Role], group: str = "") -> MemberRow:
    pseudonym = name.encode().ljust(16, b"\x01")
    return members.create_member(
        scene, bytes(16), pseudonym=pseudonym, name=name, roles=tuple(sorted(roles)), group=group or name
    )


@contextlib.contextmanager
def forum_in(folder: Path, limits: Limits | None = None) -> Iterator[Forum]:
    """A forum that is closed in the end."""
    made = Forum(folder, limits)
    try:
        yield made
    finally:
        made.close()


def value(signal_type: str, seed: int | str) -> bytes:
    """A good value of a signal type: random, and for perceptual types with half of its bits set."""
    kind = SIGNAL_TYPES[signal_type]
    rng = random.Random(f"{signal_type}/{seed}")
    if kind.exact:
        return rng.randbytes(kind.size_bytes)
    bits = [1] * (kind.bits // 2) + [0] * (kind.bits // 2)
    rng.shuffle(bits)
    return int("".join(map(str, bits)), 2).to_bytes(kind.size_bytes, "big")


def flipped(original: bytes, bits: int, *, start: int = 0) -> bytes:
    """The value at exactly ``bits`` bits from ``original``: those from bit ``start`` on are flipped."""
    mask = ((1 << bits) - 1) << start
    return (int.from_bytes(original, "big") ^ mask).to_bytes(len(original), "big")


def look_alikes(count: int) -> list[bytes]:
    """Different values of 256 bits, each at most 28 bits from every other one."""
    source = random.Random(11)
    base = source.getrandbits(256)
    made: dict[bytes, None] = {}
    while len(made) < count:
        flips = sum(1 << bit for bit in source.sample(range(256), 14))
        made[(base ^ flips).to_bytes(32, "big")] = None
    return list(made)


def signal(signal_type: str, seed: int | str | bytes, quality: int | None = 100) -> OfferedSignal:
    """A signal as offered; PDQ states its quality, a frame the stretch that it stands for."""
    made = seed if isinstance(seed, bytes) else value(signal_type, seed)
    stated = quality if signal_type.startswith("pdq") else None
    return OfferedSignal(signal_type, made, quality=stated, stretch=(0, 1000) if signal_type == "pdq_frame" else None)


def offer(*signals: OfferedSignal, labels: Sequence[str] = LABELS, **more: object) -> Offer:
    """A contribution by a member that had a person look; ``attestation`` and ``attach_to`` can be given."""
    return Offer(signals, labels, **{"attestation": PERSON, **more})  # type: ignore[arg-type] # a test's shorthand


def one(forum: Forum, member: MemberRow, wish: Offer) -> Outcome:
    """The outcome of a single contribution."""
    (outcome,) = forum.contribute(member, wish)
    return outcome
