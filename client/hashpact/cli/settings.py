"""Where the service is and who asks: options before environment before configuration file.

A ``--token`` option is left out on purpose: the arguments of a process can be read by every user of the machine.
"""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hashpact.errors import ConfigError

if TYPE_CHECKING:
    from hashpact.client import Client

CONFIG_BYTES_MAX: Final = 1 << 20
TOKEN_FILE_BYTES_MAX: Final = 1 << 16
_KEYS: Final[dict[str, tuple[type, ...]]] = {
    "target": (str,),
    "token": (str,),
    "token_file": (str,),
    "ca": (str,),
    "plaintext": (bool,),
    "timeout_s": (int, float),
}


@dataclass(frozen=True, slots=True)
class Options:
    """What was given on the command line; None: not given."""

    target: str | None = None
    token_file: str | None = None
    ca: str | None = None
    plaintext: bool | None = None
    timeout_s: float | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """What is in force, and where each value came from.

    Attributes:
        target: where the service is; "" when nothing says.
        token: the member's token, "" for none. Not in the repr.
        ca: certificate authority file, or None for the system's.
        plaintext: whether TLS is left away.
        timeout_s: deadline of each call; None for the client's default.
        origins: name of a setting -> where it was found.
    """

    target: str
    token: str = field(repr=False)
    ca: str | None
    plaintext: bool
    timeout_s: float | None
    origins: Mapping[str, str]

    def client(self) -> Client:
        """A client with these settings.

        Raises:
            ConfigError: one of them is missing or wrong.
        """
        from hashpact.client import TIMEOUT_S, Client  # noqa: PLC0415  # gRPC is imported when it is needed

        return Client(
            self.target,
            token=self.token,
            ca=None if self.plaintext else self.ca,
            plaintext=self.plaintext,
            timeout_s=TIMEOUT_S if self.timeout_s is None else self.timeout_s,
        )


def load_settings(options: Options, environment: Mapping[str, str] = os.environ) -> Settings:
    """Put options, environment and configuration file together.

    Raises:
        ConfigError: a file cannot be read or says something unknown; a token lies open to other users.
    """
    path = config_path(environment)
    config = _read_config(path, must_exist=bool(environment.get("HASHPACT_CONFIG")))
    origins: dict[str, str] = {}

    def pick(name: str, option: Any, variable: str | None, configured: Any) -> Any:
        if option is not None:
            origins[name] = f"--{name.replace('_s', '').replace('_', '-')}"
            return option
        if variable is not None and environment.get(variable):
            origins[name] = variable
            return environment[variable]
        if configured is not None:
            origins[name] = str(path)
        return configured

    from_file = None if options.token_file is None else _read_token(Path(options.token_file))
    token = pick("token", from_file, "HASHPACT_TOKEN", _configured_token(config, path))
    if from_file is not None:
        origins["token"] = "--token-file"  # noqa: S105  # the option's name
    ca = pick("ca", options.ca, "HASHPACT_CA", _beside(path, config.get("ca")))
    return Settings(
        target=pick("target", options.target, "HASHPACT_TARGET", config.get("target")) or "",
        token=token or "",
        ca=ca,
        plaintext=bool(pick("plaintext", options.plaintext, None, config.get("plaintext"))),
        timeout_s=pick("timeout_s", options.timeout_s, None, config.get("timeout_s")),
        origins=origins,
    )


def config_path(environment: Mapping[str, str]) -> Path:
    """Where the configuration file is looked for."""
    if environment.get("HASHPACT_CONFIG"):
        return Path(environment["HASHPACT_CONFIG"])
    base = environment.get("XDG_CONFIG_HOME") or ""
    # The XDG rules: a relative path is to be ignored.
    folder = Path(base) if base.startswith("/") else Path(environment.get("HOME") or "/") / ".config"
    return folder / "hashpact" / "config.toml"


def _read_config(path: Path, *, must_exist: bool) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            raw = file.read(CONFIG_BYTES_MAX + 1)
    except (FileNotFoundError, NotADirectoryError) as error:
        if must_exist:
            raise ConfigError(f"HASHPACT_CONFIG names {str(path)!r}, which does not exist") from error
        return {}
    except OSError as error:
        raise ConfigError(f"the configuration file {str(path)!r} cannot be read: {error.strerror}") from error
    if len(raw) > CONFIG_BYTES_MAX:
        raise ConfigError(f"the configuration file {str(path)!r} is larger than {CONFIG_BYTES_MAX} bytes")
    try:
        config = tomllib.loads(raw.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        # TOML's own message may quote the line, and the line may hold the token.
        raise ConfigError(f"the configuration file {str(path)!r} is not TOML: look for a missing quote") from error
    _check_config(config, path)
    if "token" in config and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ConfigError(
            f"{str(path)!r} holds a token and can be read by others: run chmod 600 on it", reason="TOKEN_EXPOSED"
        )
    return config


def _check_config(config: dict[str, Any], path: Path) -> None:
    for name, value in config.items():
        kinds = _KEYS.get(name)
        if kinds is None:
            raise ConfigError(f"{str(path)!r}: {name!r} is not a setting; there are {', '.join(_KEYS)}")
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            expected = {str: "a text in quotes", bool: "true or false"}.get(kinds[0], "a number")
            raise ConfigError(f"{str(path)!r}: {name} is {expected}")
    if "token" in config and "token_file" in config:
        raise ConfigError(f"{str(path)!r}: give token or token_file, not both")


def _configured_token(config: dict[str, Any], path: Path) -> str | None:
    if "token_file" not in config:
        token: str | None = config.get("token")
        return token
    return _read_token(Path(_beside(path, config["token_file"]) or ""))


def _beside(config_file: Path, value: str | None) -> str | None:
    """A path of the configuration file, which is relative to it; ``~`` is the home folder."""
    return None if value is None else str(config_file.parent / Path(value).expanduser())


def _read_token(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(TOKEN_FILE_BYTES_MAX + 1)
        text = raw.decode("ascii").strip()
    except OSError as error:
        raise ConfigError(f"the token file {str(path)!r} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"the token file {str(path)!r} holds something else than a token") from error
    if not text:
        raise ConfigError(f"the token file {str(path)!r} is empty")
    return text
