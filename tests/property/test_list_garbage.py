"""Whatever stands between the good records of a list: each is taken, and everything else is told with its place."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from hashpact.exchange import source
from hashpact.exchange.items import Batch, Batches
from hashpact.exchange.labelling import Labelling
from hashpact.exchange.reading import read
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.data import effort

GARBAGE = st.one_of(
    st.binary(max_size=60),
    st.text('{}[]",:\\ \0\t;|#ab01\ud7ff\u2028', max_size=40).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["value", "type", "signals", "id", "tags", "labels", "descriptors", "data", "status", "pdq"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=8,
    ).map(lambda value: json.dumps(value).encode()),
)
RECORDS = st.lists(st.one_of(st.integers(0, 10**9), GARBAGE), max_size=12)
NOT_READ = (*source._PACKED, *source._WIDE_MARKS, source._UTF8_MARK)
"""Files that begin so are refused whole, or lose what they begin with."""
GOOD = {"csv": "md5,{0:032x}", "lines": "md5 {0:032x}", "jsonl": '{{"type": "md5", "value": "{0:032x}"}}'}


def taken(content: bytes, list_format: str) -> list[Batch]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "list"
        path.write_bytes(content)
        batches = Batches(Labelling(["test"]), pdq_quality=None, keep_opaque=True)
        with source.Source(str(path)) as opened:
            return list(batches.cut((opened.bytes_read, one) for one in read(opened, list_format)))


def values(batches: list[Batch]) -> set[str]:
    return {signal.hex for batch in batches for item in batch.items for signal in item.signals}


@settings(max_examples=effort(150), deadline=None)
@given(records=RECORDS, list_format=st.sampled_from(sorted(GOOD)))
@example(records=["\u2028#".encode()], list_format="lines")
def test_lines(records: list[int | bytes], list_format: str) -> None:
    lines = [b"type,value"] if list_format == "csv" else []
    good: set[str] = set()
    for one in records:
        if isinstance(one, int):
            lines.append(GOOD[list_format].format(one).encode())
            good.add(f"{one:032x}")
        else:
            lines += one.split(b"\n")
    content = b"\n".join(lines)
    if content.startswith(NOT_READ):
        return
    batches = taken(content, list_format)
    assert good <= values(batches)
    told = {one.place.number for batch in batches for one in batch.refusals}
    told |= {one.place.number for batch in batches for one in batch.opaque}
    told |= {place.number for batch in batches for item in batch.items for place in item.signals.values()}
    for number, line in enumerate(content.split(b"\n"), 1):
        text = line.decode("utf-8", "replace").strip()  # of blanks beyond ASCII, too
        remark = list_format == "lines" and text.startswith("#")
        heading = list_format == "csv" and number == 1
        if text and not remark and not heading:
            assert number in told


FRAMES = {
    "array": (b"[", b",", b"]"),
    "answer": (b'{"paging": {}, "data": [', b",", b'], "next": null}'),
    "several": (b"[]\n", b"\n", b""),
}


@settings(max_examples=effort(200), deadline=None)
@given(records=RECORDS, frame=st.sampled_from(sorted(FRAMES)))
@example(records=[b"}{", 0], frame="array")
@example(records=[b"]", 0], frame="array")
@example(records=[b"{", 0, b"}]", 0], frame="answer")
@example(records=[b"]", 0], frame="answer")
@example(records=[b"]", 0, b"["], frame="several")
def test_documents(records: list[int | bytes], frame: str) -> None:
    """Garbage may hold brackets and quotes, and swallow what follows: then that is told."""
    before, between, behind = FRAMES[frame]
    good = {f"{one:032x}" for one in records if isinstance(one, int)}
    pieces = [GOOD["jsonl"].format(one).encode() if isinstance(one, int) else one for one in records]
    content = before + between.join(pieces) + behind
    batches = taken(content, "json")
    refused = [one for batch in batches for one in batch.refusals]
    assert good <= values(batches) or refused or holds_otherwise(content)
    broken = any(isinstance(one, bytes) and any(sign in one for sign in b'{}[]"\\') for one in records)
    assert broken or good <= values(batches)


def holds_otherwise(content: bytes) -> bool:
    """Whether garbage and good records made JSON together: then these are no records any more."""
    try:
        json.loads(content)
    except ValueError:
        return False
    return True
