"""A service, a client of it, and pictures."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from hashpact import Client, _wire
from hashpact.signals import ImageSignals, Signal

from tests.unit.client.loopback import TOKEN, LoopbackService, serving


@pytest.fixture(autouse=True)
def quick_repeats(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same number of tries, with shorter pauses."""
    monkeypatch.setattr(_wire, "BACKOFF_FIRST_S", 0.01)
    monkeypatch.setattr(_wire, "BACKOFF_MAX_S", 0.05)


@pytest.fixture
def service() -> LoopbackService:
    return LoopbackService()


@pytest.fixture
def target(service: LoopbackService) -> Iterator[str]:
    with serving(service) as where:
        yield where


@pytest.fixture
def client(target: str) -> Iterator[Client]:
    with Client(target, token=TOKEN, plaintext=True, timeout_s=5) as one:
        yield one


def signals(seed: int, *, flips: int = 0, dihedral: bool = False, digest: int | None = None) -> ImageSignals:
    """Made-up signals of one picture: the same for the same seed, with ``flips`` bits of PDQ changed."""
    chance = random.Random(seed)
    pdq = chance.getrandbits(256)
    phash, phash256 = chance.randbytes(8), chance.randbytes(32)
    digests = random.Random(seed if digest is None else digest)
    changed = Signal("pdq", (pdq ^ ((1 << flips) - 1)).to_bytes(32, "big"), 90)
    others = tuple(Signal("pdq", chance.randbytes(32), 90) for _ in range(7))
    return ImageSignals(
        sha256=Signal("sha256", digests.randbytes(32)),
        md5=Signal("md5", digests.randbytes(16)),
        pdq=changed,
        pdq_dihedral=(changed, *others) if dihedral else (),
        phash=Signal("phash", phash),
        phash256=Signal("phash256", phash256),
        width_px=640,
        height_px=480,
    )
