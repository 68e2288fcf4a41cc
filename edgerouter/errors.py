"""The error tree: every failure that may reach a client, with its status and its RFC 9209 error token.

RouterError
├── RequestError              the client's fault; no upstream was asked
│   ├── BadRequest 400 · Unauthorized 401 · Denied 403 · NotFound 404 · MethodNotAllowed 405
│   ├── NotAcceptable 406 · RequestTimeout 408 · ContentTooLarge 413 · UriTooLong 414
│   ├── UnsupportedMediaType 415 · Misdirected 421 · HeadTooLarge 431 · VersionNotSupported 505
├── Overloaded 503            we or the upstream cannot take more now; says when to come back
├── UpstreamError             an upstream's fault, named in Proxy-Status
│   ├── ConnectError 502 · ConnectTimeout 504   nothing of the request was sent: may be retried
│   ├── TlsError 502
│   ├── ResponseTimeout 504   sent, but no response head in time
│   ├── ProtocolError 502     what came back is not a legal or acceptable response
│   ├── Refused 502           the upstream refused our own credentials
│   ├── Received              the upstream's own error status, relayed in our words
│   └── Cut 502               the response, or our request, broke off
├── NotCached 504             the client wants nothing but what is held, and it is not (RFC 9111 §5.2.1.7)
└── LoopDetected 508

Details are written for people and go to clients: no patient data, no secrets, no upstream addresses.
"""

from collections.abc import Iterable


class RouterError(Exception):
    """Anything that ends a request with an error status."""

    status = 500
    token = "proxy_internal_error"

    def __init__(
        self,
        detail: str,
        *,
        upstream: str | None = None,
        fields: Iterable[tuple[str, str]] = (),
        close: bool = False,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.upstream = upstream  # the upstream's configured name
        self.fields = tuple(fields)  # extra response fields: Allow, Retry-After, …
        self.close = close  # the connection cannot be used further


class RequestError(RouterError):
    token = "http_request_error"


class BadRequest(RequestError):
    status = 400


class Unauthorized(RequestError):
    status = 401
    token = "http_request_denied"

    def __init__(self, detail: str, *, close: bool = False) -> None:
        super().__init__(detail, fields=[("www-authenticate", "Bearer")], close=close)


class Denied(RequestError):
    status = 403
    token = "http_request_denied"

    def __init__(self, detail: str, *, status: int = 403, close: bool = False) -> None:
        super().__init__(detail, close=close)
        self.status = status


class NotFound(RequestError):
    status = 404
    token = "destination_not_found"


class MethodNotAllowed(RequestError):
    status = 405

    def __init__(self, detail: str, *, allow: Iterable[str]) -> None:
        super().__init__(detail, fields=[("allow", ", ".join(allow))])


class NotAcceptable(RequestError):
    status = 406


class RequestTimeout(RequestError):
    status = 408


class ContentTooLarge(RequestError):
    status = 413


class UriTooLong(RequestError):
    status = 414


class UnsupportedMediaType(RequestError):
    status = 415


class Misdirected(RequestError):
    status = 421


class HeadTooLarge(RequestError):
    status = 431


class VersionNotSupported(RequestError):
    status = 505


class Overloaded(RouterError):
    """A limit was reached; `retry_after` is in seconds (RFC 9110 §10.2.3)."""

    status = 503
    token = "connection_limit_reached"

    def __init__(self, detail: str, *, retry_after: int = 5, upstream: str | None = None) -> None:
        super().__init__(detail, upstream=upstream, fields=[("retry-after", str(retry_after))])


class NotCached(RouterError):
    status = 504
    token = "http_request_error"


class LoopDetected(RouterError):
    status = 508
    token = "proxy_loop_detected"


class UpstreamError(RouterError):
    status = 502


class ConnectError(UpstreamError):
    token = "destination_unavailable"


class ConnectTimeout(UpstreamError):
    status = 504
    token = "connection_timeout"


class TlsError(UpstreamError):
    token = "tls_protocol_error"


class ResponseTimeout(UpstreamError):
    status = 504
    token = "http_response_timeout"


class ProtocolError(UpstreamError):
    token = "http_protocol_error"


class Refused(UpstreamError):
    token = "http_request_denied"


class Cut(UpstreamError):
    token = "http_response_incomplete"


class Received(UpstreamError):
    """An upstream's own refusal: Proxy-Status carries received-status instead of an error token."""

    token = ""

    def __init__(self, status: int, *, upstream: str, fields: Iterable[tuple[str, str]] = ()) -> None:
        super().__init__(f"The archive answered with status {status}.", upstream=upstream, fields=fields)
        self.status = status
