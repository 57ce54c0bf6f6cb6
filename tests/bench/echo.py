"""An empty echo RPC: what gRPC itself costs. ``python -m tests.bench.echo DATA`` serves it with that certificate."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc

METHOD = "/bench.Echo/Echo"


def _echo(request: bytes, _context: grpc.ServicerContext) -> bytes:
    return request[:0]


def serve(data: Path) -> None:
    """Serve until standard input ends; the port is printed."""
    handler = grpc.method_handlers_generic_handler("bench.Echo", {"Echo": grpc.unary_unary_rpc_method_handler(_echo)})
    server = grpc.server(ThreadPoolExecutor(64), handlers=[handler], options=[("grpc.so_reuseport", 0)])
    pair = (data / "server.key").read_bytes(), (data / "server.pem").read_bytes()
    port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
    server.start()
    print(port, flush=True)
    threading.Thread(target=lambda: (sys.stdin.read(), server.stop(0)), daemon=True).start()
    server.wait_for_termination()


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
