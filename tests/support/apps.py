"""Small ASGI applications that stand where the router would, and remember what reached them."""

import asyncio
from collections.abc import Awaitable, Callable

from starlette.types import Receive, Scope, Send

from edgerouter.http.reply import Reply
from edgerouter.server import RequestBody, Sent, send_reply

Answering = Callable[[Scope, RequestBody], Awaitable[Reply]]


class Recorder:
    """Answers 200 with its own call number, without looking at the request's content."""

    def __init__(self) -> None:
        self.scopes: list[Scope] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope)
        body = b"answer %d" % len(self.scopes)
        length = (b"content-length", b"%d" % len(body))
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": body})


class Replying:
    """Answers with the Reply that `answering` makes, as the router does; `sent` is what became of each."""

    def __init__(
        self, answering: Answering, *, write_timeout: float = 5.0, max_body: int = 1 << 30, **rate: float
    ) -> None:
        self.answering = answering
        self.write_timeout = write_timeout
        self.max_body = max_body
        self.rate = rate  # minimum_rate and window
        self.sent: list[Sent] = []
        self.raised: list[BaseException] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = RequestBody(scope, receive, max_body=self.max_body, **self.rate)
        try:
            reply = await self.answering(scope, body)
            self.sent.append(await send_reply(reply, scope, send, write_timeout=self.write_timeout))
        except BaseException as error:
            self.raised.append(error)
            raise


async def echo(scope: Scope, body: RequestBody) -> Reply:
    return Reply(200, body=b"".join([chunk async for chunk in body]))


def beginning(answering: Answering) -> tuple[asyncio.Event, Replying]:
    """An app, and an event that is set when it begins with a request."""
    begun = asyncio.Event()

    async def begin(scope: Scope, body: RequestBody) -> Reply:
        begun.set()
        return await answering(scope, body)

    return begun, Replying(begin)
