"""A member that probes: how many questions until it is slowed, and what it has learned by then.

``make drill-probing``, or ``python -m tests.drills.probing``. A real server on loopback, and an attacker with a token
that may only check. It knows one picture that matches, as many people do, and wants the listed PDQ value: with it, it
could tell what is listed, and how far a picture must be changed to pass. Beside it, a platform on which the same
picture is shared in an incident: re-encoded, resized, cropped and written on. It must not be taken for an attacker.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import random
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from hashpact import Client, Signal, hash_image
from hashpact.errors import LimitExceededError
from hashpact.signals import hamming
from PIL import Image, ImageDraw

from tests.drills.forum import LABEL, Drill, counted, machine, table
from tests.forum import flipped
from tests.pictures import encoded, photo

BITS = 256
Ask = Callable[[list[bytes]], list[int | None]]
"""Values -> what is told of each: the distance, or its bound; None: no match."""


@dataclass
class Attack:
    """What became of one.

    Attributes:
        answered: values that were answered before the first refusal.
        slowed: whether there was one.
        known: bits of the listed value of which the attacker is certain.
    """

    answered: int = 0
    slowed: bool = False
    known: int = 0


@dataclass
class Report:
    """What a run found out; the same for programs."""

    rows: list[tuple[str, str]] = field(default_factory=list)
    attacks: dict[str, Attack] = field(default_factory=dict)
    alerts: dict[str, int] = field(default_factory=dict)
    copies: int = 0
    copies_matched: int = 0


class Slowed(Exception):  # noqa: N818 - what happened, in the drill's words
    """The server refused to go on answering."""


class Asking:
    """A connection that counts what is answered, and does not wait when it is slowed."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.attack = Attack()

    def __call__(self, values: list[bytes]) -> list[int | None]:
        """Ask in one call."""
        try:
            found = self._client.lookup([[Signal("pdq", each, quality=100)] for each in values])
        except LimitExceededError as error:
            self.attack.slowed = True
            raise Slowed from error
        self.attack.answered += len(values)
        return [
            min((agreed.distance for match in result.matches for agreed in match.agreements), default=None)
            for result in found
        ]


def to_the_border(ask: Ask, start: bytes, order: list[int]) -> bytes:
    """Flip bits, one more each time, until nothing matches; the last value that did."""
    here = start
    for bit in order:
        further = flipped(here, 1, start=bit)
        if ask([further])[0] is None:
            return here
        here = further
    return here


def one_by_one(asking: Asking, start: bytes, rng: random.Random) -> None:
    """At the border, each bit alone: what still matches was wrong before, what does not was right."""
    order = rng.sample(range(BITS), BITS)
    border = to_the_border(asking, start, order)
    for bit in rng.sample(range(BITS), BITS):
        asking([flipped(border, 1, start=bit)])
        asking.attack.known += 1


def all_at_once(asking: Asking, start: bytes, rng: random.Random) -> None:
    """The same in one call."""
    border = to_the_border(asking, start, rng.sample(range(BITS), BITS))
    asking([flipped(border, 1, start=bit) for bit in range(BITS)])
    asking.attack.known = BITS


def in_pairs(asking: Asking, start: bytes, rng: random.Random) -> None:
    """A bit set and one cleared, so that half of the bits are set as in a real hash; 8 questions in a call."""
    number = int.from_bytes(start, "big")
    ones = [bit for bit in range(BITS) if number >> bit & 1]
    zeros = [bit for bit in range(BITS) if not number >> bit & 1]
    rng.shuffle(ones)
    rng.shuffle(zeros)
    changes = list(zip(ones, zeros, strict=False))
    border, place = start, 0
    while asking([_swapped(border, *changes[place])])[0] is not None:
        border, place = _swapped(border, *changes[place]), place + 1
    left = changes[place:]
    for begin in range(0, len(left), 8):
        part = left[begin : begin + 8]
        asking([_swapped(border, *pair) for pair in part])
        asking.attack.known += len(part)  # each answer is about two bits together: half of what single flips tell


def _swapped(value: bytes, one: int, zero: int) -> bytes:
    return (int.from_bytes(value, "big") ^ 1 << one ^ 1 << zero).to_bytes(len(value), "big")


def copies(picture: Image.Image, count: int, seed: int) -> Iterator[bytes]:
    """The picture as people pass it on, as files: twenty variants, most copies of the first few."""
    rng = random.Random(seed)
    width, height = picture.size
    for _ in range(count):
        kind = random.Random(min(int(rng.expovariate(0.3)), 19))
        cut = kind.uniform(0, 0.05)
        copy = picture.crop((int(width * cut * kind.random()), int(height * cut * kind.random()), width, height))
        if kind.random() < 0.4:
            draw = ImageDraw.Draw(copy)
            draw.text((kind.randrange(width // 2), kind.randrange(height)), "share this", fill="white")
        scale = rng.uniform(0.3, 0.9)
        copy = copy.resize((int(copy.width * scale), int(copy.height * scale)), Image.Resampling.BILINEAR)
        buffer = io.BytesIO()
        copy.save(buffer, "JPEG", quality=rng.randrange(30, 96))
        yield buffer.getvalue()


ATTACKS: dict[str, Callable[[Asking, bytes, random.Random], None]] = {
    "one bit at a time": one_by_one,
    "256 bits in one call": all_at_once,
    "two bits at a time, in calls of 8": in_pairs,
}


def _pdq(data: bytes) -> bytes:
    return next(each.value for each in hash_image(data) if each.signal_type == "pdq")


def run(folder: Path, shared: int) -> Report:
    """The whole drill.

    Args:
        folder: for the server's files.
        shared: copies that the honest platform meets.
    """
    report = Report()
    picture = photo("astronaut.png").convert("RGB")
    listed = next(each for each in hash_image(encoded(picture, "PNG")) if each.signal_type == "pdq")
    start = next(each for each in map(_pdq, copies(picture, 200, 3)) if 10 <= hamming(each, listed.value) <= 28)
    members = {f"attacker-{n}": ("check",) for n in range(len(ATTACKS))}
    with Drill.begin(folder, {"honest": ("contribute",), "platform": ("check",), **members}) as drill:
        drill.client("honest").contribute([listed], labels=[LABEL])
        for number, (name, attack) in enumerate(ATTACKS.items()):
            asking = Asking(drill.client(f"attacker-{number}", timeout_s=5))
            with contextlib.suppress(Slowed):
                attack(asking, start, random.Random(number))
            done = report.attacks[name] = asking.attack
            told = f"after {done.answered} answers, with {done.known} of {BITS} bits known" if done.slowed else "never"
            report.rows.append((f"{name}: slowed", told))
        platform = drill.client("platform")
        for data in copies(picture, shared, 5):
            values = [each for each in hash_image(data) if not each.signal_type.startswith(("sha", "md5"))]
            report.copies_matched += bool(platform.lookup([values])[0].matches)
            report.copies += 1
        report.rows.append(("shared copies of it on a platform", f"{report.copies}, {report.copies_matched} matched"))
        steward = drill.client("steward-a")
        slowed = sum(each.slowed for each in report.attacks.values())
        drill.wait_for(lambda: len(list(steward.list_alerts())) >= slowed, "no alert came")
        for alert in steward.list_alerts():
            report.alerts[alert.member] = report.alerts.get(alert.member, 0) + 1
        report.rows.append(("members that stewards are told of", counted(report.alerts)))
    return report


def main() -> None:
    """Run it and print what it found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--copies", type=int, default=2000, help="copies that the honest platform meets")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hashpact-drill-") as folder:
        report = run(Path(folder), wanted.copies)
    table([*report.rows, ("machine", machine())])


if __name__ == "__main__":
    main()
