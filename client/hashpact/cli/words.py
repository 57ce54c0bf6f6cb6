"""Words that options take. Dashes and underscores, small and capital letters mean the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import typer

BASES: Final = ("person-looked", "automatic", "found-through-list", "import")
ROLES: Final = ("check", "replicate", "contribute", "approve", "review", "steward", "audit")
FATES: Final = ("stay", "withdraw")
STATUSES: Final = ("provisional", "corroborated", "disputed", "withdrawn", "expired", "inherited")
WITHDRAWAL_REASONS: Final = (
    "mistake",
    "overturned-on-appeal",
    "legitimate-context",
    "benign-collision",
    "legal",
)
OPINIONS: Final = (
    "agree",
    "disagree-label",
    "not-terrorist",
    "benign-collision",
    "documentation-journalism",
    "seen-here-too",
    "overturned-on-appeal",
)
DISPUTE_GROUNDS: Final = (
    "not-terrorist",
    "documentation-journalism",
    "benign-collision",
    "wrong-labels",
    "legal",
    "bad-faith",
)
VERDICTS: Final = ("keep", "remove", "relabel")
CHALLENGE_GROUNDS: Final = ("not-terrorist", "documentation-journalism", "benign-collision", "legal", "decision")
ANSWERS: Final = ("withdrawn", "kept", "relabelled")
MODES: Final = ("observe", "review", "act")
RULEBOOKS: Final = ("taxonomy", "policy")
REDACTION_REASONS: Final = ("legal", "personal-data", "mistake")
STEWARD_ACTS: Final = (
    "adopt-taxonomy",
    "adopt-policy",
    "roll-back",
    "lift-limit",
    "redact-entry",
    "confirm-member",
    "amend-member",
    "dismiss-member",
    "list-benign",
    "unlist-benign",
    "open-incident",
    "prolong-incident",
)
LIST_FORMATS: Final = ("csv", "jsonl", "json", "lines")
EXPORT_FORMATS: Final = ("csv", "jsonl", "threatexchange")


def one_of(words: tuple[str, ...]) -> Callable[[str], str]:
    """A parser that takes one of some words and names them all when it is another."""

    def parse(text: str) -> str:
        word = text.strip().lower().replace("_", "-")
        if word not in words:
            raise typer.BadParameter(f"{text!r} is not one of {', '.join(words)}")
        return word

    return parse


def completing(words: tuple[str, ...]) -> Callable[[str], list[str]]:
    """What the shell offers."""

    def offer(incomplete: str) -> list[str]:
        return [word for word in words if word.startswith(incomplete)]

    return offer
