"""hash_document as a whole: pages, text, copies in another font, and what it refuses."""

from __future__ import annotations

import gc
import hashlib
import os
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pypdfium2
import pytest
from hashpact import hash_document, hash_image
from hashpact._media import listed_signals
from hashpact.distances import tlsh_distance
from hashpact.document_signals import PAGE_FILLED_PERCENT_MIN
from hashpact.errors import UnreadableMediaError
from hashpact.hashing.limits import DocumentLimits
from hashpact.hashing.straightening import straightened
from hashpact.probes import Probe
from hashpact.signals import PDQ_QUALITY_MIN, hamming
from PIL import Image

from tests.bench.robustness.letters import letter as letter_on_a_letterhead
from tests.data import effort, shared_data
from tests.documents import scanned, typeset
from tests.pictures import encoded, photo
from tests.repository import ROOT

TEXT = " ".join((ROOT / "LICENSE").read_text().split())


@pytest.fixture(scope="module")
def pdf() -> bytes:
    return typeset(TEXT)


def distance(one: bytes, other: bytes) -> int:
    left, right = hash_document(one).tlsh, hash_document(other).tlsh
    assert left is not None
    assert right is not None
    return tlsh_distance(left.value, right.value)


def test_pages_text_and_digests(pdf: bytes, tmp_path: Path) -> None:
    path = tmp_path / "report"  # the name says nothing
    path.write_bytes(pdf)
    signals = hash_document(path)
    assert signals == hash_document(pdf) == hash_document(str(path))
    assert signals.sha256.value == hashlib.sha256(pdf).digest()
    assert [page.number for page in signals.pages] == list(range(1, signals.page_count + 1))
    assert signals.page_count == 3
    assert signals.letters == sum(page.letters for page in signals.pages) == sum(map(str.isalnum, TEXT))
    assert signals.telling == signals.pages
    assert (signals.complete, signals.notes) == (True, ())
    assert signals.pages[0].pdq.hex not in repr(signals)


@pytest.mark.parametrize(
    "layout",
    [
        {"font": "Times-Roman", "columns": 60},
        {"font": "Courier", "columns": 45, "hyphenate": True},
        {"font": "Helvetica-Bold", "columns": 95, "header": "The Review, special issue", "page_numbers": True},
        {"font": "Times-Italic", "size": 13, "columns": 70, "hyphenate": True, "page_numbers": True},
    ],
    ids=lambda layout: layout["font"],
)
def test_a_copy_in_another_font_has_the_same_text(pdf: bytes, layout: dict[str, object]) -> None:
    copy = typeset(TEXT, **layout)  # type: ignore[arg-type]
    assert distance(pdf, copy) <= 30
    assert hash_document(copy).pages[0].pdq != hash_document(pdf).pages[0].pdq


def test_another_text_in_the_same_font_is_far(pdf: bytes) -> None:
    assert distance(pdf, typeset((ROOT / "docs" / "design.md").read_text())) > 100


def test_a_scan_has_pages_and_no_text() -> None:
    pictures = [photo("coffee.png"), photo("chelsea.png")]
    signals = hash_document(scanned(pictures))
    assert (signals.tlsh, signals.letters) == (None, 0)
    for page, picture in zip(signals.pages, pictures, strict=True):
        assert hamming(page.pdq.value, hash_image(picture).pdq.value) <= 20
        assert (page.pdq.quality or 0) == 100


def test_limits(pdf: bytes) -> None:
    few = hash_document(pdf, limits=DocumentLimits(pages_max=2))
    assert (len(few.pages), few.page_count, few.complete) == (2, 3, False)
    assert "pages_max" in few.notes[0]
    short = hash_document(pdf, limits=DocumentLimits(letters_max=1000))
    assert (short.letters, short.complete) == (1000, False)
    assert "letters_max" in short.notes[0]
    for limits, said in (
        (DocumentLimits(bytes_max=100), "bytes_max"),
        (DocumentLimits(seconds_max=0.0), "seconds_max"),
    ):
        with pytest.raises(UnreadableMediaError, match=said):
            hash_document(pdf, limits=limits)


@pytest.mark.timeout(120)
def test_a_page_that_takes_for_ever_is_stopped() -> None:
    """Forms that draw forms that draw forms: 8 to the power of 8 of them."""
    with pytest.raises(UnreadableMediaError, match="seconds_max"):
        hash_document(nested_forms(8, 8), limits=DocumentLimits(seconds_max=2.0))


def nested_forms(depth: int, width: int) -> bytes:
    """A PDF of one page whose picture is drawn ``width ** depth`` times."""
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R /Resources << /XObject << /F 5 0 R >> >> >>",
        _stream(b"", b"/F Do\n" * width),
    ]
    for level in range(depth):
        last = level == depth - 1
        inside = b"0 0 m 500 500 l 100 400 l 300 20 l f\n" * 200 if last else b"/F Do\n" * width
        resources = b"" if last else b"/Resources << /XObject << /F %d 0 R >> >>" % (6 + level)
        objects.append(_stream(b"/Type /XObject /Subtype /Form /BBox [0 0 500 500] " + resources, inside))
    body, places = b"%PDF-1.7\n", []
    for number, one in enumerate(objects, 1):
        places.append(len(body))
        body += b"%d 0 obj\n%s\nendobj\n" % (number, one)
    table = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    table += b"".join(b"%010d 00000 n \n" % place for place in places)
    return body + table + b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, len(body))


def _stream(entries: bytes, content: bytes) -> bytes:
    return b"<< %s /Length %d >>\nstream\n%s\nendstream" % (entries, len(content), content)


def test_what_is_no_document_is_told_why(pdf: bytes, tmp_path: Path) -> None:
    for data, said in (
        (b"", "empty"),
        (encoded(photo(), "JPEG"), "print or export"),
        (b"%PDF-1.7\n", "damaged"),
        (pdf[:200], "damaged"),
    ):
        with pytest.raises(UnreadableMediaError, match=said):
            hash_document(data)
    for place in (tmp_path, tmp_path / "absent", "/dev/null"):
        with pytest.raises(UnreadableMediaError):
            hash_document(place)
    with pytest.raises(TypeError):
        hash_document(7)  # type: ignore[arg-type]


def test_free_samples() -> None:
    seen = 0
    for path in sorted(shared_data("pdfs").iterdir()):
        if "password" in path.name:
            with pytest.raises(UnreadableMediaError, match="protected by a password"):
                hash_document(path)
        else:
            assert len(hash_document(path).pages) >= 1
            seen += 1
    assert seen >= 10


def test_threads_take_turns(pdf: bytes) -> None:
    scan = scanned([photo("coffee.png")])
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(hash_document, [pdf, scan] * 4))
    assert results == [hash_document(pdf), hash_document(scan)] * 4


def drawn(pdf: bytes, page: int = 0) -> Image.Image:
    """A page as a printer draws it."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        picture: Image.Image = document[page].render(scale=2.0).to_pil()
        return picture.convert("L")
    finally:
        document.close()


def test_what_is_listed_of_a_document_is_what_is_looked_up(pdf: bytes) -> None:
    signals = hash_document(pdf)
    names = [signal.signal_type for signal in signals.listed()]
    assert names[:3] == ["sha256", "md5", "tlsh"]
    assert set(names[3:]) == {"pdq_page"}
    assert len(names) == 3 + sum(len(page.telling) for page in signals.pages) > 3 + signals.page_count
    assert listed_signals(pdf) == listed_signals(signals) == signals.listed()
    assert Probe.of(signals) == Probe.of(signals.listed())


def test_a_page_with_little_on_it_tells_nothing(pdf: bytes) -> None:
    letter = hash_document(typeset(TEXT[:600]))
    assert (letter.pages[0].pdq.quality or 0) >= PDQ_QUALITY_MIN
    assert letter.pages[0].whole.filled_percent < PAGE_FILLED_PERCENT_MIN
    assert letter.pages[0].straightened is None
    assert [signal.signal_type for signal in letter.listed()] == ["sha256", "md5", "tlsh"]
    assert hash_document(pdf).pages[0].whole.filled_percent > PAGE_FILLED_PERCENT_MIN
    head = hash_document(scanned([letter_on_a_letterhead(TEXT, 3)])).pages[0]
    assert head.straightened is not None
    assert head.listed() == ()
    short = hash_document(typeset(TEXT[:2000])).pages[0]
    assert short.telling == (short.straightened,), "without its margins a short text is a full page"


@pytest.mark.parametrize("degrees", [0.0, 0.3, -1.2])
def test_a_scan_of_a_page_of_text_is_found(pdf: bytes, degrees: float) -> None:
    page = drawn(pdf)
    width, height = page.size
    moved = page.rotate(degrees, Image.Resampling.BICUBIC, fillcolor=255, translate=(9, -7))
    noise = np.random.default_rng(4).normal(0, 6, (height, width))
    scan = Image.fromarray((np.asarray(moved, np.float32) * 0.9 + 18 + noise).clip(0, 255).astype(np.uint8))
    listed, probe = hash_document(pdf).pages[0], hash_document(scanned([scan])).pages[0]
    assert listed.straightened is not None
    assert probe.straightened is not None
    assert hamming(listed.straightened.pdq.value, probe.straightened.pdq.value) <= 31
    if degrees:
        assert hamming(listed.pdq.value, probe.pdq.value) > 31
    other = hash_document(typeset(TEXT[3000:])).pages[0]
    assert other.straightened is not None
    assert hamming(other.straightened.pdq.value, probe.straightened.pdq.value) > 60


def test_straightening_keeps_what_is_no_page() -> None:
    grey = np.asarray(photo("coffee.png").convert("L"))
    assert straightened(np.full((400, 300), 255, np.uint8)) is None
    line = np.full((400, 300), 255, np.uint8)
    line[200:206, 20:280:3] = 0
    assert straightened(line) is None
    whole = straightened(grey)
    assert whole is None or min(whole.shape) > 0.9 * min(grey.shape)
    for shape in ((1, 1), (1, 900), (900, 1), (7, 7)):
        straightened(np.zeros(shape, np.uint8))


@pytest.mark.timeout(240)
def test_broken_files_are_hashed_as_far_as_they_go_or_refused(pdf: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    whole = [typeset(TEXT[:1500]), scanned([photo("coffee.png").resize((200, 130))])]
    rng = random.Random(20261123)
    hash_document(pdf)
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208  # entries, not paths, are wanted
    outcomes = {"hashed": 0, "refused": 0}
    for number in range(effort(150)):
        data = bytearray(whole[number % 2])
        if number % 3 == 0:
            del data[rng.randrange(len(data)) :]
        else:
            for _ in range(rng.choice((1, 5, 50))):
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        try:
            hash_document(bytes(data), limits=DocumentLimits(seconds_max=30))
            outcomes["hashed"] += 1
        except UnreadableMediaError:
            outcomes["refused"] += 1
    assert min(outcomes.values()) > 5, outcomes
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208  # as above
    assert capfd.readouterr() == ("", "")
