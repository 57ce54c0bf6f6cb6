"""``make demo-incident``: an incident from its opening to its debrief, on real servers with replicas.

Everything is real: a hub and a replica for each platform, processes of their own with TLS and stores on disk; the
commands that are shown are run, and times are measured where they are claimed. Ends with exit code 1 when anything is
not as claimed. Works in a temporary directory, and leaves nothing behind.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from hashpact import Client, Contribution, ImageSignals, Signal, hash_image
from hashpact.uploads import Corrections, MatchReport, UploadAction

from tests.demo import variants
from tests.demo.__main__ import Story
from tests.demo.forum_stage import ForumStage
from tests.demo.stage import StageError

PLATFORM = ("check", "replicate", "contribute", "review")
PLATFORMS = ("atlas", "borealis", "cirrus")
RESOLVERS = ("delos", "eiger")
ROGUE = "fata"
SECOND = "warden"
LABEL = "glorification_of_terrorist_acts"
NAME = "harbour"
PATIENCE_S = 30.0


@dataclass
class Play:
    """What the acts of the story share."""

    story: Story
    stage: ForumStage
    variants: dict[str, Path]
    wrong: Path
    lawful: int
    swift: bool
    incident: int = 0
    item: int = 0
    label: str = f"incident:{NAME}"
    signals: dict[str, ImageSignals] = field(default_factory=dict)
    clients: dict[str, Client] = field(default_factory=dict)


def main() -> int:
    """Run the demo; its exit code."""
    return tell(count=20, lawful=200)


def tell(count: int, lawful: int, *, swift: bool = True) -> int:
    """Tell the story.

    Args:
        count: variants that the platforms contribute.
        lawful: lawful pictures that a rogue member lists.
        swift: whether times are claims; on a machine that tests keep busy they say nothing.
    """
    began = time.monotonic()
    story = Story()
    story.console.print("[bold]Hashpact[/]: an incident. Three platforms, with a replica each.")
    try:
        with tempfile.TemporaryDirectory(prefix="hashpact-incident-") as name, ForumStage(Path(name)) as stage:
            spreading, wrong, kind = variants.sources()
            wrong_file = stage.folder / "news-photo.png"
            wrong.save(wrong_file)
            files = variants.make_variants(spreading, stage.folder / "variants", count)
            play = Play(story, stage, files, wrong_file, lawful, swift)
            story.console.print(f"Pictures: {kind}; {len(play.variants)} variants of one.")
            for act in (open_house, upload_early, open_incident, contribute, find_earlier, err, undo, go_rogue, close):
                act(play)
    except StageError as error:
        story.claim(False, "every command runs")
        story.console.print(str(error), markup=False)
    except KeyboardInterrupt:
        story.console.print("\nstopped; nothing is left behind")
        return 130
    if story.broken:
        story.console.print(f"\n[red]{len(story.broken)} of the claims did not hold.[/]")
        return 1
    story.console.print(f"\nEverything held, in {time.monotonic() - began:.0f} s.")
    return 0


def open_house(play: Play) -> None:
    """A list with two stewards, its members, a hub and three replicas."""
    story, stage = play.story, play.stage
    story.step(
        "A forum: two stewards of two groups, three platforms with a replica each, two members that only judge, and one"
        " that will go wrong.",
        "hashpact-server serve --data data &",
        *(f"hashpact-server serve --data replica-{name} --follow hub &" for name in PLATFORMS),
        'hashpact incident watch --command "sh hook.sh"      # at each platform',
    )
    stage.init()
    stage.admit("chair", ["steward"])
    stage.admit(SECOND, ["steward"])
    for name in PLATFORMS:
        stage.admit(name, PLATFORM)
    for name in RESOLVERS:
        stage.admit(name, ["review"])
    stage.admit(ROGUE, ["contribute"])
    stage.serve()
    for name in PLATFORMS:
        stage.replicate(name)
    stage.until_level()
    for name in PLATFORMS:
        play.clients[name] = stage.client(name, at_replica=True)
        stage.watch(name)
    play.signals = {edit: hash_image(path) for edit, path in play.variants.items()}
    story.claim(True, "the hub and three replicas are up")


def upload_early(play: Play) -> None:
    """Somebody uploads a variant to borealis before anybody knows of it."""
    edit = next(iter(play.variants))
    play.story.step(f"A user uploads the picture ({edit}) to borealis. Nobody listed it yet; the replica remembers.")
    client = play.clients["borealis"]
    found = client.lookup([play.signals[edit]])
    problems = client.remember_uploads([("upload-1", play.signals[edit])], as_of=found.as_of)
    play.story.claim(not found.results[0].matches and not problems, "it matches nothing, and is remembered there only")


def open_incident(play: Play) -> None:
    """A steward opens the incident; everybody is told."""
    story, stage = play.story, play.stage
    command = [
        "incident",
        "open",
        NAME,
        "--type",
        "attack",
        "--summary",
        "a video and copies of it",
        "--expiry-hours",
        "72",
    ]
    story.step("An attack. One steward opens an incident, for an hour.", "hashpact " + " ".join(command))
    _wait_watching(stage)
    (answer,) = stage.call("chair", *command)
    play.incident = int(answer["incident"])
    opened = datetime.fromisoformat(str(answer["open_time"])).timestamp()
    told = {name: stage.told_at(name, 1) - opened for name in PLATFORMS}
    story.table(
        "from the opening's entry in the ledger to the hook",
        ["platform", "seconds"],
        ([name, f"{seconds:.3f}"] for name, seconds in told.items()),
    )
    story.claim(max(told.values()) < 1.0 or not play.swift, "the hook of every platform was called within a second")
    (person,) = stage.call("atlas", "incident", "ack", str(play.incident))
    story.claim(person["person_acknowledgements"] == 1, "and a person at atlas says that she knows")
    known = _until(lambda: _acknowledged(play) == len(PLATFORMS))
    story.claim(known, "the software of all three acknowledged by itself")


def contribute(play: Play) -> None:
    """Three platforms contribute variants; every replica matches each within a second."""
    story = play.story
    story.step(
        f"Copies spread. The three contribute {len(play.variants)} variants, attached to the item of the first.",
        f"hashpact contribute variant-00.jpg --label {LABEL} --label {play.label}",
        f"hashpact contribute variant-01.jpg --label {LABEL} --label {play.label} --attach-to ITEM",
    )
    rows, slowest = [], 0.0
    for number, (edit, signals) in enumerate(play.signals.items()):
        who = PLATFORMS[number % len(PLATFORMS)]
        began = time.monotonic()
        outcome = play.clients[who].contribute(signals, labels=[LABEL, play.label], attach_to=play.item)
        play.item = play.item or outcome.item
        took = dict(_matched(play, signals, began))
        slowest = max(slowest, *took.values())
        if outcome.item != play.item:
            story.claim(False, f"{edit} is a variant of item {play.item}")
        rows.append([edit, who, *(f"{took[name]:.3f}" for name in PLATFORMS)])
    story.table(
        "seconds from the call to Contribute until the replica of ... matches the file",
        ["variant", "by", *PLATFORMS],
        rows,
    )
    holds = slowest < (1.0 if play.swift else PATIENCE_S)
    story.claim(holds, f"every replica matches every variant within a second (slowest: {slowest:.3f} s)")
    (item,) = play.stage.call("atlas", "item", str(play.item))
    story.claim(item["status"] == "corroborated", "three companies judged the item: it is corroborated")


def find_earlier(play: Play) -> None:
    """The upload that came before is found."""
    play.story.step("borealis looked the upload up before the first contribution. Its replica tells of it now.")
    client = play.clients["borealis"]
    for told in client.watch_retro_matches():
        if not told.matches:
            continue
        retro = told.matches[0]
        holds = retro.reference == "upload-1" and retro.match.item == play.item
        play.story.claim(holds, f"upload-1 matches item {retro.match.item} (entry {retro.sequence}), and is removed")
        client.record_actions([UploadAction("upload-1", "removed", [retro.match])])
        client.report_matches([MatchReport(play.item, datetime.now(UTC), "removed", 1)])
        break


def err(play: Play) -> None:
    """Cirrus lists a lawful picture, and the others act on it."""
    stage, story = play.stage, play.story
    story.step(
        "cirrus lists a news photograph by mistake. atlas and borealis remove uploads of it.",
        f"hashpact contribute {play.wrong.name} --label {LABEL} --label {play.label}",
    )
    (answer,) = stage.call("cirrus", "contribute", play.wrong, "--label", LABEL, "--label", play.label)
    item = int(answer["item"])
    signals = hash_image(play.wrong)
    for name in ("atlas", "borealis"):
        client = play.clients[name]
        _until(lambda client=client: _matches(client, signals))
        match = client.lookup([signals]).results[0].matches[0]
        client.record_actions([UploadAction(f"news-at-{name}", "removed", [match])])
    (disputed,) = stage.call(
        "atlas",
        "dispute",
        "open",
        str(item),
        "--grounds",
        "documentation-journalism",
        "--statement",
        "a news photograph",
    )
    story.console.print(f"   $ hashpact dispute open {item} --grounds documentation-journalism ...", style="cyan")
    (meanwhile,) = stage.call("borealis", "item", str(item))
    story.claim(meanwhile["status"] == "disputed", "atlas disputes it: from now on a match asks for review only")
    decided = {}
    for name in RESOLVERS:
        story.console.print(f"   $ hashpact dispute vote {disputed['dispute']} remove      # {name}", style="cyan")
        (decided,) = stage.call(name, "dispute", "vote", str(disputed["dispute"]), "remove")
    (after,) = stage.call("borealis", "item", str(item))
    story.claim(
        after["status"] == "withdrawn", f"two groups that are not involved overturn it ({decided.get('outcome')})"
    )


def undo(play: Play) -> None:
    """Each replica says what to undo."""
    play.story.step("Each replica holds that against what was done because of the item.")
    for name in ("atlas", "borealis"):
        wanted = f"news-at-{name}"
        found = next(
            each
            for told in play.clients[name].watch_corrections()
            for each in told.corrections
            if each.reference == wanted and "off_list" in each.changes
        )
        play.story.claim(True, f"at {name}: undo {found.reference} ({found.action} because of item {found.item})")
    play.story.claim(_nothing_to_undo(play), "at cirrus, which did nothing: nothing")


def go_rogue(play: Play) -> None:
    """A member lists lawful pictures; two stewards roll it back."""
    stage, story = play.stage, play.story
    since = datetime.now(UTC)
    story.step(
        f"{ROGUE} lists {play.lawful} lawful pictures. One steward proposes to undo that, one of another group agrees.",
        f"hashpact rollback --member {ROGUE} --since {since.isoformat(timespec='seconds')}",
        "hashpact steward second MOTION",
    )
    rogue = stage.client(ROGUE)
    signals = [Signal("pdq", _value(number), 100) for number in range(play.lawful)]
    listed = rogue.contribute_many([Contribution([one], [LABEL]) for one in signals])
    watcher = play.clients["atlas"]
    _until(lambda: all(_found(watcher, signals)))
    before = sum(_found(watcher, signals))
    story.claim(before == play.lawful, f"{before} of them match at the replica of atlas")
    began = time.monotonic()
    (motion,) = stage.call(
        "chair", "rollback", "--member", ROGUE, "--since", since.isoformat(), "--reason", "lists lawful pictures"
    )
    stage.call(SECOND, "steward", "second", str(motion["motion"]))
    gone = all(_until(lambda client=client: not any(_found(client, signals))) for client in play.clients.values())
    story.claim(
        gone, f"{time.monotonic() - began:.1f} s after the proposal none of the {len(listed.outcomes)} matches anywhere"
    )
    story.claim(
        all(_matches(client, play.signals[next(iter(play.signals))]) for client in play.clients.values()),
        "what the others listed still matches",
    )


def close(play: Play) -> None:
    """The incident ends; the debrief is printed."""
    stage, story = play.stage, play.story
    story.step("It is over.", f"hashpact incident close {play.incident}", f"hashpact incident debrief {play.incident}")
    stage.call("chair", "incident", "close", str(play.incident))
    for name in PLATFORMS:
        stage.told_at(name, 2)
    stage.end_watches()
    (told,) = stage.call("chair", "incident", "debrief", str(play.incident))
    story.console.print(
        stage.run(["hashpact", "incident", "debrief", str(play.incident)], member="chair"), markup=False
    )
    parts = {part["member"]: part["contributions"] for part in told["members"]}
    story.claim(
        sum(parts.values()) == len(play.variants) + 1 and set(parts) >= set(PLATFORMS),
        "the debrief names who contributed what, from the ledger",
    )
    matched = [part["member"] for part in told["members"] if part["matches"]]
    story.claim(matched == ["borealis"], "who met it, as it reported,")
    story.claim(told["software_acknowledged"]["count"] == len(PLATFORMS), "and how fast everybody knew")


def _matched(play: Play, signals: ImageSignals, began: float) -> Iterator[tuple[str, float]]:
    """(platform, seconds from ``began`` until its replica knows this very file), all platforms at once."""
    exact = [signal for signal in signals if signal.signal_type == "sha256"]

    def wait(name: str) -> tuple[str, float]:
        if not _until(lambda: bool(play.clients[name].lookup([exact]).results[0].matches), pause_s=0.002):
            return name, float("inf")
        return name, time.monotonic() - began

    with ThreadPoolExecutor(len(PLATFORMS)) as pool:
        yield from pool.map(wait, PLATFORMS)


def _matches(client: Client, signals: ImageSignals) -> bool:
    return bool(client.lookup([signals]).results[0].matches)


def _found(client: Client, signals: Sequence[Signal]) -> list[bool]:
    return [bool(result.matches) for result in client.lookup([[one] for one in signals]).results]


def _acknowledged(play: Play) -> int:
    (known,) = [one for one in play.clients["atlas"].list_incidents() if one.incident == play.incident]
    return known.software_acknowledgements


def _nothing_to_undo(play: Play) -> bool:
    told: Corrections = next(iter(play.clients["cirrus"].watch_corrections()))
    return not told.corrections


def _wait_watching(stage: ForumStage) -> None:
    """Wait until the watches are connected: a drill that is opened and closed reaches their hooks."""
    # The hooks' files are the only thing that tells; they are emptied before the real one begins.
    stage.call("chair", "incident", "open", "drill-lines", "--type", "attack", "--drill", "--minutes", "1")
    for name in PLATFORMS:
        stage.told_at(name, 1)
    (drill,) = stage.call("chair", "incident", "list", "--open")
    stage.call("chair", "incident", "close", str(drill["incident"]))
    for name in PLATFORMS:
        stage.told_at(name, 2)
        stage.told_file(name).unlink()


def _value(number: int) -> bytes:
    """A value of a lawful picture that nobody has: half of its bits are set."""
    bits = [1] * 128 + [0] * 128
    random.Random(f"lawful {number}").shuffle(bits)
    return int("".join(map(str, bits)), 2).to_bytes(32, "big")


def _until(holds: object, *, pause_s: float = 0.02) -> bool:
    """Wait until something holds; whether it does in time."""
    assert callable(holds)
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(pause_s)
    return False


if __name__ == "__main__":
    sys.exit(main())
