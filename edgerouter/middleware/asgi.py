"""What the middleware shares: editing a response head on its way out, and the connection of a request."""

from collections.abc import Callable
from typing import Any, Protocol

from starlette.types import Message, Scope, Send

RawFields = list[tuple[bytes, bytes]]


class Connection(Protocol):
    """What the guarded protocol offers for the connection a request came on."""

    @property
    def disconnected(self) -> bool: ...

    @property
    def aborted(self) -> bool: ...

    def abort(self) -> None: ...


def connection_of(scope: Scope) -> Connection:
    """The request's connection; KeyError behind a server that cannot show that an answer is cut."""
    connection: Connection = scope["extensions"]["edgerouter"]
    return connection


def state_of(scope: Scope) -> dict[str, Any]:
    """What the request's handlers leave for one another."""
    state: dict[str, Any] = scope.setdefault("state", {})
    return state


def raw_values(scope: Scope, name: bytes) -> list[str]:
    """Every value of a request field, one entry per line."""
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]


def editing(send: Send, edit: Callable[[RawFields], RawFields]) -> Send:
    """A send that passes the fields of each response head through `edit`."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": edit(list(message.get("headers", ())))}
        await send(message)

    return sending
