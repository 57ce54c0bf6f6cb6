"""A member gone wrong: it lists lawful media as terrorist content, alone, then together with a second one.

``make drill-rogue``, or ``python -m tests.drills.rogue_member --items 20000``. A real server on loopback; what each
defence stopped, what got through, how long the clean-up took, and what others felt of it meanwhile.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from hashpact.advice import MemberPolicy
from hashpact.errors import LimitExceededError

from tests.drills.forum import Drill, Watcher, advice, contribute, counted, machine, picture, table

ROLES = ("contribute", "check")


@dataclass
class Report:
    """What a run found out.

    Attributes:
        rows: for people.
        act: advice to act, by moment.
        advised: all advice, by moment.
        outcomes: of contributions, by member.
        alerts: kinds of alerts that stewards have.
        undone: entries undone, by member.
    """

    rows: list[tuple[str, str]] = field(default_factory=list)
    act: dict[str, int] = field(default_factory=dict)
    advised: dict[str, dict[str, int]] = field(default_factory=dict)
    outcomes: dict[str, dict[str, int]] = field(default_factory=dict)
    alerts: set[str] = field(default_factory=set)
    undone: dict[str, int] = field(default_factory=dict)

    def tell(self, what: str, told: str) -> None:
        """One more line."""
        self.rows.append((what, told))

    def see(self, moment: str, words: dict[str, int]) -> None:
        """What a platform that lets itself be advised to act is advised on the lawful media."""
        self.advised[moment] = words
        self.act[moment] = words.get("act", 0)
        self.tell(moment, counted(words))


def run(folder: Path, items: int, *, benign: int, popular: int, uploads: int, flood: int = 1000) -> Report:
    """The whole drill.

    Args:
        folder: for the server's files.
        items: lawful media that are listed.
        benign: of these, how many stand on the benign list.
        popular: of these, how many are uploaded by many people.
        uploads: how often each popular one is, in the hour.
        flood: the policy's ``flood_matches_per_hour``.
    """
    report = Report()
    members = {"honest": (*ROLES, "review"), "other": ROLES, "rogue": ROLES, "accomplice": ROLES}
    lawful = [f"lawful {n}" for n in range(items)]
    known, shared = lawful[:benign], lawful[benign : benign + popular]
    with Drill.begin(folder, {**members, "platform": ("check", "approve"), "watched": ("check",)}) as drill:
        drill.adopt_policy(act=True, groups_min=2, flood_matches_per_hour=flood)
        platform = drill.client("platform")
        platform.set_policy(MemberPolicy(mode="act"))
        for start in range(0, benign, 100):
            signals = [signal for seed in known[start : start + 100] for signal in picture(seed)]
            motion = drill.client("steward-a").propose_benign(signals, "much shared press pictures")
            drill.client("steward-b").second(motion)
        true = [f"terrorist {n}" for n in range(min(1000, items))]
        contribute(drill.client("honest"), true)
        contribute(drill.client("other"), true)
        report.see("real items, listed by two honest members: the advice", advice(platform, true))
        watcher = Watcher(drill.client("watched"))
        watcher.phase("quiet")
        time.sleep(2)
        _trial(drill, report, [f"trial {n}" for n in range(min(items, 2000))])
        since = datetime.now(UTC)
        time.sleep(0.01)
        for who, name in (("one", "rogue"), ("two", "accomplice")):
            watcher.phase(f"{who} contributes")
            began = time.monotonic()
            report.outcomes[name] = contribute(drill.client(name), lawful)
            took = time.monotonic() - began
            told = f"{counted(report.outcomes[name])}, in {took:.0f} s"
            report.tell(f"{name} contributes {items} lawful items", told)
            watcher.phase("checks")
            alone = "listed by one member" if who == "one" else "listed by two that collude"
            report.see(f"advice on the lawful items, {alone}", advice(platform, lawful))
        for _ in range(uploads // 20):
            platform.lookup([picture(seed) for seed in shared for _ in range(20)])
        steward = drill.client("steward-a")

        def flooded() -> bool:
            return sum(alert.kind == "flood" for alert in steward.list_alerts()) >= popular

        took = drill.wait_for(flooded, "no flood was noticed")
        report.tell(f"{popular} of them uploaded {uploads} times each: limited to review", f"after {took:.1f} s")
        report.see("advice on these", advice(platform, shared))
        drill.client("honest").give_opinion(
            platform.lookup([picture(lawful[-1])])[0].matches[0].item, "not_terrorist", note="a news picture"
        )
        report.see("advice on one more, after one member said not terrorist", advice(platform, lawful[-1:]))
        report.alerts = {alert.kind for alert in steward.list_alerts()}
        report.tell("alerts that stewards have", counted(_tally(alert.kind for alert in steward.list_alerts())))
        for name in ("accomplice", "rogue"):
            watcher.phase("rollback")
            done, took = drill.roll_back(name, since)
            report.undone[name] = done.undone
            report.tell(f"rollback of {name}", f"{done.undone} entries undone in {took:.1f} s")
            watcher.phase("checks")
            report.see(f"advice on the lawful items, {name} rolled back", advice(platform, lawful))
        report.see("real items after both rollbacks: the advice", advice(platform, true))
        watcher.stop()
        for phase in ("quiet", "one contributes", "two contributes", "rollback"):
            report.tell(f"look-ups of another member: {phase}", watcher.told(phase))
    return report


def _trial(drill: Drill, report: Report, seeds: list[str]) -> None:
    """A member that one steward admitted: capped."""
    steward = drill.client("steward-a")
    steward.create_member("newcomer", ROLES)
    token = steward.issue_token("newcomer").token
    drill.stage.know("newcomer", token)
    try:
        outcomes = contribute(drill.client("newcomer"), seeds)
    except LimitExceededError as error:
        report.tell(f"a member on trial contributes {len(seeds)}", error.message)
        return
    report.outcomes["newcomer"] = outcomes
    report.tell(f"a member on trial contributes {len(seeds)}", counted(outcomes))


def _tally(words: object) -> dict[str, int]:
    found: dict[str, int] = {}
    for word in words:  # type: ignore[attr-defined] # an iterable of texts
        found[word] = found.get(word, 0) + 1
    return found


def main() -> None:
    """Run it and print what it found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=20_000, help="lawful media that are listed")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hashpact-drill-") as folder:
        report = run(Path(folder), wanted.items, benign=wanted.items // 100, popular=20, uploads=1200)
    table([*report.rows, ("machine", machine())])


if __name__ == "__main__":
    main()
