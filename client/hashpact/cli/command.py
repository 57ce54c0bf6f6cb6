"""What every command has in common: the options that say where the service is, errors in words, exit codes."""

from __future__ import annotations

import functools
import inspect
import os
import signal
import sys
from collections.abc import Callable
from typing import Annotated, Any, Final

import typer

from hashpact.cli.exits import Exit, exit_of
from hashpact.cli.output import error_dict, json_line, note
from hashpact.cli.settings import Options, load_settings
from hashpact.errors import HashpactError

Command = Callable[..., Exit | None]

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object per line, for programs.")]

_SERVICE_OPTIONS: Final[dict[str, tuple[Any, Any]]] = {
    "target": (
        Annotated[
            str | None,
            typer.Option(
                "--target",
                metavar="HOST:PORT",
                help="Where the service is, or unix:/path. Else HASHPACT_TARGET, else the configuration file.",
            ),
        ],
        None,
    ),
    "ca": (
        Annotated[
            str | None,
            typer.Option(
                "--ca",
                metavar="FILE",
                help="Certificate authority of the service (PEM). Else HASHPACT_CA, else the system's.",
            ),
        ],
        None,
    ),
    "token_file": (
        Annotated[
            str | None,
            typer.Option(
                "--token-file",
                metavar="FILE",
                help="File that holds your token. Else HASHPACT_TOKEN. There is no --token: other users of this "
                "machine could read it.",
            ),
        ],
        None,
    ),
    "plaintext": (
        Annotated[
            bool | None,
            typer.Option("--plaintext/--tls", help="Without TLS, to this machine only.", show_default="TLS"),
        ],
        None,
    ),
    "timeout_s": (
        Annotated[
            float | None,
            typer.Option("--timeout", metavar="SECONDS", min=0.001, help="Deadline of each call.", show_default="10"),
        ],
        None,
    ),
}


def local(function: Command) -> Callable[..., None]:
    """A command that asks no service. Turns what it raises into words and an exit code."""

    @functools.wraps(function)
    def run(**arguments: Any) -> None:
        _finish(lambda: function(**arguments), as_json=bool(arguments.get("as_json")))

    return _with_signature(run, list(inspect.signature(function, eval_str=True).parameters.values()))


def service(function: Command) -> Callable[..., None]:
    """A command that asks the service: its first parameter is the settings, in place of which the options stand."""
    parameters = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
    keyword_only = inspect.Parameter.KEYWORD_ONLY
    options = [
        inspect.Parameter(name, keyword_only, default=default, annotation=annotation)
        for name, (annotation, default) in _SERVICE_OPTIONS.items()
    ]

    @functools.wraps(function)
    def run(**arguments: Any) -> None:
        options = Options(**{name: arguments.pop(name) for name in _SERVICE_OPTIONS})
        _finish(lambda: function(load_settings(options), **arguments), as_json=bool(arguments.get("as_json")))

    return _with_signature(run, [*parameters, *options])


def _with_signature(run: Callable[..., None], parameters: list[inspect.Parameter]) -> Callable[..., None]:
    """Show typer these parameters, with annotations that are objects already."""
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # documented by inspect
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    return run


def _finish(body: Callable[[], Exit | None], *, as_json: bool) -> None:
    """Run a command and leave with its exit code."""
    try:
        code = body() or Exit.OK
        sys.stdout.flush()
    except HashpactError as error:
        report(error, as_json=as_json)
        code = exit_of(error)
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # A second one could only break off the tidying up.
        code = Exit.INTERRUPTED
    except BrokenPipeError:
        # Whatever is still buffered goes nowhere; without this Python complains while it shuts down.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = Exit.BROKEN_PIPE
    raise typer.Exit(int(code))


def report(error: HashpactError, *, as_json: bool, **about: Any) -> None:
    """Say what went wrong: on stderr, and for programs as an object on stdout."""
    if as_json:
        json_line({**about, "error": error_dict(error)})
    else:
        note(error.message)
