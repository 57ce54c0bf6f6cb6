"""``hashpact capabilities`` and ``hashpact version``: what is there?"""

from __future__ import annotations

from importlib.metadata import version

from hashpact.cli.command import AsJson, local, service
from hashpact.cli.output import json_line, say, table
from hashpact.cli.settings import Settings
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
        say(replica_words(found.replica))
    say(f"you are {found.caller}, with {', '.join(found.caller_roles) or 'no roles'}")
    table(
        ("signal type", "bytes#", "compared by", "radius#", "radius at most#", "identifies", "quality from#"),
        [
            (
                kind.name,
                kind.size_bytes,
                kind.comparison or ("equality" if kind.exact else "distance"),
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


def replica_words(status: ReplicaStatus) -> str:
    """How far a replica is behind, for people."""
    how = "connected" if status.connected else "cut off from its upstream"
    return f"a replica, {how}, {status.lag_entries} entries and at most {status.lag_s:.0f} s behind"


@local
def version_command(*, as_json: AsJson = False) -> None:
    """Show the version of this program."""
    if as_json:
        json_line({"version": version("hashpact")})
    else:
        say(f"hashpact {version('hashpact')}")
