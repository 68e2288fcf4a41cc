"""Turns what went wrong into an answer: a problem document and Proxy-Status, or, too late for that, a cut."""

import logging
import traceback
from collections.abc import Iterator

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edgerouter.errors import RouterError
from edgerouter.http.problem import MEDIA_TYPE, problem
from edgerouter.http.proxy_status import proxy_status
from edgerouter.middleware.asgi import connection_of, state_of

logger = logging.getLogger(__name__)


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


def places(error: BaseException) -> Iterator[str]:
    """Where an error and its causes were raised; not their messages, which may hold patient data (law 12)."""
    yield from traceback.format_tb(error.__traceback__)
    yield f"{type(error).__module__}.{type(error).__qualname__}\n"
    inner = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    for other in (*inner, *([cause] if cause else [])):
        yield "because of:\n"
        yield from places(other)
