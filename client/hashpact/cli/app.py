"""The command line as typer sees it: names, help, and where each command lives."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from hashpact.cli.commands import (
    about,
    amend,
    arranging,
    canary,
    challenge,
    check,
    contribute,
    dispute,
    doctor,
    explaining,
    exporting,
    governing,
    hashing,
    importing,
    incident,
    incident_debrief,
    incident_watch,
    items,
    member,
    member_record,
    opinion,
    pending,
    policy,
    rulebook,
    safeguards,
    sidecar,
    statistics,
    watch,
)
from hashpact.cli.exits import Exit
from hashpact.cli.output import note

app = typer.Typer(
    name="hashpact",
    help="Find known terrorist media without passing media around.",
    epilog=(
        "Exit codes: 0 fine and no match, 10 fine and something matched, 2 usage, 3 some input failed, "
        "4 not allowed, 5 service unreachable."
    ),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
members = typer.Typer(help="Members and their tokens.", no_args_is_help=True)
pendings = typer.Typer(help="What waits for a colleague, where contributions take four eyes.", no_args_is_help=True)
incidents = typer.Typer(help="Hours in which what is listed must reach everybody at once.", no_args_is_help=True)
policies = typer.Typer(help="What your member wants to be advised.", no_args_is_help=True)
alerts = typer.Typer(help="What stewards have to look at.", no_args_is_help=True)
benign = typer.Typer(help="Known good media, which are not to be listed.", no_args_is_help=True)
opinions = typer.Typer(help="What members think of what others listed.", no_args_is_help=True)
disputes = typer.Typer(help="Items that members who are not involved decide about.", no_args_is_help=True)
challenges = typer.Typer(help="People outside the forum who say that an item is wrong.", no_args_is_help=True)
stewards = typer.Typer(help="What stewards do: motions, limits, and what waits for them.", no_args_is_help=True)
rulebooks = typer.Typer(help="The taxonomy and the policy, in all their versions.", no_args_is_help=True)
canaries = typer.Typer(help="Harmless pictures with a known answer.", no_args_is_help=True)

app.command("hash")(hashing.hash_command)
app.command("check")(check.check_command)
app.command("explain")(explaining.explain_command)
app.command("contribute")(contribute.contribute_command)
app.command("amend")(amend.amend_command)
app.command("withdraw")(contribute.withdraw_command)
app.command("detach")(arranging.detach_command)
app.command("merge")(arranging.merge_command)
app.command("import")(importing.import_command)
app.command("export")(exporting.export_command)
app.command("item")(items.item_command)
app.command("items")(items.items_command)
app.command("statistics")(statistics.statistics_command)
app.command("watch")(watch.watch_command)
members.command("add")(member.add_command)
members.command("list")(member.list_command)
members.command("show")(member_record.show_command)
members.command("amend")(member_record.amend_command)
members.command("confirm")(member_record.confirm_command)
members.command("leave")(member_record.leave_command)
members.command("suspend")(member.suspend_command)
members.command("resume")(member.resume_command)
members.command("token")(member.token_command)
members.command("revoke")(member.revoke_command)
app.add_typer(members, name="member")
pendings.command("list")(pending.list_command)
pendings.command("approve")(pending.approve_command)
pendings.command("reject")(pending.reject_command)
app.add_typer(pendings, name="pending")
policies.command("show")(policy.show_command)
policies.command("set")(policy.set_command)
app.add_typer(policies, name="policy")
alerts.command("list")(safeguards.alerts_command)
alerts.command("ack")(safeguards.acknowledge_command)
app.add_typer(alerts, name="alert")
benign.command("list")(safeguards.benign_list_command)
benign.command("add")(safeguards.benign_add_command)
benign.command("remove")(safeguards.benign_remove_command)
app.add_typer(benign, name="benign")
app.command("trace")(safeguards.trace_command)
opinions.command("give")(opinion.give_command)
opinions.command("revoke")(opinion.revoke_command)
opinions.command("list")(opinion.list_command)
app.add_typer(opinions, name="opinion")
disputes.command("open")(dispute.open_command)
disputes.command("vote")(dispute.vote_command)
disputes.command("list")(dispute.list_command)
app.add_typer(disputes, name="dispute")
challenges.command("lodge")(challenge.lodge_command)
challenges.command("answer")(challenge.answer_command)
challenges.command("list")(challenge.list_command)
challenges.command("counts")(challenge.counts_command)
app.add_typer(challenges, name="challenge")
stewards.command("digest")(governing.digest_command)
stewards.command("motions")(governing.motions_command)
stewards.command("propose")(governing.propose_command)
stewards.command("second")(governing.second_command)
stewards.command("withdraw")(governing.withdraw_command)
stewards.command("limit")(governing.limit_command)
stewards.command("lift")(governing.lift_command)
stewards.command("redact")(governing.redact_command)
stewards.command("rollbacks")(governing.rollbacks_command)
app.add_typer(stewards, name="steward")
app.command("rollback")(governing.rollback_command)
rulebooks.command("show")(rulebook.show_command)
rulebooks.command("versions")(rulebook.versions_command)
rulebooks.command("adopt")(rulebook.adopt_command)
app.add_typer(rulebooks, name="rulebook")
app.command("sidecar")(sidecar.sidecar_command)
canaries.command("write")(canary.write_command)
canaries.command("list")(canary.list_command)
app.add_typer(canaries, name="canary")
incidents.command("open")(incident.open_command)
incidents.command("support")(incident.support_command)
incidents.command("close")(incident.close_command)
incidents.command("list")(incident.list_command)
incidents.command("ack")(incident.ack_command)
incidents.command("watch")(incident_watch.watch_command)
incidents.command("debrief")(incident_debrief.debrief_command)
app.add_typer(incidents, name="incident")
app.command("capabilities")(about.capabilities_command)
app.command("doctor")(doctor.doctor_command)
app.command("version")(about.version_command)


def _version(asked: bool) -> None:  # typer's callback
    if asked:
        about.version_command(as_json=False)


@app.callback()
def _common(
    *,
    version: Annotated[  # its callback acts
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


def run() -> None:
    """Run the command line with the process's arguments."""
    try:
        app(prog_name="hashpact")
    except Exception as error:  # the last resort: a fault of ours, told without a traceback
        if os.environ.get("HASHPACT_DEBUG"):
            raise
        note(
            f"a fault in this program ({type(error).__name__}): please report it, with what "
            "HASHPACT_DEBUG=1 shows for the same command"
        )
        sys.exit(Exit.FAULT)
