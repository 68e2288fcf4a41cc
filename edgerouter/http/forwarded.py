"""Who the client is and where we stand for it, when trusted proxies are in between (RFC 7239).

Only a peer whose address is configured as a proxy is believed, and only as far to the left as every hop is
one too: what stands left of the first untrusted hop was written by a stranger. X-Forwarded-For wins over
Forwarded, because proxies that write it rarely remove a Forwarded that a client made up; a proxy that
writes Forwarded must remove its clients' X-Forwarded-* fields.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from edgerouter.errors import BadRequest
from edgerouter.http.fields import Fields

_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62})"
_AUTHORITY = re.compile(
    rf"(?P<host>{_LABEL}(?:\.{_LABEL})*\.?|\[(?P<v6>[0-9A-Fa-f:.]{{2,45}})\])(?::(?P<port>[0-9]{{1,5}}))?"
)
_NODE = re.compile(
    r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<v4>[0-9.]+))(?::[0-9A-Za-z._-]+)?|(?P<bare>[0-9A-Fa-f:.]+)"
)
_PREFIX = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)+")
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
# RFC 7239 §4: a pair, and what separates it from the next one (or from the end).
_PAIR = re.compile(rf'[ \t]*(?:({_TOKEN})=(?:({_TOKEN})|"((?:[^"\\]|\\.)*)"))?[ \t]*([;,]|\Z)')


class Trust:
    """The networks whose proxies are believed; `address in trust` is False for what is no IP address."""

    def __init__(self, networks: Iterable[str | IPv4Network | IPv6Network] = ()) -> None:
        self._networks = tuple(ip_network(network) for network in networks)

    def __contains__(self, address: str) -> bool:
        normal = _address(address)
        return normal is not None and any(ip_address(normal) in network for network in self._networks)


def is_authority(text: str) -> bool:
    """Whether a Host value is host[:port] and nothing else: a name, an IPv4 or a bracketed IPv6 address."""
    match = _AUTHORITY.fullmatch(text)
    if match is None or len(text) > 262:
        return False
    if match["v6"] is not None and _address(match["v6"]) is None:
        return False
    return match["port"] is None or 0 < int(match["port"]) < 65536


def client_address(peer: str, fields: Fields, trusted: Trust) -> str:
    """The address of the first hop, from us outwards, that is no trusted proxy; else the last one known."""
    return _believed(peer, fields, trusted).client


def public_base(
    public_url: str | None,
    *,
    scheme: str,
    host: str,
    fields: Fields,
    peer: str,
    trusted: Trust,
    base_path: str,
) -> str:
    """The DICOMweb root as this client sees it, without a trailing slash.

    `host` is the request's own Host. Raises BadRequest when it is not host[:port]."""
    if public_url is not None:
        return public_url.rstrip("/")
    if not is_authority(host):
        raise BadRequest("The Host field is not of the form host[:port].", close=True)
    said = _believed(peer, fields, trusted)
    proto = said.proto.lower()
    origin = proto if proto in ("http", "https") else scheme
    authority = said.host if is_authority(said.host) else host
    prefix = said.prefix.rstrip("/")
    path = (prefix if _PREFIX.fullmatch(prefix) else "") + base_path
    return f"{origin}://{authority}{path}".rstrip("/")


@dataclass(frozen=True, slots=True)
class _Said:
    """What the trusted hops say about the request as it reached the outermost of them; "" is not said."""

    client: str
    proto: str = ""
    host: str = ""
    prefix: str = ""


def _believed(peer: str, fields: Fields, trusted: Trust) -> _Said:
    if peer not in trusted:
        return _Said(peer)
    if "x-forwarded-for" in fields or "forwarded" not in fields:
        return _from_x_forwarded(peer, fields, trusted)
    elements = _elements(fields.get("forwarded") or "")
    client, hops = _walk(peer, [element.get("for", "") for element in elements], trusted)
    ours = elements[-hops:]
    return _Said(client, _outermost(ours, "proto"), _outermost(ours, "host"))


def _from_x_forwarded(peer: str, fields: Fields, trusted: Trust) -> _Said:
    client, hops = _walk(peer, _list(fields, "x-forwarded-for"), trusted)

    def said(name: str) -> str:
        # Each trusted hop may have added a value or kept the only one; further left are strangers' values.
        values = _list(fields, name)[-hops:]
        return values[0] if values else ""

    return _Said(client, said("x-forwarded-proto"), said("x-forwarded-host"), said("x-forwarded-prefix"))


def _walk(peer: str, nodes: Sequence[str], trusted: Trust) -> tuple[str, int]:
    """The client, and how many hops on the way to it are trusted, from the right."""
    client, hops = peer, 1
    for node in reversed(nodes):
        address = _node(node)
        if address is None:  # "unknown", obfuscated or malformed: the hop before is the last one known
            return client, hops
        client = address
        if address not in trusted:
            return client, hops
        hops += 1
    return client, max(1, min(hops, len(nodes)))


def _outermost(elements: Sequence[Mapping[str, str]], name: str) -> str:
    return next((element[name] for element in elements if name in element), "")


def _elements(value: str) -> list[dict[str, str]]:
    """RFC 7239 §4: the forwarded-elements; none at all when the field is malformed."""
    elements: list[dict[str, str]] = [{}]
    at = 0
    while True:
        match = _PAIR.match(value, at)
        if match is None:
            return []
        name, token, quoted, separator = match.groups()
        if name:
            elements[-1][name.lower()] = token if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        if not separator:
            return [element for element in elements if element]
        if separator == ",":
            elements.append({})
        at = match.end()


def _list(fields: Fields, name: str) -> list[str]:
    return [value.strip(" \t") for value in (fields.get(name) or "").split(",") if value.strip(" \t")]


def _node(text: str) -> str | None:
    """RFC 7239 §6: the address of a node, without its port."""
    match = _NODE.fullmatch(text)
    return _address(match["v6"] or match["v4"] or match["bare"]) if match else None


def _address(text: str) -> str | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return str(address)
