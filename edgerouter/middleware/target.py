"""Refuses request targets that two programs could read in two ways, before anything is routed on them.

The path that was routed on must be the path that is asked upstream; a client library or an archive may
collapse dots, merge slashes, decode twice or cut at a semicolon, each in its own way.
"""

import re
from urllib.parse import unquote_to_bytes

from starlette.types import ASGIApp, Receive, Scope, Send

from edgerouter.errors import BadRequest

# RFC 3986 §3.3, without ";": no path parameter has a meaning in PS3.18.
_PATH = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,=:@/-]|%[0-9A-Fa-f]{2})*")
_HIDDEN = re.compile(r"%(?:2[Ff]|5[Cc]|3[Bb]|7[Ff]|[01][0-9A-Fa-f])")  # slash, backslash, semicolon, controls
_TWICE = re.compile(r"%25(?=[0-9A-Fa-f]{2})")
_CONTROL = re.compile(r"%(?:7[Ff]|[01][0-9A-Fa-f])")


class TargetGuard:
    """Lets through only targets with a single reading; raises BadRequest, which closes the connection."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            fault = ambiguity(scope["edgerouter.raw_target"])
            if fault is not None:
                raise BadRequest(f"The request target has {fault}.", close=True)
        await self.app(scope, receive, send)


def ambiguity(target: str) -> str | None:
    """What makes an origin-form target ambiguous, in words, None when nothing does."""
    path, _, query = target.partition("?")
    if not _PATH.fullmatch(path):
        return "a character that no path may have, or a broken percent-encoding"
    if "//" in path:
        return "an empty segment"
    if _HIDDEN.search(path):
        return "an encoded separator or control character"
    if _TWICE.search(path):
        return "a double encoding"
    if any(re.sub("%2[Ee]", ".", segment) in (".", "..") for segment in path.split("/")):
        return "a dot segment"
    if not _is_utf8(path):
        return "an encoding that is not UTF-8"
    if _CONTROL.search(query):
        return "an encoded control character in its query"
    return None


def _is_utf8(path: str) -> bool:
    try:
        unquote_to_bytes(path).decode()
    except UnicodeDecodeError:
        return False
    return True
