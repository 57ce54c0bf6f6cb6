"""Turns figures into the tables of ``docs/robustness.md``; its prose is written by hand, between them.

A table stands between ``<!-- table: NAME -->`` and ``<!-- end -->``. What was measured last is rendered, so video and
documents, which are measured apart, may be of another day.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tests.bench.robustness.tally import wilson

ROOT: Final = Path(__file__).resolve().parents[3]
PAGE: Final = ROOT / "docs" / "robustness.md"
FOLDER: Final = ROOT / "docs" / "benchmarks"
PICTURES: Final = "pictures"
KINDS: Final = (PICTURES, "video", "documents")
_BLOCK: Final = re.compile(r"(<!-- table: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)

Figures = Mapping[str, Any]
Row = Sequence[str]


def table(head: Row, rows: Iterable[Row]) -> str:
    """Rows in Markdown."""
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def share(found: int, tried: int) -> str:
    """A share as whole per cent; one decimal where a whole number would hide a miss."""
    if tried == 0:
        return "-"
    percent = 100 * found / tried
    return f"{percent:.1f}" if 99 <= percent < 100 else f"{percent:.0f}"


def _interval(found: int, tried: int) -> str:
    low, high = (100 * each for each in wilson(found, tried))
    return f"{low:.0f}-{high:.0f}" if high - low > 4 else f"{low:.1f}-{high:.1f}"


def recall(figures: Figures) -> str:
    """Recall per row of the table, beside the peers."""
    beside = list(figures["peers"].values())
    head = [
        "edit",
        "n",
        "near or better, %",
        "95 %",
        "strong, %",
        "target",
        "near, `deep`, %",
        *(peer["title"] for peer in beside),
    ]
    return table(head, _recall_rows(figures, beside))


def _recall_rows(figures: Figures, beside: Sequence[Figures]) -> Iterator[Row]:
    for row, found in figures["recall"]["rows"].items():
        tried, near, target = found["tried"], found["near"], found["target"]
        met = target is None or near / tried >= target
        shown = share(near, tried)
        theirs = [share(peer["rows"][row]["found"], peer["rows"][row]["tried"]) for peer in beside]
        goal = "" if target is None else f"{100 * target:g}{'' if met else ' (missed)'}"
        deep = share(near + figures["found_deep"].get(row, {}).get("near", 0), tried)
        strong = share(found["strong"], tried)
        yield (row, str(tried), f"**{shown}**", _interval(near, tried), strong, goal, deep, *theirs)


def edits(figures: Figures) -> str:
    """The harmless edits one by one, and which evidence found the rest."""
    return table(
        ("edit", "n", "near or better, %", "found by (how often)"),
        [
            (
                name,
                str(found["tried"]),
                share(found["near"], found["tried"]),
                "; ".join(f"{said} {count}" for said, count in list(figures["evidence"][name].items())[:4]),
            )
            for name, found in figures["recall"]["edits"].items()
        ],
    )


def false(figures: Figures) -> str:
    """False matches by class of probe and class of item; templates among themselves have a table of their own."""
    return table(FALSE_HEAD, _false_rows(figures["false"]))


def templates(figures: Figures) -> str:
    """Pictures of one template: against each other, before and after some are on the benign list."""
    after = figures["false_after_benign"]
    rows = []
    for name in TEMPLATE_KINDS:
        before = figures["false"].get(name, {})
        if name not in before:
            continue
        one, two = before[name], after.get(name, {}).get(name)
        rows.append(
            (
                name,
                f"{one['probes']:,} x {one['items']:,}",
                f"{one['near']:,} / {one['strong']:,}",
                "-" if two is None else f"{two['near']:,} / {two['strong']:,}",
                _elsewhere(before, name),
            )
        )
    head = ("template", "probes x listed", "false near / strong", "with four on the benign list", "against all else")
    return table(head, rows)


def _elsewhere(by_item: Figures, name: str) -> str:
    others = [figures for item, figures in by_item.items() if item != name]
    near, strong = (sum(each[level] for each in others) for level in ("near", "strong"))
    return f"{near:,} / {strong:,} in {sum(each['pairs'] for each in others):,} pairs"


TEMPLATE_KINDS: Final = ("title card", "text card", "logo", "flag", "text page", "interface", "flat", "hard negative")
SCREEN_KINDS: Final = ("meme", "gallery screen", "feed screen", "browser screen", "news frame")
FALSE_HEAD: Final = ("probes", "listed", "pairs", "near", "strong", "probes with a false match", "at most (95 %)")
_PLURALS: Final = {"photo": "photographs", "distractor": "distractors", "hard negative": "hard series"}


def _group(kind: str) -> str:
    if kind in SCREEN_KINDS:
        return "screens, memes, news frames"
    return _PLURALS.get(kind, "templates")


def _false_rows(by_probe: Figures) -> Iterator[Row]:
    probes: dict[str, list[Figures]] = {}
    for probe, by_item in by_probe.items():
        if probe not in TEMPLATE_KINDS:
            probes.setdefault("screens with other photographs" if probe in SCREEN_KINDS else probe, []).append(by_item)
    for probe, every in probes.items():
        groups: dict[str, list[Figures]] = {}
        for by_item in every:
            for item, found in by_item.items():
                groups.setdefault(_group(item), []).append(found)
        for group, found in groups.items():
            yield _pooled(probe, group, found, len(every))


def _pooled(probe: str, group: str, found: Sequence[Figures], classes: int) -> Row:
    """One row of several classes. Probes that several of them matched count for each: the bound errs upwards."""
    tried, items = sum(each["probes"] for each in found), sum(each["items"] for each in found) // classes
    probes = tried * classes // len(found)
    wrong = min(probes, sum(max(each["near_probes"], each["strong_probes"]) for each in found))
    near, strong, pairs = (sum(each[name] for each in found) for name in ("near", "strong", "pairs"))
    most = 100 * wilson(wrong, probes)[1]
    return (
        f"{probe} ({probes:,})",
        f"{group} ({items:,})",
        f"{pairs:,}",
        f"{near:,}",
        f"{strong:,}",
        f"{wrong:,}",
        f"{most:.2f} % of probes",
    )


def peers(figures: Figures) -> str:
    """What the peers were set to, what they take for the same that is not, and what they cost."""
    return table(
        ("peer", "radius", "false pairs among photographs", "ms of one picture"),
        [
            (peer["title"], str(peer["radius"]), f"{peer['false_pairs']:,} of {peer['pairs']:,}", f"{peer['ms']:.1f}")
            for peer in figures["peers"].values()
        ],
    )


def cost(figures: Figures) -> str:
    """Processor time of one check per mode."""
    return table(
        ("mode", "checks", "member, median ms", "member, p95 ms", "server, mean ms", "together, ms"),
        [
            (
                mode,
                str(found["checks"]),
                f"{found['member_ms']:.1f}",
                f"{found['member_p95_ms']:.1f}",
                f"{found['server_ms']:.1f}",
                f"**{found['member_ms'] + found['server_ms']:.0f}**",
            )
            for mode, found in figures["cost"].items()
        ],
    )


def taken(figures: Figures) -> str:
    """On what, when, with which list."""
    on, listed = figures["machine"], figures["listed"]
    items = ", ".join(f"{count:,} {kind}" for kind, count in listed.items())
    refused = ", ".join(f"{count:,} {kind}" for kind, count in figures["refused"].items()) or "none"
    return (
        f"Taken {on['day']} at `{on['commit']}` on {on['cores']} cores of {on['processor']}, Python {on['python']}, "
        f"checks in mode `{figures['mode']}`. Listed: {items}. Refused as showing too little: {refused}. "
        f"On the server's disk: {figures['bytes_per_item']:,} bytes an item."
    )


def pictures(figures: Figures) -> str:
    """Hits and misses: what was listed beside what was checked."""
    rows = [
        (example["edit"], example["level"], f"![{example['edit']}: {example['level']}](robustness/{name(example)})")
        for example in figures["examples"]
        if (PAGE.parent / "robustness" / name(example)).exists()
    ]
    return table(("edit", "level", "listed, and what was checked"), rows)


def name(example: Mapping[str, str]) -> str:
    """File name of an example's picture."""
    word = re.sub(r"[^a-z0-9]+", "-", example["edit"].lower()).strip("-")
    return f"{word}-{'hit' if example['level'] != 'none' else 'miss'}.jpg"


def apart(kind: str) -> Callable[[Figures], str]:
    """The table of what is measured by a command of its own: rows of recall, then false matches."""

    def render(_figures: Figures) -> str:
        own = kept(kind)
        observed = any("observed" in row for row in own["rows"])
        head = ["edit", "n", "near or better, %", "95 %", "strong, %", "target", *["by one frame alone"] * observed]
        found = table(head, [_apart_row(row, observed=observed) for row in own["rows"]])
        wrong = table(
            ("probes", "listed", "pairs", "false near", "false strong"),
            [
                (row["probes"], row["items"], f"{row['pairs']:,}", f"{row['near']:,}", f"{row['strong']:,}")
                for row in own["false"]
            ],
        )
        on = f"Taken {own['day']}."
        return "\n\n".join([on, found, wrong, "\n".join(f"- {note}" for note in own["notes"])])

    return render


def _apart_row(row: Figures, *, observed: bool) -> Row:
    tried, near, target = row["tried"], row["near"], row.get("target")
    goal = "" if target is None else f"{100 * target:g}{'' if near / tried >= target else ' (missed)'}"
    shown = [row["edit"], str(tried), f"**{share(near, tried)}**", _interval(near, tried), share(row["strong"], tried)]
    return [*shown, goal, *([str(row["observed"])] if observed else [])]


TABLES: Final[dict[str, Callable[[Figures], str]]] = {
    "taken": taken,
    "recall": recall,
    "edits": edits,
    "false": false,
    "templates": templates,
    "peers": peers,
    "cost": cost,
    "pictures": pictures,
    "video": apart("video"),
    "documents": apart("documents"),
}


def results(kind: str) -> Path:
    """Where the figures of one part are kept."""
    return FOLDER / f"robustness-{kind}.json"


def kept(kind: str) -> dict[str, Any]:
    """The figures of one part."""
    found: dict[str, Any] = json.loads(results(kind).read_text(encoding="utf-8"))
    return found


def keep(kind: str, figures: Figures) -> None:
    """Write them down."""
    results(kind).write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def filled(text: str) -> str:
    """The page with every table rendered anew.

    Raises:
        KeyError: a table that nobody renders.
    """
    figures = kept(PICTURES)
    return _BLOCK.sub(lambda found: f"{found[1]}{TABLES[found[2]](figures)}\n{found[3]}", text)


def write() -> None:
    """Render the page."""
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def page(figures: Figures) -> str:
    """All tables, for a run that writes nothing."""
    names = [name for name in TABLES if name not in {"pictures", *KINDS}]
    return "\n\n".join(f"## {each}\n\n{TABLES[each](figures)}" for each in names)
