"""Sending hashed inputs to the service in batches, with one answer per input, in order, whatever fails.

A refusal of the caller (no token, no role) holds for every other input: the rest is answered with it and neither hashed
nor sent. An outage may pass, so the next batches are tried, until three in a row have failed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeVar

from hashpact._parallel import OrderedMap, batches
from hashpact.cli.exits import Exit, exit_of
from hashpact.cli.media import Hashed
from hashpact.cli.paths import Input
from hashpact.errors import HashpactError, ServiceError
from hashpact.signals import ImageSignals

OUTAGES_MAX: Final = 3

Answer = TypeVar("Answer")
Upload = tuple[Input, ImageSignals]


def ask_in_batches(
    hashed: OrderedMap[Input, Hashed], ask: Callable[[Sequence[Upload]], Sequence[Answer]], *, size: int
) -> Iterator[tuple[Input, Answer | HashpactError]]:
    """(input, answer or error) pairs.

    Args:
        hashed: the inputs.
        ask: sends a batch and gives one answer per upload.
        size: uploads in a batch.
    """
    outages = 0
    for batch in batches(hashed, size):
        uploads = [(one, got) for one, got in batch if isinstance(got, ImageSignals)]
        refusal: ServiceError | None = None
        answers: Sequence[Answer] = ()
        if uploads:
            try:
                answers = ask(uploads)
                outages = 0
            except ServiceError as error:
                refusal = error
                outages += exit_of(error) is Exit.UNREACHABLE
        ordered = iter(answers)
        for one, got in batch:
            if isinstance(got, HashpactError):
                yield one, got
            else:
                yield one, refusal if refusal is not None else next(ordered)
        if refusal is not None and (exit_of(refusal) is Exit.NOT_ALLOWED or outages >= OUTAGES_MAX):
            for one in hashed.abandon():
                yield one, one.error or refusal
            return
