"""What an operator can set: limits and settings, each with a usable default, a doc and a range.

A server reads them from ``DATA/config.toml`` (optional), and options of the command line win::

    listen = "0.0.0.0:7443"

    [limits]
    requests_max = 128

An unknown key, a value of another type or outside its range is refused with the key named: a typing error in
a limit must never silently mean "no limit".
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from hashpact.errors import ConfigError

T = TypeVar("T", bool, int, float, str)

_U32: Final = 2**32 - 1


def setting(default: T, doc: str, *, least: float = 0, most: float = _U32) -> T:
    """A field with its doc and its inclusive range (numbers only); says what ``dataclasses.field`` cannot."""
    # What type checkers see is the value that the field holds once the dataclass is made.
    made: T = field(default=default, metadata={"doc": doc, "least": least, "most": most})
    return made


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits that Capabilities tells; names and units are those of ``Limits`` in the proto."""

    message_bytes_max: int = setting(4 << 20, "Largest message that the server reads, in bytes.", least=1024)
    lookup_probes_max: int = setting(4096, "Probes in one Lookup.", least=1)
    lookup_values_max: int = setting(65_536, "Values in all signal sets of one Lookup, and local points.", least=1)
    probe_values_max: int = setting(16_384, "Values in one probe: a video of an hour has 7,200 and more.", least=1)
    matches_default: int = setting(10, "Items in the answer for one probe, if the caller does not say.", least=1)
    matches_max: int = setting(100, "Items in the answer for one probe, at most.", least=1)
    contributions_max: int = setting(1000, "Contributions in one Contribute.", least=1)
    contribution_signals_max: int = setting(4096, "Signals in one contribution or amendment.", least=1, most=2**16 - 1)
    labels_max: int = setting(16, "Labels in one contribution.", least=1, most=255)
    near_duplicates_max: int = setting(10, "Near-duplicates named in one outcome.")
    page_size_max: int = setting(1000, "Items or members on one page.", least=1)
    deadline_s_max: int = setting(30, "Longest time that the server works on one call, in seconds.", least=1)
    requests_max: int = setting(64, "Calls in flight, of all members together.", least=1, most=4096)
    member_requests_max: int = setting(32, "Calls in flight of one member, and its open streams.", least=1, most=4096)
    streams_max: int = setting(64, "Open streams, of all members together.", least=1, most=4096)
    member_tokens_max: int = setting(16, "Live tokens of one member.", least=1)
    request_id_ttl_s: int = setting(86_400, "Time for which a request_id is remembered at least, in seconds.", least=1)
    store_bytes_max: int = setting(
        64 << 30, "Size of the store at which writes are refused, in bytes.", least=1, most=1 << 40
    )
    watch_progress_s: int = setting(10, "Longest time between two messages of a Watch, in seconds.", least=1, most=30)
    watch_stall_s_max: int = setting(30, "Time that a watcher gets to take a message, in seconds.", least=1)
    reports_max: int = setting(4096, "Reports in one ReportMatches.", least=1)
    member_reports_max: int = setting(1_000_000, "Reports of one member that are kept.", least=1)
    report_days_max: int = setting(90, "Time for which a report is kept, in days.", least=1, most=3650)
    member_lookup_values_per_s: int = setting(
        100_000, "Values that one member looks up at a hub, per second, in the long run.", least=1
    )
    member_contributions_per_s: int = setting(
        100_000, "Contributions of one member, per second, in the long run.", least=1
    )
    member_items_per_s: int = setting(
        100_000, "Items that one member reads with their values at a hub, per second, in the long run.", least=1
    )
    candidates_max: int = setting(
        8, "Items that one probe's local points may be measured for, and measurements in one Confirm.", least=1, most=64
    )
    points_bytes_max: int = setting(65_536, "Bytes of local points in one probe.", least=1024, most=1 << 20)

    def __post_init__(self) -> None:
        _check(self, "limits.")
        if self.matches_default > self.matches_max:
            raise ConfigError(
                f"limits.matches_default ({self.matches_default}) is over matches_max ({self.matches_max})"
            )


@dataclass(frozen=True, slots=True)
class Uploads:
    """What a replica remembers of its member's uploads; names and units are those of ``UploadMemory`` in the proto."""

    enabled: bool = setting(
        default=False, doc="Whether a replica remembers uploads. A hub never does. Switching it off deletes them."
    )
    window_hours: int = setting(24, "Time for which a probe is remembered, in hours.", least=1, most=168)
    uploads_max: int = setting(
        100_000, "Uploads that are remembered; of more, the oldest of whoever has most go.", least=1, most=10_000_000
    )
    bytes_max: int = setting(256 << 20, "Bytes of their probes and references; as above.", least=1 << 20, most=1 << 40)
    journal_days: int = setting(180, "Time for which the record of an action is kept, in days.", least=1, most=3650)
    actions_max: int = setting(
        1_000_000, "Records of actions; of more, the oldest of whoever has most go.", least=1, most=100_000_000
    )

    def __post_init__(self) -> None:
        _check(self, "uploads.")


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that an operator can set."""

    limits: Limits = field(default_factory=Limits)
    uploads: Uploads = field(default_factory=Uploads)
    listen: str = setting("127.0.0.1:7443", "Where to serve: HOST:PORT, or unix:PATH. Port 0: any free one.")
    metrics_listen: str = setting(
        "", "Where to answer Prometheus over HTTP: HOST:PORT, or PORT on loopback. Empty: nowhere."
    )
    certificate: str = setting("server.pem", "Certificate chain in PEM; a relative path starts in the data directory.")
    private_key: str = setting("server.key", "Its private key in PEM; a relative path starts in the data directory.")
    log_level: str = setting("info", "Least severity that is logged: debug, info, warning or error.")
    call_log_lines_per_s_max: int = setting(
        50,
        "Lines per second that calls may write to the log; what is left out is counted.",
        least=0,
        most=100_000,
    )
    write_queue_max: int = setting(256, "Writes that may wait for the writer; more are refused.", least=1, most=65_536)
    write_group_max: int = setting(64, "Writes that share one commit.", least=1, most=65_536)
    replica_lag_s_max: float = setting(
        300.0,
        "On a replica: age of its list, in seconds, from which on health says NOT_SERVING of `ready`. Look-ups are"
        " answered all the same. 0: never.",
        most=31_536_000,
    )
    drain_s: float = setting(10.0, "Time that calls in flight get to end when the server stops, in seconds.", most=600)
    open_calls_max: int = setting(
        32, "Calls in flight that need no token: health checks and reflection.", least=1, most=1024
    )
    host_open_calls_max: int = setting(
        8,
        "Of these, from one address (IPv6: from one /64), so that a stranger cannot take them all.",
        least=1,
        most=1024,
    )
    connection_streams_max: int = setting(
        256, "Calls in flight on one connection; a client waits before it starts more.", least=1, most=65_536
    )
    keepalive_s: float = setting(
        60.0,
        "Time after which a silent connection is asked for a sign of life, in seconds.",
        least=1,
        most=86_400,
    )
    reports_bytes_max: int = setting(
        8 << 30, "Size of the file of members' reports, in bytes; more are refused.", least=1 << 20, most=1 << 40
    )
    decoys: bool = setting(
        default=False,
        doc="Whether a hub adds made-up digests to what it hands out with values, other ones for each member, by which"
        " a leaked copy can be traced. Members should know that it does.",
    )
    ping_interval_s_min: float = setting(
        10.0, "Clients that ping more often than this are disconnected, in seconds.", least=0, most=86_400
    )

    def __post_init__(self) -> None:
        _check(self, "")
        if self.log_level not in ("debug", "info", "warning", "error"):
            raise ConfigError(f"log_level: {self.log_level!r} is none of debug, info, warning, error")


def load(path: Path, overrides: Mapping[str, object] | None = None) -> Config:
    """The configuration: defaults, then the file (if there is one), then ``overrides`` that are not None.

    Args:
        path: the TOML file; absent is fine.
        overrides: settings by name; those of a table as ``limits.requests_max``.

    Raises:
        ConfigError: unreadable file, unknown key, wrong type, out of range.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        values = {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from error
    tables: dict[str, dict[str, Any]] = {"": values}
    for name in TABLES:
        tables[name] = values.pop(name, {})
        if not isinstance(tables[name], dict):
            raise ConfigError(f"{path}: {name} is a table: write [{name}] on a line of its own")
    for key, value in (overrides or {}).items():
        if value is not None:
            table, _, name = key.rpartition(".")
            tables[table][name] = value
    try:
        made: Config = _make(
            Config, values, "", **{name: _make(of, tables[name], f"{name}.") for name, of in TABLES.items()}
        )
    except ConfigError as error:
        raise ConfigError(f"{error.message} (in {path} or the options)") from error
    return made


TABLES: Final[Mapping[str, type[Limits | Uploads]]] = {"limits": Limits, "uploads": Uploads}
"""Settings that stand in a table of their own."""


def settings(of: type[Config | Limits | Uploads]) -> Iterator[tuple[str, object, str]]:
    """Every setting of a class: (name, default, doc)."""
    for each in dataclasses.fields(of):
        if "doc" in each.metadata:
            yield each.name, each.default, each.metadata["doc"]


def template() -> str:
    """The text of a configuration file that names every setting with its default, all commented out."""
    lines = ["# Settings of this server. Each line shows a default; remove the # to change it.", ""]
    for table, of in (("", Config), *TABLES.items()):
        lines += [f"[{table}]"] if table else []
        for name, default, doc in settings(of):
            shown = f'"{default}"' if isinstance(default, str) else str(default).lower()
            lines += [f"# {doc}", f"#{name} = {shown}", ""]
    return "\n".join(lines)


def _make(of: type[Any], values: Mapping[str, object], prefix: str, **more: object) -> Any:
    known = {name for name, _, _ in settings(of)}
    for key in values:
        if key not in known:
            astray = prefix and key in {name for name, _, _ in settings(Config)}
            hint = f"; {key} stands above the first [table]" if astray else ""
            raise ConfigError(f"there is no setting {prefix}{key}{hint}")
    return of(**values, **more)


def _check(made: object, prefix: str) -> None:
    """Refuse a value of another type than its default, or outside its range."""
    for each in dataclasses.fields(cast("Any", made)):
        if "doc" not in each.metadata:
            continue
        value, wanted, name = getattr(made, each.name), type(each.default), prefix + each.name
        # A whole number is fine where a fraction is; True is no number here, although Python says so.
        fits = isinstance(value, (int, float) if wanted is float else wanted)
        if not fits or (isinstance(value, bool) and wanted is not bool):
            words = {int: "a whole number", float: "a number", str: "a text in quotes", bool: "true or false"}
            raise ConfigError(f"{name} must be {words[wanted]}, not {value!r}")
        least, most = each.metadata["least"], each.metadata["most"]
        if wanted not in (str, bool) and not least <= value <= most:
            raise ConfigError(f"{name} must be between {least:g} and {most:g}, not {value!r}")
