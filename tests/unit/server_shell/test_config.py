"""Settings: typed, bounded, refused by name."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from hashpact.errors import ConfigError
from hashpact.v1 import capabilities_service_pb2
from hashpact_server.config import TABLES, Config, Limits, Uploads, load, settings, template


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(text)
    return path


def test_limits_are_those_of_the_wire_by_name_and_fit_its_numbers() -> None:
    wire = capabilities_service_pb2.Limits.DESCRIPTOR.fields
    assert [each.name for each in wire] == [each.name for each in dataclasses.fields(Limits)]
    told = capabilities_service_pb2.Limits(**dataclasses.asdict(Limits()))
    assert told.lookup_probes_max == 4096


def test_what_is_remembered_is_told_by_the_wire_in_the_same_words() -> None:
    wire = capabilities_service_pb2.UploadMemory.DESCRIPTOR.fields
    assert ["enabled", *(each.name for each in wire)] == [each.name for each in dataclasses.fields(Uploads)]


def test_every_setting_has_a_doc_that_is_a_sentence() -> None:
    for of in (Config, *TABLES.values()):
        named = [name for name, _, _ in settings(of)]
        assert set(named) | set(TABLES) == {each.name for each in dataclasses.fields(of)} | set(TABLES)
        assert all(doc.endswith(".") for _, _, doc in settings(of))


def test_an_absent_file_gives_the_defaults(tmp_path: Path) -> None:
    assert load(tmp_path / "none.toml") == Config()


def test_the_template_names_everything_and_changes_nothing(tmp_path: Path) -> None:
    assert load(written(tmp_path, template())) == Config()
    bare = "\n".join(line.removeprefix("#") for line in template().splitlines() if not line.startswith("# "))
    assert load(written(tmp_path, bare)) == Config()
    for table, of in TABLES.items():
        assert set(tomllib.loads(bare)[table]) == {each.name for each in dataclasses.fields(of)}


def test_file_and_options(tmp_path: Path) -> None:
    path = written(tmp_path, 'listen = "10.0.0.1:1"\ndrain_s = 3\n[limits]\nrequests_max = 128\n')
    made = load(path, {"listen": "127.0.0.1:2", "metrics_listen": None, "limits.labels_max": 3})
    assert (made.listen, made.metrics_listen, made.drain_s) == ("127.0.0.1:2", "", 3)
    assert (made.limits.requests_max, made.limits.labels_max) == (128, 3)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("colour = 1", "there is no setting colour"),
        ("[limits]\nrequest_max = 1", "there is no setting limits.request_max"),
        ("requests_max = 1", "there is no setting requests_max"),
        ("listen = 7443", "listen must be a text in quotes"),
        ('drain_s = "10"', "drain_s must be a number"),
        ("write_queue_max = 1.5", "write_queue_max must be a whole number"),
        ("write_queue_max = true", "write_queue_max must be a whole number"),
        ("write_queue_max = 0", "write_queue_max must be between 1 and"),
        ("drain_s = nan", "drain_s must be between"),
        ("[limits]\nlabels_max = -1", "limits.labels_max must be between 1 and 255"),
        ("[limits]\nmessage_bytes_max = 4294967296", "limits.message_bytes_max must be between"),
        ("[limits]\nmatches_default = 200", "limits.matches_default (200) is over matches_max"),
        ('log_level = "loud"', "log_level: 'loud' is none of"),
        ("limits = 3", "limits is a table"),
        ("uploads = true", "uploads is a table"),
        ("[uploads]\nenabled = 1", "uploads.enabled must be true or false"),
        ("[uploads]\nwindow_days = 1", "there is no setting uploads.window_days"),
        ("[uploads]\ndecoys = true", "no setting uploads.decoys; decoys stands above the first"),
        ("listen = ", "cannot read"),
    ],
)
def test_a_mistake_is_refused_with_its_name_and_file(tmp_path: Path, text: str, named: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as raised:
        load(path)
    assert named in raised.value.message
    assert str(path) in raised.value.message


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="cannot read"):
        load(path)
    with pytest.raises(ConfigError, match="cannot read"):
        load(tmp_path)  # a directory


@pytest.mark.parametrize(
    ("module", "kept_out"),
    [("config", {"grpc", "lmdb", "numba"}), ("cli", {"grpc", "numba"})],  # the last two read settings when loaded
)
def test_what_is_quick_to_load_stays_so(module: str, kept_out: set[str]) -> None:
    code = f"import sys, hashpact_server.{module}; print({kept_out!r} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"
