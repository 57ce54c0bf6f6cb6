"""TLS: a development authority with a server certificate, and certificates that are replaced while we serve.

``init`` makes an authority of its own and a certificate signed by it (ECDSA P-256), so that a first server speaks TLS
without a word with anybody. Whoever has certificates names them in ``config.toml`` instead. Either way the files may
be replaced at any time: each new connection is served with what lies there, as long as it is whole.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import logging
import os
import re
import socket
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hashpact.errors import ConfigError

from hashpact_server.datadir import DataDirectory, write_private
from hashpact_server.logs import event
from hashpact_server.trouble import Trouble

AUTHORITY_DAYS: Final = 3650
CERTIFICATE_DAYS: Final = 397  # the longest that browsers and platforms accept of a server certificate
_CLOCK_SKEW: Final = dt.timedelta(hours=1)
_LOCAL_NAMES: Final = ("localhost", "127.0.0.1", "::1")
_HOSTNAME: Final = re.compile(r"(\*\.)?([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?)(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?)*")

_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, repr=False)
class KeyPair:
    """A private key and its certificate chain, both PEM. No repr: it would show the key."""

    key: bytes
    chain: bytes

    def expiry(self) -> dt.datetime:
        """When the first certificate of the chain ends."""
        return x509.load_pem_x509_certificates(self.chain)[0].not_valid_after_utc


def make_authority(data: DataDirectory) -> None:
    """Make the authority of a data directory: ``ca.key`` and ``ca.pem``."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Hashpact {socket.gethostname()[:40]}")])
    builder = (
        _builder(name, name, key.public_key(), AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
    )
    write_private(data.ca_key, _key_pem(key))
    write_private(data.ca, builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))


def make_certificate(data: DataDirectory, hostnames: Sequence[str] = ()) -> None:
    """Make the server's certificate, signed by the authority of the data directory: ``server.key``, ``server.pem``.

    Args:
        data: the directory.
        hostnames: names and IP addresses under which members reach the server, besides this machine's own.

    Raises:
        ConfigError: a name that is none.
        Trouble: the authority's files are missing or damaged.
    """
    try:
        authority = x509.load_pem_x509_certificate(data.ca.read_bytes())
        signer = serialization.load_pem_private_key(data.ca_key.read_bytes(), None)
    except (OSError, ValueError) as error:
        raise Trouble(f"cannot read ca.pem and ca.key in {data.path}: {error}") from error
    if not isinstance(signer, ec.EllipticCurvePrivateKey):
        raise Trouble(f"{data.ca_key} is no elliptic-curve key; it was not made by init")
    key = ec.generate_private_key(ec.SECP256R1())
    names = subject_names([*_LOCAL_NAMES, *own_names(), *hostnames])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Hashpact server")])
    certificate = (
        _builder(subject, authority.subject, key.public_key(), CERTIFICATE_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .sign(signer, hashes.SHA256())
    )
    # Between the two a server that looks finds a pair that does not fit, keeps what it has, and looks again.
    write_private(data.file("server.key"), _key_pem(key))
    write_private(data.file("server.pem"), certificate.public_bytes(serialization.Encoding.PEM))


def subject_names(hostnames: Sequence[str]) -> list[x509.GeneralName]:
    """Host names and IP addresses as a certificate names them, each once; raises ConfigError."""
    names: list[x509.GeneralName] = []
    for text in dict.fromkeys(each.strip().lower().rstrip(".") for each in hostnames):
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(text)))
        except ValueError:
            if len(text) > 253 or not _HOSTNAME.fullmatch(text):
                raise ConfigError(f"--hostname: {text!r} is no host name or IP address") from None
            names.append(x509.DNSName(text))
    return names


def own_names() -> list[str]:
    """This machine's name, where it is one that a certificate can carry."""
    name = socket.gethostname().lower().rstrip(".")
    return [name] if len(name) <= 253 and _HOSTNAME.fullmatch(name) else []


def load_pair(certificate: Path, private_key: Path) -> KeyPair:
    """Read a certificate chain and its key, and make sure that they belong together.

    Raises:
        Trouble: unreadable, not PEM, encrypted, expired, or of different keys.
    """
    try:
        pair = KeyPair(private_key.read_bytes(), certificate.read_bytes())
        first = x509.load_pem_x509_certificates(pair.chain)[0]
        key = serialization.load_pem_private_key(pair.key, None)
    except OSError as error:
        raise Trouble(f"cannot read {error.filename}: {error.strerror}") from error
    except (ValueError, TypeError) as error:
        # TypeError: the key is encrypted. The message is left out, lest it quote the file.
        raise Trouble(f"{certificate} and {private_key} are no PEM certificate and unencrypted key") from error
    if key.public_key() != first.public_key():
        raise Trouble(f"{private_key} is not the key of {certificate}")
    if first.not_valid_after_utc <= dt.datetime.now(dt.UTC):
        raise Trouble(f"{certificate} ended on {first.not_valid_after_utc:%Y-%m-%d}; replace it")
    return pair


class CertificateSource:
    """The pair to serve with, read again when its files change; a broken replacement leaves the old one in use.

    Raises:
        Trouble: on construction, when there is no good pair to begin with.
    """

    def __init__(self, certificate: Path, private_key: Path) -> None:
        self._certificate = certificate
        self._private_key = private_key
        self._lock = threading.Lock()
        self._seen = self._stamp()
        self.pair = load_pair(certificate, private_key)

    def changed(self) -> KeyPair | None:
        """The new pair, once, after the files changed to a good one; None otherwise. Called for each connection."""
        with self._lock:
            if (stamp := self._stamp()) == self._seen:
                return None
            self._seen = stamp
            try:
                self.pair = load_pair(self._certificate, self._private_key)
            except Trouble as trouble:
                event(_LOGGER, logging.ERROR, "new certificate refused", problem=trouble.message)
                return None
            event(_LOGGER, logging.INFO, "new certificate in use", expiry=self.pair.expiry().isoformat())
            return self.pair

    def _stamp(self) -> tuple[object, ...]:
        return tuple(_stamp(path) for path in (self._certificate, self._private_key))


def _stamp(path: Path) -> object:
    try:
        found = os.stat(path)  # noqa: PTH116 - as Path.stat, a microsecond earlier in every handshake
    except OSError as error:
        return error.errno
    return found.st_mtime_ns, found.st_ino, found.st_size


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int
) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
