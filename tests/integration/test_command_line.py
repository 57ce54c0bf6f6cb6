"""``hashpact-server``: what each verb says, on which stream, with which exit code; never a traceback."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hashpact_server import initialising, tls, versions
from hashpact_server.cli import main
from hashpact_server.datadir import DataDirectory
from hashpact_server.engine import Engine
from hashpact_server.ledger.store import Store

from tests.integration.harness import Forum, ServerInside, ServerProcess, command, refused, token_in

PDQ = bytes(range(32))


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Runs a command in this process, as the shell would."""
    before = os.umask(0o022)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")

    def run(*arguments: str | Path) -> Ran:
        monkeypatch.setattr(sys, "argv", ["hashpact-server", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        code = ended.value.code
        assert "Traceback" not in printed.err
        return Ran(code if isinstance(code, int) else 0 if code is None else 1, printed.out, printed.err)

    yield run
    os.umask(before)


def test_init_makes_a_directory_for_its_owner_and_prints_one_token(run: Run, tmp_path: Path) -> None:
    data = tmp_path / "deep" / "data"
    done = run("init", data, "--hostname", "hub.example.org", "--steward", "forum-office")
    assert done.code == 0, done.err
    token = token_in(done.out)
    assert done.out == f"{token}\n"
    assert token not in done.err
    for path in [data, *data.rglob("*")]:
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path
    found = b"".join(path.read_bytes() for path in data.rglob("*") if path.is_file())
    assert token.encode() not in found
    with ServerInside(Forum(data, {"forum-office": token})) as server:
        server.member("forum-office").create("acme", 1)


def test_init_refuses_what_is_there(run: Run, forum: Forum, tmp_path: Path) -> None:
    before = (forum.data / "ca.pem").read_bytes()
    done = run("init", forum.data)
    assert (done.code, done.out) == (3, "")
    assert "is a data directory already; nothing was changed" in done.err
    assert "member token NAME" in done.err
    assert (forum.data / "ca.pem").read_bytes() == before
    (tmp_path / "file").touch()
    assert "is no directory" in run("init", tmp_path / "file").err
    assert "is not empty" in run("init", tmp_path).err
    (tmp_path / "empty").mkdir(mode=0o755)
    assert run("init", tmp_path / "empty").code == 0
    assert stat.S_IMODE((tmp_path / "empty").stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--hostname", "not a name"], 2, "is no host name"),
        (["--steward", "Not A Name"], 3, "--steward"),
    ],
)
def test_init_checks_before_it_makes_anything(run: Run, tmp_path: Path, words: list[str], code: int, said: str) -> None:
    done = run("init", tmp_path / "data", *words)
    assert done.code == code
    assert said in done.err
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("step", ["make_certificate", "create", "warm", "unlink"])
def test_an_interrupted_init_is_noticed_and_explained(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    data = DataDirectory(tmp_path / "data")

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        place = {
            "make_certificate": (tls, "make_certificate"),
            "create": (Engine, "create"),
            "warm": (initialising, "warm"),
            "unlink": (Path, "unlink"),
        }[step]
        broken.setattr(*place, interrupted)
        assert run("init", data.path).code == 130
    done = run("init", data.path)
    if step == "unlink":  # the last step of all: the list is whole, its token is not known to anybody
        assert "member token NAME" in done.err
        token = token_in(run("member", "token", "steward", "--data", data.path).out)
        with ServerInside(Forum(data.path, {"steward": token})) as server:
            server.member("steward").create("acme", 1)
        return
    for words in (["init", data.path], ["serve", "--data", data.path], ["member", "list", "--data", data.path]):
        done = run(*words)
        assert done.code == 3
        assert "half made" in done.err
        assert f"rm -r {data.path}" in done.err
    shutil.rmtree(data.path)
    assert run("init", data.path).code == 0


def test_a_killed_init_is_noticed(tmp_path: Path) -> None:
    data = tmp_path / "data"
    words = [sys.executable, "-m", "hashpact_server", "init", str(data)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as making:
        assert making.stderr is not None
        assert making.stderr.readline() == "keys and certificates made\n"
        making.send_signal(signal.SIGKILL)
        assert making.wait() == -signal.SIGKILL
        assert making.stdout is not None
        assert making.stdout.read() == ""
    assert "half made" in command("serve", "--data", data, code=3).stderr


def test_members_by_the_command_line(run: Run, forum: Forum) -> None:
    added = run("member", "add", "beta", "--role", "review", "--role", "audit", "--group", "big", "--data", forum.data)
    token = token_in(added.out)
    assert added.out == f"{token}\n"
    again = run("member", "add", "beta", "--role", "check", "--data", forum.data)
    assert (again.code, again.out) == (3, "")
    assert "the name is taken" in again.err
    assert run("member", "add", "Beta!", "--role", "check", "--data", forum.data).code == 3
    assert run("member", "add", "gamma", "--role", "king", "--data", forum.data).code == 2
    assert run("member", "add", "gamma", "--data", forum.data).code == 2
    rows = [json.loads(line) for line in run("member", "list", "--json", "--data", forum.data).out.splitlines()]
    assert [row["name"] for row in rows] == ["acme", "alpha", "beta", "steward"]
    assert rows[2] == {"name": "beta", "roles": ["review", "audit"], "group": "big", "suspended": False, "tokens": 1}
    assert "alpha" in run("member", "list", "--data", forum.data).out


def test_a_lost_steward_token_is_replaced_and_the_lost_one_is_revoked(run: Run, forum: Forum) -> None:
    done = run("member", "token", "steward", "--revoke-others", "--data", forum.data)
    fresh = token_in(done.out)
    with ServerInside(Forum(forum.data, {**forum.tokens, "steward": fresh})) as server:
        with refused("TOKEN_INVALID"):
            server.bearer(forum.tokens["steward"]).create("late", 1)
        server.member("steward").create("late", 1)
    assert "no member has this name" in run("member", "token", "nobody", "--data", forum.data).err


def test_checks_of_a_whole_list(run: Run, forum: Forum) -> None:
    for verb in ("fsck", "replay-check"):
        done = run(verb, "--data", forum.data)
        assert (done.code, done.out) == (0, "")
        assert f"{verb}: clean" in done.err
        found = json.loads(run(verb, "--json", "--data", forum.data).out)
        assert found["ok"]
        assert found["problems"] == []
        assert found["entries"] == 7


def test_checks_of_a_damaged_list_end_with_3(run: Run, forum: Forum, monkeypatch: pytest.MonkeyPatch) -> None:
    from hashpact_server.core import open_store  # noqa: PLC0415 - only here
    from hashpact_server.ledger.embedded import PUBLIC  # noqa: PLC0415 - as above

    store: Store = open_store(forum.data)
    tx = store.write()
    key, value = next(iter(tx.scan(PUBLIC)))
    tx.put(PUBLIC, key, value[:-1] + bytes([value[-1] ^ 1]))
    store.commit(tx)
    store.close()
    done = run("fsck", "--data", forum.data)
    assert done.code == 3
    assert done.out.strip()
    (forum.data / "store" / "data.mdb").write_bytes(b"nonsense" * 1000)
    for verb in (["fsck"], ["replay-check"], ["member", "list"], ["serve", "--listen", "127.0.0.1:0"]):
        done = run(*verb, "--data", forum.data)
        assert done.code == 3
        assert "cannot open the store" in done.err + done.out or "store" in done.err
    monkeypatch.undo()


def findings(done: Ran) -> dict[str, tuple[str, str]]:
    rows = [json.loads(line) for line in done.out.splitlines()]
    return {row["topic"]: (row["verdict"], row["text"]) for row in rows}


def test_doctor_finds_a_whole_directory_well(run: Run, forum: Forum) -> None:
    forum.configure('listen = "127.0.0.1:0"\n')
    done = run("doctor", "--json", "--data", forum.data)
    found = findings(done)
    assert {verdict for verdict, _ in found.values()} <= {"fine", "warn"}, found
    assert done.code == 0
    assert set(found) == {
        "versions", "directory", "settings", "permissions", "disk", "clock", "limits", "kernels", "certificate",
        "lock", "port",
    }  # fmt: skip
    assert "fine  certificate  good for" in run("doctor", "--data", forum.data).out


def test_doctor_finds_what_is_wrong(run: Run, forum: Forum, inside: ServerInside, made_forum: Forum) -> None:
    assert "no directory" in findings(run("doctor", "--json", "--data", forum.data / "none"))["directory"][1]
    del inside
    other = forum.data
    (other / "server.key").chmod(0o644)
    (other / "config.toml").write_text("colour = 1\n")
    (other / "server.pem").write_text("nonsense")
    os.utime(other / "layout", (2**33, 2**33))
    done = run("doctor", "--json", "--data", other)
    assert done.code == 3
    found = findings(done)
    assert {topic for topic, (verdict, _) in found.items() if verdict == "bad"} == {
        "permissions", "settings", "certificate", "clock",
    }  # fmt: skip
    assert f"chmod go= {other}/server.key" in found["permissions"][1]
    assert found["lock"] == ("fine", f"in use by process {os.getpid()}")
    del made_forum


def test_doctor_finds_a_taken_port(run: Run, made_forum: Forum, inside: ServerInside, tmp_path: Path) -> None:
    other = made_forum.copy(tmp_path / "other")
    other.configure(f'listen = "{inside.address}"\n')
    found = findings(run("doctor", "--json", "--data", other.data))
    assert found["port"] == ("bad", f"{inside.address} cannot be listened at: Address already in use")


def test_doctor_asks_the_running_server(run: Run, server: ServerProcess) -> None:
    target = str(server.address)
    done = run("doctor", "--json", "--data", server.forum.data, "--target", target)
    assert findings(done)["health"] == ("fine", f"{target} serves")
    assert done.code == 0
    assert server.stop() == 0
    done = run("doctor", "--json", "--data", server.forum.data, "--target", target)
    assert findings(done)["health"][0] == "bad"
    assert done.code == 3


def test_version_help_and_wrong_words(run: Run) -> None:
    assert run("--version").out == f"hashpact-server {versions.own()}\n"
    verbs = ["init", "serve", "member", "fsck", "replay-check", "doctor", "renew-certificate"]
    told = run("--help").out
    assert all(re.search(rf"\b{verb}\b", told) for verb in verbs)
    for words in (*([verb] for verb in verbs), *(["member", verb] for verb in ("add", "list", "token"))):
        done = run(*words, "--help")
        assert done.code == 0
        assert done.out.count("\n") > 5
    assert run("frobnicate").code == 2
    assert run("serve").code == 2


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--listen", "nonsense"], 2, "--listen: 'nonsense' is not of the shape"),
        (["--listen", "127.0.0.1:0", "--metrics", "x:y"], 2, "--metrics"),
        (["--log-level", "loud"], 2, "log_level"),
        (["--listen", "unix:/nowhere/at/all"], 3, "cannot listen on unix:/nowhere/at/all"),
    ],
)
def test_serve_says_which_option_is_wrong(forum: Forum, words: list[str], code: int, said: str) -> None:
    done = command("serve", "--data", forum.data, *words, code=code)
    assert said in done.stderr
    assert "Traceback" not in done.stderr
