"""The canaries, from a list without them to a proof by every step of the doctor."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hashpact.cli.app import app
from typer.testing import CliRunner

from tests.integration.harness import ServerInside
from tests.integration.sidecar_harness import Hub, SidecarRun, short_folder
from tests.pictures import photo


@pytest.fixture
def run(inside: ServerInside, tmp_path: Path) -> Any:
    def run_it(member: str, *arguments: object) -> tuple[int, list[dict[str, Any]]]:
        environment: Mapping[str, str] = {
            "HASHPACT_TARGET": str(inside.address),
            "HASHPACT_CA": str(inside.forum.data / "ca.pem"),
            "HASHPACT_TOKEN": inside.forum.tokens[member],
            "XDG_CONFIG_HOME": str(tmp_path / "none"),
        }
        done = CliRunner().invoke(app, [str(one) for one in arguments], env=environment)
        return done.exit_code, [json.loads(line) for line in done.stdout.splitlines()]

    return run_it


def test_the_doctor_proves_the_pipeline_with_canaries(run: Any, tmp_path: Path) -> None:
    code, before = run("acme", "doctor", "--json")
    assert (code, before[-1]["step"], before[-1]["state"]) == (0, "canaries", "warn")

    assert run("acme", "canary", "list", "--json")[0] == 4
    assert [each["outcome"] for each in run("alpha", "canary", "list", "--json", "--dry-run")[1]] == ["created"] * 3
    assert [each["outcome"] for each in run("alpha", "canary", "list", "--json")[1]] == ["created"] * 3
    code, again = run("alpha", "canary", "list", "--json")
    assert (code, [each["outcome"] for each in again]) == (0, ["unchanged"] * 3)

    code, after = run("acme", "doctor", "--json")
    assert code == 0
    assert [(each["step"], each["state"]) for each in after] == [
        (name, "ok")
        for name in (
            "version",
            "hashing",
            "target",
            "token",
            "encryption",
            "service",
            "clock",
            "rights",
            "canaries",
            "altered copy",
            "unlisted picture",
        )
    ]
    code, as_steward = run("steward", "doctor", "--json")
    assert (code, as_steward[-1]["step"], as_steward[-1]["state"]) == (0, "rights", "ok")

    run("acme", "canary", "write", "--json", tmp_path / "canaries")
    code, checked = run("acme", "check", "--json", tmp_path / "canaries")
    assert code == 10
    assert [(each["verdict"], each["advice"]) for each in checked] == [("match", "observe")] * 3 + [("none", "none")]


def test_a_canary_that_was_spoiled_is_told_and_repaired(run: Any, tmp_path: Path) -> None:
    item = run("alpha", "canary", "list", "--json")[1][0]["item"]
    photo("chelsea.png").save(tmp_path / "cat.png")
    code, attached = run(
        "alpha", "contribute", "--json", "--label", "canary", "--attach-to", item, tmp_path / "cat.png"
    )
    assert (code, attached[0]["item"]) == (0, item)
    assert run("acme", "check", "--json", tmp_path / "cat.png")[1][0]["advice"] == "review"
    code, told = run("acme", "doctor", "--json")
    assert (code, told[-1]["step"], told[-1]["error"]["reason"]) == (3, "canaries", "CANARY_SPOILED")
    assert run("steward", "withdraw", "--json", item)[0] == 0
    assert run("alpha", "canary", "list", "--json")[1][0]["outcome"] == "created"
    assert run("acme", "doctor", "--json")[0] == 0


def test_the_doctor_proves_a_sidecar(run: Any, inside: ServerInside, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("alpha", "canary", "list", "--json")[0] == 0
    secret = "of-the-sidecar-0123456789abcdef"
    settings = "mode = 'act'\ndeadline_s = 60\n"
    environment = {"HASHPACT_SIDECAR_SECRET": secret}
    with (
        short_folder() as folder,
        SidecarRun(Hub.of(inside), folder / "s", settings, environment=environment) as sidecar,
    ):
        url = f"http://{sidecar.ready().address}"
        code, refused = run("acme", "doctor", "--json", "--sidecar", url)
        assert (code, refused[-1]["step"], refused[-1]["error"]["reason"]) == (4, "sidecar canary", "SECRET_WRONG")
        monkeypatch.setenv("HASHPACT_SIDECAR_SECRET", secret)
        code, proved = run("acme", "doctor", "--json", "--sidecar", url)
        sidecar.stop()
    assert code == 0, proved
    assert [(each["step"], each["state"]) for each in proved[-4:]] == [
        ("sidecar", "ok"),
        ("sidecar canary", "ok"),
        ("sidecar altered copy", "ok"),
        ("sidecar unlisted picture", "ok"),
    ]
