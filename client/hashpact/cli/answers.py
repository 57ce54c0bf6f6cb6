"""The answers of ``check`` and ``contribute``, as they come: shown, counted, and remembered for ``--resume``."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self

from hashpact.cli.exits import Exit, exit_of, strongest
from hashpact.cli.output import Complaints, Rows, error_dict, json_line, say
from hashpact.cli.paths import Input
from hashpact.cli.resuming import Answered, Resumed
from hashpact.errors import HashpactError

SHOW_ALL_MAX: Final = 20
"""With so few inputs, those that there is nothing to tell of have a row too."""
_KEEP_EVERY: Final = 32
_FAILED: Final = "failed"


class Answers:
    """Shows the answers, and keeps what the exit code and the summary need.

    Args:
        columns: headings of the table for people.
        resumed: where answers are remembered.
        as_json: whether a program reads them.
    """

    def __init__(self, columns: Sequence[str], resumed: Resumed, *, as_json: bool) -> None:
        self._columns = columns
        self._resumed = resumed
        self._as_json = as_json
        self._code = Exit.OK
        self._rows = Rows()
        self._plain: list[Sequence[str]] = []
        self._complaints = Complaints()
        self._unkept: list[tuple[Input, Answered]] = []
        self.words: dict[str, int] = {}
        self.kinds: dict[str, int] = {}

    def add(self, one: Input, answer: Answered | HashpactError) -> None:
        """Show one."""
        if isinstance(answer, HashpactError):
            self._failed(one, answer)
            return
        self._code = strongest(self._code, Exit(answer.code))
        self.words[answer.word] = self.words.get(answer.word, 0) + 1
        self.kinds[answer.kind] = self.kinds.get(answer.kind, 0) + 1
        if self._as_json:
            json_line(answer.line)
        elif answer.rows:
            for row in answer.rows:
                self._rows.add(*row)
        elif len(self._plain) <= SHOW_ALL_MAX:
            self._plain.append(answer.plain)
        if one.answered is None:
            self._unkept.append((one, answer))
            if len(self._unkept) >= _KEEP_EVERY:
                self._keep()

    def _failed(self, one: Input, error: HashpactError) -> None:
        self._code = strongest(self._code, exit_of(error))
        self.words[_FAILED] = self.words.get(_FAILED, 0) + 1
        if self._as_json:
            json_line({"path": one.path, "error": error_dict(error)})
        else:
            self._complaints.tell(one.path, error)

    def _keep(self) -> None:
        self._resumed.keep(self._unkept)
        self._unkept.clear()

    def finish(self, summary: str) -> Exit:
        """Show the table and the summary; the exit code."""
        if not self._as_json:
            if len(self._plain) <= SHOW_ALL_MAX:
                for row in self._plain:
                    self._rows.add(*row)
            self._rows.show(self._columns)
            say(summary)
            if self._resumed.before:
                say(f"{self._resumed.before:,} of them were answered before, and are shown again (--resume)")
        if _FAILED not in self.words:
            self._resumed.finish()
        return self._code

    @property
    def of_kinds(self) -> str:
        """How many of each kind: ``12 pictures, 3 videos``; "" when there were pictures alone."""
        if set(self.kinds) <= {"picture"}:
            return ""
        return ", ".join(
            f"{count:,} {kind}{_ending(kind) * (count != 1)}" for kind, count in sorted(self.kinds.items())
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._keep()


def _ending(kind: str) -> str:
    return "es" if kind.endswith("s") else "s"
