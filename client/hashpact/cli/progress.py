"""A progress bar on stderr, for folders, when a person is watching."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

Advance = Callable[[int], None]


@contextmanager
def progress(title: str, count: Iterable[object] | None) -> Iterator[Advance]:
    """Show a bar while the block runs; the block is given a function that moves it on.

    Args:
        title: what is being done.
        count: what will be worked on, walked in a thread of its own to know how much there is; None: no bar.
    """
    if count is None or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console  # noqa: PLC0415  # rich is slow to import, and mostly not needed
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415  # as above

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    # stdout stays what it is: it may be a file, while a person watches stderr.
    with Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False) as bar:
        task = bar.add_task(title, total=None)

        def count_all() -> None:
            total = sum(1 for _ in count)
            bar.update(task, total=total)

        threading.Thread(target=count_all, daemon=True, name="hashpact-count").start()
        yield lambda done: bar.advance(task, done)


@contextmanager
def progress_bytes(title: str, total: int | None) -> Iterator[Advance]:
    """Show a bar of bytes while the block runs.

    Args:
        title: what is being done.
        total: bytes there are; 0: not known; None: no bar.
    """
    if total is None or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console  # noqa: PLC0415  # as above
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415  # as above

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False) as bar:
        task = bar.add_task(title, total=total or None)
        yield lambda done: bar.advance(task, done)
