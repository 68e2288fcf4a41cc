"""The cache of a configuration: through the admin listener of the router that runs over it, or, when none
does, by opening its directory. Which of the two is told."""

import asyncio
import http.client
import json
import socket
from collections.abc import Callable, Coroutine
from typing import Any, Protocol
from urllib.parse import urlencode

from edgerouter.config import AdminListener, Config, SecretMissing

Document = dict[str, Any]
Tell = Callable[[Document], None]
_CONNECT = 10.0  # seconds
_SILENCE = 120.0  # seconds beyond what the router was told it may wait
_READING = frozenset({"stats", "ls", "pins"})


class Unreachable(Exception):
    """Neither way leads to the cache, or the router refused; the text is for the operator."""


class Reached(Protocol):
    """A way to the cache."""

    where: str

    def call(self, command: str, arguments: Document, tell: Tell) -> Document:
        """What came of a command; `tell` hears how far it is. Raises Unreachable."""


def reach(config: Config) -> Reached:
    """Whichever way there is. Raises Unreachable."""
    if not config.cache.size:
        raise Unreachable("This configuration has no cache: cache.size is 0 B.")
    way = config.admin
    if way is not None:
        try:
            _connection(way).close()
        except OSError:  # nobody listens there: the lock will tell whether a router runs
            pass
        else:
            return _Running(way)
    return _Stopped(config)


class _Running:
    def __init__(self, way: AdminListener) -> None:
        self._way = way
        self.where = f"asking the running router at {way.socket or f'{way.host} port {way.port}'}"

    def call(self, command: str, arguments: Document, tell: Tell) -> Document:
        try:
            connection = _connection(self._way)
            connection.sock.settimeout(_SILENCE + arguments.get("wait", 0.0))
            try:
                connection.request(*_request(command, arguments), headers=self._fields())
                return _answered(connection.getresponse(), tell)
            finally:
                connection.close()
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Unreachable(f"The router broke off its answer: {type(error).__name__}.") from error
        except SecretMissing as error:
            raise Unreachable(f"server.admin: {error}") from error

    def _fields(self) -> dict[str, str]:
        fields = {"Content-Type": "application/json"}
        if self._way.token is not None:
            fields["Authorization"] = f"Bearer {self._way.token.reveal()}"
        return fields


class _Stopped:
    def __init__(self, config: Config) -> None:
        self._config = config
        self.where = f"no router runs: opening {config.cache.path}"

    def call(self, command: str, arguments: Document, tell: Tell) -> Document:
        # Only here is needed what the router itself imports.
        from edgerouter.cache.commands import Refused
        from edgerouter.cache.commands import command as checked
        from edgerouter.cache.folder import FolderError
        from edgerouter.cache.operations import Operations
        from edgerouter.fittings import open_cache

        async def run() -> Document:
            async with asyncio.TaskGroup() as tasks:

                def start(coro: Coroutine[Any, Any, None], *, name: str) -> object:
                    return tasks.create_task(coro, name=name)

                cache = await open_cache(self._config, start)
                try:
                    operations = Operations(cache, tuple(self._config.upstreams))
                    return await operations.run(checked(command, arguments), tell)
                finally:
                    await cache.close()

        if not (self._config.cache.path / "format").exists():
            raise Unreachable(f"There is no cache in {self._config.cache.path} yet.")
        try:
            return asyncio.run(run())
        except* FolderError as errors:
            said = str(errors.exceptions[0])
            hint = " If by a router, its admin listener does not answer." if "is in use" in said else ""
            raise Unreachable(said + hint) from None
        except* Refused as errors:
            raise Unreachable(str(errors.exceptions[0])) from None


def _connection(way: AdminListener) -> http.client.HTTPConnection:
    """A connection that stands. Raises OSError."""
    if way.socket is not None:
        from edgerouter.server.unix import connected

        made = http.client.HTTPConnection("localhost")
        made.sock = connected(way.socket)
        return made
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(way.host, way.host)
    made = http.client.HTTPConnection(host, way.port, timeout=_CONNECT)
    made.sock = socket.create_connection((host, way.port), _CONNECT)
    return made


def _request(command: str, arguments: Document) -> tuple[str, str, bytes | None]:
    given = {name: value for name, value in arguments.items() if value is not None}
    if command not in _READING:
        return "POST", f"/cache/{command}", json.dumps(given).encode()
    texts = {name: str(value).lower() if isinstance(value, bool) else value for name, value in given.items()}
    return "GET", f"/cache/{command}" + (f"?{urlencode(texts)}" if texts else ""), None


def _answered(response: http.client.HTTPResponse, tell: Tell) -> Document:
    """Raises Unreachable for a refusal, ValueError for what is no answer or has no end."""
    if response.status != 200:
        raise Unreachable(str(json.loads(response.read()).get("detail", f"status {response.status}")))
    if response.getheader("Content-Type") == "application/json":
        document: Document = json.loads(response.read())
        return document
    while line := response.readline():
        told = json.loads(line)
        if "refused" in told:
            raise Unreachable(told["refused"])
        if "result" in told:
            result: Document = told["result"]
            return result
        tell(told["progress"])
    raise ValueError("The answer ended without a result.")
