"""Telling the service manager how we are: systemd's notification protocol (sd_notify(3)), a datagram to a socket."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator


def notify(*states: str) -> bool:
    """Send states such as ``READY=1``; whether somebody listens. Never fails: a supervisor is a courtesy."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return False
    if address[0] == "@":  # an abstract socket: its name starts with a zero byte
        address = "\0" + address[1:]
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
        out.connect(address)
        out.sendall("\n".join(states).encode())
        return True
    return False


@contextlib.contextmanager
def starting(every_s: float = 20.0) -> Iterator[None]:
    """While the block runs, ask the manager for more time to start: a large list takes a while to be read."""
    done = threading.Event()

    def ask() -> None:
        while notify(f"EXTEND_TIMEOUT_USEC={round(3e6 * every_s)}") and not done.wait(every_s):
            pass

    thread = threading.Thread(target=ask, name="hashpact-starting", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
