"""``hashpact policy``: what this member wants to be advised."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from hashpact.advice import MemberPolicy, Use
from hashpact.cli.command import AsJson, service
from hashpact.cli.commands.check import parse_radii
from hashpact.cli.commands.contribute import DryRun
from hashpact.cli.output import json_line, say, table
from hashpact.cli.settings import Settings
from hashpact.cli.words import MODES, completing, one_of
from hashpact.errors import ConfigError


@service
def show_command(settings: Settings, *, as_json: AsJson = False) -> None:
    """Show what your member wants to be advised."""
    with settings.client() as client:
        _show(client.get_policy(), as_json=as_json)


@service
def set_command(
    settings: Settings,
    path: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="The policy as show --json prints it; - is stdin.")
    ] = None,
    *,
    mode: Annotated[
        str | None,
        typer.Option(
            "--mode",
            metavar="MODE",
            parser=one_of(MODES),
            autocompletion=completing(MODES),
            help="The strongest advice: observe, review or act.",
        ),
    ] = None,
    groups_min: Annotated[
        int | None,
        typer.Option("--groups-min", min=0, metavar="N", help="Groups that have to vouch before the advice is act."),
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option("--label", metavar="LABEL=MODE", help="Another mode for a label; LABEL= takes it away."),
    ] = None,
    use: Annotated[
        list[str] | None,
        typer.Option(
            "--use", metavar="NAME:...", help="A use, e.g. livestream:pdq=20,mode=observe; NAME: alone takes it away."
        ),
    ] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Change what your member wants to be advised: what you do not name stays as it is. Needs the role approve."""
    with settings.client() as client:
        policy = client.get_policy() if path is None else _read(path)
        if mode is not None:
            policy = replace(policy, mode=mode)
        if groups_min is not None:
            policy = replace(policy, groups_min=groups_min)
        policy = replace(policy, labels=_labels(policy, label or []), uses=_uses(policy, use or []))
        _show(client.set_policy(policy, validate_only=dry_run), as_json=as_json)


def _read(path: Path) -> MemberPolicy:
    try:
        said = json.loads(typer.get_text_stream("stdin").read() if str(path) == "-" else path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} is no policy: {error}") from error
    if not isinstance(said, dict):
        raise ConfigError(f"{path} is no policy: an object is expected, as policy show --json prints it")
    return MemberPolicy.from_dict(said)


def _labels(policy: MemberPolicy, texts: Sequence[str]) -> dict[str, str]:
    labels = dict(policy.labels)
    for text in texts:
        label, sign, mode = text.rpartition("=")
        if not sign or not label or (mode and mode not in MODES):
            raise ConfigError(f"--label is LABEL=MODE, with a mode of {', '.join(MODES)}; {text!r} is not")
        labels.pop(label, None)
        if mode:
            labels[label] = mode
    return labels


def _uses(policy: MemberPolicy, texts: Sequence[str]) -> dict[str, Use]:
    uses = dict(policy.uses)
    for text in texts:
        name, sign, rest = text.partition(":")
        if not sign or not name:
            raise ConfigError(f"--use is NAME:TYPE=BITS,mode=MODE; {text!r} is not")
        uses.pop(name, None)
        parts = [part for part in rest.split(",") if part]
        modes = [part.removeprefix("mode=") for part in parts if part.startswith("mode=")]
        if len(modes) > 1 or any(mode not in MODES for mode in modes):
            raise ConfigError(f"--use {name}: one mode of {', '.join(MODES)}")
        if parts:
            radii = parse_radii([part for part in parts if not part.startswith("mode=")], "--use")
            uses[name] = Use(radii, modes[0] if modes else "")
    return uses


def _show(policy: MemberPolicy, *, as_json: bool) -> None:
    if as_json:
        json_line(policy.to_dict())
        return
    say(f"advice up to: {policy.mode}" if policy.sequence else f"advice up to: {policy.mode} (no policy was set)")
    if policy.groups_min:
        say(f"act takes at least {policy.groups_min} groups that vouch")
    table(("label", "advice up to"), sorted(policy.labels.items()))
    table(
        ("use", "advice up to", "radii"),
        [
            (name, use.mode or policy.mode, ", ".join(f"{kind}={bits}" for kind, bits in sorted(use.radii.items())))
            for name, use in sorted(policy.uses.items())
        ],
    )
