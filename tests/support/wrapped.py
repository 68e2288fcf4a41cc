"""An app behind the whole middleware and the guarded protocol, asked one thing over a real socket."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from starlette.types import ASGIApp, Receive, Scope, Send

from edgerouter.middleware import Access, Settings, wrap
from tests.support.listening import Edge, listening
from tests.support.raw_client import RawClient, RawResponse


class Inner:
    """Answers 200 with some fields, or raises; remembers what reached it."""

    def __init__(
        self,
        failure: BaseException | None = None,
        fields: Sequence[tuple[bytes, bytes]] = (),
        late: bool = False,
    ) -> None:
        self.failure = failure
        self.fields = fields
        self.late = late  # fail only when half of the answer is sent
        self.scopes: list[Scope] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope)
        if self.failure and not self.late:
            raise self.failure
        length = (b"content-length", b"4")
        await send({"type": "http.response.start", "status": 200, "headers": [length, *self.fields]})
        await send({"type": "http.response.body", "body": b"so", "more_body": True})
        if self.failure:
            raise self.failure
        await send({"type": "http.response.body", "body": b"me"})


class Seen(list[Access]):
    """What the observer was told."""

    def __call__(self, access: Access) -> None:
        self.append(access)


@asynccontextmanager
async def standing(app: ASGIApp, settings: Settings | None = None) -> AsyncIterator[Edge]:
    async with listening(wrap(app, settings or Settings())) as edge:
        yield edge


async def asked(
    app: ASGIApp,
    settings: Settings | None = None,
    *,
    target: str = "/studies",
    method: str = "GET",
    fields: Sequence[tuple[str, str]] = (),
    body: bytes = b"",
) -> RawResponse:
    """The answer to one request."""
    async with standing(app, settings) as edge:
        async with RawClient(edge.port) as client:
            response = await client.ask(target, method=method, fields=fields, body=body)
        await edge.quiet()
    return response
