"""The URL of an upstream request: a configured base, a validated path, and nothing else (law 9)."""

import re

import httpx

from edgerouter.errors import BadRequest

_PATH = re.compile(r"(?:/(?:[!$&'()*+,;=:@A-Za-z0-9._~-]|%[0-9A-Fa-f]{2})+)*/?\Z")
_DOTS = re.compile(r"(?:\.|%2[Ee]){1,2}\Z")
_HIDDEN = re.compile(r"%(?:2[Ff]|5[Cc]|[01][0-9A-Fa-f]|7[Ff])")
_QUERY = re.compile(r"[\x21\x22\x24-\x7e]*\Z")  # visible ASCII without "#"


def target(base: str, path: str, query: str = "") -> httpx.URL:
    """`base` + `path` + "?" + `query`, all encoded already, and the path byte for byte so on the wire.

    Raises BadRequest for a path that could name something above or beside the base: dot segments, empty
    segments, encoded slashes, backslashes and controls.
    """
    if not _PATH.match(path) or _HIDDEN.search(path) or any(map(_DOTS.match, path.split("/"))):
        raise BadRequest("The path cannot be sent on to an upstream.")
    if not _QUERY.match(query):
        raise BadRequest("The query is not percent-encoded.")
    root = httpx.URL(base)
    written = (root.raw_path.rstrip(b"/") if path else root.raw_path) + path.encode()
    url = root.copy_with(raw_path=written + (f"?{query}".encode() if query else b""))
    # What the client library made of it has to be what was written.
    if origin(url) != origin(root) or url.raw_path.partition(b"?")[0] != written:
        raise BadRequest("The path cannot be sent on to an upstream.")
    return url


def origin(url: httpx.URL | str) -> str:
    """Scheme, host and port, as credentials are bound to them (RFC 9110 §4.3.1): `https://a.example:8443`."""
    url = httpx.URL(url)
    return f"{url.scheme}://{url.netloc.decode()}"
