"""``hashpact-server``: make, serve and look after a list.

Exit codes: 0 fine; 2 a wrong option or setting; 3 it could not be done, or a check found something wrong; 70 our fault.
Every verb but ``serve`` works on the files and needs the server stopped; ``doctor`` works beside it too.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import Annotated, Final

import typer
from hashpact.errors import ConfigError, HashpactError

from hashpact_server import versions
from hashpact_server.cli import backup, checks, init, members, promote, renew, serve
from hashpact_server.cli.common import EXIT_FAILED, complain
from hashpact_server.logs import where
from hashpact_server.refusal import Refusal

EXIT_USAGE: Final = 2
EXIT_BUG: Final = 70
EXIT_INTERRUPTED: Final = 130

app = typer.Typer(
    name="hashpact-server",
    help="Holds a list of known terrorist media, and answers whether uploads are on it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("init")(init.init)
app.command("serve")(serve.serve)
app.add_typer(members.app, name="member")
app.command("fsck")(checks.fsck)
app.command("replay-check")(checks.replay_check)
app.command("doctor")(checks.doctor)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.command("promote")(promote.promote)
app.command("renew-certificate")(renew.renew_certificate)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"hashpact-server {versions.own()}")
        raise typer.Exit


@app.callback()
def options(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Options of the program as a whole."""
    del version


def main() -> None:
    """Run the command line; ends the process."""
    os.umask(0o077)  # whatever we make is for our own eyes
    try:
        app()
    except ConfigError as error:
        complain(error.message)
        sys.exit(EXIT_USAGE)
    except (HashpactError, Refusal) as error:
        complain(error.message)
        sys.exit(EXIT_FAILED)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
    except BrokenPipeError:
        # Who read our output has gone; say nothing more, also not while Python flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_FAILED)
    except OSError as error:
        what = f"{error.filename}: " if error.filename else ""
        complain(f"{what}{error.strerror or os.strerror(error.errno or errno.EIO)}")
        sys.exit(EXIT_FAILED)
    except Exception as error:
        if os.environ.get("HASHPACT_TRACEBACK"):
            raise
        lines = "\n".join(where(error))
        complain(f"our fault; please report these lines (HASHPACT_TRACEBACK=1 shows all, also data):\n{lines}")
        sys.exit(EXIT_BUG)
