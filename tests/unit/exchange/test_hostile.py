"""Files made to hurt: endless lines, deep brackets, wrong bytes. Each costs itself, and what follows is read."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hashpact.exchange import json_elements, source
from hashpact.exchange.json_elements import elements
from hashpact.exchange.reading import read
from hashpact.exchange.records import Record, Refusal
from hashpact.exchange.source import Source

GOOD = json.dumps({"type": "md5", "value": "1b" * 16})


def outcomes(path: Path, content: bytes) -> list[str]:
    """``ok``, or the reason of a refusal, record by record."""
    path.write_bytes(content)
    with Source(str(path)) as opened:
        return ["ok" if isinstance(one, Record) else one.reason for one in read(opened)]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"x" * (source.RECORD_BYTES_MAX + 1), "RECORD_TOO_LONG"),
        (b'{"value": "' + b"y" * (3 << 20) + b'"}', "RECORD_TOO_LONG"),
        (b"[" * 100_000, "NOT_JSON"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "NOT_JSON"),
        (b"\xff\xfe\xfa", "NOT_TEXT"),
        (b'{"type": "md5"\x00}', "NOT_JSON"),
        (b'{"value": NaN, "value": 1' + b"0" * 5000 + b"}", "NOT_JSON"),
        (b"{}", "NO_VALUE"),
        (b"17", "NOT_A_RECORD"),
        (b'{"signals": [[[]]], "tags": {"data": 7}, "descriptors": 3}', "NO_VALUE"),
        (b'{"signals": {"md5": [' + b'"00",' * 5000 + b'"00"]}}', "TOO_MANY_VALUES"),
    ],
)
def test_bad_lines_of_json(tmp_path: Path, bad: bytes, reason: str) -> None:
    good = GOOD.encode()
    assert outcomes(tmp_path / "a.jsonl", good + b"\n" + bad + b"\n" + good) == ["ok", reason, "ok"]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"md5," + b"x" * (source.RECORD_BYTES_MAX + 1), "RECORD_TOO_LONG"),
        (b"md5,\x00", "NOT_TEXT"),
        (b"md5,\xff", "NOT_TEXT"),
        (b'md5,"open', "NOT_CSV"),
        (b"md5," + b'"' + b"z" * 200_000 + b'"', "NOT_CSV"),
        (b"md5", "NOT_CSV"),
        (b"md5,a,b", "NOT_CSV"),
        (b",", "NO_VALUE"),
    ],
)
def test_bad_rows(tmp_path: Path, bad: bytes, reason: str) -> None:
    good = b"md5," + b"1b" * 16
    content = b"type,value\r\n" + good + b"\r\n" + bad + b"\n" + good
    assert outcomes(tmp_path / "a.csv", content) == ["ok", reason, "ok"]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b'{"a": ' + b"1," * (600 << 10) + b"}", "RECORD_TOO_LONG"),
        (b'"' + b"s" * (3 << 20) + b'"', "RECORD_TOO_LONG"),
        (b'{"type": "md5" "value"}', "NOT_JSON"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "NOT_JSON"),
        (b"nonsense", "NOT_JSON"),
        (b'{"v": "\xff"}', "NOT_TEXT"),
        (b'"}{]["', "TYPE_MISSING"),
    ],
)
@pytest.mark.parametrize("frame", [b"[%s,%s,%s]", b'{"paging": {"data": {}}, "data" : [%s, %s,\n%s], "x": [1]}'])
def test_bad_elements(tmp_path: Path, frame: bytes, bad: bytes, reason: str) -> None:
    good = GOOD.encode()
    assert outcomes(tmp_path / "a.json", frame % (good, bad, good)) == ["ok", reason, "ok"]


@pytest.mark.parametrize("ending", [b'{"type": "md5"', b'"open', b"garbage", b"]", b'{"a": 1}}, {"b": 2}]'])
def test_a_document_that_ends_badly_is_told(tmp_path: Path, ending: bytes) -> None:
    found = outcomes(tmp_path / "a.json", b"[" + GOOD.encode() + b"," + ending)
    assert found[0] == "ok"
    assert ending == b"]" or {"NOT_JSON", "NO_VALUE"} & set(found[1:])


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        # brackets of the wrong kind
        (b"[}{,%s]", ["NOT_JSON"]),
        (b"[}, %s]", ["NOT_JSON", "ok"]),
        (b"[%s}, %s]", ["ok", "NOT_JSON", "ok"]),
        (b'[{"a": [1}, %s]', ["NOT_JSON", "ok"]),
        (b'[{"a": ]}, %s]', ["NOT_JSON", "NOT_JSON", "ok", "NOT_JSON"]),
        (b"[%s, {] %s", ["ok", "NOT_JSON", "ok"]),
        # between documents, and behind the last
        (b"[] , %s,\n%s\n", ["ok", "ok"]),
        (b"[] x %s", ["NOT_JSON", "ok"]),
        (b'[%s] ["x', ["ok", "NOT_JSON"]),
        (b"[%s] x", ["ok", "NOT_JSON"]),
        (b"%s}", ["ok", "NOT_JSON"]),
        # ends in its middle
        (b"[%s, %s", ["ok", "ok", "NOT_JSON"]),
        # around the elements
        (b'{"data": [%s}', ["ok", "NOT_JSON"]),
        (b'{"data": [%s]], "x": 1}', ["ok", "NOT_JSON"]),
        (b'{"data": [%s], %s}', ["ok", "NOT_JSON"]),
        (b'{"x", "data": [%s]} %s', ["ok", "NOT_JSON", "ok"]),
        (b'{"data": [%s], "y": {"data": [1]}, "data": [%s]}', ["ok", "ok"]),
        (b'{"x": "' + b"x" * (3 << 20) + b'", "data": [%s]}', ["ok", "RECORD_TOO_LONG"]),
        (b"[" * 5000 + b"]" * 5000 + b" %s", ["NOT_JSON", "ok"]),
    ],
)
@pytest.mark.parametrize("size", [1, 7, 1 << 16])
def test_nothing_is_lost_without_a_word(tmp_path: Path, content: bytes, expected: list[str], size: int) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(content.replace(b"%s", GOOD.encode()))
    with Pieces(str(path), max(size, len(content) >> 16)) as opened:
        assert ["ok" if isinstance(one, Record) else one.reason for one in read(opened)] == expected


class Pieces(Source):
    """A source whose pieces are as small as asked for."""

    def __init__(self, path: str, size: int) -> None:
        self.size = size
        super().__init__(path)

    def chunks(self) -> Iterator[bytes]:
        content = b"".join(super().chunks())
        return (content[at : at + self.size] for at in range(0, len(content), self.size))


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
def test_where_pieces_end_does_not_matter(tmp_path: Path, size: int) -> None:
    rng = random.Random(size)
    values: list[object] = [
        rng.choice(['a"b\\', "\\", '"data": [', "}{][", ",", "\u2603", {"data": [1, {"x": '\\"'}]}, 3, None, [[], {}]])
        for _ in range(60)
    ]
    path = tmp_path / "a.json"
    for document in (values, {"first": {"data": 1}, "data": values, "last": ["data"]}):
        path.write_text(json.dumps(document))
        with Pieces(str(path), size) as opened:
            cut = [element for _, element in elements(opened)]
        assert [json.loads(element or b"") for element in cut] == values


@pytest.mark.parametrize("size", [1, 2, 5, 1000])
def test_lines_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(source, "RECORD_BYTES_MAX", 4)
    path = tmp_path / "a.txt"
    path.write_bytes(b"ab\r\n\nlonger\nabcd\nabcde\nx")
    with Pieces(str(path), size) as opened:
        assert list(opened.lines()) == [(1, b"ab"), (2, b""), (3, None), (4, b"abcd"), (5, None), (6, b"x")]


def test_an_endless_element_holds_little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_elements, "RECORD_BYTES_MAX", 100)
    cutter = json_elements._Cutter()
    assert cutter.feed(b'[{"a": "') == []
    for _ in range(1000):
        assert cutter.feed(b"x" * 99) == []
        assert len(cutter._kept) <= 100
    assert cutter.feed(b'"}, {}]') == [None, b"{}"]
    assert cutter.finish() == []


def test_refusals_say_where(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(f"[{GOOD}, 1, {GOOD}, x]")
    with Source(str(path)) as opened:
        places = [(one.place.unit, one.place.number) for one in read(opened) if isinstance(one, Refusal)]
    assert places == [("element", 2), ("element", 4)]
