"""One line of JSON per request, and the same figures for the metrics; no path, query or value (law 12)."""

import json
import logging
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Literal

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edgerouter.middleware.asgi import connection_of, state_of

logger = logging.getLogger("edgerouter.access")

Ending = Literal["complete", "cut", "client_gone"]
# RFC 9211 §2: our own member says first of all whether it was a hit or why it was not.
_OUTCOME = re.compile(
    rb"(?:^|,)[ \t]*edgerouter[ \t]*;[ \t]*"
    rb"(?:(hit)|fwd=(bypass|method|uri-miss|vary-miss|miss|request|stale|partial))(?=[ \t]*(?:[;,]|$))"
)


@dataclass(frozen=True, slots=True)
class Access:
    """One request, told without patient data.

    `template` is the path with its identifiers taken out, None when the path names nothing; `status` is
    None when no answer was begun; `bytes` is what was written of the body; `error` is an RFC 9209 token;
    `cache` is "hit" or the reason of `fwd` in our member of Cache-Status (RFC 9211), None without one."""

    request_id: str
    client: str
    method: str
    transaction: str | None
    resource: str | None
    template: str | None
    status: int | None
    bytes: int
    seconds: float
    outcome: Ending
    error: str | None
    cache: str | None


Observer = Callable[[Access], None]


def unobserved(access: Access) -> None:
    """An observer for those who do not count."""


class AccessLog:
    """Logs to `edgerouter.access`, and tells the observer.

    The door may leave `client` (when a trusted proxy tells), `template`, `transaction` and `resource` in
    the request's state."""

    def __init__(self, app: ASGIApp, observer: Observer = unobserved) -> None:
        self.app = app
        self._observer = observer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        watched = _Watched(scope, send)
        try:
            await self.app(scope, receive, watched.send)
        finally:
            access = watched.access()
            self._observer(access)
            now = datetime.now(UTC).isoformat(timespec="milliseconds")
            # ensure_ascii also escapes what a terminal would obey.
            logger.info(json.dumps({"time": now, **asdict(access)}, ensure_ascii=True))


def cache_outcome(fields: Iterable[tuple[bytes, bytes]]) -> str | None:
    """What Access.cache says, from a response's fields."""
    for name, value in fields:
        if name.lower() == b"cache-status" and (match := _OUTCOME.search(value)):
            return (match[1] or match[2]).decode()
    return None


class _Watched:
    """One request on its way."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope = scope
        self._send = send
        self._began = time.monotonic()
        self._status: int | None = None
        self._bytes = 0
        self._whole = False
        self._cache: str | None = None

    async def send(self, message: Message) -> None:
        await self._send(message)
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._cache = cache_outcome(message.get("headers", ()))
        elif not connection_of(self._scope).disconnected:
            self._bytes += len(message.get("body", b"")) if self._scope["method"] != "HEAD" else 0
            self._whole = not message.get("more_body", False)

    def access(self) -> Access:
        state, client = state_of(self._scope), self._scope.get("client")
        return Access(
            request_id=state.get("request_id", ""),
            client=state.get("client") or (client[0] if client else ""),
            method=self._scope["method"],
            transaction=state.get("transaction"),
            resource=state.get("resource"),
            template=state.get("template"),
            status=self._status,
            bytes=self._bytes,
            seconds=round(time.monotonic() - self._began, 6),
            outcome=self._outcome(),
            error=state.get("error"),
            cache=self._cache,
        )

    def _outcome(self) -> Ending:
        if self._whole:
            return "complete"
        connection = connection_of(self._scope)
        return "client_gone" if connection.disconnected and not connection.aborted else "cut"
