"""A service, the environment that points to it, and pictures."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hashpact import _wire
from hashpact.cli.app import app
from PIL import Image
from typer.testing import CliRunner

from tests.unit.client.loopback import TOKEN, LoopbackService, serving


@dataclass
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[Any]:
        """What --json printed."""
        return [json.loads(line) for line in self.out.splitlines()]


Run = Callable[..., Ran]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("TARGET", "TOKEN", "CA", "CONFIG", "DEBUG"):
        monkeypatch.delenv(f"HASHPACT_{name}", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(_wire, "BACKOFF_FIRST_S", 0.01)
    monkeypatch.setattr(_wire, "BACKOFF_MAX_S", 0.05)


@pytest.fixture
def run() -> Run:
    """Runs ``hashpact`` with arguments, in this process."""

    def run_it(*arguments: object, stdin: bytes = b"") -> Ran:
        result = CliRunner().invoke(app, [str(one) for one in arguments], input=stdin, prog_name="hashpact")
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return Ran(result.exit_code, result.stdout, result.stderr)

    return run_it


@pytest.fixture
def service() -> LoopbackService:
    return LoopbackService()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Where the configuration file is looked for."""
    path = tmp_path / "config" / "hashpact" / "config.toml"
    path.parent.mkdir(parents=True)
    return path


@pytest.fixture
def target(service: LoopbackService, monkeypatch: pytest.MonkeyPatch, config: Path) -> Iterator[str]:
    """A running service, to which environment and configuration point."""
    with serving(service) as where:
        monkeypatch.setenv("HASHPACT_TARGET", where)
        monkeypatch.setenv("HASHPACT_TOKEN", TOKEN)
        config.write_text("plaintext = true\n")
        yield where


def picture(path: Path, seed: int, *, side_px: int = 160) -> Path:
    """A picture with something to see in it; the same for the same seed."""
    chance = random.Random(seed)
    small = Image.frombytes("RGB", (12, 12), chance.randbytes(12 * 12 * 3))
    path.parent.mkdir(parents=True, exist_ok=True)
    small.resize((side_px, side_px), Image.Resampling.BICUBIC).save(path)
    return path


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    """Three different pictures."""
    return [picture(tmp_path / "photos" / f"{name}.png", seed) for seed, name in enumerate("abc")]
