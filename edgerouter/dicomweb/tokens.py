"""Tokens for an upstream's own links outside the study tree: `…/bulkdata/{token}` (law 9).

A token says which upstream, and which path and query below its base URL; it is signed, so nobody but us can
make one, and it names no host, so nothing but a configured upstream is ever asked. The same link always
gives the same token: what we hand out stays good across restarts, and entity tags stay stable.
"""

import hashlib
import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from urllib.parse import unquote_to_bytes

from edgerouter.errors import NotFound

MAX_RELATIVE = 8192  # characters of path and query
MIN_KEY = 16  # bytes
_MAC = 16  # bytes: HMAC-SHA256, truncated (RFC 2104 §5)
_PURPOSE = b"edgerouter bulkdata token 1\0"

_ESCAPE = r"%(?!7[Ff]|[01])[0-9A-Fa-f]{2}"  # never a control character
_PATH_OCTET = rf"(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|{_ESCAPE})"
_QUERY_OCTET = rf"(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|{_ESCAPE})"
_RELATIVE = re.compile(rf"(?:/(?!/)|(?=\?))(?:{_PATH_OCTET}|/)*(?:\?{_QUERY_OCTET}*)?")
_TOKEN = re.compile(r"[A-Za-z0-9_-]+")
_MAX_TOKEN = (MAX_RELATIVE + 512) * 4 // 3


class TokenBox:
    """Seals links of upstreams into tokens and opens them again; `key` has at least 16 bytes."""

    def __init__(self, key: bytes) -> None:
        if len(key) < MIN_KEY:
            raise ValueError(f"The key of a TokenBox has at least {MIN_KEY} bytes.")
        self._key = key

    def seal(self, upstream: str, relative: str) -> str:
        """The token, fit for one path segment, for `relative` (encoded path and query) under the upstream's
        base URL. Raises ValueError for what is not plainly below that base, or too long."""
        if not is_below(relative):
            raise ValueError("The link is not plainly below its base URL.")
        text = f"{upstream}\0{relative}".encode()
        return urlsafe_b64encode(self._mac(text) + text).rstrip(b"=").decode()

    def open(self, token: str) -> tuple[str, str] | None:
        """The upstream and the relative link, or None for a token that is not ours."""
        if len(token) > _MAX_TOKEN or not _TOKEN.fullmatch(token) or len(token) % 4 == 1:
            return None
        sealed = urlsafe_b64decode(token + "=" * (-len(token) % 4))
        mac, text = sealed[:_MAC], sealed[_MAC:]
        if not hmac.compare_digest(mac, self._mac(text)):
            return None
        upstream, _, relative = text.decode().partition("\0")
        return (upstream, relative) if is_below(relative) else None

    def target(self, tail: str, upstream: str) -> tuple[str, str]:
        """Path and query, below that upstream's base URL, of a TOKEN resource's tail (`bulkdata/{token}`).
        Raises NotFound for a token that is not ours or is another upstream's."""
        opened = self.open(tail.removeprefix("bulkdata/"))
        if opened is None or opened[0] != upstream:
            raise NotFound("No such bulkdata.")
        path, _, query = opened[1].partition("?")
        return path, query

    def _mac(self, text: bytes) -> bytes:
        return hmac.digest(self._key, _PURPOSE + text, hashlib.sha256)[:_MAC]


def is_below(relative: str) -> bool:
    """Whether an encoded path and query, put after a base URL, can only lead below it: legal characters,
    no scheme or authority, no dot segments, neither plain nor encoded."""
    if len(relative) > MAX_RELATIVE or not _RELATIVE.fullmatch(relative):
        return False
    path = unquote_to_bytes(relative.partition("?")[0]).replace(b"\\", b"/")
    # Some servers take what follows a semicolon out of a segment: "..;" is a dot segment to them.
    return not {b".", b".."} & {segment.partition(b";")[0] for segment in path.split(b"/")}
