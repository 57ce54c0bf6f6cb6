"""Settings: what is missing, wrong or dangerous is refused by name, and the page shows all of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hashpact.errors import ConfigError
from hashpact.sidecar.settings import load, settings_docs

from tests.repository import ROOT

ENVIRONMENT = {"HASHPACT_TARGET": "hub:7443", "HASHPACT_TOKEN": "hpt_x", "HOME": "/home/x"}


def test_defaults_are_loopback_and_private(tmp_path: Path) -> None:
    made = load(None, {}, ENVIRONMENT)
    assert str(made.listen) == "127.0.0.1:7480"
    assert made.data == Path("/home/x/.local/state/hashpact-sidecar")
    assert made.settings.mode == "observe"
    assert made.settings.fail == "open"
    assert made.folders == ()
    assert "hpt_x" not in repr(made)
    systemd = load(None, {}, {**ENVIRONMENT, "STATE_DIRECTORY": str(tmp_path)})
    assert systemd.data == tmp_path


def test_options_win_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    path = tmp_path / "sidecar.toml"
    path.write_text('hub = "file:1"\nlisten = "127.0.0.1:1"\n[modes]\njournalism = "observe"\n')
    assert load(path, {}, {"HASHPACT_TOKEN": "t"}).hub == "file:1"
    made = load(path, {"listen": "127.0.0.1:2"}, ENVIRONMENT)
    assert (made.hub, made.listen.port) == ("hub:7443", 2)
    assert made.settings.modes == {"journalism": "observe"}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("hubb = 'x:1'", "hubb"),
        ("deadline_s = 'soon'", "deadline_s"),
        ("deadline_s = 0", "deadline_s"),
        ("workers = true", "workers"),
        ("trial_share = 1.5", "trial_share"),
        ("mode = 'block'", "mode"),
        ("modes = 'act'", "modes"),
        ("[modes]\njournalism = 'remove'", "modes.journalism"),
        ("fail = 'maybe'", "fail"),
        ("folders = '/uploads'", "folders"),
        ("folders = ['/']", "folders"),
        ("folders = ['/no/such/folder']", "folders"),
        ("allow_remote = 1", "allow_remote"),
        ("listen = 'everywhere'", "listen"),
        ("listen = 'unix:'", "unix"),
        ("token_file = '/no/such/file'", "token_file"),
        ("listen = '127.0.0.1:1", "TOML"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, named: str) -> None:
    path = tmp_path / "sidecar.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=named):
        load(path, {}, ENVIRONMENT)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="HASHPACT_TARGET"):
        load(None, {}, {"HASHPACT_TOKEN": "t"})
    with pytest.raises(ConfigError, match="HASHPACT_TOKEN"):
        load(None, {}, {"HASHPACT_TARGET": "hub:1"})
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path / "absent", {}, ENVIRONMENT)


def test_listening_beyond_loopback_needs_a_switch_and_a_secret(tmp_path: Path) -> None:
    for listen in ("0.0.0.0:7480", "[::]:7480", "sidecar.internal:7480", "192.0.2.1:1"):
        with pytest.raises(ConfigError, match="--allow-remote"):
            load(None, {"listen": listen}, ENVIRONMENT)
        with pytest.raises(ConfigError, match="secret"):
            load(None, {"listen": listen, "allow_remote": True}, ENVIRONMENT)
        with pytest.raises(ConfigError, match="16"):
            load(None, {"listen": listen, "allow_remote": True}, {**ENVIRONMENT, "HASHPACT_SIDECAR_SECRET": "short"})
    secret = tmp_path / "secret"
    secret.write_text("0123456789abcdef\n")
    made = load(None, {"listen": "0.0.0.0:1", "allow_remote": True, "secret_file": str(secret)}, ENVIRONMENT)
    assert made.secret == "0123456789abcdef"
    assert made.secret not in repr(made)
    for local in ("[::1]:1", "127.9.9.9:1", "localhost:1", "unix:/run/x"):
        assert load(None, {"listen": local}, ENVIRONMENT).listen.is_local


def settings_table() -> str:
    """The settings as the page shows them."""

    def shown(default: object) -> str:
        text = str(default).lower() if isinstance(default, bool) else str(default)
        return f"`{text}`" if default not in ("", ()) and default else ""

    rows = [f"| `{name}` | {shown(default)} | {doc} |" for name, default, doc in settings_docs()]
    return "\n".join(["| setting | default | says |", "|---|---|---|", *rows]) + "\n"


def test_the_page_shows_every_setting() -> None:
    page = ROOT / "docs" / "sidecar.md"
    head, rest = page.read_text().split("<!-- settings:start -->\n")
    shown, tail = rest.split("<!-- settings:end -->")
    if os.environ.get("HASHPACT_REWRITE_DOCS"):
        page.write_text(f"{head}<!-- settings:start -->\n{settings_table()}<!-- settings:end -->{tail}")
        return
    assert shown == settings_table(), "run this test once with HASHPACT_REWRITE_DOCS=1"
