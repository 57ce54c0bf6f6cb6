"""The member's command line, ``hashpact``."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run ``hashpact``; ends the process with one of the exit codes of :class:`hashpact.cli.exits.Exit`."""
    # gRPC's own log lines are for its developers; what went wrong is in our errors. Must be set before its import.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    try:
        from hashpact.cli.app import run  # noqa: PLC0415  # so that Ctrl-C while importing is quiet too

        run()
    except KeyboardInterrupt:
        sys.exit(130)
