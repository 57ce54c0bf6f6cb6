"""``tx`` as it comes from the package index, with our extension and a live service: what is typed, and what it says.

``threatexchange`` brings a package that has to be compiled, so it is not among the test dependencies: the environment
of the benchmarks has it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from hashpact import Client, Contribution, Signal
from hashpact.errors import MissingExtraError
from hashpact.v1 import member_service_pb2

from tests.forum import value
from tests.integration.harness import WAIT_S, Forum, ServerInside
from tests.repository import ROOT

HOLDER = (member_service_pb2.ROLE_CONTRIBUTE, member_service_pb2.ROLE_REPLICATE, member_service_pb2.ROLE_CHECK)
PDQ, NEAR, MD5 = value("pdq", "tx"), value("pdq", "tx2"), value("md5", "tx")


def interpreter() -> Path:
    """A Python that has ``threatexchange``."""
    if find_spec("threatexchange"):
        return Path(sys.executable)
    bench = ROOT / ".tools" / "bench" / "bin" / "python"
    if not bench.exists():
        pytest.skip("threatexchange is in no environment here: `make test-tx` makes one that has it")
    return bench


class Tx:
    """The command line ``tx`` with a state of its own."""

    def __init__(self, home: Path, server: ServerInside, token: str) -> None:
        self.python = interpreter()
        self.server = server
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "TX_STATEDIR": str(home / "state"),
            "PYTHONPATH": str(ROOT / "client"),
            "HASHPACT_TOKEN": token,
        }

    def __call__(self, *words: str | Path, code: int = 0) -> str:
        done = subprocess.run(
            [str(self.python.parent / "tx"), *map(str, words)],
            capture_output=True,
            text=True,
            timeout=WAIT_S,
            check=False,
            env=self.environment,
        )
        said = done.stdout + done.stderr
        assert done.returncode == code, said
        assert "Traceback" not in said
        return said

    def configure(self, server: ServerInside) -> None:
        """What the transcript's commands leave behind."""
        state = Path(self.environment["TX_STATEDIR"])
        (state / "collab_configs").mkdir(parents=True, exist_ok=True)
        (state / "config.json").write_text(json.dumps({"extensions": ["hashpact.tx"]}))
        collab = {
            "name": "list",
            "api": "hashpact",
            "target": str(server.address),
            "ca": str(server.forum.data / "ca.pem"),
        }
        (state / "collab_configs" / "list.json").write_text(json.dumps(collab))

    def signals(self) -> set[str]:
        """What it would match with."""
        return {line.split()[1] for line in self("dataset", "--print-signals", "--print-signals-only").splitlines()}

    def matches(self, content: str, signal_type: str, digest: bytes) -> str:
        return self("match", "--only-signal", signal_type, "--hashes", content, "--", digest.hex())


@pytest.fixture
def holder(inside: ServerInside) -> str:
    return inside.member("steward").create("holder", *HOLDER)


@pytest.fixture
def client(inside: ServerInside, holder: str) -> Iterator[Client]:
    with Client(str(inside.address), token=holder, ca=inside.forum.ca) as made:
        yield made


@pytest.fixture
def tx(inside: ServerInside, holder: str, tmp_path: Path) -> Tx:
    """Configured as the commands of the transcript do it, without waiting for them."""
    made = Tx(tmp_path, inside, holder)
    made.configure(inside)
    return made


def test_a_transcript(inside: ServerInside, holder: str, client: Client, tmp_path: Path) -> None:
    tx = Tx(tmp_path, inside, holder)
    assert "hashpact" in tx("config", "extensions", "add", "hashpact.tx")
    where = ("--target", str(inside.address), "--ca", inside.forum.data / "ca.pem")
    tx("config", "collab", "edit", "hashpact", "--create", "list", *where)
    assert tx("config", "collab", "list") == "hashpact list\n"

    # Two others: an index of tx that holds one PDQ value finds nothing once it was read from its file.
    client.contribute([Signal("pdq", value("pdq", "third"), 90)], labels=["other"])
    item = client.contribute([Signal("pdq", PDQ, 90), Signal("md5", MD5)], labels=["art"]).item
    other = client.contribute([Signal("pdq", NEAR, 90)], labels=["research"], basis="automatic").item
    assert "Up to date" in tx("fetch")
    third = value("pdq", "third").hex()
    assert tx.signals() == {PDQ.hex(), NEAR.hex(), MD5.hex(), third}
    assert tx.matches("photo", "pdq", PDQ) == "pdq 0 (list) POSITIVE_CLASS art\n"
    assert tx.matches("photo", "pdq", NEAR) == "pdq 0 (list) INVESTIGATION_SEED research\n"
    assert "(list) POSITIVE_CLASS art" in tx.matches("video", "video_md5", MD5)

    # What was taken off, changed and added since.
    client.withdraw(item)
    client.amend(other, labels=["list:un"])
    tx("fetch")
    assert tx.signals() == {NEAR.hex(), third}
    assert tx.matches("photo", "pdq", PDQ) == ""
    assert "INVESTIGATION_SEED list:un" in tx.matches("photo", "pdq", NEAR)

    # Pushing: a contribution with the labels given, by the basis of the collaboration.
    said = tx("label", "--labels", "art", "--as-hash", "pdq", "list", "photo", "--", PDQ.hex(), code=2)
    assert "quality" in said
    tx(
        "config", "collab", "edit", "hashpact", "list", "--target", str(tx.server.address), "--pdq-quality", "50",
    )  # fmt: skip
    assert json.loads(tx("config", "collab", "print", "list"))["pdq_quality"] == 50
    tx("label", "--labels", "art,research", "--as-hash", "pdq", "list", "photo", "--", PDQ.hex())
    mine = list(client.list_items(signals=True))[-1]
    assert ([one.value for one in mine.signals], mine.labels) == ([PDQ], ("art", "research"))
    assert [one.basis for one in mine.contributions] == ["automatic"]
    assert "no label" not in tx("fetch")
    assert PDQ.hex() in tx.signals()
    assert "not listed" in tx("label", "--labels", "art", "--as-hash", "pdq", "list", "photo", "--", "0" * 64, code=2)


def test_pages_and_a_fetch_that_is_broken_off(tx: Tx, inside: ServerInside) -> None:
    many = [Contribution([Signal("md5", value("md5", n))], ["art"]) for n in range(2300)]
    with Client(str(inside.address), token=inside.forum.tokens["alpha"], ca=inside.forum.ca) as alpha:
        assert all(one.outcome == "created" for one in alpha.contribute_many(many))  # a full member: no trial's cap
        said = tx("fetch", "--limit", "1")
        assert "Hit limits" in said
        tx("fetch", "--limit", "1")
        assert len(tx.signals()) == 2000  # the second page, not the first one again
        first = next(iter(alpha.list_items()))
        alpha.withdraw(first.item)  # behind the place where the fetch goes on
        tx("fetch")
        assert len(tx.signals()) == 2300  # the first fetch ends as it began: a moment ago
        tx("fetch")
        assert len(tx.signals()) == 2299


def test_who_may_not_and_what_cannot_be(tx: Tx, client: Client, inside: ServerInside, tmp_path: Path) -> None:
    client.contribute([Signal("md5", MD5)], labels=["art"])
    tx("fetch")
    checker = Tx(tmp_path, inside, inside.forum.tokens["alpha"])
    assert "that is the role replicate" in checker("fetch", code=3)
    del checker.environment["HASHPACT_TOKEN"]
    assert "HASHPACT_TOKEN" in checker("fetch", code=2)
    checker.environment["HASHPACT_TOKEN"] = "hpt_wrong"
    assert "token" in checker("fetch", code=3)
    assert tx.signals() == {MD5.hex()}  # a failed fetch costs nothing
    said = tx("label", "--as-hash", "video_md5", "list", "video", "--", MD5.hex(), code=2)
    assert "--labels" in said


def test_a_list_of_another_history(tx: Tx, client: Client, tmp_path: Path) -> None:
    client.contribute([Signal("md5", MD5)], labels=["art"])
    tx("fetch")
    elsewhere = Forum.make(tmp_path / "elsewhere")
    with ServerInside(elsewhere) as other:
        token = other.member("steward").create("holder", *HOLDER)
        moved = Tx(tmp_path, other, token)
        moved.configure(other)
        assert "begin anew" in moved("fetch", code=3)
        moved("fetch", "--clear", "--only-collab", "list")
        assert "Up to date" in moved("fetch")


def test_opinions_by_the_library(tx: Tx, client: Client, inside: ServerInside) -> None:
    """What ``tx label`` cannot say, HMA and programs can: a negative opinion takes back one's own."""
    item = client.contribute([Signal("md5", MD5)], labels=["art"]).item
    theirs, ca = value("md5", "theirs"), str(inside.forum.data / "ca.pem")
    inside.member("alpha").contribute(PDQ)
    program = f"""
import os
from threatexchange.exchanges.fetch_state import SignalOpinion, SignalOpinionCategory as C
from threatexchange.signal_type.md5 import VideoMD5Signal
from threatexchange.signal_type.pdq.signal import PdqSignal
from hashpact.tx import HashpactSignalExchangeAPI, TX_MANIFEST
from hashpact.tx.config import HashpactCollabConfig
collab = HashpactCollabConfig(name="x", target={str(inside.address)!r}, ca={ca!r})
api = TX_MANIFEST.apis[0].for_collab(collab)
def no(opinion, *about):
    try:
        api.report_opinion(*about, SignalOpinion(True, opinion, {{"art"}}))
    except NotImplementedError as error:
        return str(error)
print(no(C.NEGATIVE_CLASS, VideoMD5Signal, {MD5.hex()!r}))
print(no(C.NEGATIVE_CLASS, PdqSignal, {PDQ.hex()!r}))
print(no(C.NEGATIVE_CLASS, VideoMD5Signal, {theirs.hex()!r}))
print(no(C.INVESTIGATION_SEED, VideoMD5Signal, {MD5.hex()!r}))
"""
    done = subprocess.run(
        [tx.python, "-c", program], capture_output=True, text=True, timeout=WAIT_S, check=False, env=tx.environment
    )
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert said[0] == "None"
    assert said[1] == said[2] == "others contributed it: say what is wrong with it, with hashpact opinion give"
    assert "Hashpact takes" in said[3]
    assert client.get_item(item).status == "withdrawn"
    assert len(list(client.list_items())) == 1


def test_a_store_as_hma_has_one(tx: Tx, client: Client, inside: ServerInside, tmp_path: Path) -> None:
    """The package's own store, whose interface HMA has too: settings, checkpoint and records survive it."""
    signals = [Signal("pdq", PDQ, 90), Signal("pdq", NEAR, 90), Signal("md5", MD5)]
    first = client.contribute(signals, labels=["art"]).item
    (tmp_path / "store").mkdir()
    ca = str(inside.forum.data / "ca.pem")
    program = f"""
import sys
from pathlib import Path
from threatexchange.signal_type.md5 import VideoMD5Signal
from threatexchange.signal_type.pdq.signal import PdqSignal
from threatexchange.storage.local_dbm import DBMStore
from threatexchange.utils import dataclass_json
from hashpact.tx import HashpactSignalExchangeAPI as Api
store = DBMStore(Path({str(tmp_path / "store")!r}), exchange_types=[Api])
if not store.exchanges_get():
    api_json = {{"name": "LIST", "api": "hashpact", "enabled": True, "target": {str(inside.address)!r}, "ca": {ca!r}}}
    settings = store.exchange_apis_get_configs()["hashpact"]
    settings.set_credentials_from_json_dict({{"token": {tx.environment.pop("HASHPACT_TOKEN")!r}}})
    store.exchange_api_config_update(settings)
    store.exchange_update(dataclass_json.dataclass_load_dict(api_json, Api.get_config_cls()), create=True)
collab = store.exchanges_get()["LIST"]
before = store.exchange_get_fetch_checkpoint("LIST")
api = store.exchange_get_client(collab)
for delta in api.fetch_iter([PdqSignal, VideoMD5Signal], before):
    store.exchange_commit_fetch(collab, before, delta.updates, delta.checkpoint)
    before = delta.checkpoint
    assert store.exchange_get_fetch_checkpoint("LIST") == before
print(store.exchange_get_fetch_status("LIST").fetched_items)
for item in sys.argv[1:]:
    record = store.exchange_get_data("LIST", item)
    found = Api.naive_convert_to_signal_type([PdqSignal, VideoMD5Signal], collab, {{item: record}})
    print(item, {{kind.get_name(): list(values) for kind, values in found.items()}}, record)
"""

    def run(*items: int | str) -> list[str]:
        words = [str(tx.python), "-c", program, *map(str, items)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=WAIT_S, check=False, env=tx.environment)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    assert run(first, f"{first}.1") == [
        "2",
        f"{first} {{'pdq': ['{PDQ.hex()}'], 'video_md5': ['{MD5.hex()}']}} POSITIVE_CLASS art",
        f"{first}.1 {{'pdq': ['{NEAR.hex()}']}} POSITIVE_CLASS art",
    ]
    client.withdraw(first)
    second = client.contribute([Signal("md5", MD5)], labels=["research"]).item
    assert run(second) == ["1", f"{second} {{'video_md5': ['{MD5.hex()}']}} POSITIVE_CLASS research"]


def test_exports_are_what_their_reader_reads(tx: Tx, client: Client, tmp_path: Path) -> None:
    from hashpact.exchange.exporting import export, new_file  # noqa: PLC0415  # only here

    client.contribute([Signal("pdq", PDQ, 90), Signal("md5", MD5)], labels=["art"])
    path = tmp_path / "list.json"
    with new_file(str(path)) as out:
        export(client.list_items(signals=True), out, "threatexchange")
    program = f"""
import json
from threatexchange.exchanges.clients.fb_threatexchange.threat_updates import ThreatUpdateJSON
from threatexchange.exchanges.impl.fb_threatexchange_api import FBThreatExchangeIndicatorRecord as Record
for one in json.load(open({str(path)!r}))["data"]:
    update = ThreatUpdateJSON(one)
    record = Record.from_threatexchange_json(1, update)
    category = record.get_as_aggregate_opinion().category.name
    print(update.threat_type, update.indicator, category, sorted(record.opinions[0].tags))
"""
    done = subprocess.run(
        [tx.python, "-c", program], capture_output=True, text=True, timeout=WAIT_S, check=False, env=tx.environment
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"HASH_PDQ {PDQ.hex()} INVESTIGATION_SEED ['art']",
        f"HASH_MD5 {MD5.hex()} INVESTIGATION_SEED ['art']",
    ]


def test_without_tx_the_extension_says_what_is_missing() -> None:
    if find_spec("threatexchange"):
        pytest.skip("threatexchange is installed here")
    with pytest.raises(MissingExtraError, match="pip install threatexchange"):
        __import__("hashpact.tx")
