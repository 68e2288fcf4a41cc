"""httpx's errors as the router's: translated once, here, in words that name no address and no patient."""

import errno
import ssl

import httpx

from edgerouter import errors
from edgerouter.upstream.exchange import NoAnswer, TlsError

_ERRORS: tuple[tuple[type[httpx.TransportError], type[errors.UpstreamError], str], ...] = (
    (TlsError, errors.TlsError, "No trusted TLS connection to the upstream could be made."),
    (httpx.ConnectTimeout, errors.ConnectTimeout, "The upstream could not be reached in time."),
    (httpx.ConnectError, errors.ConnectError, "The upstream could not be reached."),
    (httpx.TimeoutException, errors.ResponseTimeout, "The upstream did not answer in time."),
    (NoAnswer, errors.Cut, "The upstream closed the connection without an answer."),
    (httpx.RemoteProtocolError, errors.ProtocolError, "The upstream's answer is not legal HTTP."),
    (httpx.NetworkError, errors.Cut, "The exchange with the upstream broke off."),
)


def translated(error: httpx.TransportError, upstream: str) -> errors.RouterError:
    """The router's error for one from before the response head was complete."""
    for kind, ours, detail in _ERRORS:
        if isinstance(error, kind):
            return ours(detail, upstream=upstream)
    return errors.BadRequest("The request cannot be sent on as it is.")


def is_failing(error: httpx.TransportError) -> bool:
    """Whether it speaks against the upstream's health: not reached, no answer, or too slow."""
    return isinstance(error, httpx.ConnectError | httpx.TimeoutException | NoAnswer)


def reason(error: BaseException) -> str:
    """What lies under an error, for logs and the status page: `ConnectError ECONNREFUSED`."""
    kind = type(error).__name__
    cause = error.__cause__
    while cause is not None:
        inner = getattr(cause, "certificate_error", cause)
        if isinstance(inner, ssl.SSLCertVerificationError):
            return f"{kind} {inner.verify_message}"
        if isinstance(inner, OSError) and (name := errno.errorcode.get(inner.errno or 0)):
            return f"{kind} {name}"
        cause = cause.__cause__
    return kind
