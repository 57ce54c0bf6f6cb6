"""init: from nothing to a data directory that ``serve`` takes, in steps of which an interruption is noticed.

::

    DIR (0700) --> lock --> "initialising" --> settings --> authority, certificate --> the list --> kernels --> "layout"

Crash before ``layout``: the directory says that it is half made; nothing in it is in use, and it is made anew. Crash
after it, before the token was printed: the list is whole, and ``member token`` gives its steward another token.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from hashpact_server import config, tls
from hashpact_server.datadir import LAYOUT, DataDirectory, sync_directory, write_private
from hashpact_server.engine import Engine
from hashpact_server.index import warm
from hashpact_server.ledger.store import StoreError
from hashpact_server.lock import DirectoryLock
from hashpact_server.rules.members import check_name
from hashpact_server.trouble import Trouble


def initialise(data: DataDirectory, *, steward: str, hostnames: Sequence[str], say: Callable[[str], None]) -> str:
    """Make a data directory; returns the first steward's token, which is stored nowhere.

    Args:
        data: where; an empty or absent directory.
        steward: the first steward's name.
        hostnames: names and addresses under which members reach the server, besides this machine's own.
        say: told what is done, for people.

    Raises:
        Trouble: there is something already, or the disk does not let us.
        ConfigError, Refusal: a host name or the steward's name is none.
    """
    tls.subject_names(hostnames)
    check_name("--steward", steward)
    try:
        _make_empty(data)
        with DirectoryLock(data):
            return _fill(data, steward, hostnames, say)
    except OSError as error:
        raise Trouble(f"cannot make {data.path}: {error.strerror or error}") from error
    except StoreError as error:
        raise Trouble(f"cannot make the store in {data.path}: {error}") from error


def _make_empty(data: DataDirectory) -> None:
    """Make the directory, or make sure that it is empty."""
    path = data.path
    data.require_local()
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        if not path.is_dir():
            raise Trouble(f"{path} is no directory") from None
        if data.layout_file.exists():
            raise Trouble(
                f"{path} is a data directory already; nothing was changed."
                f" If the steward's token is lost: hashpact-server member token NAME --data {path}"
            ) from None
        if data.marker.exists():
            data.require()  # explains a half-made directory
        # Before anything of ours: the lock file alone may be left of an init that was killed at once.
        if any(each.name != "lock" for each in path.iterdir()):
            raise Trouble(f"{path} is not empty; name a directory that does not exist yet, or is empty") from None
        _close_to_others(path)


def _close_to_others(path: Path) -> None:
    # Asked first, since the superuser may change the mode of anybody's directory, and its owner could change it back.
    if path.stat().st_uid != os.geteuid():
        raise Trouble(f"{path} belongs to another user")
    path.chmod(0o700)


def _fill(data: DataDirectory, steward: str, hostnames: Sequence[str], say: Callable[[str], None]) -> str:
    write_private(data.marker, b"If no init is running, one was interrupted: remove this directory, run init again.\n")
    write_private(data.config_file, config.template().encode())
    tls.make_authority(data)
    tls.make_certificate(data, hostnames)
    say("keys and certificates made")
    token = Engine.create(data.path, steward)
    say("list made; compiling the search kernels (once, up to a minute)")
    data.kernel_cache.mkdir(mode=0o700, exist_ok=True)
    compiled = warm()
    if compiled.unkept:
        say(f"{compiled.unkept} of {compiled.count} kernels could not be kept: they are compiled at every start")
    write_private(data.layout_file, LAYOUT.encode())
    data.marker.unlink()
    sync_directory(data.path)
    return token
