"""Documents, texts and addresses from end to end: contributed by one member, found in what another is sent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pypdfium2
import pytest
from hashpact import Client, Url, hash_document
from hashpact.errors import UnreadableMediaError
from hashpact.results import CheckResult
from PIL import Image

from tests.documents import scanned, typeset
from tests.integration.harness import Forum, ServerInside
from tests.integration.test_client import connect
from tests.repository import ROOT

LABELS = ["behaviour:glorification_of_terrorist_acts"]
BOOK = (ROOT / "docs" / "design.md").read_text().encode("ascii", "ignore").decode()
TEXT, OTHER = BOOK[4_000:12_500], BOOK[14_000:22_500]


@pytest.fixture
def alpha(inside: ServerInside, forum: Forum) -> Iterator[Client]:
    with connect(inside, forum, "alpha") as client:
        yield client


@pytest.fixture
def acme(inside: ServerInside, forum: Forum) -> Iterator[Client]:
    with connect(inside, forum, "acme") as client:
        yield client


def scan_of(pdf: bytes, degrees: float) -> bytes:
    """Each page drawn, put on the glass a little askew, grey and noisy."""
    noise = np.random.default_rng(1)
    pages = []
    document = pypdfium2.PdfDocument(pdf)
    for page in document:
        picture = page.render(scale=1.7).to_pil().convert("L")
        picture = picture.rotate(degrees, Image.Resampling.BICUBIC, fillcolor=255, translate=(6, -4))
        shades = np.asarray(picture, np.float32) * 0.9 + 18 + noise.normal(0, 5, picture.size[::-1])
        pages.append(Image.fromarray(shades.clip(0, 255).astype(np.uint8)))
    document.close()
    return scanned(pages)


def told(found: CheckResult) -> list[tuple[int, str, set[str]]]:
    """(item, level, signal types) of what was found."""
    return [(match.item, match.level, {each.signal_type for each in match.agreements}) for match in found.matches]


def test_copies_of_a_document_are_found(alpha: Client, acme: Client, tmp_path: Path) -> None:
    original = typeset(TEXT)
    outcome = alpha.contribute(original, labels=LABELS)
    item = outcome.item
    assert (outcome.outcome, outcome.problems) == ("created", ())
    assert told(acme.check(original)) == [(item, "strong", {"sha256", "md5", "tlsh", "pdq_page"})]

    again = tmp_path / "upload.jpg"
    again.write_bytes(original + b"\n% saved again\n")
    assert told(acme.check(again)) == [(item, "strong", {"tlsh", "pdq_page"})]
    for copy in (typeset(TEXT, "Times-Roman", columns=60), TEXT.encode(), TEXT.encode("utf-16")):
        assert told(acme.check(copy)) == [(item, "near", {"tlsh"})]
    preface = typeset("How it is built, an account for newcomers. Second printing. " + TEXT)
    ((same, _, types),) = told(acme.check(preface))  # of a page that moved by a few words, PDQ may agree or not
    assert (same, "tlsh" in types) == (item, True)
    assert told(acme.check(scan_of(original, 0.4))) == [(item, "near", {"pdq_page"})]

    found = list(
        acme.check_many([typeset(OTHER), OTHER.encode(), scan_of(typeset(OTHER), -0.3), hash_document(original)])
    )
    assert [each.verdict for each in found if isinstance(each, CheckResult)] == ["none", "none", "none", "match"]
    with pytest.raises(UnreadableMediaError, match="too short"):
        acme.check(b"a few words")


def test_a_version_is_an_item_of_its_own_and_its_contributor_is_told(alpha: Client) -> None:
    first = alpha.contribute(typeset(OTHER), labels=LABELS)
    version = alpha.contribute(OTHER.encode(), labels=LABELS)
    assert version.outcome == "created"
    assert [near.item for near in version.near_duplicates] == [first.item]
    assert {match.item for match in alpha.check(typeset(OTHER, "Courier", columns=70)).matches} == {
        first.item,
        version.item,
    }


def test_addresses_are_found_in_every_spelling(alpha: Client, acme: Client) -> None:
    address = "https://Example.org:443/a/./page?utm_source=mail&b=2#top"
    item = alpha.contribute(Url(address), labels=LABELS).item
    found = acme.check(Url("hxxp://example[.]org/a/page?b=2"))
    assert (found.verdict, found.path, told(found)) == ("match", None, [(item, "strong", {"url_sha256"})])
    assert acme.check(Url("https://example.org/a/page?b=3")).verdict == "none"
    assert "example" not in repr(Url(address))
    with pytest.raises(UnreadableMediaError, match="not a web address"):
        acme.check(Url("no address"))
