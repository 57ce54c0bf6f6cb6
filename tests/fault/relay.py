"""A cable that can be cut: what replicas connect to in place of their upstream, which may move meanwhile."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Self

from hashpact_server.addresses import Address

PIECE_BYTES = 1 << 16


class Relay:
    """Passes connections on to a server; ends with the block.

    Attributes:
        address: where it listens.
        to: where the server is now; None: nobody is there, and connections are closed at once.
    """

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = Address("127.0.0.1", self._socket.getsockname()[1])
        self.to: Address | None = None
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def cut(self) -> None:
        """Break every connection that there is; new ones are passed on as before."""
        with self._lock:
            cut, self._open = self._open, set()
        for each in cut:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._socket.accept()
                thread = threading.Thread(target=self._pass_on, args=(near,))
                self._threads.append(thread)
                thread.start()

    def _pass_on(self, near: socket.socket) -> None:
        to = self.to
        with near, contextlib.suppress(OSError):
            if to is None:
                return
            with socket.create_connection((to.host, to.port)) as far:
                with self._lock:
                    self._open |= {near, far}
                back = threading.Thread(target=_copy, args=(far, near))
                back.start()
                _copy(near, far)
                back.join()
                with self._lock:
                    self._open -= {near, far}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.to = None
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._threads[0].join()
        self.cut()
        for thread in self._threads[1:]:
            thread.join()


def _copy(source: socket.socket, to: socket.socket) -> None:
    """Bytes until one of the two ends; then both end."""
    with contextlib.suppress(OSError):
        while data := source.recv(PIECE_BYTES):
            to.sendall(data)
    for each in (source, to):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
