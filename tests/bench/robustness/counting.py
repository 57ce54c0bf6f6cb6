"""From answers to figures: recall per row, and false matches by class of probe and class of item."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from tests.bench.robustness.collection import Collection, Photo
from tests.bench.robustness.edits import EDITS, SHOW_ANOTHER, Edit
from tests.bench.robustness.tally import Answer, Mistakes, Recall

FREE_LICENCES: Final = ("CC0-1.0", "public domain", "Unsplash photos")
"""How licences begin under which a picture may be shown in this repository."""


def recall(answers: Iterable[Answer]) -> dict[str, Any]:
    """Per row of the table, and per edit: tried, found near or better, found strongly."""
    edits = {edit.name: edit for edit in EDITS}
    rows: dict[str, Recall] = {edit.row: Recall() for edit in EDITS}
    single: dict[str, Recall] = {edit.name: Recall() for edit in EDITS}
    for answer in answers:
        rows[edits[answer.kind].row].add(answer.level())
        single[answer.kind].add(answer.level())
    targets = {edit.row: edit.target for edit in EDITS}
    return {
        "rows": {name: vars(found) | {"target": targets[name]} for name, found in rows.items() if found.tried},
        "edits": {name: vars(found) for name, found in single.items() if found.tried},
    }


def evidence(answers: Iterable[Answer]) -> dict[str, dict[str, int]]:
    """Per edit: which signal types agreed on the picture itself, and how often."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for answer in answers:
        own = next((hit for hit in answer.hits if answer.probe in hit.names), None)
        found[answer.kind]["none" if own is None else " + ".join(own.types)] += 1
    return {kind: dict(counted.most_common()) for kind, counted in found.items()}


def missed(answers: Iterable[Answer]) -> dict[str, list[str]]:
    """Per edit: the photographs of which the copy was not found."""
    found: dict[str, list[str]] = defaultdict(list)
    for answer in answers:
        if answer.level() == "none":
            found[answer.kind].append(answer.probe)
    return {kind: sorted(names) for kind, names in found.items()}


def mistakes(probes: Mapping[str, Sequence[Answer]], kinds: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """False matches by class of probe, then by class of item.

    Args:
        probes: answers by class of probe.
        kinds: class of each listed picture, by its name.
    """
    sizes = Counter(kinds.values())
    result: dict[str, dict[str, Any]] = {}
    for probe_class, answers in probes.items():
        by_item = {item_class: Mistakes(items=count) for item_class, count in sorted(sizes.items())}
        for answer in answers:
            false = answer.false()
            for item_class, counted in by_item.items():
                counted.add(hit for hit in false if _kind(hit.names, kinds) == item_class)
        result[probe_class] = {item_class: counted.figures() for item_class, counted in by_item.items()}
    return result


def _kind(names: tuple[str, ...], kinds: Mapping[str, str]) -> str:
    return kinds[names[0]] if names else "unknown"


def false_pairs(probes: Mapping[str, Sequence[Answer]]) -> list[dict[str, str]]:
    """Every false match, for whoever looks into it."""
    return [
        {
            "class": probe_class,
            "probe": answer.probe,
            "kind": answer.kind,
            "item": "/".join(hit.names),
            "level": hit.level,
            "types": " + ".join(hit.types),
        }
        for probe_class, answers in probes.items()
        for answer in answers
        for hit in answer.false()
    ]


def shown(edit: Edit, name: str, collection: Collection) -> list[Photo]:
    """The photographs that an edit's copy of the listed one shows."""
    own = next(photo for photo in collection.listed if photo.name == name)
    other = collection.strangers[edit.other(name, len(collection.strangers))]
    return [own, other] if edit.name in SHOW_ANOTHER else [own]


def examples(answers: Sequence[Answer], collection: Collection) -> list[dict[str, str]]:
    """Per edit, one copy that was found and one that was missed, of photographs that may be shown."""
    chosen: list[dict[str, str]] = []
    for edit in EDITS:
        mine = [
            answer
            for answer in answers
            if answer.kind == edit.name
            and all(photo.licence.startswith(FREE_LICENCES) for photo in shown(edit, answer.probe, collection))
        ]
        for found in (True, False):
            fitting = [answer for answer in mine if (answer.level() != "none") is found]
            if fitting:
                answer = fitting[len(chosen) % len(fitting)]
                chosen.append({"edit": edit.name, "photo": answer.probe, "level": answer.level()})
    return chosen
