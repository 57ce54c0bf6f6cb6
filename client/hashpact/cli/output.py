"""What the commands write: JSON lines for programs, text and tables for people. Errors and progress go to stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from hashpact.errors import HashpactError, ServiceError

if TYPE_CHECKING:
    from rich.console import Console

ROWS_MAX: Final = 1_000
"""Rows of a table; more are counted, since a table is laid out in memory."""
_WIDTH_PIPED: Final = 160
_WIDTH_ROOMY: Final = 100
"""Columns from which tables have wider gaps."""
_WHOLE: Final = frozenset({"verdict", "advice", "by", "status", "outcome", "state"})
"""Headings above short words, which stay whole in a narrow window: paths, labels and remarks give way first."""


def json_line(value: dict[str, Any]) -> None:
    """One object on one line of stdout, in ASCII (so that undecodable file names survive), at once."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def error_dict(error: HashpactError) -> dict[str, Any]:
    """An error as in ``--json``."""
    return {"reason": error.reason, "message": safe(error.message)}


def say(text: str) -> None:
    """One line on stdout."""
    sys.stdout.write(safe(text) + "\n")


def say_at_once(text: str) -> None:
    """One line on stdout that nobody waits for: the next one may come in an hour."""
    say(text)
    sys.stdout.flush()


def note(text: str) -> None:
    """One line on stderr."""
    sys.stderr.write(f"hashpact: {safe(text)}\n")
    sys.stderr.flush()


def safe(text: str) -> str:
    """Text without anything that a terminal would obey or could not show: a file name may hold escape codes."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape", "surrogatepass").decode("ascii")
        for character in text
    )


def console() -> Console:
    """For tables on stdout."""
    from rich.console import Console  # noqa: PLC0415  # rich is slow to import, JSON needs none of it

    return Console(width=None if sys.stdout.isatty() else _WIDTH_PIPED, highlight=False, markup=False, emoji=False)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, left_out: int = 0) -> None:
    """A table on stdout.

    Args:
        columns: headings; one that ends in ``#`` is a number and set to the right.
        rows: the cells.
        left_out: rows that were counted and not kept.
    """
    from rich.table import Table  # noqa: PLC0415  # as above

    on = console()
    gap = 2 if on.width >= _WIDTH_ROOMY else 1
    shown = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="bold")
    for column in columns:
        shown.add_column(
            column.rstrip("#"),
            justify="right" if column.endswith("#") else "left",
            overflow="fold",
            no_wrap=column.endswith("#") or column in _WHOLE,
        )
    for row in rows:
        shown.add_row(*(safe(str(cell)) for cell in row))
    if shown.row_count:
        on.print(shown)
    if left_out:
        say(f"... and {left_out:,} more: --json shows all")


class Rows:
    """Rows for a table, of which a bounded number is kept."""

    def __init__(self) -> None:
        self.kept: list[tuple[object, ...]] = []
        self.left_out = 0

    def add(self, *cells: object) -> None:
        """Add a row."""
        if len(self.kept) < ROWS_MAX:
            self.kept.append(cells)
        else:
            self.left_out += 1

    def show(self, columns: Sequence[str], *, empty: str = "") -> None:
        """Print the table, or what to say in its place when it has no rows."""
        if empty and not self.kept:
            say(empty)
            return
        table(columns, self.kept, left_out=self.left_out)


class Complaints:
    """Tells people of inputs that failed."""

    def __init__(self) -> None:
        self._last = ""

    def tell(self, path: str, error: HashpactError) -> None:
        """Say why an input failed; what is true of every input, such as an outage, is said once."""
        text = error.message if isinstance(error, ServiceError) else f"{path}: {error.message}"
        if text != self._last:
            note(text)
        self._last = text
