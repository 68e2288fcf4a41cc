"""Runs the application: uvicorn on uvloop where it is installed, with the guarded protocol and no extras."""

import socket
import sys
from collections.abc import Callable
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from edgerouter.server.gate import Gate, uncounted
from edgerouter.server.limits import Limits
from edgerouter.server.protocol import guarded

DRAIN = 30  # seconds that answers under way get after SIGTERM
BACKLOG = 2048


def serve(
    app: ASGIApp,
    *,
    host: str,
    port: int,
    limits: Limits | None = None,
    refused: Callable[[str], None] = uncounted,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, then drain; a second SIGINT ends at once.

    `ready` is called with the base URL when connections are accepted; port 0 takes any free port. Raises
    OSError when the address cannot be had, SystemExit when the application does not start."""
    with listen(host, port) as listener:
        server = _Server(uvicorn_config(app, Gate(limits or Limits(), refused)), ready or announce)
        server.run(sockets=[listener])


def announce(url: str) -> None:
    """The one line that says where we are."""
    print(f"listening on {url}", file=sys.stderr, flush=True)


def listen(host: str, port: int) -> socket.socket:
    """A bound socket, so that its port is known before anything runs."""
    family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    return socket.create_server(address[:2], family=family, backlog=BACKLOG)


def uvicorn_config(app: ASGIApp, gate: Gate) -> uvicorn.Config:
    """uvicorn with everything off that would look at, add to, or log a request."""
    return uvicorn.Config(
        app,
        http=guarded(gate),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=DRAIN,
    )


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[str], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and sockets:
            host, port = sockets[0].getsockname()[:2]
            self._ready(f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}")

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # uvicorn would raise the signal again after the drain, and the process would seem to be killed.
        self.force_exit = self.should_exit
        self.should_exit = True
