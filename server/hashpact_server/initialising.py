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
from typing import BinaryIO, Final

from hashpact_server import config, tls
from hashpact_server.core import open_store
from hashpact_server.datadir import LAYOUT, DataDirectory, sync_directory, write_private
from hashpact_server.engine import Engine
from hashpact_server.epochs import RESTORED, begin_epoch
from hashpact_server.index import warm
from hashpact_server.ledger.store import StoreError
from hashpact_server.lock import DirectoryLock
from hashpact_server.rules.members import check_name
from hashpact_server.snapshot import SnapshotError, load
from hashpact_server.trouble import Trouble

REPLICA_MARK: Final = b"This list follows another server's: hashpact-server serve --follow TARGET\n"


Content = Callable[[DataDirectory], str]
"""Puts a list, or what stands for one, into a new data directory; returns a token to be shown, or ""."""


def initialise(data: DataDirectory, content: Content, *, hostnames: Sequence[str], say: Callable[[str], None]) -> str:
    """Make a data directory; returns what ``content`` does.

    Args:
        data: where; an empty or absent directory.
        content: what it shall hold: :func:`new_list`, :func:`a_replica`, :func:`restored`.
        hostnames: names and addresses under which members reach the server, besides this machine's own.
        say: told what is done, for people.

    Raises:
        Trouble: there is something already, or the disk does not let us.
        ConfigError: a host name is none.
    """
    tls.subject_names(hostnames)
    try:
        _make_empty(data)
        with DirectoryLock(data):
            return _fill(data, content, hostnames, say)
    except OSError as error:
        raise Trouble(f"cannot make {data.path}: {error.strerror or error}") from error
    except StoreError as error:
        raise Trouble(f"cannot make the store in {data.path}: {error}") from error


def new_list(steward: str) -> Content:
    """A new list with its first steward; the token is the steward's, and stored nowhere. Raises Refusal: no name."""
    check_name("--steward", steward)
    return lambda data: Engine.create(data.path, steward)


def a_replica(data: DataDirectory) -> str:
    """Nothing yet: the list comes from the server that is followed."""
    write_private(data.replica_mark, REPLICA_MARK)
    return ""


def restored(file: BinaryIO) -> Content:
    """The list of a snapshot, which goes on in a new epoch: what was written after the snapshot is given up."""

    def fill(data: DataDirectory) -> str:
        store = open_store(data.path)
        try:
            load(file, store)
        except SnapshotError as error:
            raise Trouble(f"nothing was restored: {error}") from error
        finally:
            store.close()
        engine = Engine.open(data.path, config.Config())
        try:
            begin_epoch(engine.writer, RESTORED)
        finally:
            engine.close()
        return ""

    return fill


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


def _fill(data: DataDirectory, content: Content, hostnames: Sequence[str], say: Callable[[str], None]) -> str:
    write_private(data.marker, b"If no init is running, one was interrupted: remove this directory, run init again.\n")
    write_private(data.config_file, config.template().encode())
    tls.make_authority(data)
    tls.make_certificate(data, hostnames)
    say("keys and certificates made")
    token = content(data)
    say("compiling the search kernels (once, up to a minute)")
    data.kernel_cache.mkdir(mode=0o700, exist_ok=True)
    compiled = warm()
    if compiled.unkept:
        say(f"{compiled.unkept} of {compiled.count} kernels could not be kept: they are compiled at every start")
    write_private(data.layout_file, LAYOUT.encode())
    data.marker.unlink()
    sync_directory(data.path)
    return token
