"""Keys and certificates as files."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from hashpact.errors import ConfigError
from hashpact_server import tls
from hashpact_server.datadir import DataDirectory
from hashpact_server.tls import CertificateSource, load_pair, subject_names
from hashpact_server.trouble import Trouble


@pytest.fixture
def data(tmp_path: Path) -> DataDirectory:
    made = DataDirectory(tmp_path)
    tls.make_authority(made)
    tls.make_certificate(made, ["Hub.Example.org.", "10.0.0.1", "fe80::1"])
    return made


def source(data: DataDirectory) -> CertificateSource:
    return CertificateSource(data.file("server.pem"), data.file("server.key"))


def test_the_authority_signs_and_the_certificate_serves(data: DataDirectory) -> None:
    ca = x509.load_pem_x509_certificate(data.ca.read_bytes())
    server = x509.load_pem_x509_certificate(data.file("server.pem").read_bytes())
    server.verify_directly_issued_by(ca)
    assert ca.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert not server.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    names = server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {"localhost", "hub.example.org"} <= set(names.get_values_for_type(x509.DNSName))
    addresses = set(map(str, names.get_values_for_type(x509.IPAddress)))
    assert addresses == {"127.0.0.1", "::1", "10.0.0.1", "fe80::1"}
    for name in ("ca.key", "server.key"):
        assert stat.S_IMODE(data.file(name).stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["", "a b", "-x.org", "a..b", "x" * 64, "ex\nample.org", "exämple.org", "a/b"])
def test_what_is_no_host_name_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="--hostname"):
        subject_names([name])


def test_an_unchanged_pair_is_not_read_again_and_a_new_one_is_read_once(data: DataDirectory) -> None:
    certificates = source(data)
    assert certificates.changed() is None
    tls.make_certificate(data)
    new = certificates.changed()
    assert new is not None
    assert new.chain == data.file("server.pem").read_bytes()
    assert certificates.changed() is None


def test_half_a_replacement_is_not_used_and_the_whole_one_is(data: DataDirectory) -> None:
    certificates = source(data)
    old = certificates.pair
    key = data.file("server.key").read_bytes()
    tls.make_certificate(data)
    new_key = data.file("server.key").read_bytes()
    data.file("server.key").write_bytes(key)
    assert certificates.changed() is None
    assert certificates.pair is old
    data.file("server.key").write_bytes(new_key)
    assert certificates.changed() is not None


@pytest.mark.parametrize(
    "content", [None, b"", b"nonsense", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"]
)
@pytest.mark.parametrize("name", ["server.pem", "server.key"])
def test_damaged_files_are_refused_without_quoting_them(data: DataDirectory, name: str, content: bytes | None) -> None:
    path = data.file(name)
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Trouble) as raised:
        source(data)
    assert "AAAA" not in raised.value.message
    assert name in raised.value.message


def test_an_encrypted_key_is_refused(data: DataDirectory) -> None:
    path = data.file("server.key")
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    with pytest.raises(Trouble, match="unencrypted"):
        source(data)


def test_a_certificate_needs_its_authority(data: DataDirectory) -> None:
    data.ca_key.unlink()
    with pytest.raises(Trouble, match=r"cannot read ca\.pem and ca\.key"):
        tls.make_certificate(data)


def test_a_pair_does_not_show_its_key(data: DataDirectory) -> None:
    assert "PRIVATE" not in repr(load_pair(data.file("server.pem"), data.file("server.key")))
