"""``hashpact capabilities``, ``hashpact doctor`` and ``hashpact version``: what is there, and does it work?"""

from __future__ import annotations

from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

from hashpact._target import is_local, load_ca, require_target, require_token
from hashpact.cli.command import AsJson, local, service
from hashpact.cli.exits import Exit, exit_of, strongest
from hashpact.cli.output import json_line, say, table
from hashpact.cli.settings import Settings
from hashpact.errors import ConfigError, HashpactError, NotAllowedError
from hashpact.membership import ReplicaStatus


@service
def capabilities_command(settings: Settings, *, as_json: AsJson = False) -> None:
    """Show signal types, limits and versions of the service, and who you are to it."""
    with settings.client() as client:
        found = client.capabilities()
    if as_json:
        json_line(found.to_dict())
        return
    say(f"server {found.server_version}, list {found.ledger_id}")
    if found.replica is not None:
        say(_replica(found.replica))
    say(f"you are {found.caller}, with {', '.join(found.caller_roles) or 'no roles'}")
    table(
        ("signal type", "bytes#", "compared by", "radius#", "radius at most#", "identifies", "quality from#"),
        [
            (
                kind.name,
                kind.size_bytes,
                "equality" if kind.exact else "distance",
                kind.radius_default,
                kind.radius_max,
                "yes" if kind.identifies else "no",
                kind.quality_min,
            )
            for kind in found.signal_types
        ],
    )
    limits = found.to_dict()["limits"]
    table(("limit", "value#"), [(name, f"{value:,}") for name, value in limits.items()])


@service
def doctor_command(settings: Settings, *, as_json: AsJson = False) -> Exit:
    """Look for what stands in the way: settings, certificates, connection, token, rights."""
    steps = _examine(settings)
    code = Exit.OK
    for step in steps:
        error = step.get("error")
        code = strongest(code, exit_of(error) if isinstance(error, HashpactError) else Exit.OK)
        if as_json:
            json_line({**step, "error": None if error is None else {"reason": error.reason, "message": error.message}})
        else:
            say(f"{'ok  ' if error is None else 'FAIL'}  {step['step']}: {error.message if error else step['found']}")
    return code


def _examine(settings: Settings) -> list[dict[str, Any]]:
    """Look at one thing after the other, as far as it goes."""
    steps: list[dict[str, Any]] = []

    def look(name: str, what: Any) -> bool:
        try:
            steps.append({"step": name, "found": what(), "error": None})
        except HashpactError as error:
            steps.append({"step": name, "found": None, "error": error})
        return steps[-1]["error"] is None

    def origin(name: str) -> str:
        return f"from {settings.origins[name]}" if name in settings.origins else "by default"

    hashing = "installed" if find_spec("PIL") and find_spec("numpy") else "not installed: no hash, check, contribute"
    look("version", lambda: f"{version('hashpact')}, hashing {hashing}")
    fine = look("target", lambda: f"{require_target(settings.target)} ({origin('target')})")
    fine &= look("token", lambda: _token(settings, origin("token")))
    fine &= look("encryption", lambda: _encryption(settings, origin("ca")))
    if fine:
        look("service", lambda: _service(settings))
    return steps


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


def _service(settings: Settings) -> str:
    with settings.client() as client:
        found = client.capabilities()
    roles = ", ".join(found.caller_roles) or "no roles"
    replica = "" if found.replica is None else f"; {_replica(found.replica)}"
    return f"answers, version {found.server_version}{replica}; you are {found.caller}, with {roles}"


def _replica(status: ReplicaStatus) -> str:
    how = "connected" if status.connected else "cut off from its upstream"
    return f"a replica, {how}, {status.lag_entries} entries and at most {status.lag_s:.0f} s behind"


@local
def version_command(*, as_json: AsJson = False) -> None:
    """Show the version of this program."""
    if as_json:
        json_line({"version": version("hashpact")})
    else:
        say(f"hashpact {version('hashpact')}")
