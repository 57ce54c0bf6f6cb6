"""Running a sidecar in this process: limits of the process, and the data folder, ours alone."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import re
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from hashpact.errors import ConfigError
from hashpact.sidecar.process import SidecarProcess
from hashpact.sidecar.settings import Sidecar
from hashpact.sidecar.tie import keep_to_itself

FILES_WANTED: Final = 65_536
_MEMBER_TOKEN: Final = re.compile(r"hpt_[A-Za-z0-9_-]{43}")


def run(sidecar: Sidecar) -> None:
    """Run a sidecar until it is told to end.

    Raises:
        ConfigError: it cannot start.
        HashpactError: it cannot go on.
    """
    _require_member_token(sidecar.token)
    os.umask(0o077)
    # A decoder that was taken over runs as our user, and the token lies in our environment.
    keep_to_itself()
    # A dump of our memory would put uploads and the token where core files go.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES_WANTED if hard == resource.RLIM_INFINITY else min(FILES_WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    with _locked(sidecar.data):
        asyncio.run(_run(sidecar))


def _require_member_token(token: str) -> None:
    """Say at the start what would otherwise be a replica that never serves. The token is not repeated."""
    if not _MEMBER_TOKEN.fullmatch(token):
        raise ConfigError(
            "the token is none: a member's begins with hpt_ and has 47 characters; look at HASHPACT_TOKEN or at the "
            "file that --token-file names",
            reason="TOKEN_UNUSABLE",
        )


async def _run(sidecar: Sidecar) -> None:
    await SidecarProcess(sidecar).run()


@contextlib.contextmanager
def _locked(data: Path) -> Iterator[None]:
    """The data folder, ours alone while the block runs.

    Raises:
        ConfigError: it cannot be made, others may read it, or another sidecar uses it.
    """
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(data / "sidecar.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ConfigError(f"the data folder {data} cannot be used: {error.strerror}") from error
    try:
        if data.stat().st_mode & 0o077:
            # Whoever can enter could connect to the replica's socket.
            raise ConfigError(f"the data folder {data} can be entered by others: run chmod 700 on it")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ConfigError(f"another sidecar uses {data}: stop it, or give this one another folder") from error
        yield
    finally:
        os.close(handle)
