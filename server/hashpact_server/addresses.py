"""Where to listen: ``HOST:PORT``, ``[IPv6]:PORT``, ``:PORT`` or ``unix:PATH``."""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass

from hashpact.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Address:
    """A place to listen at: a host and a port, or (``path`` not empty) a Unix socket."""

    host: str = ""
    port: int = 0
    path: str = ""

    def __str__(self) -> str:
        if self.path:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def is_private(self) -> bool:
        """Whether nothing that is sent here leaves this machine."""
        if self.path:
            return True
        try:
            found = socket.getaddrinfo(self.host, None, type=socket.SOCK_STREAM)
        except OSError:
            return False
        return bool(found) and all(ipaddress.ip_address(each[4][0]).is_loopback for each in found)


def parse(text: str, *, what: str, bare_port_host: str = "") -> Address:
    """Read an address.

    Args:
        text: the address.
        what: the option's name, for the error.
        bare_port_host: the host of a port that comes alone; empty: a port alone is refused.

    Raises:
        ConfigError: it is none.
    """
    if text.startswith("unix:"):
        # 107 bytes is what the kernel's address holds.
        if not (path := text[5:].removeprefix("//")) or len(path.encode()) > 107:
            raise ConfigError(f"{what}: after unix: comes a path of 1 to 107 bytes")
        return Address(path=path)
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
    host = host or bare_port_host
    if not port.isascii() or not port.isdecimal() or int(port) > 65_535 or not host or (":" in host and text[0] != "["):
        shapes = "HOST:PORT, [IPV6]:PORT or unix:PATH" if colon or not bare_port_host else "HOST:PORT or PORT"
        raise ConfigError(f"{what}: {text!r} is not of the shape {shapes}, with a port of 0 to 65535")
    return Address(host=host, port=int(port))
