"""What an operator has to put right: said in one sentence, ends a command with its exit code, never a traceback."""

from __future__ import annotations

from hashpact.errors import HashpactError


class Trouble(HashpactError):  # noqa: N818 - what an operator has, rather than what Python raises
    """A command or the server cannot go on until an operator does what the message says."""

    reason = "TROUBLE"
