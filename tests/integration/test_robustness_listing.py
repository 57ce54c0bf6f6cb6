"""The robustness bench asks a real list, and tells found, missed and false apart."""

from __future__ import annotations

import os
from pathlib import Path

from hashpact import Client

from tests.bench.robustness import material
from tests.bench.robustness.collection import Collection, Photo
from tests.bench.robustness.edits import EDITS
from tests.bench.robustness.listing import Listing
from tests.bench.robustness.material import File
from tests.integration.harness import ServerInside
from tests.pictures import photo

EDIT_NAMES = ("grey", "flip", "crop 25 %")


def _photos(folder: Path, *names: str) -> list[Photo]:
    for name in names:
        photo(f"{name}.png").convert("RGB").save(folder / f"{name}.jpg", quality=92)
    return [Photo(f"{name}.jpg", folder / f"{name}.jpg") for name in names]


def test_copies_are_found_and_strangers_are_not(tmp_path: Path, inside: ServerInside) -> None:
    listed, strangers = _photos(tmp_path, "coffee", "chelsea"), _photos(tmp_path, "astronaut")
    collection = Collection(listed, strangers, [], [], [], [], real=False)
    edits = [edit for edit in EDITS if edit.name in EDIT_NAMES]
    copies = [file for one in listed for file in material.edited([one], collection, tmp_path / "edits", edits)]
    cards = material.templates(tmp_path / "templates", 1, 0)
    alpha = inside.forum.tokens["alpha"]
    with Client(str(inside.address), token=alpha, ca=inside.forum.ca) as client:
        listing = Listing(inside.forum.data, os.getpid(), client, client, ())
        listing.add([File(one.name, "photo", one.path) for one in listed] + cards, tmp_path)
        answers = list(listing.check(copies, "standard"))
        assert [answer for answer in answers if answer.level() == "none"] == []
        assert [answer.false() for answer in answers] == [[]] * len(copies)
        (unknown,) = listing.check([File("astronaut.jpg", "stranger", strangers[0].path)], "standard")
        assert unknown.hits == ()
        assert listing.sizes()["photo"] == 2
        assert listing.cost(copies[:1], "fast")["member_ms"] > 0
