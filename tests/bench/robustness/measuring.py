"""The run itself: fill a real list, check everything, beside the peers; figures in, nothing decided here."""

from __future__ import annotations

import math
import sys
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
from hashpact.modes import CHECK_MODE, MODES, Mode

from tests.bench import machine
from tests.bench.robustness import counting, material, peers
from tests.bench.robustness.collection import LISTED_MAX, Collection, collect
from tests.bench.robustness.distractors import DISTRACTORS, distractors, unlisted
from tests.bench.robustness.listing import Listing, new_listing
from tests.bench.robustness.material import File
from tests.bench.robustness.tally import Answer

DISTRACTOR: Final = "distractor"
PHOTO, HARD = "photo", "hard negative"
EDITED, STRANGER, OTHERS = "edited photo", "unlisted photo, edited", "unlisted region or scene"
LISTED, BENIGN, CHECKED = 0, 1000, 2000
"""Numbers of the drawn pictures that are listed, put on the benign list, checked: from here on."""


@dataclass(frozen=True)
class Scale:
    """How much of everything.

    Attributes:
        photos: listed and edited.
        distractors: listed besides.
        listed_each: listed of each kind of template and screen.
        checked_each: others checked of each.
        unlisted: pictures of the distractors' kinds that are checked.
        cost: checks timed in each mode.
        benign_each: of each template put on the benign list.
        peers_photos: of how many photographs the copies are shown to the peers.
        copies_seconds_max: how long edited copies are checked; photograph by photograph, so that fewer make fewer.
        mode: in which everything is checked.
    """

    photos: int = LISTED_MAX
    distractors: int = DISTRACTORS
    listed_each: int = 8
    checked_each: int = 24
    unlisted: int = 1000
    cost: int = 40
    benign_each: int = 4
    peers_photos: int = 50
    copies_seconds_max: float = math.inf
    mode: Mode = CHECK_MODE


FULL: Final = Scale()
QUICK: Final = Scale(photos=12, distractors=200, listed_each=4, checked_each=4, unlisted=40, cost=5)


def say(text: str) -> None:
    """Progress, for whoever waits."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


@dataclass
class Run:
    """One run: what is drawn, and the list that it is checked against."""

    scale: Scale
    work: Path
    collection: Collection
    listing: Listing

    def fill(self) -> None:
        """List photographs, series, templates, screens, distractors."""
        photos = [File(photo.name, PHOTO, photo.path) for photo in self.collection.listed]
        series = [File(photo.name, HARD, photo.path) for photo in self.collection.hard]
        self.listing.add([*photos, *series, *self._templates(LISTED), *self._screens(LISTED)], self.work)
        paths = distractors(self.collection, self.work / "distractors", self.scale.distractors)
        say(f"listing {len(paths)} distractors")
        self.listing.add([File(f"{DISTRACTOR} {path.stem}", DISTRACTOR, path) for path in paths], self.work)

    def answers(self, files: Sequence[File], seconds_max: float = math.inf, mode: Mode | None = None) -> list[Answer]:
        """Check them, for so long."""
        found: list[Answer] = []
        end = time.monotonic() + seconds_max
        for answer in self.listing.check(files, mode or self.scale.mode):
            found.append(answer)
            if len(found) % 500 == 0:
                say(f"  {len(found)} of {len(files)}")
            if time.monotonic() > end:
                break
        return found

    def negatives(self) -> dict[str, list[Answer]]:
        """By class of probe, the answers to pictures of which nothing is listed."""
        edited = material.edited(self.collection.strangers, self.collection, self.work / "stranger-edits")
        paths = unlisted(self.collection, self.work / "unlisted", self.scale.unlisted)
        hard = [File(photo.name, HARD, photo.path) for photo in self.collection.hard]
        found = {
            STRANGER: self.answers(edited),
            OTHERS: self.answers([File(f"unlisted {path.stem}", DISTRACTOR, path) for path in paths]),
            HARD: self.answers(hard),
        }
        return found | self.alike()

    def alike(self) -> dict[str, list[Answer]]:
        """The same for screens and templates, by kind."""
        found: dict[str, list[Answer]] = {}
        for answer in self.answers([*self._screens(CHECKED), *self._templates(CHECKED)]):
            found.setdefault(answer.kind, []).append(answer)
        return found

    def known_good(self) -> None:
        """Put some more of each template on the benign list."""
        self.listing.known_good(material.templates(self.work / "templates", self.scale.benign_each, BENIGN))

    def _templates(self, first: int) -> list[File]:
        return material.templates(self.work / "templates", self._each(first), first)

    def _screens(self, first: int) -> list[File]:
        photos = self.collection.fillers if first == LISTED else self.collection.strangers
        return material.screens(photos, self.work / "screens", self._each(first), first)

    def _each(self, first: int) -> int:
        return self.scale.listed_each if first == LISTED else self.scale.checked_each


def measure(scale: Scale, work: Path) -> dict[str, Any]:
    """Everything; figures ready to be written down."""
    cv2.setNumThreads(1)
    collection = collect(work, scale.photos)
    say("drawing the edited copies")
    copies = material.edited(collection.listed, collection, work / "edits")
    copies.sort(key=lambda file: zlib.crc32(file.name.encode()))
    with new_listing() as listing:
        run = Run(scale, work, collection, listing)
        say("listing")
        run.fill()
        figures: dict[str, Any] = {
            "machine": machine.describe(),
            "real": collection.real,
            "mode": scale.mode,
            "listed": dict(sorted(listing.sizes().items())),
            "refused": dict(sorted(listing.refused.items())),
            "bytes_per_item": listing.bytes_per_item(),
        }
        say(f"checking {len(copies)} edited copies in mode {scale.mode}")
        figures |= _judged(run, copies)
        say("timing")
        sample = [file for file in copies if file.kind == "quality 20"][: scale.cost]
        figures["cost"] = {mode: listing.cost(sample, mode) for mode in MODES}
    say("peers")
    figures["peers"] = peers.beside(collection, _of_photos(copies, scale.peers_photos), work / "peers")
    return figures


def _of_photos(copies: Sequence[File], count: int) -> list[File]:
    """Those of the first so many photographs."""
    first = set(list(dict.fromkeys(file.name for file in copies))[:count])
    return [file for file in copies if file.name in first]


def _judged(run: Run, copies: Sequence[File]) -> dict[str, Any]:
    """What was found, and what was found falsely, before and after templates are on the benign list."""
    answers = run.answers(copies, run.scale.copies_seconds_max)
    lost = {(answer.kind, answer.probe) for answer in answers if answer.level() == "none"}
    again = run.answers([file for file in copies if (file.kind, file.name) in lost], mode="deep")
    say("checking what must not match")
    probes = {EDITED: answers, **run.negatives()}
    run.known_good()
    after = run.alike()
    kinds = run.listing.kinds
    return {
        "recall": counting.recall(answers),
        "found_deep": counting.recall(again)["rows"],
        "evidence": counting.evidence(answers),
        "missed": counting.missed(answers),
        "false": counting.mistakes(probes, kinds),
        "false_after_benign": counting.mistakes(after, kinds),
        "false_pairs": counting.false_pairs(probes | {f"{name}, benign list": each for name, each in after.items()}),
    }
