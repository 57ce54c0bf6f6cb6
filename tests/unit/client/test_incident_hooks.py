"""Hooks of incidents: told until they confirm, of the newest state, and none waits for another."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hashpact import incident_hooks as hooks
from hashpact.errors import ConfigError
from hashpact.incidents import Incident, IncidentRules

WAIT_S = 60.0
INCIDENT = Incident(
    incident=7,
    name="harbour",
    type="attack",
    summary="",
    drill=False,
    state="open",
    member="chair",
    create_time=None,
    open_time=None,
    end_time=None,
    end="",
    contributions=0,
    software_acknowledgements=0,
    person_acknowledgements=0,
    supporters=0,
    sequence=7,
    update_time=None,
    rules=IncidentRules(),
)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks, "_PAUSE_S", 0.0)


class Noting:
    """A hook that answers as it is told to, and notes what it heard."""

    def __init__(self, answer: Callable[[Incident], str]) -> None:
        self._answer = answer
        self.heard: list[tuple[int, int]] = []

    def tell(self, incident: Incident) -> str:
        self.heard.append((incident.incident, incident.sequence))
        return self._answer(incident)


def test_it_is_told_until_it_confirms() -> None:
    answers = iter(("no", "no", ""))
    problems: list[str] = []
    hook, done = Noting(lambda _: next(answers)), threading.Event()
    teller = hooks.Teller(hook, lambda _: done.set(), problems.append)
    teller.tell(INCIDENT)
    assert done.wait(WAIT_S)
    teller.close()
    assert (hook.heard, problems) == ([(7, 7)] * 3, ["no", "no"])


def test_of_a_state_that_was_not_confirmed_the_newest_alone_is_told() -> None:
    held, failed, done = threading.Event(), threading.Event(), threading.Event()

    def answer(incident: Incident) -> str:
        if incident.sequence == 9:
            return ""
        failed.set()
        held.wait(WAIT_S)
        return "away"

    hook = Noting(answer)
    teller = hooks.Teller(hook, lambda incident: done.set() if incident.sequence == 9 else None, lambda _: None)
    teller.tell(INCIDENT)
    assert failed.wait(WAIT_S)
    teller.tell(replace(INCIDENT, sequence=8))
    teller.tell(replace(INCIDENT, sequence=9, state="closed"))
    held.set()
    assert done.wait(WAIT_S)
    teller.close()
    assert hook.heard == [(7, 7), (7, 9)]


def test_one_that_alone_fails_holds_up_no_other() -> None:
    done = threading.Event()
    hook = Noting(lambda incident: "never" if incident.incident == 7 else "")
    teller = hooks.Teller(hook, lambda _: done.set(), lambda _: None)
    teller.tell(INCIDENT)
    teller.tell(replace(INCIDENT, incident=8))
    assert done.wait(WAIT_S)
    teller.close()


def test_a_command_confirms_by_its_exit_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HASHPACT_TOKEN", "hpt_secret")
    kept = tmp_path / "kept"
    script = f'test -z "$HASHPACT_TOKEN" && echo "$HASHPACT_EVENT_ID" > {kept} && grep -q incident.open'
    hook = hooks.CommandHook(f"sh -c '{script}'")
    assert not hook.tell(INCIDENT)
    assert kept.read_text().strip() == hooks.event_id(INCIDENT) == "msg_incident_7_7"
    assert "exit code 1" in hook.tell(replace(INCIDENT, state="closed"))
    assert "did not run" in hooks.CommandHook("/no/such/program").tell(INCIDENT)


@pytest.mark.parametrize("bad", ["", "sh -c 'open"])
def test_a_command_that_is_none(bad: str) -> None:
    with pytest.raises(ConfigError):
        hooks.CommandHook(bad)


@pytest.mark.parametrize("bad", ["http://example.org/", "https://user:pass@example.org/", "nonsense"])
def test_an_address_that_is_none(bad: str) -> None:
    pytest.importorskip("httpx")
    with pytest.raises(ConfigError):
        hooks.WebHook(bad, ["whsec_" + "A" * 44])
