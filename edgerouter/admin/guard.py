"""Who may speak to the admin listener: no web page, whoever's browser it is in, and who knows the token.

A page can send a browser anywhere, also to this machine. It cannot choose Host (so a name that was bound
to 127.0.0.1 is found out), cannot keep the browser from saying Origin, and cannot send JSON without asking
first, which nobody here permits.
"""

import hmac
from collections.abc import Callable, Collection

from starlette.types import ASGIApp, Receive, Scope, Send

from edgerouter.errors import Denied, Misdirected, Unauthorized, UnsupportedMediaType
from edgerouter.http.fields import Fields

READING = ("GET", "HEAD")
_JSON = "application/json"


class AdminGuard:
    """Raises Misdirected, Denied, Unauthorized or UnsupportedMediaType.

    `hosts` are the names it may be called by, None where no browser can get to (a Unix socket); `token` tells
    what has to be shown, None for nothing.
    """

    def __init__(
        self, app: ASGIApp, *, hosts: Collection[str] | None, token: Callable[[], str] | None
    ) -> None:
        self.app = app
        self._hosts = hosts
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            self._check(scope["method"], Fields.from_raw(scope["headers"]))
        await self.app(scope, receive, send)

    def _check(self, method: str, fields: Fields) -> None:
        if self._hosts is not None and _name(fields.get("host") or "") not in self._hosts:
            raise Misdirected("The admin listener is not called by this name.", close=True)
        if self._token is not None and not _shows(fields.get("authorization") or "", self._token()):
            raise Unauthorized("The admin listener wants its token.", close=True)
        if method in READING:
            return
        if "origin" in fields:
            raise Denied("Nothing is changed for a web page.", close=True)
        if (fields.get("content-type") or "").partition(";")[0].strip().lower() != _JSON:
            raise UnsupportedMediaType("Commands are JSON: Content-Type: application/json.", close=True)


def _name(authority: str) -> str:
    """Host without its port; an IPv6 address keeps its brackets."""
    name, colon, port = authority.rpartition(":")
    return (name if colon and port.isdecimal() else authority).lower()


def _shows(authorization: str, token: str) -> bool:
    scheme, _, shown = authorization.partition(" ")
    return scheme.lower() == "bearer" and hmac.compare_digest(shown.strip().encode(), token.encode())
