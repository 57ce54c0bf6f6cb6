"""Sending hashed inputs to the service in batches, with one answer per input, in order, whatever fails.

A refusal of the caller (no token, no role) holds for every other input: the rest is answered with it and neither hashed
nor sent. An outage may pass, so the next batches are tried, until three in a row have failed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeVar

from hashpact._parallel import batches
from hashpact.cli.exits import Exit, exit_of
from hashpact.cli.media import Work
from hashpact.cli.paths import Input
from hashpact.cli.resuming import Answered
from hashpact.errors import HashpactError, ServiceError

OUTAGES_MAX: Final = 3

Got = TypeVar("Got")


def ask_in_batches(
    hashed: Work[Any],
    ask: Callable[[Sequence[tuple[Input, Got]]], Sequence[Answered]],
    *,
    size: int,
) -> Iterator[tuple[Input, Answered | HashpactError]]:
    """(input, answer or error) pairs; what was answered in an earlier run is not asked again.

    Args:
        hashed: the inputs, each with what was hashed (Got), an answer, or an error.
        ask: sends a batch and gives one answer per upload.
        size: uploads in a batch.
    """
    outages = 0
    for batch in batches(hashed, size):
        uploads = [(one, got) for one, got in batch if not isinstance(got, HashpactError | Answered)]
        refusal: ServiceError | None = None
        answers: Sequence[Answered] = ()
        if uploads:
            try:
                answers = ask(uploads)
                outages = 0
            except ServiceError as error:
                refusal = error
                outages += exit_of(error) is Exit.UNREACHABLE
        ordered = iter(answers)
        for one, got in batch:
            if isinstance(got, HashpactError | Answered):
                yield one, got
            else:
                yield one, refusal if refusal is not None else next(ordered)
        if refusal is not None and (exit_of(refusal) is Exit.NOT_ALLOWED or outages >= OUTAGES_MAX):
            for one in hashed.abandon():
                yield one, one.answered or one.error or refusal
            return
