"""One form for all spellings of a web address."""

from __future__ import annotations

import hashlib

import pytest
from hashpact import hash_url
from hashpact.errors import UnreadableMediaError
from hashpact.hashing.url import normal_url

# (the one form, spellings of it)
SPELLINGS = (
    (
        "https://example.org/a/c?a=1&b=2",
        "HTTP://Example.ORG:80/a/./b/../c?utm_source=x&b=2&a=1#part",
        "hxxps://example[.]org/a/c?b=2&a=1&fbclid=zz",
        "https://user:secret@example.org.:443/a/c?&a=1&&b=2&UTM_Campaign=y",
        "example.org/a/c?a=1&b=2",
        " https://ex\u200bample.org/%61/c?%61=1&b=2\n",
    ),
    ("https://example.org/", "example.org", "https://example.org", "https://example.org/?", "https://example.org/.."),
    (
        "https://xn--mller-kva.example/%C3%A4%20b",
        "https://m\u00fcller.example/\u00e4 b",
        "https://M\u00dcLLER.example/%c3%a4%20b",
        "https://XN--MLLER-KVA.example/%C3%A4%20b",
        "https://m\u00fcller\u3002example/\u00e4%20b",
    ),
    ("https://example.org:8443/~user/%25zz/", "example.org:8443/%7euser/%zz/./"),
    ("https://[2001:db8::1]/", "http://[2001:DB8:0::1]:80"),
    ("https://192.0.2.1/x", "http://192.0.2.1/x"),
    ("ftp://example.org/x", "FTP://example.org:21/x"),
    ("https://youtu.be/abc", "https://youtu.be/abc?si=1234"),
    ("https://www.youtube.com/watch?v=abc", "https://www.youtube.com/watch?v=abc&feature=share"),
    ("https://example.org/?si=1234", "https://example.org/?si=1234"),
    ("https://example.org/a%2Fb?c%26d=e", "https://example.org/a%2fb?c%26d=e"),
)


@pytest.mark.parametrize(("form", "spelling"), [(form, one) for form, *others in SPELLINGS for one in (form, *others)])
def test_spellings_have_one_form(form: str, spelling: str) -> None:
    assert normal_url(spelling) == form
    assert hash_url(spelling).value == hashlib.sha256(form.encode()).digest()
    assert hash_url(spelling).signal_type == "url_sha256"


def test_different_pages_stay_different() -> None:
    pages = (
        "a.example/",
        "b.example/",
        "a.example/x",
        "a.example/X",
        "a.example/x/",
        "a.example/x?y",
        "a.example:81/x",
    )
    assert len({normal_url(page) for page in pages}) == len(pages)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "localhost/x",
        "javascript:alert(1)",
        "mailto:a@b.example",
        "a@b.example",
        "https://",
        "https://a..b/",
        "https://example.org:99999/",
        "http://[::1",
        "https://" + "a" * 9000,
        "https://" + "a." * 200 + "b",
        "https://-\udfff.example/",
        "one two",
    ],
)
def test_what_is_no_web_address(text: str) -> None:
    with pytest.raises(UnreadableMediaError, match="url: "):
        hash_url(text)
