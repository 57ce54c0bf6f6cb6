"""Where the sidecar answers: ``HOST:PORT`` or ``unix:PATH``, and the socket there."""

from __future__ import annotations

import ipaddress
import os
import re
import socket
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from hashpact.errors import ConfigError

UNIX_PATH_BYTES_MAX: Final = 107
"""What the kernel's address of a unix socket holds."""

BACKLOG: Final = 256
_SHAPE: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:/\s]+):([0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Address:
    """A place to listen at: a host and a port, or (``path`` not empty) a unix socket."""

    host: str = ""
    port: int = 0
    path: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an address.

        Raises:
            ConfigError: it is none.
        """
        if text.startswith("unix:"):
            path = text[5:].removeprefix("//")
            if not path or len(os.fsencode(path)) > UNIX_PATH_BYTES_MAX:
                raise ConfigError(f"listen: after unix: comes a path of 1 to {UNIX_PATH_BYTES_MAX} bytes")
            return cls(path=path)
        found = _SHAPE.fullmatch(text)
        if found is None or int(found[2]) > 65_535:
            raise ConfigError(f"listen: {text!r} is not of the shape HOST:PORT, [IPV6]:PORT or unix:PATH")
        return cls(found[1].strip("[]"), int(found[2]))

    def __str__(self) -> str:
        if self.path:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_local(self) -> bool:
        """Whether nobody on another machine can connect."""
        if self.path or self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def bind(self) -> tuple[socket.socket, Address]:
        """Take the place; the socket, and the address with the port that it has.

        Raises:
            ConfigError: it is taken, or cannot be.
        """
        try:
            return self._bind_path() if self.path else self._bind_port()
        except OSError as error:
            raise ConfigError(f"cannot listen on {self}: {error.strerror or error}") from error

    def _bind_port(self) -> tuple[socket.socket, Address]:
        family, kind, number, _, place = socket.getaddrinfo(
            self.host, self.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, number)
        try:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.bind(place)
            listening.listen(BACKLOG)
        except OSError:
            listening.close()
            raise
        return listening, Address(self.host, int(listening.getsockname()[1]))

    def _bind_path(self) -> tuple[socket.socket, Address]:
        path = Path(self.path)
        if path.exists() and stat.S_ISSOCK(path.stat().st_mode):
            _require_dead(path)
            path.unlink()
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listening.bind(self.path)
            # For the group too: the upload service need not run as the same user.
            path.chmod(0o660)
            listening.listen(BACKLOG)
        except OSError:
            listening.close()
            raise
        return listening, self


def _require_dead(path: Path) -> None:
    """A socket that somebody answers at is not ours to take."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        try:
            asking.connect(str(path))
        except OSError:
            return
    raise ConfigError(f"another process answers at unix:{path}")
