"""Turns what went wrong into an answer: a problem document and Proxy-Status, or, too late for that, a cut."""

import logging
import re
import traceback
from collections.abc import Iterator

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edgerouter.errors import RouterError
from edgerouter.http.problem import MEDIA_TYPE, problem
from edgerouter.middleware.asgi import connection_of, state_of

logger = logging.getLogger(__name__)

_TOKEN = re.compile(r"[A-Za-z*][!#$%&'*+.^_`|~0-9A-Za-z:/-]*")


class Errors:
    """Answers every error of the application; of an unexpected one only its place gets out, into the log."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            await send(message)
            started = True

        try:
            await self.app(scope, receive, sending)
        except ClientDisconnect:
            return  # nobody is there to be answered
        except RouterError as error:
            known = error
        except Exception as error:
            logger.error("request %s failed:\n%s", state_of(scope).get("request_id"), "".join(places(error)))
            known = RouterError("The router failed to answer; its log says where.")
        else:
            return
        state_of(scope)["error"] = known.token or None
        if started:
            logger.warning(
                "request %s: its answer was cut: %s", state_of(scope).get("request_id"), known.detail
            )
            connection_of(scope).abort()
        else:
            await _answer(known, state_of(scope).get("request_id"), send)


async def _answer(error: RouterError, request_id: str | None, send: Send) -> None:
    content = problem(error.status, error.detail, request_id)
    fields = [
        ("content-type", MEDIA_TYPE),
        ("content-length", str(len(content))),
        ("cache-control", "no-store"),
        ("proxy-status", proxy_status(error)),
        *error.fields,
        *([("connection", "close")] if error.close else []),
    ]
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields]
    await send({"type": "http.response.start", "status": error.status, "headers": raw})
    await send({"type": "http.response.body", "body": content})


def proxy_status(error: RouterError) -> str:
    """The Proxy-Status value (RFC 9209 §2): what happened, and at which upstream."""
    what = f"error={error.token}" if error.token else f"received-status={error.status}"
    hop = f"; next-hop={_bare_item(error.upstream)}" if error.upstream else ""
    return f"edgerouter; {what}{hop}; details={_string(error.detail)}"


def _bare_item(name: str) -> str:
    return name if _TOKEN.fullmatch(name) else _string(name)


def _string(text: str) -> str:
    """A structured field string (RFC 9651 §3.3.3); what it cannot hold becomes a question mark."""
    printable = re.sub(r"[^\x20-\x7e]", "?", text)
    return '"' + printable.replace("\\", "\\\\").replace('"', '\\"') + '"'


def places(error: BaseException) -> Iterator[str]:
    """Where an error and its causes were raised; not their messages, which may hold patient data (law 12)."""
    yield from traceback.format_tb(error.__traceback__)
    yield f"{type(error).__module__}.{type(error).__qualname__}\n"
    inner = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    for other in (*inner, *([cause] if cause else [])):
        yield "because of:\n"
        yield from places(other)
