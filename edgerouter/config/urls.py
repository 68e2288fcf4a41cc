"""URLs of a configuration: exact, without credentials, ready to have a path appended (law 9)."""

import re
from ipaddress import IPv6Address
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import PlainValidator, WithJsonSchema

from edgerouter.config.problems import Mistake, shown

_URL_CHARS = re.compile(r"[!-~]+\Z")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252}[A-Za-z0-9])?\.?\Z")
_SEGMENT = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%(?!2[EeFf]|5[Cc]|7[Ff]|[01])[0-9A-Fa-f]{2})+\Z")
_BASE_SEGMENT = re.compile(r"[A-Za-z0-9._~-]+\Z")
_PLAINLY = "write https://host/path or https://host:port/path"
_OUTSIDE = {"healthz", "readyz", "metrics", "status", "status.json"}


def base_url(value: object) -> str:
    """An http or https URL without userinfo, query, fragment and dot segments; the trailing slash goes."""
    parts = _split(value)
    segments = parts.path.rstrip("/").split("/")[1:]
    if any(not _SEGMENT.match(segment) or segment in (".", "..") for segment in segments):
        fix = "write the path plainly, without dot segments, empty segments or encoded slashes"
        raise Mistake("the URL's path cannot be used", fix)
    return "/".join([f"{parts.scheme}://{_authority(parts)}", *segments])


def origin(value: object) -> str:
    """A web origin as browsers send it (RFC 6454): scheme, host, port; or "*"."""
    if value == "*":
        return "*"
    parts = _split(value)
    plain = f"{parts.scheme}://{_authority(parts)}"
    plain = plain.removesuffix({"http": ":80", "https": ":443"}[parts.scheme])
    if parts.path:
        raise Mistake("an origin has no path", f"write {plain}")
    return plain


def base_path(value: object) -> str:
    """The path of the DICOMweb root: absolute, at least one segment, no trailing slash."""
    text = str(value)
    segments = text.rstrip("/").split("/")
    if segments == [""]:
        what = "the DICOMweb root cannot be / itself"
        raise Mistake(what, "write a path such as /dicomweb; the status page stands beside it")
    if segments[0]:
        raise Mistake(f"{shown(text)} does not begin with a slash", f"did you mean {shown('/' + text)}?")
    if any(not _BASE_SEGMENT.match(segment) or segment in (".", "..") for segment in segments[1:]):
        raise Mistake(f"{shown(text)} is not a plain path", "use letters, digits, -, _, ~ and dots")
    if segments[1] in _OUTSIDE:
        raise Mistake(f"/{segments[1]} belongs to the router itself", "choose another path")
    return "/".join(segments)


def host(value: object) -> str:
    """A host name or IP address to listen on; IPv6 without brackets."""
    text = str(value)
    if not (_HOST.match(text) or _is_ipv6(text)):
        raise Mistake(f"{shown(text)} is not a host", "write a name or an address: 127.0.0.1")
    return text


def _split(value: object) -> SplitResult:
    """Messages never repeat the URL: it may carry a password by mistake."""
    text = value if isinstance(value, str) else ""
    if not _URL_CHARS.match(text):
        raise Mistake("must be a URL without spaces", "percent-encode what is not ASCII")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise Mistake("the URL's host or port cannot be read", _PLAINLY) from None
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise Mistake("the URL must begin with http:// or https://", _with_scheme(text))
    if "@" in parts.netloc:
        raise Mistake("the URL carries credentials", "put them under auth")
    if "?" in text or "#" in text:
        raise Mistake("the URL has a query or a fragment", "write the base only")
    if port == 0 or not _is_host(parts):
        raise Mistake("the URL's host or port cannot be read", _PLAINLY)
    return parts


def _is_host(parts: SplitResult) -> bool:
    name = parts.hostname or ""
    return _is_ipv6(name) if "[" in parts.netloc else _HOST.match(name) is not None


def _is_ipv6(text: str) -> bool:
    try:
        return IPv6Address(text).scope_id is None
    except ValueError:
        return False


def _authority(parts: SplitResult) -> str:
    name = parts.hostname or ""
    name = f"[{name}]" if ":" in name else name
    return name if parts.port is None else f"{name}:{parts.port}"


def _with_scheme(text: str) -> str:
    plain = re.match(r"(?:[a-z]+://)?([A-Za-z0-9.-]+(?::[0-9]+)?)(?:/|\Z)", text) if "@" not in text else None
    return f"did you mean https://{plain[1]}/…?" if plain else "write https://host/path"


BaseUrl = Annotated[str, PlainValidator(base_url), WithJsonSchema({"type": "string", "format": "uri"})]
Origin = Annotated[str, PlainValidator(origin), WithJsonSchema({"type": "string"})]
BasePath = Annotated[str, PlainValidator(base_path), WithJsonSchema({"type": "string", "pattern": "^/"})]
Host = Annotated[str, PlainValidator(host), WithJsonSchema({"type": "string"})]
