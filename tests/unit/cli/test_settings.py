"""Options before environment before configuration file; tokens that lie open are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hashpact.cli.settings import Options, config_path, load_settings
from hashpact.errors import ConfigError

ENVIRONMENT = {"HASHPACT_TARGET": "env:1", "HASHPACT_TOKEN": "env-token", "HASHPACT_CA": "env.pem"}


def write(path: Path, text: str, *, mode: int = 0o600) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def test_options_before_environment_before_file(tmp_path: Path) -> None:
    config = write(tmp_path / "c.toml", 'target = "file:1"\ntoken = "file-token"\nca = "ca.pem"\ntimeout_s = 3\n')
    token_file = write(tmp_path / "token", "option-token\n")
    only_file = load_settings(Options(), {"HASHPACT_CONFIG": str(config)})
    assert (only_file.target, only_file.token, only_file.ca) == ("file:1", "file-token", str(tmp_path / "ca.pem"))
    assert only_file.timeout_s == 3
    assert only_file.origins["target"] == str(config)
    both = load_settings(Options(), {"HASHPACT_CONFIG": str(config), **ENVIRONMENT})
    assert (both.target, both.token, both.ca) == ("env:1", "env-token", "env.pem")
    assert both.origins["token"] == "HASHPACT_TOKEN"
    options = Options("option:1", str(token_file), "option.pem", plaintext=False, timeout_s=1)
    all_three = load_settings(options, {"HASHPACT_CONFIG": str(config), **ENVIRONMENT})
    assert (all_three.target, all_three.token, all_three.ca) == ("option:1", "option-token", "option.pem")
    assert all_three.timeout_s == 1
    assert all_three.origins["token"] == "--token-file"


def test_nothing_set_is_not_yet_an_error() -> None:
    settings = load_settings(Options(), {"HOME": "/nonexistent"})
    assert (settings.target, settings.token, settings.ca, settings.plaintext) == ("", "", None, False)
    with pytest.raises(ConfigError, match="HASHPACT_TARGET"):
        settings.client()


def test_empty_variables_are_as_good_as_none(tmp_path: Path) -> None:
    config = write(tmp_path / "c.toml", 'target = "file:1"\n')
    found = load_settings(
        Options(), {"HASHPACT_CONFIG": str(config), "HASHPACT_TARGET": "", "HASHPACT_TOKEN": "", "HASHPACT_CA": ""}
    )
    assert (found.target, found.token, found.ca) == ("file:1", "", None)
    assert load_settings(Options(), {"HASHPACT_CONFIG": "", "HOME": str(tmp_path)}).target == ""


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o660, 0o644])
def test_a_token_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    config = write(tmp_path / "c.toml", 'token = "secret"\n', mode=mode)
    with pytest.raises(ConfigError, match="chmod 600") as caught:
        load_settings(Options(), {"HASHPACT_CONFIG": str(config)})
    assert "secret" not in str(caught.value)
    write(config, 'target = "file:1"\n', mode=mode)
    assert load_settings(Options(), {"HASHPACT_CONFIG": str(config)}).target == "file:1"


def test_a_token_file_named_in_the_file_is_beside_it(tmp_path: Path) -> None:
    write(tmp_path / "token", "beside\n")
    config = write(tmp_path / "c.toml", 'token_file = "token"\n', mode=0o644)
    assert load_settings(Options(), {"HASHPACT_CONFIG": str(config)}).token == "beside"


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("target = 3", "text in quotes"),
        ('plaintext = "yes"', "true or false"),
        ("timeout_s = true", "number"),
        ('timeout_s = "3"', "number"),
        ('tokn = "x"', "not a setting"),
        ('token = "x"\ntoken_file = "y"', "not both"),
        ("token = secret", "not TOML"),
        ("\xff", "not TOML"),
    ],
)
def test_a_wrong_file_is_named(tmp_path: Path, text: str, hint: str) -> None:
    config = tmp_path / "c.toml"
    config.write_bytes(text.encode("latin-1"))
    config.chmod(0o600)
    with pytest.raises(ConfigError, match=hint) as caught:
        load_settings(Options(), {"HASHPACT_CONFIG": str(config)})
    assert "secret" not in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        load_settings(Options(), {"HASHPACT_CONFIG": str(tmp_path / "absent.toml")})
    with pytest.raises(ConfigError, match="cannot be read"):
        load_settings(Options(), {"HASHPACT_CONFIG": str(tmp_path)})
    write(tmp_path / "empty", " \n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    for name, hint in (("absent", "cannot be read"), ("empty", "is empty"), ("binary", "something else")):
        with pytest.raises(ConfigError, match=hint):
            load_settings(Options(token_file=str(tmp_path / name)), {"HOME": str(tmp_path)})


def test_where_the_file_is_looked_for() -> None:
    assert config_path({"HOME": "/h"}) == Path("/h/.config/hashpact/config.toml")
    assert config_path({"HOME": "/h", "XDG_CONFIG_HOME": "/x"}) == Path("/x/hashpact/config.toml")
    assert config_path({"HOME": "/h", "XDG_CONFIG_HOME": "relative"}) == Path("/h/.config/hashpact/config.toml")
    assert config_path({"HOME": "/h", "HASHPACT_CONFIG": "/c.toml"}) == Path("/c.toml")


def test_the_token_is_not_in_the_repr(tmp_path: Path) -> None:
    assert "env-token" not in repr(load_settings(Options(), {**ENVIRONMENT, "HOME": str(tmp_path)}))
