"""docs/integrate.md, followed to the letter: every shell block runs, in order, and prints what the page shows."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from hashpact.v1 import report_service_pb2

from tests.demo.stage import free_port
from tests.integration.harness import WAIT_S
from tests.integration.sidecar_harness import short_folder
from tests.pictures import photo
from tests.repository import ROOT

PAGE = (ROOT / "docs" / "integrate.md").read_text()
BLOCK = re.compile(r"^```(sh|json)\n(.*?)^```", re.MULTILINE | re.DOTALL)
PORTS = ("7443", "7480", "8000")
"""Those of the page, which may be taken here."""


def script(ports: Mapping[str, int]) -> str:
    """The shell blocks as one script that says where each ends; on other ports."""
    parts = ["set -eu", "trap 'kill $(jobs -p) 2> /dev/null' EXIT"]
    for number, (language, text) in enumerate(BLOCK.findall(PAGE)):
        if language == "sh":
            parts += [text, f"echo; echo '=== {number}'"]
    whole = "\n".join(parts)
    for port, other in ports.items():
        whole = re.sub(rf"\b{port}\b", str(other), whole)
    return whole


def objects(text: str) -> list[Any]:
    """The JSON objects in what was printed, one after the other."""
    found, decoder = [], json.JSONDecoder()
    while (start := text.find("{")) >= 0:
        try:
            told, end = decoder.raw_decode(text, start)
        except ValueError:
            break
        found.append(told)
        text = text[end:]
    return found


def agrees(shown: Any, told: Any) -> bool:
    """Whether what the page shows is (a part of) what came; numbers stand for numbers."""
    if isinstance(shown, dict):
        return isinstance(told, dict) and all(key in told and agrees(shown[key], told[key]) for key in shown)
    if isinstance(shown, list):
        return isinstance(told, list) and len(shown) == len(told) and all(map(agrees, shown, told))
    if isinstance(shown, int) and not isinstance(shown, bool):
        return isinstance(told, int)
    return bool(shown == told)


@pytest.mark.skipif(not shutil.which("node") or not shutil.which("curl"), reason="the page needs curl and Node")
def test_the_page_runs_as_it_stands() -> None:
    with short_folder() as folder:
        (folder / "docs").symlink_to(ROOT / "docs")
        photo("astronaut.png").resize((3000, 3000)).save(folder / "known.jpg", quality=95)
        photo("astronaut.png").resize((1200, 1200)).save(folder / "copy.jpg", quality=60)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HASHPACT_")}
        ports = {port: free_port() for port in PORTS}
        environment["HASHPACT_SIDECAR"] = f"http://127.0.0.1:{ports['7480']}"  # upload.mjs knows the page's
        environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
        process = subprocess.Popen(
            ["bash", "-c", script(ports)],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            printed, said = process.communicate(timeout=2 * WAIT_S)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
        logs = "\n".join(path.read_text() for path in folder.glob("*.log"))
        assert process.returncode == 0, f"{printed}\n{said}\n{logs}"
    outputs = dict(zip(*[iter(re.split(r"^=== (\d+)$", printed, flags=re.MULTILINE)[:-1])] * 2, strict=True))
    by_block = {int(number): text for text, number in outputs.items()}
    blocks = BLOCK.findall(PAGE)
    compared = 0
    for number, (language, text) in enumerate(blocks):
        if language == "json":
            told = objects(by_block[number - 1])[-1]
            assert agrees(json.loads(text), told), f"the page shows {text}, but this came: {told}"
            compared += 1
    assert compared >= 10


def test_the_report_is_one() -> None:
    found = re.search(r"^```json report\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert found
    request = json_format.Parse(found[1], report_service_pb2.ReportMatchesRequest())
    assert request.reports[0].action == report_service_pb2.MATCH_ACTION_REVIEWED
