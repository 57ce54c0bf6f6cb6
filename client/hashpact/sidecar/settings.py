"""What an operator can set: each with a default, a doc and a range. Options win over the environment, over the file."""

from __future__ import annotations

import dataclasses
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeVar

from hashpact._target import require_target, require_token
from hashpact.errors import ConfigError
from hashpact.modes import CHECK_MODE
from hashpact.modes import MODES as CHECK_MODES
from hashpact.sidecar.address import Address

T = TypeVar("T")

MODES: Final = ("observe", "review", "act")
CONFIG_BYTES_MAX: Final = 1 << 20
SECRET_BYTES_MIN: Final = 16
_SECRET_BYTES_MAX: Final = 4096


def setting(default: T, doc: str, *, least: float = 0, most: float = 2**63, words: tuple[str, ...] = ()) -> T:
    """A field with its doc, and its inclusive range or its words."""
    metadata = {"doc": doc, "least": least, "most": most, "words": words}
    if isinstance(default, Mapping):
        made: T = field(default_factory=lambda: MappingProxyType({}), metadata=metadata)  # type: ignore[assignment]
        return made
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True)
class SidecarSettings:
    """Everything that an operator can set."""

    hub: str = setting("", "The server to follow and to send contributions to: HOST:PORT. Else `HASHPACT_TARGET`.")
    ca: str = setting("", "Certificate authority of the hub (PEM). Else `HASHPACT_CA`, else the system's.")
    token_file: str = setting(
        "", "File with the token of a member that may replicate and check. Else `HASHPACT_TOKEN`."
    )
    data: str = setting("", "Where everything is kept. Else `STATE_DIRECTORY`, else below the home folder.")
    listen: str = setting("127.0.0.1:7480", "Where to answer: HOST:PORT, or unix:PATH. Port 0: any free one.")
    allow_remote: bool = setting(False, "Listen beyond loopback. There is no TLS; needs a secret.")
    secret_file: str = setting(
        "", "File with a secret that callers must send as a bearer token. Else `HASHPACT_SIDECAR_SECRET`."
    )
    hosts: tuple[str, ...] = setting((), "More names that callers may use for this host, beside those of loopback.")
    folders: tuple[str, ...] = setting((), "Folders whose files may be checked by path. Empty: none.")
    mode: str = setting("observe", "How far advice may go for labels without a mode of their own.", words=MODES)
    modes: Mapping[str, str] = setting(MappingProxyType({}), "Mode of a label: `[modes]` with `label = mode` lines.")
    trial_share: float = setting(1.0, "Share of contents, by their hash, for which review and act hold at all.", most=1)
    check_mode: str = setting(
        CHECK_MODE, 'How far uploads are looked into: docs/hashing.md, "Modes".', words=CHECK_MODES
    )
    deadline_s: float = setting(2.0, "Time for one check once the upload has arrived, in seconds.", least=0.01, most=60)
    fail: str = setting(
        "open", "What a check that found no answer says: advice none, or 503.", words=("open", "closed")
    )
    receive_s: float = setting(30.0, "Time for an upload to arrive, in seconds.", least=0.1, most=3600)
    header_s: float = setting(
        10.0, "Time for a request's head to arrive, and for silence between two.", least=0.1, most=600
    )
    upload_bytes_max: int = setting(100_000_000, "Largest upload, in bytes.", least=1024, most=1 << 32)
    uploads_max: int = setting(
        64, "Uploads that are worked on at a time; more are told to come back.", least=1, most=4096
    )
    connections_max: int = setting(512, "Open connections; more are closed.", least=1, most=65_536)
    workers: int = setting(0, "Processes that decode. 0: one per core.", most=256)
    recheck_bytes_max: int = setting(
        1 << 30, "Media and signals that may wait for a later check, in bytes.", least=0, most=1 << 44
    )
    recheck_entries_max: int = setting(100_000, "Uploads that may wait for a later check.", least=0, most=10_000_000)
    remember_hours: int = setting(
        0, "Hours for which uploads are remembered, to be found by later entries. 0: not at all.", most=168
    )
    remember_uploads_max: int = setting(
        100_000, "Uploads that are remembered; of more, the oldest go before their time.", least=1, most=10_000_000
    )
    remember_bytes_max: int = setting(
        256 << 20, "Bytes of their hashes and references; as above.", least=1 << 20, most=1 << 40
    )
    webhook_url: str = setting("", "Where to tell what later checks found: https://HOST/PATH. Empty: nowhere.")
    webhook_secret_file: str = setting(
        "", "File with the secret that signs, one or more lines. Else `HASHPACT_WEBHOOK_SECRET`."
    )
    webhook_ca: str = setting("", "Certificate authority of the receiver (PEM). Empty: the system's.")
    decode_s_max: float = setting(20.0, "Time that one picture may take to decode, in seconds.", least=0.1, most=600)
    worker_memory_bytes_max: int = setting(
        1536 << 20, "Memory of one decoding process, in bytes.", least=256 << 20, most=1 << 40
    )
    lag_s_max: float = setting(
        300.0, "Age of the replica's list at which it is not ready, in seconds.", least=1, most=1e9
    )
    drain_s: float = setting(10.0, "Time that requests get to end when the sidecar stops, in seconds.", most=600)
    log_level: str = setting("info", "Least severity that is logged.", words=("debug", "info", "warning", "error"))

    def __post_init__(self) -> None:
        for each in dataclasses.fields(self):
            _check(each, getattr(self, each.name))


@dataclass(frozen=True, slots=True)
class Sidecar:
    """The settings, with what they name looked up: addresses parsed, secrets read, folders resolved.

    Attributes:
        settings: as set.
        hub: as gRPC takes it.
        ca: certificates of the hub, or None for the system's.
        token: of the member. Not in the repr.
        secret: that callers must send; "" for none. Not in the repr.
        data: where everything is kept.
        listen: where to answer.
        folders: whose files may be checked, resolved.
        webhook_secrets: that sign what is told. Not in the repr.
        webhook_ca: certificates of the receiver, or None for the system's.
    """

    settings: SidecarSettings
    hub: str
    ca: Path | None
    token: str = field(repr=False)
    secret: str = field(repr=False)
    data: Path
    listen: Address
    folders: tuple[Path, ...]
    webhook_secrets: tuple[str, ...] = field(repr=False)
    webhook_ca: Path | None


def load(path: Path | None, options: Mapping[str, object], environment: Mapping[str, str] = os.environ) -> Sidecar:
    """Settings from the file, then the environment, then options that are not None.

    Raises:
        ConfigError: something is missing, unknown or out of range; names it.
    """
    values = {**_read(path), **_from_environment(environment)}
    values |= {name: value for name, value in options.items() if value is not None}
    converted: dict[str, Any] = {name: _converted(value) for name, value in values.items()}
    settings = SidecarSettings(**converted)
    if not settings.hub:
        raise ConfigError("no hub named: give --hub HOST:PORT, or set HASHPACT_TARGET", reason="TARGET_MISSING")
    secret = _secret(settings.secret_file, environment)
    listen = Address.parse(settings.listen)
    if not listen.is_local:
        if not settings.allow_remote:
            raise ConfigError(
                f"{listen} can be reached from other machines: listen on 127.0.0.1 or unix:PATH, or say --allow-remote"
            )
        if not secret:
            raise ConfigError(
                f"listening on {listen} needs a secret that callers send: write one to a file and name it as "
                "secret_file, or set HASHPACT_SIDECAR_SECRET"
            )
    return Sidecar(
        settings=settings,
        hub=require_target(settings.hub),
        ca=_file(settings.ca, "ca"),
        token=_token(settings.token_file, environment),
        secret=secret,
        data=_data(settings.data, environment),
        listen=listen,
        folders=tuple(_folder(each) for each in settings.folders),
        webhook_secrets=_webhook_secrets(settings, environment),
        webhook_ca=_file(settings.webhook_ca, "webhook_ca"),
    )


def settings_docs() -> Iterator[tuple[str, object, str]]:
    """(name, default, doc) of every setting."""
    defaults = SidecarSettings()
    for each in dataclasses.fields(SidecarSettings):
        yield each.name, getattr(defaults, each.name), each.metadata["doc"]


def _read(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        with path.open("rb") as file:
            raw = file.read(CONFIG_BYTES_MAX + 1)
    except OSError as error:
        raise ConfigError(f"the configuration file {str(path)!r} cannot be read: {error.strerror}") from error
    try:
        values = tomllib.loads(raw.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"the configuration file {str(path)!r} is not TOML: {error}") from error
    known = {each.name for each in dataclasses.fields(SidecarSettings)}
    if unknown := sorted(values.keys() - known):
        raise ConfigError(f"{str(path)!r}: {unknown[0]!r} is not a setting; there are {', '.join(sorted(known))}")
    for name in ("ca", "token_file", "secret_file", "data", "webhook_secret_file", "webhook_ca"):
        if isinstance(values.get(name), str) and values[name]:
            values[name] = str(path.absolute().parent / Path(values[name]).expanduser())
    return values


def _from_environment(environment: Mapping[str, str]) -> dict[str, str]:
    names = {"hub": "HASHPACT_TARGET", "ca": "HASHPACT_CA"}
    return {name: environment[variable] for name, variable in names.items() if environment.get(variable)}


def _converted(value: object) -> object:
    if isinstance(value, list):
        return tuple(value)
    return MappingProxyType(value) if isinstance(value, dict) else value


def _check(each: dataclasses.Field[Any], value: object) -> None:
    name, wanted = each.name, str(each.type)
    if wanted in {"int", "float"}:
        _check_number(each, value, int if wanted == "int" else (int, float))
    elif wanted == "bool":
        if not isinstance(value, bool):
            raise ConfigError(f"{name} is true or false")
    elif wanted == "str":
        _check_word(name, value, each.metadata["words"])
    elif wanted.startswith("tuple"):
        if not isinstance(value, tuple) or not all(isinstance(one, str) for one in value):
            raise ConfigError(f"{name} is a list of texts")
    elif not isinstance(value, Mapping):
        raise ConfigError(f"{name} is a table")
    else:
        for label, mode in value.items():
            _check_word(f"{name}.{label}", mode, MODES)


def _check_number(each: dataclasses.Field[Any], value: object, kinds: Any) -> None:
    least, most = each.metadata["least"], each.metadata["most"]
    if isinstance(value, bool) or not isinstance(value, kinds):
        raise ConfigError(f"{each.name} is a number, not {value!r}")
    if not least <= value <= most:
        raise ConfigError(f"{each.name} is {value}: it can be from {least} to {most}")


def _check_word(name: str, value: object, words: tuple[str, ...]) -> None:
    if not isinstance(value, str):
        raise ConfigError(f"{name} is a text in quotes")
    if words and value not in words:
        raise ConfigError(f"{name}: {value!r} is none of {', '.join(words)}")


def _file(name: str, what: str) -> Path | None:
    if not name:
        return None
    path = Path(name).expanduser().absolute()
    if not path.is_file():
        raise ConfigError(f"{what}: there is no file {str(path)!r}")
    return path


def _folder(name: str) -> Path:
    path = Path(name).expanduser()
    if not path.is_dir():
        raise ConfigError(f"folders: {name!r} is no folder")
    resolved = path.resolve()
    if resolved == Path("/"):
        raise ConfigError("folders: the whole file system is too much: name the folders that hold uploads")
    return resolved


def _data(name: str, environment: Mapping[str, str]) -> Path:
    if name:
        return Path(name).expanduser().absolute()
    if systemd := environment.get("STATE_DIRECTORY"):
        return Path(systemd.partition(":")[0])
    base = environment.get("XDG_STATE_HOME") or ""
    # The XDG rules: a relative path is to be ignored.
    home = Path(environment.get("HOME") or "/")
    return (Path(base) if base.startswith("/") else home / ".local" / "state") / "hashpact-sidecar"


def _token(name: str, environment: Mapping[str, str]) -> str:
    text = _text_of(name, "token_file") if name else environment.get("HASHPACT_TOKEN", "")
    if not text:
        raise ConfigError(
            "no token: give --token-file FILE, or set HASHPACT_TOKEN, with the token of a member that has the roles "
            "replicate and check",
            reason="TOKEN_MISSING",
        )
    return require_token(text)


def _secret(name: str, environment: Mapping[str, str]) -> str:
    text = _text_of(name, "secret_file") if name else environment.get("HASHPACT_SIDECAR_SECRET", "").strip()
    if text and (len(text) < SECRET_BYTES_MIN or not text.isascii() or not text.isprintable() or " " in text):
        raise ConfigError(f"the secret is {SECRET_BYTES_MIN} characters or more, of ASCII without blanks")
    return text


def _webhook_secrets(settings: SidecarSettings, environment: Mapping[str, str]) -> tuple[str, ...]:
    name = settings.webhook_secret_file
    found = _text_of(name, "webhook_secret_file") if name else environment.get("HASHPACT_WEBHOOK_SECRET", "")
    if settings.webhook_url and not found:
        raise ConfigError("webhook_url needs a secret: name a webhook_secret_file, or set HASHPACT_WEBHOOK_SECRET")
    return tuple(found.split())


def _text_of(name: str, what: str) -> str:
    try:
        with Path(name).expanduser().open("rb") as file:
            text = file.read(_SECRET_BYTES_MAX).decode("ascii").strip()
    except OSError as error:
        raise ConfigError(f"{what}: {name!r} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{what}: {name!r} holds something else") from error
    if not text:
        raise ConfigError(f"{what}: {name!r} is empty")
    return text
