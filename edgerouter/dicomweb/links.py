"""An upstream's links to itself, turned into links to us (law 1), and nothing else touched (law 9).

A link is the upstream's only when its scheme, host and port are those of one of its base URLs and its path
lies below that base by whole segments. Whatever is doubtful stays as it is: it is never fetched.
"""

import re
from dataclasses import dataclass, field, replace
from typing import NamedTuple
from urllib.parse import urljoin

from edgerouter.dicomweb.resource import Kind, Resource, parse
from edgerouter.dicomweb.tokens import TokenBox, is_below
from edgerouter.errors import RequestError

_URL = re.compile(
    r"(https?)://([\w.-]+|\[[0-9a-f:.]+\])(?::([0-9]*))?((?:[/?].*)?)", re.ASCII | re.IGNORECASE
)
_UNSAFE = re.compile(r"[^!-~]|[\\#]")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_PORTS = {"http": "80", "https": "443"}
_WADO = re.compile(r"\?(?:.*&)?requestType=WADO(?:&|\Z)")

# What these are asked with is the upstream's business and passes through us; a query elsewhere is sealed.
_WITH_QUERY = (Kind.RENDERED, Kind.THUMBNAIL, Kind.VOLUME)


class _Url(NamedTuple):
    """An absolute URL: where it leads, and the path and query there, encoded as they came."""

    origin: tuple[str, str, str]  # scheme, host, port
    rest: str


@dataclass(frozen=True, slots=True)
class LinkMap:
    """Maps links of one upstream to the public base URL.

    `bases` are all base URLs the upstream may print, `public` is ours; none ends in a slash. `here` is the
    upstream's URL of the request that is being answered, for relative links.
    """

    upstream: str
    bases: tuple[str, ...]
    public: str
    box: TokenBox
    here: str = ""
    _roots: tuple[_Url, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        roots = [root for base in self.bases if (root := _split(base.rstrip("/")))]
        # The deepest base decides: ours may lie below an upstream's, or an upstream's below ours.
        roots.sort(key=lambda root: len(root.rest), reverse=True)
        object.__setattr__(self, "_roots", tuple(roots))

    def at(self, here: str) -> "LinkMap":
        """The same map for the answer to a request for `here`, an absolute URL of the upstream."""
        return replace(self, here=here)

    def map(self, url: str, relative_to: str) -> str:
        """The link as clients may use it: ours when it is the upstream's own, else unchanged.

        A relative link is resolved against `relative_to` first (RFC 3986 §5.2)."""
        return self._mapped(url, relative_to) or url

    def map_here(self, url: str) -> str:
        """`map`, relative to the request that is being answered."""
        return self.map(url, self.here)

    def location(self, value: str) -> str | None:
        """Location or Content-Location for the client; None when it leads elsewhere."""
        return self._mapped(value, self.here)

    def _mapped(self, url: str, relative_to: str) -> str | None:
        absolute = _resolved(url, relative_to)
        parts = _split(absolute)
        if parts is None:
            return None
        base = next((root for root in self._roots if _below(parts, root)), None)
        public = _split(self.public)
        if public and _below(parts, public) and (base is None or len(base.rest) <= len(public.rest)):
            return absolute
        return self._renamed(parts.rest[len(base.rest) :]) if base else None

    def _renamed(self, relative: str) -> str | None:
        """What is under a base URL, under ours."""
        path, mark, _ = relative.partition("?")
        resource = _resource(path)
        if resource and (not mark or (resource.kind in _WITH_QUERY and is_below(relative))):
            return self.public + relative
        if not path and _WADO.match(relative) and is_below(relative):
            return f"{self.public}/wado{relative}"
        try:
            return f"{self.public}/bulkdata/{self.box.seal(self.upstream, relative)}"
        except ValueError:
            return None


def _resource(path: str) -> Resource | None:
    """What the path names in our own tree; a token there is one that we did not make."""
    try:
        resource = parse(path)
    except RequestError:
        return None
    return None if resource.kind is Kind.TOKEN else resource


def _resolved(url: str, relative_to: str) -> str:
    """An absolute URL, or what could not be made one."""
    if not url or _UNSAFE.search(url) or _SCHEME.match(url):
        return url
    try:
        return urljoin(relative_to, url)
    except ValueError:
        return url


def _split(url: str) -> _Url | None:
    """The parts of an absolute http or https URL; None for any other, and for one with user information,
    a fragment, or characters that different readers read differently."""
    match = None if _UNSAFE.search(url) else _URL.fullmatch(url)
    if match is None:
        return None
    scheme = match[1].lower()
    return _Url((scheme, match[2].lower(), match[3] or _PORTS[scheme]), match[4])


def _below(url: _Url, root: _Url) -> bool:
    after = url.rest[len(root.rest) :]
    return (
        url.origin == root.origin
        and url.rest.startswith(root.rest)
        and (not after or after.startswith(("/", "?")))
    )
