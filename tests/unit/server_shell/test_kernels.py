"""Each version has a folder of its own for its kernels; nothing of another version, or of a stranger, is run."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hashpact_server import doctor, kernels
from hashpact_server.datadir import DataDirectory
from hashpact_server.trouble import Trouble


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataDirectory:
    """A data directory, and no wish of the operator's."""
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    return DataDirectory(tmp_path)


def another_version(monkeypatch: pytest.MonkeyPatch, to: Path, change: str = "parts.py") -> None:
    """Let the kernels' source be a copy of itself in which one file has one more comment."""
    shutil.copytree(kernels._SOURCE, to, ignore=shutil.ignore_patterns("__pycache__"))
    with (to / change).open("a") as file:
        file.write("# changed\n")
    monkeypatch.setattr(kernels, "_SOURCE", to)
    kernels._stamp.cache_clear()
    monkeypatch.setattr(kernels, "_stamp", kernels._stamp.__wrapped__)


def test_the_folder_is_below_the_data_directory_or_the_operators(
    data: DataDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = kernels.place(data)
    assert own.parent == data.kernel_cache
    kernels.prepare(data)
    assert os.environ["NUMBA_CACHE_DIR"] == str(own)
    # A process that ours started finds the variable set, and stays in the same folder.
    assert kernels.place(data) == own
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(data.file("theirs")))
    assert kernels.place(data) == data.file("theirs") / own.name


def test_a_change_of_what_kernels_share_gets_another_folder(
    data: DataDirectory, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = kernels.place(data)
    with monkeypatch.context() as patched:
        another_version(patched, tmp_path / "index")
        changed = kernels.place(data)
        assert changed != before
        (tmp_path / "index" / "parts.py").write_text("")
        assert kernels.place(data) not in (before, changed)
    assert kernels.place(data) == before


def test_what_other_versions_left_goes_and_nothing_else(data: DataDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    own = kernels.place(data)
    old = data.kernel_cache / f"kernels-{'0' * 16}"
    older = data.kernel_cache / f"index_{'f' * 40}"
    other = data.kernel_cache / "notes"
    for folder in (own, old / "index", older, other):
        folder.mkdir(parents=True)
        (folder / "file").touch()
    data.kernel_cache.chmod(0o700)
    kernels.prepare(data)
    assert sorted(data.kernel_cache.iterdir()) == sorted([own, other])
    assert (own / "file").exists()
    # What lies in a place of the operator's may belong to others.
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(data.kernel_cache))
    old.mkdir()
    kernels.prepare(data)
    assert old.exists()


def test_kernels_that_others_can_write_are_not_run(data: DataDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    kernels.prepare(data)
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    data.kernel_cache.chmod(0o777)
    with pytest.raises(Trouble, match="others can write it"):
        kernels.prepare(data)
    data.kernel_cache.chmod(0o700)
    owner = data.kernel_cache.stat().st_uid
    if owner:  # root's are fine for everybody
        monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
        with pytest.raises(Trouble, match="others can write it"):
            kernels.prepare(data)
    assert "NUMBA_CACHE_DIR" not in os.environ


def test_a_folder_that_cannot_be_made_keeps_nobody_from_serving(data: DataDirectory) -> None:
    data.kernel_cache.symlink_to(data.file("nowhere") / "at all")
    kernels.prepare(data)
    assert os.environ["NUMBA_CACHE_DIR"] == str(kernels.place(data))


def test_doctor_says_what_is_kept(data: DataDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    found = doctor._kernels(data)
    assert (found.verdict, "--warm" in found.text) == (doctor.Verdict.WARN, True)
    folder = kernels.place(data) / "index"
    folder.mkdir(parents=True)
    (folder / "linear.scan-1.py311.nbi").touch()
    assert doctor._kernels(data).text.startswith("1 compiled")
    shutil.rmtree(folder)
    monkeypatch.setattr(os, "access", lambda *_: False)  # as for anybody but the superuser
    found = doctor._kernels(data)
    assert (found.verdict, "cannot be written" in found.text) == (doctor.Verdict.WARN, True)
