"""What lists of hashes look like out there, and what is read from each."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hashpact.errors import ConfigError
from hashpact.exchange import items
from hashpact.exchange.items import Batch, Batches
from hashpact.exchange.labelling import Labelling, read_map
from hashpact.exchange.reading import read
from hashpact.exchange.records import ListFileError, Record, Refusal
from hashpact.exchange.source import CHUNK_BYTES, Source

PDQ, OTHER = "0f" * 32, "a5" * 32
MD5, SHA256 = "1b" * 16, "2c" * 32
GROUPED = (("7", (("pdq", PDQ, "90"), ("md5", MD5, None))),)


def records(path: Path, text: str | bytes, list_format: str = "", default_type: str = "") -> list[Record | Refusal]:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with Source(str(path)) as source:
        return list(read(source, list_format, default_type))


def batch(path: Path, text: str, *, tags: dict[str, list[str]] | None = None, keep_opaque: bool = False) -> Batch:
    found = records(path, text)
    cut = Batches(Labelling(["test"], tags), pdq_quality=None, keep_opaque=keep_opaque)
    (one,) = cut.cut((0, each) for each in found)
    return one


def facts(found: list[Record | Refusal]) -> list[tuple[str, list[tuple[str, str]]]]:
    return [
        (one.group, [(value.signal_type, value.text) for value in one.values])
        for one in found
        if isinstance(one, Record)
    ]


GRAPH = {
    "data": [
        {
            "id": "11",
            "indicator": PDQ,
            "type": "HASH_PDQ",
            "last_updated": 1,
            "should_delete": False,
            "descriptors": {
                "data": [{"owner": {"id": "1"}, "status": "MALICIOUS", "tags": {"data": [{"id": "1", "text": "Isis"}]}}]
            },
        },
        {"id": "12", "raw_indicator": MD5, "type": "HASH_MD5", "status": "UNKNOWN", "tags": ["x"], "owner": {"id": 1}},
    ],
    "paging": {"next": "https://graph.example.org/?after=x"},
}

SHAPES = [
    ("ours.csv", f"item,signal_type,value,quality,labels,status\n7,pdq,{PDQ},90,a b,inherited\n7,md5,{MD5},,a b,\n",
     [("7", [("pdq", PDQ)]), ("7", [("md5", MD5)])]),
    ("tx-dataset.csv", f"signal_type,signal_str,collab,category,tags\r\nvideo_md5,{MD5},C,POSITIVE_CLASS,a b\r\n",
     [("", [("md5", MD5)])]),
    ("tx-query.csv", f"id,indicator,type,status,tags,owner_id\n11,{PDQ},HASH_PDQ,MALICIOUS,x y,5\n",
     [("11", [("pdq", PDQ)])]),
    ("wide.tsv", f"id\tPDQ\tMD5\tSHA-256\n1\t{PDQ}\t{MD5}\t\n2\t\t\t{SHA256.upper()}\n",
     [("1", [("pdq", PDQ), ("md5", MD5)]), ("2", [("sha256", SHA256.upper())])]),
    ("quoted.csv", f'type;value;note\npdq;{PDQ};"a;""b"""\n', [("", [("pdq", PDQ)])]),
    ("ours.jsonl", json.dumps({"item": 7, "signals": [{"signal_type": "pdq", "value": PDQ, "quality": 90},
                                                    {"signal_type": "md5", "value": MD5}]}),
     [("7", [("pdq", PDQ), ("md5", MD5)])]),
    ("hashed.jsonl", json.dumps({"path": "x.jpg", "signals": {"pdq": PDQ, "md5": MD5}, "pdq_quality": 99}),
     [("", [("pdq", PDQ), ("md5", MD5)])]),
    ("graph.json", json.dumps(GRAPH), [("11", [("pdq", PDQ)]), ("12", [("md5", MD5)])]),
    ("graph-pages.json", json.dumps(GRAPH, indent=1) + "\n" + json.dumps(GRAPH),
     [("11", [("pdq", PDQ)]), ("12", [("md5", MD5)])] * 2),
    ("array.json", json.dumps([{"hash": PDQ, "hash_type": "pdq"}]), [("", [("pdq", PDQ)])]),
    ("one.json", json.dumps({"type": "md5", "value": MD5}), [("", [("md5", MD5)])]),
    ("bank.json", json.dumps([{"id": 3, "disable_until_ts": 0, "bank": {"name": "B"},
                              "signals": {"pdq": PDQ, "video_md5": MD5}}]),
     [("3", [("pdq", PDQ), ("md5", MD5)])]),
    ("signal.jsonl", json.dumps({"pdq": PDQ, "video_md5": MD5}), [("", [("pdq", PDQ), ("md5", MD5)])]),
    ("local.txt", f"# a remark\npdq {PDQ}\n\n  video_md5   {MD5}  \n\u2028\n",
     [("", [("pdq", PDQ)]), ("", [("md5", MD5)])]),
    ("no-suffix", f"pdq {PDQ}\n", [("", [("pdq", PDQ)])]),
    ("marked.csv", f"\ufefftype,value\npdq,{PDQ}\n", [("", [("pdq", PDQ)])]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "expected"), SHAPES, ids=[shape[0] for shape in SHAPES])
def test_shapes(tmp_path: Path, name: str, text: str, expected: object) -> None:
    found = records(tmp_path / name, text)
    assert [one for one in found if isinstance(one, Refusal)] == []
    assert facts(found) == expected


def test_a_type_can_be_given_for_all(tmp_path: Path) -> None:
    assert facts(records(tmp_path / "a.txt", f"{MD5}\n", default_type="md5")) == [("", [("md5", MD5)])]
    (refusal,) = records(tmp_path / "a.txt", f"{MD5}\n")
    assert isinstance(refusal, Refusal)
    assert refusal.reason == "TYPE_MISSING"


def test_rows_of_a_group_become_one_item(tmp_path: Path) -> None:
    made = batch(tmp_path / "a.csv", f"id,type,value,quality\n7,pdq,{PDQ.upper()},90\n7,md5,{MD5},\n8,pdq,{OTHER},77\n")
    first, second = made.items
    assert [(one.signal_type, one.hex, one.quality) for one in first.signals] == [("pdq", PDQ, 90), ("md5", MD5, None)]
    assert [place.number for place in first.signals.values()] == [2, 3]
    assert [one.quality for one in second.signals] == [77]


def test_labels_of_a_group_may_stand_with_its_first_row(tmp_path: Path) -> None:
    found = records(
        tmp_path / "a.csv", f"id,type,value,labels\n7,md5,{MD5},art\n7,sha256,{SHA256},\n8,md5,{OTHER[:32]},\n"
    )
    (made,) = Batches(Labelling([]), pdq_quality=None, keep_opaque=False).cut((0, one) for one in found)
    assert [(len(item.signals), item.labels) for item in made.items] == [(2, {"art"})]
    assert [(refusal.place.number, refusal.reason) for refusal in made.refusals] == [(4, "LABELS_INVALID")]


def test_batches_end_whatever_a_group_holds(tmp_path: Path) -> None:
    """Bounded in things and in bytes, however long one group goes on, and the same every time."""
    rows = ["id,type,value,labels", f"7,md5,{MD5},art", *(f"7,tmk,{'x' * 1000},art" for _ in range(20_000))]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(rows))
    with Source(str(path)) as source:
        found = ((source.bytes_read, one) for one in read(source))
        cut = list(Batches(Labelling([]), pdq_quality=None, keep_opaque=True).cut(found))
    assert sum(len(one.opaque) for one in cut) == 20_000
    assert max(len(one.opaque) for one in cut) <= items.SIGNALS_MAX
    assert max(one.bytes_read - one.bytes_begun for one in cut) <= 2 * items.BATCH_BYTES + CHUNK_BYTES
    assert [one.number for one in cut] == list(range(len(cut)))


REFUSED = [
    ("should_delete", {"indicator": PDQ, "type": "HASH_PDQ", "should_delete": True}, "NOT_LISTED_THERE"),
    ("non malicious", {"indicator": PDQ, "type": "HASH_PDQ", "status": "NON_MALICIOUS"}, "NOT_LISTED_THERE"),
    ("negative", {"signal_str": PDQ, "signal_type": "pdq", "category": "NEGATIVE_CLASS"}, "NOT_LISTED_THERE"),
    ("all say no", {"indicator": PDQ, "type": "HASH_PDQ", "descriptors": {"data": [{"status": "NON_MALICIOUS"}]}},
     "NOT_LISTED_THERE"),
    ("some say no", {"indicator": PDQ, "type": "HASH_PDQ",
                     "descriptors": {"data": [{"status": "MALICIOUS"}, {"status": "NON_MALICIOUS"}]}},
     "DISPUTED_THERE"),
    ("a reaction", {"indicator": PDQ, "type": "HASH_PDQ", "descriptors":
                    {"data": [{"status": "MALICIOUS", "reactions": [{"key": "DISAGREE_WITH_TAGS"}]}]}},
     "DISPUTED_THERE"),
    ("disputed", {"signal_str": PDQ, "signal_type": "pdq", "category": "DISPUTED"}, "DISPUTED_THERE"),
    ("no value", {"type": "pdq"}, "NO_VALUE"),
    ("no type", {"value": PDQ}, "TYPE_MISSING"),
    ("a failure", {"path": "x.jpg", "error": {"reason": "UNREADABLE_MEDIA", "message": "no"}}, "NOT_HASHED"),
    ("a number", {"pdq": 17}, "SIGNAL_MALFORMED"),
    ("short", {"type": "md5", "value": "00"}, "SIGNAL_MALFORMED"),
    ("not hex", {"type": "md5", "value": "zz" * 16}, "SIGNAL_MALFORMED"),
    ("quality", {"type": "pdq", "value": PDQ, "quality": "good"}, "SIGNAL_MALFORMED"),
    ("quality over", {"type": "pdq", "value": PDQ, "quality": 101}, "SIGNAL_MALFORMED"),
    ("no quality", {"type": "pdq", "value": PDQ}, "PDQ_QUALITY_UNKNOWN"),
    ("tmk", {"type": "HASH_TMK", "value": "x"}, "SIGNAL_TYPE_UNKNOWN"),
    ("label", {"type": "md5", "value": MD5, "labels": ["\ud800"]}, "LABELS_INVALID"),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "reason"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_refusals(tmp_path: Path, fields: dict[str, object], reason: str) -> None:
    made = batch(tmp_path / "a.jsonl", json.dumps(fields))
    assert not made.items
    (refusal,) = made.refusals
    assert refusal.reason == reason
    assert PDQ not in refusal.message
    assert (refusal.place.number, refusal.place.unit) == (1, "line")


def test_a_value_in_the_place_of_a_type_is_not_told(tmp_path: Path) -> None:
    made = batch(tmp_path / "a.csv", f"type,value\n{PDQ},pdq\n{MD5[:20]},x\n")
    told = " ".join(refusal.message for refusal in made.refusals)
    assert PDQ not in told
    assert "what stands there" in told


def test_one_bad_hash_of_a_record_does_not_cost_the_others(tmp_path: Path) -> None:
    made = batch(tmp_path / "a.jsonl", json.dumps({"signals": {"md5": MD5, "sha256": "00"}}))
    assert [one.signal_type for one in made.items[0].signals] == ["md5"]
    assert [refusal.reason for refusal in made.refusals] == ["SIGNAL_MALFORMED"]


def test_unknown_types_can_be_kept(tmp_path: Path) -> None:
    made = batch(
        tmp_path / "a.jsonl",
        json.dumps({"id": 5, "signals": {"tmk": "VE1L", "md5": MD5}, "tags": ["x"]}),
        keep_opaque=True,
    )
    (kept,) = made.opaque
    assert (kept.group, kept.signal_type, kept.value, kept.tags) == ("5", "tmk", "VE1L", ("x",))
    assert [one.signal_type for one in made.items[0].signals] == ["md5"]
    assert "VE1L" not in repr(kept)


def test_tags_are_translated_and_counted(tmp_path: Path) -> None:
    text = f"type,value,tags,labels\nmd5,{MD5},Isis unheard dropped,Art\n"
    found = records(tmp_path / "a.csv", text)
    labelling = Labelling([" TEST "], {"Isis": ["list:UN"], "dropped": []})
    (made,) = Batches(labelling, pdq_quality=None, keep_opaque=False).cut((0, one) for one in found)
    assert made.items[0].labels == {"test", "list:un", "art"}
    assert labelling.untranslated == {"unheard": 1}


def test_a_map_is_read(tmp_path: Path) -> None:
    path = tmp_path / "tags.toml"
    path.write_text('[tags]\n"Isis" = ["list:un"]\nx = []\n')
    assert read_map(path) == {"Isis": ["list:un"], "x": []}
    for text in ("nonsense", "[tags]\nx = 1\n", "[tags]\nx = [1]\n", "[other]\n", 'tags = "x"\n'):
        path.write_text(text)
        with pytest.raises(ConfigError):
            read_map(path)
    with pytest.raises(ConfigError):
        read_map(tmp_path / "absent")
    with pytest.raises(ConfigError, match="no label"):
        Labelling(["not a label"])


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"\x1f\x8b" + bytes(100), "gzip"),
        (b"PK\x03\x04" + bytes(100), "zip"),
        (b"\x28\xb5\x2f\xfd" + bytes(100), "zstandard"),
        ("type,value\n".encode("utf-16"), "UTF-8"),
        (f"{PDQ},{MD5}\n".encode(), "names no column"),
    ],
)
def test_files_that_are_refused_whole(tmp_path: Path, content: bytes, told: str) -> None:
    with pytest.raises(ListFileError, match=told) as error:
        records(tmp_path / "a.csv", content)
    assert PDQ not in error.value.message


def test_what_is_no_file(tmp_path: Path) -> None:
    for path in (str(tmp_path), str(tmp_path / "absent"), "a\0b"):
        with pytest.raises(ListFileError):
            Source(path)
    with pytest.raises(ListFileError, match="no JSON"):
        records(tmp_path / "a.json", "pdq")
