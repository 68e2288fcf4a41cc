"""The cache's operations over HTTP, for the admin listener only: /cache/COMMAND.

What only reads is GET with parameters; what changes something is POST with a JSON object. A POST answers
with lines of JSON: `{"progress": …}` while it goes on, and `{"result": …}` or `{"refused": "why"}` at the
end; an answer without such an end broke off.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from edgerouter.admin.guard import READING
from edgerouter.admin.headers import NO_STORE
from edgerouter.cache import commands
from edgerouter.cache.commands import COMMANDS, Command, Refused
from edgerouter.cache.operations import Operations
from edgerouter.errors import BadRequest, ContentTooLarge, MethodNotAllowed, NotFound

MAX_COMMAND = 64 * 1024  # bytes
_LINES = "application/x-ndjson"
_ALL = (*READING, "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_TOLD = 64  # words about progress that wait to be sent

Line = dict[str, Any]


class CacheOperations:
    """Routes over the operations of the cache there is, or of none."""

    def __init__(self, operations: Callable[[], Operations | None]) -> None:
        self._operations = operations

    def routes(self) -> list[Route]:
        """One for each command."""
        return [Route(f"/cache/{name}", self._route(name), methods=_ALL) for name in COMMANDS]

    def _route(self, name: str) -> Callable[[Request], Any]:
        allowed = READING if name in commands.READING else ("POST",)

        async def answer(request: Request) -> Response:
            request.state.template = f"/cache/{name}"
            if request.method not in allowed:
                raise MethodNotAllowed("This command is sent otherwise.", allow=allowed)
            operations = self._operations()
            if operations is None:
                raise NotFound("This router keeps nothing: it has no cache.")
            try:
                if request.method in READING:
                    command = commands.command(name, _parameters(request), strict=False)
                    return _document(await operations.run(command, lambda progress: None))
                return await _streamed(operations, commands.command(name, await _object(request)))
            except Refused as refused:
                raise BadRequest(str(refused)) from None

        return answer


def _parameters(request: Request) -> dict[str, str]:
    pairs = request.query_params.multi_items()
    if len({name for name, _ in pairs}) < len(pairs):
        raise BadRequest("A parameter is repeated.")
    return dict(pairs)


async def _object(request: Request) -> object:
    """The JSON of the request. Raises BadRequest, ContentTooLarge."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_COMMAND:
            raise ContentTooLarge(f"A command is larger than {MAX_COMMAND} bytes.", close=True)
    try:
        return msgspec.json.decode(body or b"{}")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise BadRequest("The command is not JSON.") from None


def _document(document: Line) -> Response:
    return Response(msgspec.json.encode(document), media_type="application/json", headers=NO_STORE)


async def _streamed(operations: Operations, command: Command) -> Response:
    """The lines of a command, which goes on by itself; refused before there is an answer, or at its end."""
    lines: asyncio.Queue[Line] = asyncio.Queue(_TOLD)
    operations.start(_followed(operations, command, lines))
    first = await lines.get()
    if "refused" in first:
        raise Refused(first["refused"])
    return StreamingResponse(_encoded(first, lines), media_type=_LINES, headers=NO_STORE)


async def _followed(operations: Operations, command: Command, lines: asyncio.Queue[Line]) -> None:
    def tell(progress: Line) -> None:
        if lines.qsize() < _TOLD - 1:  # the last place is the end's
            lines.put_nowait({"progress": progress})

    last: Line = {"refused": "The command broke off inside the router."}
    try:
        last = {"result": await operations.run(command, tell)}
    except Refused as refused:
        last = {"refused": str(refused)}
    finally:
        lines.put_nowait(last)


async def _encoded(first: Line, lines: asyncio.Queue[Line]) -> AsyncIterator[bytes]:
    line = first
    yield msgspec.json.encode(line) + b"\n"
    while "progress" in line:
        line = await lines.get()
        yield msgspec.json.encode(line) + b"\n"
