"""Runs the application: uvicorn on uvloop where it is installed, with the guarded protocol and no extras."""

import gc
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Literal

import uvicorn
from starlette.types import ASGIApp

from edgerouter.server.gate import Gate, uncounted
from edgerouter.server.limits import Limits
from edgerouter.server.protocol import guarded

DRAIN = 30  # seconds that answers under way get after SIGTERM
BACKLOG = 2048
_BESIDE_DRAIN = 1


@dataclass(frozen=True, slots=True)
class Beside:
    """A second application in the same process and loop, on a socket of its own; it ends with the first."""

    app: ASGIApp
    listener: socket.socket
    limits: Limits


def serve(
    app: ASGIApp,
    *,
    host: str,
    port: int,
    limits: Limits | None = None,
    refused: Callable[[str], None] = uncounted,
    ready: Callable[[str], None] | None = None,
    beside: Beside | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT, then drain; a second SIGINT ends at once.

    `ready` is called with the base URL when connections are accepted; port 0 takes any free port. Raises
    OSError when the address cannot be had, SystemExit when the application does not start."""
    with listen(host, port) as listener:
        config = uvicorn_config(app, Gate(limits or Limits(), refused))
        server = _Server(config, ready or announce, _Second(beside) if beside else None)
        server.run(sockets=[listener])


def announce(url: str) -> None:
    """The one line that says where we are."""
    print(f"listening on {url}", file=sys.stderr, flush=True)


def listen(host: str, port: int) -> socket.socket:
    """A bound socket, so that its port is known before anything runs."""
    family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    return socket.create_server(address[:2], family=family, backlog=BACKLOG)


def url_of(listener: socket.socket) -> str:
    """The base URL of a listening TCP socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def uvicorn_config(
    app: ASGIApp, gate: Gate, *, lifespan: Literal["on", "off"] = "on", drain: int = DRAIN
) -> uvicorn.Config:
    """uvicorn with everything off that would look at, add to, or log a request."""
    return uvicorn.Config(
        app,
        http=guarded(gate),
        ws="none",
        lifespan=lifespan,
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=drain,
    )


class _Second(uvicorn.Server):
    """Driven by the first: it has no loop, no signals and no lifespan of its own."""

    def __init__(self, beside: Beside) -> None:
        gate = Gate(beside.limits, uncounted)  # who may come here is no stranger
        super().__init__(uvicorn_config(beside.app, gate, lifespan="off", drain=_BESIDE_DRAIN))
        self._listener = beside.listener

    async def begin(self) -> None:
        self.config.load()
        self.lifespan = self.config.lifespan_class(self.config)
        await self.startup(sockets=[self._listener])

    async def end(self) -> None:
        if self.started:
            await self.shutdown(sockets=[self._listener])


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: Callable[[str], None], second: _Second | None) -> None:
        super().__init__(config)
        self._ready = ready
        self._second = second

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and sockets:
            if self._second:
                await self._second.begin()
            # What is loaded by now stays: the collector need not look at it again and again.
            gc.collect()
            gc.freeze()
            self._ready(url_of(sockets[0]))

    async def on_tick(self, counter: int) -> bool:
        if self._second:
            await self._second.on_tick(counter)  # it keeps the Date field right
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._second:
            await self._second.end()  # before the lifespan closes what it works on
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        # uvicorn would raise the signal again after the drain, and the process would seem to be killed.
        self.force_exit = self.should_exit
        self.should_exit = True
