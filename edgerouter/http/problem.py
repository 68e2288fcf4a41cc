"""Problem details (RFC 9457): the small JSON body of every error that reaches a client."""

from http import HTTPStatus

import msgspec

MEDIA_TYPE = "application/problem+json"


def title(status: int) -> str:
    """The status's own phrase; "Error" for one that is not registered."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def problem(status: int, detail: str, instance: str | None = None) -> bytes:
    """A problem document; `instance` is the request id, so that a user can quote it to an operator."""
    document = {"type": "about:blank", "title": title(status), "status": status, "detail": detail}
    if instance is not None:
        document["instance"] = instance
    return msgspec.json.encode(document)
