"""TLS: who is trusted, how certificates are replaced while the server runs, and where it may be left out."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
from pathlib import Path

import grpc
import pytest
from cryptography import x509
from hashpact_server import tls
from hashpact_server.addresses import Address
from hashpact_server.datadir import DataDirectory
from hashpact_server.node import Node
from hashpact_server.trouble import Trouble

from tests.integration.harness import (
    WAIT_S,
    Forum,
    Member,
    ServerInside,
    ServerProcess,
    command,
    lookup_request,
    said,
    server_certificate,
    settings_of,
)

PDQ = bytes(range(32))


def test_the_made_certificate_fits_every_name_of_this_machine(inside: ServerInside) -> None:
    port = inside.address.port
    for name in ("localhost", "127.0.0.1"):
        channel = grpc.secure_channel(f"{name}:{port}", grpc.ssl_channel_credentials(inside.forum.ca))
        with channel:
            assert not Member(channel, inside.forum.tokens["acme"]).finds(PDQ)


def test_extra_host_names_are_in_the_certificate(forum: Forum) -> None:
    command("renew-certificate", "--data", forum.data, "--hostname", "hub.example.org", "--hostname", "192.0.2.7")
    certificate = x509.load_pem_x509_certificate((forum.data / "server.pem").read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "hub.example.org" in names.get_values_for_type(x509.DNSName)
    assert "192.0.2.7" in map(str, names.get_values_for_type(x509.IPAddress))


def test_another_authority_is_not_trusted(inside: ServerInside, tmp_path: Path) -> None:
    other = DataDirectory(tmp_path)
    tls.make_authority(other)
    stranger = Member(inside.channel(other.ca.read_bytes()), inside.forum.tokens["acme"])
    with pytest.raises(grpc.RpcError) as raised:
        stranger.lookup_stub.Lookup(lookup_request(PDQ), metadata=stranger.metadata, timeout=5)
    assert said(raised.value).code == "UNAVAILABLE"


def test_a_client_without_tls_is_not_understood(inside: ServerInside) -> None:
    with grpc.insecure_channel(str(inside.address)) as channel:
        plain = Member(channel, inside.forum.tokens["acme"])
        with pytest.raises(grpc.RpcError) as raised:
            plain.lookup_stub.Lookup(lookup_request(PDQ), metadata=plain.metadata, timeout=5)
    assert said(raised.value).code == "UNAVAILABLE"


def test_old_versions_of_tls_are_refused(inside: ServerInside) -> None:
    context = ssl.create_default_context(cadata=inside.forum.ca.decode())
    context.set_alpn_protocols(["h2"])
    with (
        socket.create_connection((inside.address.host, inside.address.port), WAIT_S) as raw,
        context.wrap_socket(raw, server_hostname="localhost") as wrapped,
    ):
        assert wrapped.version() in ("TLSv1.2", "TLSv1.3")


def test_a_renewed_certificate_is_taken_up_without_a_restart(inside: ServerInside) -> None:
    before = server_certificate(inside.address)
    acme = inside.member("acme")
    assert not acme.finds(PDQ)
    command("renew-certificate", "--data", inside.forum.data)
    after = server_certificate(inside.address)
    assert after != before
    stored = x509.load_pem_x509_certificate((inside.forum.data / "server.pem").read_bytes())
    assert x509.load_der_x509_certificate(after) == stored
    assert not acme.finds(PDQ)  # connections that were there go on
    assert not inside.member("acme").finds(PDQ)


@pytest.mark.parametrize("broken", ["not a certificate", "key of another", "gone"])
def test_a_broken_certificate_leaves_the_old_one_in_use(inside: ServerInside, broken: str) -> None:
    before = server_certificate(inside.address)
    pem, key = inside.forum.data / "server.pem", inside.forum.data / "server.key"
    kept = pem.read_bytes(), key.read_bytes()
    if broken == "gone":
        pem.unlink()
    elif broken == "not a certificate":
        pem.write_text("-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n")
    else:
        key.write_bytes((inside.forum.data / "ca.key").read_bytes())
    assert server_certificate(inside.address) == before
    assert not inside.member("acme").finds(PDQ)
    pem.write_bytes(kept[0])
    key.write_bytes(kept[1])
    command("renew-certificate", "--data", inside.forum.data)
    assert server_certificate(inside.address) != before


def test_certificates_of_ones_own(forum: Forum, tmp_path: Path) -> None:
    own = DataDirectory(tmp_path / "own")
    own.path.mkdir()
    tls.make_authority(own)
    tls.make_certificate(own)
    forum.configure(f'certificate = "{own.path}/server.pem"\nprivate_key = "{own.path}/server.key"\n')
    with ServerInside(forum) as server:
        member = Member(server.channel(own.ca.read_bytes()), forum.tokens["acme"])
        assert not member.finds(PDQ)


def test_a_server_without_a_good_certificate_does_not_start(forum: Forum) -> None:
    (forum.data / "server.key").write_bytes((forum.data / "ca.key").read_bytes())
    said_so = command("serve", "--data", forum.data, "--listen", "127.0.0.1:0", code=3)
    assert "is not the key of" in said_so.stderr
    assert "Traceback" not in said_so.stderr


def test_an_expired_certificate_is_said_to_be_so(forum: Forum, monkeypatch: pytest.MonkeyPatch) -> None:
    data = DataDirectory(forum.data)
    monkeypatch.setattr(tls, "CERTIFICATE_DAYS", -1)
    monkeypatch.setattr(tls, "_CLOCK_SKEW", dt.timedelta(days=3))
    tls.make_certificate(data)
    with pytest.raises(Trouble, match=r"ended on .*; replace it"):
        ServerInside(forum)


def test_plaintext_is_for_this_machine_only(forum: Forum) -> None:
    for place in ("0.0.0.0:0", "[::]:0"):
        done = command("serve", "--data", forum.data, "--listen", place, "--plaintext", code=3)
        assert "in the clear" in done.stderr
    with ServerProcess(forum, "--plaintext") as server:
        server.ready()
        with grpc.insecure_channel(str(server.address)) as channel:
            assert not Member(channel, forum.tokens["acme"]).finds(PDQ)


def test_a_unix_socket_needs_no_tls(forum: Forum, tmp_path: Path) -> None:
    place = tmp_path / "s"
    node = Node(DataDirectory(forum.data), settings_of(forum, listen=f"unix:{place}"), plaintext=True)
    node.start()
    try:
        assert node.address == Address(path=str(place))
        with grpc.insecure_channel(f"unix:{place}") as channel:
            assert not Member(channel, forum.tokens["acme"]).finds(PDQ)
    finally:
        node.stop()
