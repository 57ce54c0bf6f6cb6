"""Addresses to listen at."""

from __future__ import annotations

import pytest
from hashpact.errors import ConfigError
from hashpact_server.addresses import Address, parse


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:0", Address("127.0.0.1", 0)),
        ("hub.example.org:7443", Address("hub.example.org", 7443)),
        ("[::1]:65535", Address("::1", 65_535)),
        ("unix:/run/hashpact.sock", Address(path="/run/hashpact.sock")),
        ("unix:///run/hashpact.sock", Address(path="/run/hashpact.sock")),
    ],
)
def test_read_and_written(text: str, address: Address) -> None:
    assert parse(text, what="--listen") == address
    assert parse(str(address), what="--listen") == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "7443",
        ":7443",
        "host:",
        "host:-1",
        "host:65536",
        "host:port",
        "host:\N{FULLWIDTH DIGIT SEVEN}",
        "::1:80",
        "unix:",
        "unix:" + "x" * 108,
    ],
)
def test_what_is_none_is_refused_with_the_options_name(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^--listen: "):
        parse(text, what="--listen")


@pytest.mark.parametrize("text", ["9464", ":9464"])
def test_a_port_alone_where_that_has_a_meaning(text: str) -> None:
    assert parse(text, what="--metrics", bare_port_host="127.0.0.1") == Address("127.0.0.1", 9464)


@pytest.mark.parametrize(
    ("text", "private"),
    [
        ("127.0.0.1:1", True),
        ("127.9.9.9:1", True),
        ("localhost:1", True),
        ("[::1]:1", True),
        ("unix:/s", True),
        ("0.0.0.0:1", False),
        ("[::]:1", False),
        ("192.0.2.1:1", False),
        ("nowhere.invalid:1", False),
    ],
)
def test_what_stays_on_this_machine(text: str, private: bool) -> None:
    assert parse(text, what="--listen").is_private() is private
