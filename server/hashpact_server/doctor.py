"""doctor: is everything around the list as it should be? Looks, changes nothing unless asked to, and says what to do.

Works beside a running server as well: then what only the server can know is asked of it (``--target``).
"""

from __future__ import annotations

import datetime as dt
import os
import resource
import shutil
import socket
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from hashpact.errors import ConfigError

from hashpact_server import addresses, kernels, tls, versions
from hashpact_server.config import Config, load
from hashpact_server.datadir import DataDirectory, file_system, is_remote
from hashpact_server.ledger.store import DISK_RESERVE_BYTES, MAP_BYTES
from hashpact_server.lock import DirectoryLock, DirectoryLockedError
from hashpact_server.trouble import Trouble

DISK_FREE_BYTES_GOOD: Final = 1 << 30
FILES_GOOD: Final = 4096
EXPIRY_DAYS_GOOD: Final = 30
HEALTH_TIMEOUT_S: Final = 4.0
_PRIVATE: Final = ("config.toml", "ca.key", "server.key", "layout", "lock", "store/data.mdb", "store/lock.mdb")


class Verdict(StrEnum):
    """How a finding is."""

    FINE = "fine"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: what, how it is, and one sentence."""

    topic: str
    verdict: Verdict
    text: str


def examine(data: DataDirectory, target: str = "", *, warm: bool = False) -> Iterator[Finding]:
    """Look at everything; findings come as they are made.

    Args:
        data: the data directory.
        target: address of the running server, to ask how it is; empty: it is not asked.
        warm: compile the kernels that are not kept yet.
    """
    listed = ", ".join(f"{name} {version}" for name, version in versions.others().items())
    yield Finding("versions", Verdict.FINE, f"hashpact {versions.own()} on {listed}")
    try:
        data.require()
    except Trouble as trouble:
        yield Finding("directory", Verdict.BAD, trouble.message)
        return
    yield Finding("directory", Verdict.FINE, f"{data.path} is whole")
    config = Config()
    try:
        config = load(data.config_file)
        yield Finding("settings", Verdict.FINE, "every setting is known and in range")
    except ConfigError as error:
        yield Finding("settings", Verdict.BAD, error.message)
    for look in (_permissions, _disk, _clock, _process_limits, _warmed if warm else _kernels):
        yield look(data)
    yield _certificate(data, config)
    yield from _use(data, config)
    if target:
        yield _health(data, target)


def _permissions(data: DataDirectory) -> Finding:
    wrong = []
    for name in ("", "store", "index", "numba-cache", *_PRIVATE):
        path = data.file(name)
        try:
            found = path.stat()
        except FileNotFoundError:
            continue
        except OSError as error:
            wrong.append(f"{path}: {error.strerror}")
            continue
        if stat.S_IMODE(found.st_mode) & 0o077:
            wrong.append(f"{path} is open to others: chmod go= {path}")
        elif found.st_uid != os.geteuid():
            wrong.append(f"{path} belongs to user {found.st_uid}, and we run as {os.geteuid()}")
    if wrong:
        return Finding("permissions", Verdict.BAD, "; ".join(wrong))
    return Finding("permissions", Verdict.FINE, "only the owner reads and writes")


def _disk(data: DataDirectory) -> Finding:
    kind, free = file_system(data.path), shutil.disk_usage(data.path).free
    text = f"{free / (1 << 30):.1f} GiB free on {kind or 'an unknown file system'}"
    if is_remote(kind):
        return Finding("disk", Verdict.BAD, f"{kind} is a network file system; use a local disk")
    if free < DISK_RESERVE_BYTES:
        return Finding("disk", Verdict.BAD, f"{text}: writes are refused; make room")
    return Finding("disk", Verdict.FINE if free >= DISK_FREE_BYTES_GOOD else Verdict.WARN, text)


def _clock(data: DataDirectory) -> Finding:
    """The list's time never runs backwards: a clock that was ahead and was set back shows by files of the future."""
    now, newest = time.time(), 0.0
    for name in ("layout", "store/data.mdb", "lock"):
        try:
            newest = max(newest, data.file(name).stat().st_mtime)
        except OSError:
            continue
    if newest > now + 60:
        ahead = f"{newest - now:.0f} s"
        return Finding("clock", Verdict.BAD, f"the clock is {ahead} behind what was written here; set it (NTP)")
    return Finding("clock", Verdict.FINE, f"{dt.datetime.now(dt.UTC):%Y-%m-%d %H:%M:%S} UTC")


def _process_limits(_data: DataDirectory) -> Finding:
    space, _ = resource.getrlimit(resource.RLIMIT_AS)
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if space != resource.RLIM_INFINITY and space < 2 * MAP_BYTES:
        text = "the address space is limited (ulimit -v), and the store reserves 1 TiB of it: lift the limit"
        return Finding("limits", Verdict.BAD, text)
    if files != resource.RLIM_INFINITY and files < FILES_GOOD:
        return Finding("limits", Verdict.WARN, f"{files} open files are few for many connections: ulimit -n 65536")
    return Finding("limits", Verdict.FINE, "address space and open files suffice")


def _kernels(data: DataDirectory) -> Finding:
    place = kernels.place(data)
    count = sum(1 for _, _, names in os.walk(place) for name in names if name.endswith(".nbi"))
    nearest = next(each for each in (place, *place.parents) if each.exists())
    if not os.access(nearest, os.W_OK | os.X_OK):  # numba reads nothing from where it cannot write, either
        text = f"{place} cannot be written: every start compiles for a minute before it serves"
        return Finding("kernels", Verdict.WARN, text)
    if not count:
        more = f"hashpact-server doctor --warm --data {data.path}"
        return Finding("kernels", Verdict.WARN, f"not compiled yet: the next start takes up to a minute longer; {more}")
    return Finding("kernels", Verdict.FINE, f"{count} compiled kernels in {place}")


def _warmed(data: DataDirectory) -> Finding:
    try:
        kernels.prepare(data)
    except Trouble as trouble:
        return Finding("kernels", Verdict.BAD, trouble.message)
    from hashpact_server.index import warm  # noqa: PLC0415 - needs numba, see kernels

    done = warm()
    if done.unkept:
        text = f"{done.unkept} of {done.count} could not be kept in {kernels.place(data)}: every start compiles them"
        return Finding("kernels", Verdict.WARN, f"{text}; make room there, or remove it and run this again")
    return Finding("kernels", Verdict.FINE, f"{done.count} kernels ready, {done.compiled} of them compiled now")


def _certificate(data: DataDirectory, config: Config) -> Finding:
    try:
        pair = tls.load_pair(data.file(config.certificate), data.file(config.private_key))
    except Trouble as trouble:
        return Finding("certificate", Verdict.BAD, trouble.message)
    days = (pair.expiry() - dt.datetime.now(dt.UTC)).days
    text = f"good for {days} days"
    if days < EXPIRY_DAYS_GOOD:
        more = f"; renew it: hashpact-server renew-certificate --data {data.path}"
        return Finding("certificate", Verdict.WARN, text + more)
    return Finding("certificate", Verdict.FINE, text)


def _use(data: DataDirectory, config: Config) -> Iterator[Finding]:
    try:
        with DirectoryLock(data):
            yield Finding("lock", Verdict.FINE, "no process uses the directory")
    except DirectoryLockedError as error:
        yield Finding("lock", Verdict.FINE, f"in use by process {error.pid}")
        return
    except Trouble as trouble:
        yield Finding("lock", Verdict.BAD, trouble.message)
        return
    yield _guarded("port", lambda: _port(config))


def _guarded(topic: str, look: Callable[[], Finding]) -> Finding:
    try:
        return look()
    except (OSError, ConfigError) as error:
        return Finding(topic, Verdict.BAD, str(error))


def _port(config: Config) -> Finding:
    place = addresses.parse(config.listen, what="listen")
    if place.path:
        return Finding("port", Verdict.FINE, f"{place} needs none")
    family, kind, protocol, _, where = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)[0]
    try:
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(where)
    except OSError as error:
        return Finding("port", Verdict.BAD, f"{place} cannot be listened at: {error.strerror}")
    return Finding("port", Verdict.FINE, f"{place} is free")


def _health(data: DataDirectory, target: str) -> Finding:
    """Over TLS, trusting our own authority; a Unix socket is asked in the clear."""
    try:
        ca = None if target.startswith("unix:") else data.ca.read_bytes()
    except OSError as error:
        return Finding("health", Verdict.BAD, f"cannot read {data.ca}: {error.strerror}")
    from hashpact_server.probe import ask_health  # noqa: PLC0415 - grpc, which takes its settings when it is loaded

    said = ask_health(target, ca, HEALTH_TIMEOUT_S)
    if said == "SERVING":
        return Finding("health", Verdict.FINE, f"{target} serves")
    if said == "NOT_SERVING":
        return Finding("health", Verdict.BAD, f"{target} is starting or stopping")
    return Finding("health", Verdict.BAD, f"{target} does not answer ({said})")
