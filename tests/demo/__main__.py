"""``make demo``: one platform lists pictures, another catches altered copies of them.

Everything is real: the server is a process of its own with TLS and a store on disk, and each step runs the
commands that it shows. Ends with exit code 1 when anything is not as claimed. Works in a temporary directory,
and leaves nothing behind.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.demo import kinds, pictures
from tests.demo.stage import Stage, StageError

LABEL = "glorification_of_terrorist_acts"
MEMBERS = {
    "atlas": ("check", "contribute"),
    "borealis": ("check", "review"),
    "cirrus": ("check", "contribute"),
}

HARD_MISSES_MAX = 2
"""The crops of the two drawn posters, whose soft shapes have few details."""

Answer = dict[str, Any]


class Story:
    """Tells the demo on a terminal, and remembers whether every claim held."""

    def __init__(self) -> None:
        self.console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
        self.broken: list[str] = []
        self._step = 0

    def step(self, text: str, *commands: str) -> None:
        """What happens next, and the commands that do it."""
        self._step += 1
        self.console.print(f"\n[bold]{self._step}. {text}[/]")
        for command in commands:
            self.console.print(f"   $ {command}", style="cyan", markup=False, soft_wrap=True)

    def claim(self, holds: bool, text: str) -> None:
        """State what must be true now."""
        self.console.print(f"   [green]yes[/]  {text}" if holds else f"   [red]NO[/]   {text}")
        if not holds:
            self.broken.append(text)

    def table(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Show figures."""
        table = Table(*columns, box=None, pad_edge=False, padding=(0, 1, 0, 0))  # fits into 80 columns
        self.console.print(f"\n{title}", style="italic")
        for row in rows:
            table.add_row(*row)
        self.console.print(table)


def main() -> int:
    """Run the demo; its exit code."""
    began = time.monotonic()
    story = Story()
    story.console.print(
        "[bold]Hashpact[/]: three platforms, one list of known pictures. Pictures stay home; hashes travel."
    )
    try:
        with tempfile.TemporaryDirectory(prefix="hashpact-demo-") as name, Stage(Path(name)) as stage:
            perform(story, stage)
    except StageError as error:
        story.claim(False, "every command runs")
        story.console.print(str(error), markup=False)
    except KeyboardInterrupt:
        story.console.print("\nstopped; nothing is left behind")
        return 130
    if story.broken:
        story.console.print(f"\n[red]{len(story.broken)} of the claims did not hold.[/]")
        return 1
    story.console.print(
        f"\nEverything held, in {time.monotonic() - began:.0f} s. Next: the README's example, `make serve`."
    )
    return 0


def perform(story: Story, stage: Stage) -> None:
    """The acts, in order."""
    open_house(story, stage)
    known = pictures.make_known(stage.folder / "known")
    items = list_pictures(story, stage, known)
    altered = catch_copies(story, stage, known, items)
    spare_innocents(story, stage)
    find_hard_edits(story, stage, known, items)
    list_other_kinds(story, stage)
    show_limits(story, stage, known)
    corroborate(story, stage, known, items)
    withdrawn = withdraw(story, stage, known, items)
    survive(story, stage, altered, withdrawn)


def open_house(story: Story, stage: Stage) -> None:
    """A list, three members, a server."""
    story.step(
        "A steward makes a list, admits three platforms, and serves it over TLS.",
        "hashpact-server init data",
        *(
            f"hashpact-server member add {name} {' '.join('--role ' + role for role in roles)} --data data"
            for name, roles in MEMBERS.items()
        ),
        f"hashpact-server serve --data data --listen 127.0.0.1:{stage.port} &",
    )
    stage.init()
    for name, roles in MEMBERS.items():
        stage.admit(name, roles)
    stage.serve()
    story.claim(True, "the server is up; each member got a token of its own")


def list_pictures(story: Story, stage: Stage, known: list[Path]) -> dict[str, int]:
    """Atlas contributes; picture -> item."""
    story.step(
        f"atlas found {len(known)} pictures, had a person look at each, and puts their hashes on the list.",
        f"hashpact contribute known/* --label {LABEL}",
    )
    answers = stage.call("atlas", "contribute", *known, "--label", LABEL)
    story.claim(
        [answer.get("outcome") for answer in answers] == ["created"] * len(known),
        f"{len(known)} new items: " + ", ".join(path.stem for path in known),
    )
    return {path.stem: int(answer.get("item", 0)) for path, answer in zip(known, answers, strict=True)}


def catch_copies(story: Story, stage: Stage, known: list[Path], items: dict[str, int]) -> dict[tuple[str, str], Path]:
    """Borealis checks altered copies; (picture, edit) -> file."""
    altered = pictures.make_altered(known, stage.folder / "uploads", pictures.EDITS)
    story.step(
        f"borealis never saw them. Users upload {len(altered)} altered copies there.",
        "hashpact check uploads/",
    )
    answers = dict(zip(altered, stage.call("borealis", "check", *altered.values()), strict=True))
    story.table(
        "distance in bits (of 256) to the listed picture; up to 31 is a match, * is the same file",
        ["what was done to it", *(path.stem for path in known), "advice"],
        (
            [edit, *(cell(answers[path.stem, edit]) for path in known), advices(answers, edit)]
            for edit in pictures.EDITS
        ),
    )
    found = [key for key, answer in answers.items() if items[key[0]] in matched_items(answer)]
    story.claim(len(found) == len(altered), f"{len(found)} of {len(altered)} copies were found, each under its item")
    strangers = sum(matched_items(answer) != {items[key[0]]} for key, answer in answers.items())
    story.claim(strangers == 0, "and none matched another item")
    return altered


def spare_innocents(story: Story, stage: Stage) -> None:
    """Borealis checks what nobody listed."""
    innocent = pictures.make_innocent(stage.folder / "innocent")
    story.step("Most uploads are innocent. They have to stay unmatched.", "hashpact check innocent/")
    answers = stage.call("borealis", "check", *innocent)
    clean = [path.stem for path, answer in zip(innocent, answers, strict=True) if answer.get("verdict") == "none"]
    story.claim(len(clean) == len(innocent), f"{len(clean)} of {len(innocent)} matched nothing: {', '.join(clean)}")


def find_hard_edits(story: Story, stage: Stage, known: list[Path], items: dict[str, int]) -> None:
    """Edits that move hashes of the whole picture too far, and are found by the pictures inside and by details."""
    hard = pictures.make_altered(known, stage.folder / "hard", pictures.HARD)
    story.step(
        "Crops, frames, screenshots: the whole picture is another one, its details are not.", "hashpact check hard/"
    )
    answers = dict(zip(hard, stage.call("borealis", "check", *hard.values()), strict=True))
    story.table(
        "how sure a match is: strong (two independent witnesses), near (one), - (none)",
        ["what was done to it", *(path.stem for path in known)],
        ([edit, *(level(answers[path.stem, edit], items[path.stem]) for path in known)] for edit in pictures.HARD),
    )
    found = [key for key, answer in answers.items() if items[key[0]] in matched_items(answer)]
    story.claim(
        len(found) >= len(hard) - HARD_MISSES_MAX, f"{len(found)} of {len(hard)} were found, each under its item"
    )
    strangers = sum(bool(matched_items(answer) - {items[key[0]]}) for key, answer in answers.items())
    story.claim(strangers == 0, "and none matched another item")


def list_other_kinds(story: Story, stage: Stage) -> None:
    """A folder of a video and a PDF, and copies of both."""
    kinds.make_known(stage.folder / "other")
    altered = kinds.make_altered(stage.folder / "other-uploads")
    story.step(
        "Videos and PDFs: atlas lists a folder of both; borealis checks a folder of uploads.",
        f"hashpact contribute other/ --label {LABEL}",
        "hashpact check other-uploads/",
    )
    outcomes = stage.call("atlas", "contribute", "other", "--label", LABEL)
    listed = {Path(answer["path"]).stem: answer for answer in outcomes}
    story.claim(
        {name: answer["outcome"] for name, answer in listed.items()} == {"leaflet": "created", "video": "created"},
        "a video and a PDF of three scanned pages are on the list",
    )
    answers = {Path(answer["path"]).name: answer for answer in stage.call("borealis", "check", "other-uploads")}
    copies = [(name, answers[path.name]) for name, paths in altered.items() for path in paths]
    story.table(
        "found by frames and pages",
        ["upload", "kind", "is", "how sure", "by"],
        (
            [Path(answer["path"]).stem, answer["kind"], name, level(answer, listed[name]["item"]), by(answer)]
            for name, answer in copies
        ),
    )
    found = sum(matched_items(answer) == {listed[name]["item"]} for name, answer in copies)
    story.claim(found == len(copies), f"{found} of {len(copies)} altered copies were found, each under its item")


def show_limits(story: Story, stage: Stage, known: list[Path]) -> None:
    """What these hashes cannot see is said, not claimed."""
    edits = pictures.OUT_OF_REACH
    beyond = pictures.make_altered(known, stage.folder / "beyond", edits)
    story.step("Honest limits: of a small piece, made smaller still, too little is left.", "hashpact check beyond/")
    answers = stage.call("borealis", "check", *beyond.values())
    missed = sum(answer.get("verdict") == "none" for answer in answers)
    story.console.print(f"   [yellow]--[/]   {missed} of {len(beyond)} were missed ({', '.join(edits)})")


def corroborate(story: Story, stage: Stage, known: list[Path], items: dict[str, int]) -> None:
    """A second company judged for itself."""
    item = str(items[known[0].stem])
    story.step(
        "cirrus, another company, has the same astronaut; its own reviewer looked, and it contributes, too.",
        f"hashpact item {item}",
        f"hashpact contribute known/{known[0].name} --label {LABEL}",
        f"hashpact item {item}",
    )
    (before,) = stage.call("borealis", "item", item)
    (answer,) = stage.call("cirrus", "contribute", known[0], "--label", LABEL)
    (after,) = stage.call("borealis", "item", item)
    story.claim(before.get("status") == "provisional", "before: provisional, one company's word")
    story.claim(answer.get("outcome") == "corroborated", "the hashes led cirrus to the item of atlas")
    story.claim(
        after.get("status") == "corroborated", f"after: corroborated by two companies; advice: {after.get('advice')}"
    )


def withdraw(story: Story, stage: Stage, known: list[Path], items: dict[str, int]) -> str:
    """Atlas takes one back; its name."""
    mistake = known[2]
    story.step(
        f"atlas learns that the {mistake.stem} was a mistake and takes it back.",
        f"hashpact withdraw {items[mistake.stem]}",
        f"hashpact check known/{mistake.name}",
    )
    (before,) = stage.call("borealis", "check", mistake)
    stage.call("atlas", "withdraw", str(items[mistake.stem]))
    (after,) = stage.call("borealis", "check", mistake)
    story.claim(before.get("verdict") == "match", "before: even the very file matches")
    story.claim(after.get("verdict") == "none", "after: it matches nothing, at once and everywhere")
    return mistake.stem


def survive(story: Story, stage: Stage, altered: dict[tuple[str, str], Path], withdrawn: str) -> None:
    """Kill, restart, compare, check the disk."""
    story.step(
        "The server is killed without warning and started again.",
        f"kill -9 $SERVER; hashpact-server serve --data data --listen 127.0.0.1:{stage.port} &",
        "hashpact check uploads/",
        "hashpact-server fsck --data data",
    )
    before = stage.call("borealis", "check", *altered.values())
    stage.kill()
    stage.serve()
    after = stage.call("borealis", "check", *altered.values())
    story.claim(before == after, f"{len(after)} answers are the same as before, to the last bit of distance")
    gone = all(
        answer.get("verdict") == "none"
        for (picture, _), answer in zip(altered, after, strict=True)
        if picture == withdrawn
    )
    story.claim(gone, "what was withdrawn is still withdrawn")
    story.claim(stage.stop() == 0, "asked to stop, it finishes its work and stops")
    stage.run(["hashpact-server", "fsck", "--data", str(stage.data)])
    story.claim(True, "the offline check finds ledger, tree, state and index in agreement")


def matched_items(answer: Answer) -> set[int]:
    """The items in an answer."""
    return {int(match["item"]) for match in answer.get("matches", [])}


def level(answer: Answer, item: int) -> str:
    """How sure an answer is of an item."""
    return next((str(match["level"]) for match in answer["matches"] if match["item"] == item), "-")


def by(answer: Answer) -> str:
    """The signal types that agree, in an answer with one match."""
    return ", ".join(agreement["signal_type"] for match in answer["matches"] for agreement in match["agreements"])


def cell(answer: Answer) -> str:
    """The nearest PDQ distance in an answer; `*` for an equal file."""
    types = {match["signal_type"]: match["distance"] for match in reversed(answer.get("matches", []))}
    if "sha256" in types:
        return "*"
    return str(types.get("pdq", "-"))


def advices(answers: dict[tuple[str, str], Answer], edit: str) -> str:
    """The advice on every copy with this edit."""
    return ", ".join(sorted({str(answer.get("advice")) for key, answer in answers.items() if key[1] == edit}))


if __name__ == "__main__":
    sys.exit(main())
