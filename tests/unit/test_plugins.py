"""Packages that add signal types: what is taken, and what is said of those that cannot be."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint, distributions
from pathlib import Path
from typing import Any

import pytest
from hashpact import plugins, signals
from hashpact.errors import ConfigError, InvalidSignalError, PluginError, UnreadableMediaError
from hashpact.hashing.added import VALUES_MAX, with_added
from hashpact.plugins import Added, Media, SignalTypePlugin, load, require_plugins
from hashpact.signals import BUILT_IN, Comparison, ImageSignals, Signal, SignalType, Witness
from hashpact_server.rules.signals import degeneracy

from tests.adding import TOY, with_toy

KIND = SignalType("mine", 200, 64, Comparison.HAMMING, 4, 8, False, 0, ("image",), Witness.PICTURE)
PICTURE = ImageSignals(
    sha256=None,
    md5=None,
    pdq=Signal("pdq", bytes(range(32)), 100),
    pdq_dihedral=(),
    phash=Signal("phash", bytes(range(8))),
    phash256=Signal("phash256", bytes(range(32))),
    width_px=640,
    height_px=480,
)


def plugin(**changes: Any) -> SignalTypePlugin:
    facts = {field: getattr(KIND, field) for field in SignalType.__dataclass_fields__}
    return SignalTypePlugin(SignalType(**{**facts, **changes}), lambda _: [])


def installed(folder: Path, package: str, body: str, *names: str) -> list[EntryPoint]:
    """A package with these types, on the path of this process."""
    module = package.replace("-", "_")
    (folder / f"{module}.py").write_text(body)
    data = folder / f"{module}-2.1.dist-info"
    data.mkdir()
    (data / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 2.1\n")
    lines = [f"{name} = {module}:{name.upper()}" for name in names]
    (data / "entry_points.txt").write_text("\n".join([f"[{plugins.GROUP}]", *lines, ""]))
    return points(folder)


def points(folder: Path) -> list[EntryPoint]:
    return [
        point
        for distribution in distributions(path=[str(folder)])
        for point in distribution.entry_points
        if point.group == plugins.GROUP
    ]


DECLARED = """
from hashpact.plugins import SignalTypePlugin
from hashpact.signals import Comparison, SignalType, Witness
{upper} = SignalTypePlugin(
    SignalType("{name}", {code}, 64, Comparison.HAMMING, 4, 8, False, 0, ("image",), Witness.PICTURE), lambda media: []
)
"""


@pytest.fixture(autouse=True)
def _path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_an_installed_package_adds_its_types(tmp_path: Path) -> None:
    found = load(installed(tmp_path, "some-hash", DECLARED.format(upper="ROWS", name="rows", code=128), "rows"))
    assert list(found.plugins) == ["rows"]
    assert found.packages["rows"] == "some-hash 2.1"
    assert found.problems == ()


def test_nothing_installed_adds_nothing() -> None:
    assert load([]) == Added({}, {}, ())
    assert set(signals.SIGNAL_TYPES) >= set(BUILT_IN)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("raise RuntimeError('no luck')", "cannot be loaded (RuntimeError: no luck)"),
        ("import there_is_no_such_module", "cannot be loaded (ModuleNotFoundError"),
        ("", "cannot be loaded (AttributeError"),
        ("raise SystemExit(0)", "cannot be loaded (SystemExit: 0)"),
        (DECLARED.format(upper="ROWS", name="rows", code=128).replace('("image",)', "([],)"), "(TypeError: unhashable"),
        ("ROWS = 5", "has to be a SignalTypePlugin, and is of type int"),
        (DECLARED.format(upper="ROWS", name="cols", code=128), "calls itself 'cols'"),
        (DECLARED.format(upper="ROWS", name="rows", code=34), "codes from 128 to 255"),
        ("from hashpact.signals import SIGNAL_TYPES\nROWS = SIGNAL_TYPES['pdq']", "is of type SignalType"),
    ],
)
def test_a_broken_package_is_named_and_adds_nothing(tmp_path: Path, body: str, said: str) -> None:
    found = load(installed(tmp_path, "bad-hash", body, "rows"))
    assert not found.plugins
    assert len(found.problems) == 1
    assert "'rows' of the package bad-hash 2.1" in found.problems[0]
    assert said in found.problems[0]


def test_of_two_that_clash_neither_name_nor_number_is_shared(tmp_path: Path) -> None:
    installed(tmp_path, "a-hash", DECLARED.format(upper="ROWS", name="rows", code=128), "rows")
    installed(tmp_path, "b-hash", DECLARED.format(upper="COLS", name="cols", code=128), "cols")
    found = load(installed(tmp_path, "c-hash", DECLARED.format(upper="ROWS", name="rows", code=129), "rows"))
    assert list(found.plugins) == ["rows"]
    assert found.packages["rows"] == "a-hash 2.1"
    assert len(found.problems) == 2
    assert "'cols' of the package b-hash 2.1 (code 128) clashes with one of a-hash 2.1" in found.problems[0]
    assert "'rows' of the package c-hash 2.1 (code 129) clashes with one of a-hash 2.1" in found.problems[1]


def test_a_package_cannot_take_the_place_of_a_type_of_ours(tmp_path: Path) -> None:
    found = load(installed(tmp_path, "a-hash", DECLARED.format(upper="PDQ", name="pdq", code=128), "pdq"))
    assert not found.plugins
    assert "clashes with one of Hashpact itself" in found.problems[0]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "Mine"}, "name"),
        ({"name": "m"}, "name"),
        ({"name": "mine\n"}, "name"),
        ({"code": 127}, "codes"),
        ({"code": 256}, "codes"),
        ({"code": 128.0}, "whole numbers"),
        ({"comparison": "hamming"}, "comparison"),
        ({"witness": "picture"}, "witness"),
        ({"media": ()}, "media"),
        ({"media": ("smell",)}, "media"),
        ({"quality_min": 101}, "quality_min"),
        ({"bits": 60}, "whole bytes"),
        ({"bits": 72}, "steps of 64"),
        ({"bits": 2048}, "1024 bits"),
        ({"radius_default": 9}, "radius_default"),
        ({"radius_max": 17}, "a quarter"),
        ({"measure": len}, "measure"),
        ({"comparison": Comparison.DISTANCE}, "measure"),
        ({"comparison": Comparison.POINTS}, "compared by"),
        ({"comparison": Comparison.EQUALITY, "bits": 256}, "no radius"),
        ({"comparison": Comparison.EQUALITY, "bits": 64, "radius_default": 0, "radius_max": 0}, "128 bits"),
    ],
)
def test_a_type_that_no_index_can_hold_is_refused(changes: dict[str, Any], said: str) -> None:
    assert said in (plugins.flaw_of(plugin(**changes)) or "")


def test_types_of_every_comparison_are_taken() -> None:
    assert plugins.flaw_of(plugin()) is None
    assert plugins.flaw_of(plugin(comparison=Comparison.DISTANCE, bits=24, radius_max=900, measure=len)) is None
    exact = {"comparison": Comparison.EQUALITY, "bits": 160, "radius_default": 0, "radius_max": 0}
    assert plugins.flaw_of(plugin(**exact)) is None


def test_whoever_begins_work_is_told_what_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Added({}, {}, ("the signal type 'x' of the package y 1 cannot be loaded (OSError: z)",))
    monkeypatch.setattr(plugins, "_found", broken)
    with pytest.raises(PluginError, match="of the package y 1 cannot be loaded") as told:
        require_plugins()
    assert isinstance(told.value, ConfigError)
    assert told.value.reason == "PLUGIN"


def test_a_package_that_asks_for_the_table_while_it_is_imported_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = installed(tmp_path, "early-hash", "from hashpact.plugins import added\nadded()", "rows")
    monkeypatch.setattr(plugins, "_found", None)
    monkeypatch.setattr(plugins, "entry_points", lambda **_: entries)
    assert "let it import hashpact.signals and hashpact.plugins only" in plugins.added().problems[0]


def test_importing_a_package_first_is_as_good() -> None:
    for first in ("toy_hashes", "hashpact.signals"):
        program = f"import {first}; from hashpact.signals import SIGNAL_TYPES; print(*SIGNAL_TYPES)"
        done = subprocess.run(
            [sys.executable, "-c", program], env=with_toy(), capture_output=True, text=True, check=True
        )
        assert done.stdout.split() == [*BUILT_IN, "toy_backwards", "toy_columns", "toy_edges"]
    assert (TOY / "toy_hashes-1.0.dist-info" / "entry_points.txt").exists()


# -- what its hasher says of one file


def adding(monkeypatch: pytest.MonkeyPatch, hasher: plugins.Hasher, **changes: Any) -> None:
    made = SignalTypePlugin(plugin(**changes).kind, hasher, flaw=lambda value: "flat" if value[0] == 255 else None)
    monkeypatch.setattr(plugins, "_found", Added({"mine": made}, {"mine": "a-hash 2.1"}, ()))


def test_what_is_added_is_part_of_the_signals(monkeypatch: pytest.MonkeyPatch) -> None:
    def hasher(media: Media) -> list[Signal]:
        assert (media.kind, media.data, media.path) == ("image", b"file", None)
        return [Signal("mine", bytes(range(8)))]

    adding(monkeypatch, hasher)
    found = with_added(PICTURE, "image", data=b"file")
    assert found.added == (Signal("mine", bytes(range(8))),)
    assert list(found)[-1].signal_type == "mine"
    assert with_added(PICTURE, "video", data=b"file") is PICTURE


@pytest.mark.parametrize("error", [UnreadableMediaError("too dark"), ValueError("x"), MemoryError(), RecursionError()])
def test_a_file_that_a_package_cannot_hash_loses_that_signal_alone(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def hasher(_: Media) -> list[Signal]:
        raise error

    adding(monkeypatch, hasher)
    found = with_added(PICTURE, "image", data=b"file")
    assert found.added == ()
    assert len(found.notes) == 1
    assert found.notes[0].startswith("mine: ")


@pytest.mark.parametrize(
    "answer", [[b"12345678"], [Signal("pdq", bytes(32))], [Signal("unknown", bytes(8))], [Signal("mine", bytes(9))]]
)
def test_an_answer_that_is_none_is_the_fault_of_its_package(monkeypatch: pytest.MonkeyPatch, answer: list[Any]) -> None:
    adding(monkeypatch, lambda _: answer)
    with pytest.raises(PluginError, match=r"'mine' of the package a-hash 2\.1"):
        with_added(PICTURE, "image", data=b"file")


def test_one_file_has_no_more_values_than_a_probe_may(monkeypatch: pytest.MonkeyPatch) -> None:
    adding(monkeypatch, lambda _: [Signal("mine", number.to_bytes(8)) for number in range(VALUES_MAX + 1)])
    found = with_added(PICTURE, "image", data=b"file")
    assert len(found.added) == VALUES_MAX
    assert "only 64 of 65 values" in found.notes[0]


def test_what_a_package_calls_empty_is_not_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    adding(monkeypatch, lambda _: [])
    kind = plugins.added().plugins["mine"].kind
    assert degeneracy(kind, b"\xff1234567") == "flat"
    assert degeneracy(kind, b"\x0112345\x00\x00") is None
    assert degeneracy(kind, bytes(8)) == "all of its bits are equal"


def test_the_size_of_an_added_value_is_checked_as_ours_is(monkeypatch: pytest.MonkeyPatch) -> None:
    adding(monkeypatch, lambda _: [])
    with pytest.raises(InvalidSignalError, match="a mine value has 8 bytes"):
        Signal("mine", bytes(7))


def test_a_package_that_fails_at_a_value_refuses_that_value_and_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(value: bytes) -> str | None:
        raise KeyError(value)

    made = SignalTypePlugin(KIND, lambda _: [], flaw=broken)
    monkeypatch.setattr(plugins, "_found", Added({"mine": made}, {"mine": "bad-hash 2.1"}, ()))
    said = degeneracy(KIND, bytes(range(8)))
    assert said == "the package bad-hash 2.1 fails at it (KeyError)"  # and says nothing of the value
