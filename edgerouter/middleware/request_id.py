"""Gives each request an id: the client's own if it is sane, so that its logs and ours can be put together."""

import re
import secrets

from starlette.types import ASGIApp, Receive, Scope, Send

from edgerouter.middleware.asgi import RawFields, editing, raw_values, state_of

_NAME = b"x-request-id"
_SANE = re.compile(r"[A-Za-z0-9._-]{8,64}")


class RequestId:
    """Puts the id into state["request_id"], and as X-Request-ID on every response."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        given = raw_values(scope, _NAME)
        request_id = given[0] if len(given) == 1 and _SANE.fullmatch(given[0]) else secrets.token_hex(8)
        state_of(scope)["request_id"] = request_id

        def edit(fields: RawFields) -> RawFields:
            return [*(field for field in fields if field[0] != _NAME), (_NAME, request_id.encode())]

        await self.app(scope, receive, editing(send, edit))
