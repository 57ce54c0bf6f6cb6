"""Where the service is and by what it is reached: target, token and certificates, checked before anything is sent.

Nothing here imports grpc, so that a wrong setting is reported at once.
"""

from __future__ import annotations

import ipaddress
import os
import re
import ssl
from pathlib import Path
from typing import Final

from hashpact.errors import ConfigError

TOKEN_BYTES_MAX: Final = 4096
CA_BYTES_MAX: Final = 1 << 20
_HOST_PORT: Final = re.compile(r"(?:(?:dns:(?:///?)?)|ipv4:|ipv6:)?(\[[0-9A-Fa-f:.%a-z]+\]|[^\[\]:/\s]+):([0-9]{1,5})")


def require_target(target: str | None) -> str:
    """The target: ``HOST:PORT``, or ``unix:/path/of/socket``.

    Raises:
        ConfigError: absent, without a port, or no target at all.
    """
    if not target:
        raise ConfigError("no service named: give HOST:PORT as target, or set HASHPACT_TARGET", reason="TARGET_MISSING")
    if target.startswith(("unix:", "unix-abstract:")):
        return target
    if "://" in target and not target.startswith("dns:"):
        raise ConfigError("the target is HOST:PORT, without https://", reason="TARGET_INVALID")
    found = _HOST_PORT.fullmatch(target)
    if found is None or not 1 <= int(found[2]) <= 65535:
        raise ConfigError(
            "the target is HOST:PORT, e.g. list.example.org:7443 (an IPv6 address in brackets), or unix:/path",
            reason="TARGET_INVALID",
        )
    return target


def is_local(target: str) -> bool:
    """Whether a target cannot leave this machine: a unix socket or a loopback address."""
    if target.startswith(("unix:", "unix-abstract:")):
        return True
    found = _HOST_PORT.fullmatch(target)
    if found is None:
        return False
    host = found[1].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def require_plaintext_allowed(target: str) -> None:
    """Plaintext carries the token in clear, so it is for this machine only.

    Raises:
        ConfigError: the target is another machine.
    """
    if not is_local(target):
        raise ConfigError(
            "plaintext is for 127.0.0.1, [::1], localhost and unix: sockets only: the token would cross the network "
            "in clear. Use TLS, with ca= for a private certificate authority",
            reason="PLAINTEXT_REFUSED",
        )


def require_token(token: str) -> str:
    """A token as it can stand in a header; "" means none.

    Raises:
        ConfigError: blanks, line breaks or other characters that no token has. The token is not repeated.
    """
    if token != token.strip():
        raise ConfigError(
            "the token has a blank or line break at its start or end: strip it, e.g. Path(...).read_text().strip()",
            reason="TOKEN_UNUSABLE",
        )
    if len(token) > TOKEN_BYTES_MAX:
        raise ConfigError(f"the token is longer than {TOKEN_BYTES_MAX} characters", reason="TOKEN_UNUSABLE")
    if any(not "!" <= character <= "~" for character in token):
        raise ConfigError(
            "the token has characters that no token has (blanks, quotes from a word processor, accents): copy it again",
            reason="TOKEN_UNUSABLE",
        )
    return token


def load_ca(ca: str | os.PathLike[str] | bytes | None) -> bytes | None:
    """Certificates that the server's certificate must lead to, as PEM; None for the system's.

    Raises:
        ConfigError: the file cannot be read, or holds no certificate.
    """
    if ca is None:
        return _system_roots()
    if isinstance(ca, bytes):
        pem, origin = ca, "ca"
    else:
        origin = f"the certificate authority file {os.fspath(ca)!r}"
        try:
            with Path(ca).open("rb") as file:
                pem = file.read(CA_BYTES_MAX + 1)
        except (OSError, ValueError) as error:
            what = getattr(error, "strerror", None) or "not a path"
            raise ConfigError(f"{origin} cannot be read: {what}", reason="CA_UNREADABLE") from error
    if len(pem) > CA_BYTES_MAX:
        raise ConfigError(f"{origin} is larger than {CA_BYTES_MAX} bytes", reason="CA_UNREADABLE")
    try:
        # gRPC says nothing useful about a bad PEM, so OpenSSL reads it first.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=pem.decode("ascii"))
    except (ssl.SSLError, ValueError) as error:
        raise ConfigError(
            f"{origin} holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)", reason="CA_UNREADABLE"
        ) from error
    return pem


def _system_roots() -> bytes | None:
    # gRPC ships its own list of roots; the machine's is the one its owner maintains. SSL_CERT_FILE is honoured.
    path = ssl.get_default_verify_paths().cafile
    try:
        return Path(path).read_bytes() if path else None
    except OSError:
        return None
