"""Via (RFC 9110 §7.6.3): says that a router was on the way, and notices when the way leads back."""

import re

from starlette.types import ASGIApp, Receive, Scope, Send

from edgerouter.errors import LoopDetected
from edgerouter.middleware.asgi import RawFields, editing, raw_values, state_of

MAX_HOPS = 5
_COMMENT = re.compile(r"\([^()]*\)")


class Via:
    """Adds our Via to every response."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)

        def edit(fields: RawFields) -> RawFields:
            return [*fields, (b"via", b"1.1 edgerouter")]

        await self.app(scope, receive, editing(send, edit))


class LoopGuard:
    """Refuses a request that came through this very router before, or through too many proxies.

    `instance` tells this router from others; state["via"] is the value that requests to upstreams must
    carry for the next router to notice. Raises LoopDetected."""

    def __init__(self, app: ASGIApp, instance: str) -> None:
        self.app = app
        self._pseudonym = f"edgerouter-{instance}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            hops = [hop for value in raw_values(scope, b"via") for hop in _hops(value)]
            if len(hops) > MAX_HOPS or any(hop.split()[1:] == [self._pseudonym] for hop in hops):
                raise LoopDetected("The request has been through here, or through too many proxies.")
            state_of(scope)["via"] = ", ".join([*hops, f"1.1 {self._pseudonym}"])
        await self.app(scope, receive, send)


def _hops(value: str) -> list[str]:
    return [hop.strip() for hop in _COMMENT.sub("", value).split(",") if hop.strip()]
