"""``hashpact doctor``: does everything work, from a picture here to an answer of the list?"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from hashpact._target import is_local, load_ca, require_target, require_token
from hashpact.cli.command import AsJson, service
from hashpact.cli.commands.about import replica_words
from hashpact.cli.exits import Exit, exit_of, strongest
from hashpact.cli.output import error_dict, json_line, say
from hashpact.cli.settings import Settings
from hashpact.errors import ConfigError, HashpactError, NotAllowedError

if TYPE_CHECKING:
    from hashpact.client import Client
    from hashpact.membership import Capabilities

SKEW_S_MAX: Final = 60.0
"""How far the clocks may be apart: webhooks and contributions are refused from 300 seconds on."""


@service
def doctor_command(
    settings: Settings,
    *,
    sidecar: Annotated[
        str,
        typer.Option(
            "--sidecar",
            metavar="URL",
            help="Ask this sidecar too: http://127.0.0.1:PORT or unix:/path. Its secret: HASHPACT_SIDECAR_SECRET.",
        ),
    ] = "",
    as_json: AsJson = False,
) -> Exit:
    """Prove that everything works: settings, connection, token, rights, hashing, and look-ups of the canaries."""
    view = _View(as_json=as_json)
    view.look("version", _version)
    if _can_hash():
        view.look("hashing", _hashing)
    if settings.target or not sidecar:
        _examine_service(settings, view)
    if sidecar:
        _examine_sidecar(sidecar, view)
    return view.code


class _View:
    """Looks, and shows what was found."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self.code = Exit.OK

    def look(self, name: str, what: Callable[[], str]) -> bool:
        """Whether it is as it should be."""
        found, error = "", None
        try:
            found = what()
        except HashpactError as raised:
            error = raised
        unproven = error is not None and error.reason == "CANARIES_NOT_LISTED"
        if error is not None and not unproven:
            self.code = strongest(self.code, exit_of(error))
        if self._as_json:
            state = "warn" if unproven else "ok" if error is None else "failed"
            told = None if error is None else error_dict(error)
            json_line({"step": name, "state": state, "found": found or None, "error": told})
        else:
            mark = "warn" if unproven else "ok  " if error is None else "FAIL"
            say(f"{mark}  {name}: {error.message if error else found}")
        return error is None


def _examine_service(settings: Settings, view: _View) -> None:
    def origin(name: str) -> str:
        return f"from {settings.origins[name]}" if name in settings.origins else "by default"

    fine = view.look("target", lambda: f"{require_target(settings.target)} ({origin('target')})")
    fine &= view.look("token", lambda: _token(settings, origin("token")))
    fine &= view.look("encryption", lambda: _encryption(settings, origin("ca")))
    if not fine:
        return
    with settings.client() as client:
        answers: list[Any] = []
        if not view.look("service", lambda: _service(client, answers)):
            return
        found, skew = answers
        view.look("clock", lambda: _clock(skew))
        view.look("rights", lambda: _rights(found))
        if "check" in found.caller_roles:
            _prove(view, client)


def _prove(view: _View, client: Client) -> None:
    from hashpact.canary import proof  # noqa: PLC0415  # as late as the client

    if view.look("canaries", lambda: proof.prove_list(client)) and _can_hash():
        view.look("altered copy", lambda: proof.prove_copy(proof.checking(client)))
        view.look("unlisted picture", lambda: proof.prove_unlisted(proof.checking(client)))


def _examine_sidecar(url: str, view: _View) -> None:
    from hashpact.canary import proof  # noqa: PLC0415  # as late as the client
    from hashpact.canary.sidecar import Sidecar  # noqa: PLC0415  # as above

    made: list[Sidecar] = []

    def reach() -> str:
        made.append(Sidecar(url, os.environ.get("HASHPACT_SIDECAR_SECRET", "").strip()))
        return made[0].ready()

    if view.look("sidecar", reach) and view.look("sidecar canary", lambda: proof.prove_match(made[0].check)):
        if _can_hash():
            view.look("sidecar altered copy", lambda: proof.prove_copy(made[0].check))
        view.look("sidecar unlisted picture", lambda: proof.prove_unlisted(made[0].check))


def _can_hash() -> bool:
    return all(find_spec(name) for name in ("PIL", "numpy", "imagehash"))


def _version() -> str:
    hashing = "installed" if _can_hash() else "not installed: no hash, check, contribute"
    return f"{version('hashpact')}, hashing {hashing}"


def _hashing() -> str:
    from hashpact.canary.proof import prove_hashing  # noqa: PLC0415  # as late as the client

    return prove_hashing()


def _token(settings: Settings, origin: str) -> str:
    if not require_token(settings.token):
        raise NotAllowedError("there is no token: set HASHPACT_TOKEN, or give --token-file", reason="TOKEN_MISSING")
    return f"there is one ({origin})"


def _encryption(settings: Settings, origin: str) -> str:
    if settings.plaintext:
        if not is_local(settings.target):
            raise ConfigError("plaintext is for this machine only", reason="PLAINTEXT_REFUSED")
        return "none, this machine only"
    load_ca(settings.ca)
    return f"TLS, trusting {settings.ca} ({origin})" if settings.ca else "TLS, trusting what the system trusts"


def _service(client: Client, answers: list[Any]) -> str:
    before = datetime.now(UTC)
    found = client.capabilities()
    after = datetime.now(UTC)
    answers += [found, None if found.server_time is None else _skew(found.server_time, before, after)]
    ours = version("hashpact")
    same = "the same as here" if found.server_version == ours else f"{ours} here"
    replica = "" if found.replica is None else f"; {replica_words(found.replica)}"
    return f"answers, version {found.server_version} ({same}){replica}; you are {found.caller}"


def _skew(there: datetime, before: datetime, after: datetime) -> timedelta:
    """How far the server's clock is off at least: it was read at some time between two looks at ours."""
    if there < before:
        return there - before
    return there - after if there > after else timedelta(0)


def _clock(skew: timedelta | None) -> str:
    if skew is None:
        return "the server does not tell its time: it is older than this program"
    seconds = skew.total_seconds()
    if abs(seconds) > SKEW_S_MAX:
        raise ConfigError(
            f"this machine's clock is {abs(seconds):,.0f} s {'behind' if seconds > 0 else 'ahead of'} the server's: "
            "set both by NTP",
            reason="CLOCK_SKEW",
        )
    return "agrees with the server's"


def _rights(found: Capabilities) -> str:
    roles = ", ".join(found.caller_roles) or "no roles"
    return roles if "check" in found.caller_roles else f"{roles}; without check no look-ups, so none is proved"
