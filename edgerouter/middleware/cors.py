"""Cross-origin access for viewers in browsers (Fetch standard §3.2), on every answer, errors included.

A preflight is answered before anything else is looked at, since it carries no credentials and a refusal of
it tells a viewer nothing. Credentials are never allowed across origins.
"""

import re
from collections.abc import Iterable

from starlette.types import ASGIApp, Receive, Scope, Send

from edgerouter.middleware.asgi import RawFields, editing, raw_values

METHODS = b"GET, HEAD, POST, OPTIONS"
EXPOSED = (
    b"content-type, content-length, content-range, content-location, etag, location, warning, "
    b"retry-after, cache-status, proxy-status, x-request-id, age"
)
MAX_AGE = b"3600"  # seconds a browser may keep a preflight's answer
_NAMES = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:[ \t]*,[ \t]*[!#$%&'*+.^_`|~0-9A-Za-z-]+){0,63}")
_MAX_NAMES = 2048  # characters
_NOT_OURS = (b"access-control-", b"cross-origin-resource-policy")


class Cors:
    """Opens the router to `origins`: exact values of Origin, or "*" for any; to none when empty."""

    def __init__(self, app: ASGIApp, origins: Iterable[str] = ()) -> None:
        self.app = app
        self._origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self._origins:
            return await self.app(scope, receive, send)
        allowed = self._allowed(raw_values(scope, b"origin"))
        if _is_preflight(scope):
            fields = [*self._common(allowed), *(_preflight(scope) if allowed else ())]
            await send({"type": "http.response.start", "status": 204, "headers": fields})
            await send({"type": "http.response.body", "body": b""})
            return

        def edit(fields: RawFields) -> RawFields:
            kept = [field for field in fields if not field[0].startswith(_NOT_OURS)]
            exposed = [(b"access-control-expose-headers", EXPOSED)] if allowed else []
            return [*kept, *self._common(allowed), *exposed]

        await self.app(scope, receive, editing(send, edit))

    def _allowed(self, origins: list[str]) -> str | None:
        """The request's origin, if it is one of ours."""
        if len(origins) == 1 and (origins[0] in self._origins or "*" in self._origins):
            return origins[0]
        return None

    def _common(self, allowed: str | None) -> RawFields:
        # Vary even without Origin, or a cache between would hand an answer without CORS to a viewer.
        fields = [(b"vary", b"Origin"), (b"cross-origin-resource-policy", b"cross-origin")]
        if allowed is not None:
            fields.append((b"access-control-allow-origin", allowed.encode("latin-1")))
        return fields


def _is_preflight(scope: Scope) -> bool:
    wanted = raw_values(scope, b"access-control-request-method")
    return bool(scope["method"] == "OPTIONS" and raw_values(scope, b"origin") and wanted)


def _preflight(scope: Scope) -> RawFields:
    fields = [(b"access-control-allow-methods", METHODS), (b"access-control-max-age", MAX_AGE)]
    names = ", ".join(raw_values(scope, b"access-control-request-headers"))
    # What a viewer sends is refused or dropped later, by allow-list; here it is only let through the browser.
    if len(names) <= _MAX_NAMES and _NAMES.fullmatch(names):
        fields.append((b"access-control-allow-headers", names.encode("ascii")))
    return fields
