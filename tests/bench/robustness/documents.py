"""How copies of listed documents are found: set again, printed and scanned, with a cover, in part; and what is not.

A real list in this process, asked as a member is; documents are set in one template, so that whatever they share is
what one template shares. Texts: this project's documents, and the chapters of Python's help.
"""

from __future__ import annotations

import io
import json
import pydoc_data.topics
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pypdfium2
from hashpact import DocumentSignals, TextSignals, hash_document, hash_text
from hashpact._convert_matches import probe_message
from hashpact.probes import Probe
from hashpact.v1 import lookup_service_pb2 as pb
from PIL import Image, ImageDraw, ImageFont

from tests.bench.robustness.letters import letter
from tests.documents import scanned, typeset
from tests.forum import Forum, forum_in, offer
from tests.repository import ROOT

LENGTHS: Final = (2_500, 6_000, 12_000)
"""Characters of a text: a page, two, four."""
LISTED, LISTED_QUICK = 36, 9
OTHERS, OTHERS_QUICK = 60, 12
"""Documents that are listed, and others that are asked about."""
TEXT_TARGET: Final = 0.97

Hashed = DocumentSignals | TextSignals
Edit = Callable[[str, random.Random], Hashed]


def measure(quick: bool = False) -> dict[str, Any]:
    """Recall by edit, false matches by kind of pair.

    Args:
        quick: a few documents only, to see that it runs.

    Returns:
        ``rows`` (edit, tried, near or better, strong, target), ``false`` (what was asked against what, pairs, and how
        many matched), ``notes``.
    """
    listed_count, others_count = (LISTED_QUICK, OTHERS_QUICK) if quick else (LISTED, OTHERS)
    texts = list(_texts(listed_count + others_count))
    listed, others = texts[:listed_count], texts[listed_count:]
    with tempfile.TemporaryDirectory() as folder, forum_in(Path(folder) / "list") as forum:
        items = _fill(forum, [hash_document(typeset(text)) for text in listed])
        list_ = _List(forum)
        rows = [_row(list_, name, edit, target, listed, items) for name, (edit, target) in EDITS.items()]
        false = [
            _false(list_, "text pages of one template", "the same", (hash_document(typeset(t)) for t in others), items),
            _false(list_, "other texts, plain", "text pages of one template", (_plain(t) for t in others), items),
        ]
        letters = [hash_document(scanned([letter(text, number)])) for number, text in enumerate(others)]
        half = len(letters) // 2
        more = _fill(forum, letters[:half])
        false.append(_false(list_, "letters on one letterhead, scanned", "the same", letters[half:], more))
    return {"rows": rows, "false": false, "notes": list(NOTES)}


NOTES: Final = (
    "Level strong takes text and pages together, or the file itself; a scan has no text, and a text no pages: near.",
    "Pages with little on them (under 60 % of 8 x 8 cells filled) are neither listed nor looked up.",
)


@dataclass
class _List:
    """The list, asked as a member is."""

    forum: Forum

    def levels(self, signals: Hashed) -> dict[int, int]:
        """Item -> level of what matches."""
        self.forum.as_(self.forum.a)
        request = pb.LookupRequest(probes=[probe_message(Probe.of(signals))])
        answer = self.forum.services.lookup.Lookup(request, None)
        return {match.item: int(match.level) for found in answer.matched for match in found.matches}


def _fill(forum: Forum, documents: Sequence[Hashed]) -> list[int]:
    """The items of the documents, once they are listed."""
    from hashpact_server.rules.signals import OfferedSignal  # noqa: PLC0415  # beside the one use

    items = []
    for each in documents:
        offered = [OfferedSignal(one.signal_type, one.value, quality=one.quality) for one in each.listed()]
        (outcome,) = forum.contribute(forum.b, offer(*offered))
        items.append(outcome.item)
    return items


def _row(
    list_: _List, name: str, edit: Edit, target: float | None, listed: Sequence[str], items: Sequence[int]
) -> dict[str, Any]:
    near = strong = 0
    for number, (text, item) in enumerate(zip(listed, items, strict=True)):
        level = list_.levels(edit(text, random.Random(f"{name}/{number}"))).get(item, 0)
        near += level >= pb.MATCH_LEVEL_NEAR
        strong += level >= pb.MATCH_LEVEL_STRONG
    _say(f"{name}: {near} of {len(items)} near or better, {strong} strong")
    return {"edit": name, "tried": len(items), "near": near, "strong": strong, "target": target}


def _false(
    list_: _List, probes: str, against: str, asked: Iterator[Hashed] | Sequence[Hashed], items: Sequence[int]
) -> dict[str, Any]:
    tried = near = strong = 0
    wanted = set(items)
    for signals in asked:
        tried += 1
        levels = [level for item, level in list_.levels(signals).items() if item in wanted]
        near += sum(level >= pb.MATCH_LEVEL_NEAR for level in levels)
        strong += sum(level >= pb.MATCH_LEVEL_STRONG for level in levels)
    _say(f"false, {probes}: {near} near or better, {strong} strong of {tried * len(items)} pairs")
    return {
        "probes": probes,
        "items": against,
        "tried": tried,
        "pairs": tried * len(items),
        "near": near,
        "strong": strong,
    }


def _texts(count: int) -> Iterator[str]:
    """Different texts of the three lengths in turn: pieces of one long text, each of which comes once."""
    whole = [path.read_text() for path in sorted((ROOT / "docs").glob("*.md"))]
    whole += [text for _, text in sorted(pydoc_data.topics.topics.items())]
    words = " ".join(" ".join(whole).encode("ascii", "ignore").decode().split())
    start = 0
    for number in range(count):
        length = LENGTHS[number % len(LENGTHS)]
        if start + length > len(words):
            raise ValueError(f"{number} texts are all there are, {count} are wanted")
        yield words[start : start + length]
        start += length


def _plain(text: str) -> TextSignals:
    return hash_text(text.encode())


def _merged(*documents: bytes, pages: int | None = None) -> bytes:
    """The pages of some PDFs in one, or the first of them."""
    made = pypdfium2.PdfDocument.new()
    for each in documents:
        source = pypdfium2.PdfDocument(each)
        made.import_pages(source, None if pages is None else list(range(min(pages, len(source)))))
        source.close()
    buffer = io.BytesIO()
    made.save(buffer)
    made.close()
    return buffer.getvalue()


def _scan(text: str, rng: random.Random, degrees: float, dpi: int = 150, quality: int = 60) -> DocumentSignals:
    """Printed, put on the glass askew, and saved as pictures: grey, noisy, moved by up to three millimetres."""
    document = pypdfium2.PdfDocument(typeset(text))
    pages = []
    for page in document:
        picture = page.render(scale=dpi / 72).to_pil().convert("L")
        moved = [round(rng.uniform(-3, 3) * dpi / 25.4) for _ in range(2)]
        turn = rng.uniform(0.3, 1) * degrees * rng.choice((-1, 1))
        picture = picture.rotate(turn, Image.Resampling.BICUBIC, fillcolor=255, translate=(moved[0], moved[1]))
        noise = np.random.default_rng(rng.getrandbits(32)).normal(0, 6, picture.size[::-1])
        shades = (np.asarray(picture, np.float32) * 0.88 + 22 + noise).clip(0, 255).astype(np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(shades).save(buffer, "JPEG", quality=quality)
        pages.append(Image.open(buffer))
    document.close()
    return hash_document(scanned(pages))


def _reworded(text: str, rng: random.Random, share: float) -> str:
    """So many of the words replaced by others of the text."""
    words = text.split()
    for place in rng.sample(range(len(words)), round(share * len(words))):
        words[place] = rng.choice(words)
    return " ".join(words)


def _cover(rng: random.Random) -> bytes:
    picture = Image.new("L", (827, 1170), 255)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, 827, rng.randrange(200, 700)), fill=rng.randrange(120))
    draw.text((80, 800), "A COVER", font=ImageFont.load_default(72), fill=0)
    return scanned([picture])


EDITS: Final[dict[str, tuple[Edit, float | None]]] = {
    "saved again": (lambda text, _: hash_document(typeset(text) + b"\n% again\n"), 0.99),
    "another font and other lines (Times, 60 columns)": (
        lambda text, _: hash_document(typeset(text, "Times-Roman", columns=60)),
        TEXT_TARGET,
    ),
    "hyphens (Courier, 45 columns)": (
        lambda text, _: hash_document(typeset(text, "Courier", size=10, columns=45, hyphenate=True)),
        TEXT_TARGET,
    ),
    "headers and page numbers": (
        lambda text, _: hash_document(typeset(text, header="Second printing", page_numbers=True)),
        None,
    ),
    "a cover in front": (lambda text, rng: hash_document(_merged(_cover(rng), typeset(text))), TEXT_TARGET),
    "its text alone": (lambda text, _: _plain(text), TEXT_TARGET),
    "2 % of its words others": (lambda text, rng: hash_document(typeset(_reworded(text, rng, 0.02))), None),
    "10 % of its words others": (lambda text, rng: hash_document(typeset(_reworded(text, rng, 0.10))), None),
    "its first page alone": (lambda text, _: hash_document(_merged(typeset(text), pages=1)), None),
    "pages as pictures": (lambda text, rng: _scan(text, rng, 0.0), None),
    "printed and scanned, up to 1 degree askew": (lambda text, rng: _scan(text, rng, 1.0), None),
    "printed and scanned badly (3 degrees, 100 dpi, JPEG 30)": (lambda text, rng: _scan(text, rng, 3.0, 100, 30), None),
}


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":  # --quick, --write
    figures = json.dumps(measure("--quick" in sys.argv), indent=1)
    if "--write" in sys.argv:
        (ROOT / "docs" / "benchmarks" / "robustness-documents.json").write_text(figures + "\n", encoding="utf-8")
    print(figures)
