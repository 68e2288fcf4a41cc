"""The `server` section: where we listen, who we are to clients, and how much we take."""

from ipaddress import ip_address
from typing import Annotated, Self

from pydantic import AfterValidator, model_validator

from edgerouter.config.problems import Mistake
from edgerouter.config.secret import Secret
from edgerouter.config.section import FilePath, Section, written
from edgerouter.config.urls import BasePath, BaseUrl, Host, Origin
from edgerouter.config.values import Count, Duration, NetworkText, Port, Size, ZoneName


def _any_origin_alone(origins: tuple[str, ...]) -> tuple[str, ...]:
    if "*" in origins and len(origins) > 1:
        raise Mistake('"*" stands beside other origins', 'write ["*"] alone, or only the origins')
    return origins


class Cors(Section):
    """Cross-origin access for viewers in browsers; credentials are never allowed across origins."""

    origins: Annotated[tuple[Origin, ...], AfterValidator(_any_origin_alone)] = ()
    """Exact origins such as https://viewer.example, or "*" alone."""


class Limits(Section):
    """Bounds on what one client may ask of the router."""

    max_body: Size = written("20 GB")
    """Bytes of one request body."""
    max_head: Size = written("64 KB")
    """Bytes of one request head, request line included."""
    max_connections: Count = 1000
    """Client connections at a time."""
    request_head_timeout: Duration = written("10s")
    """Time for a request head to arrive whole."""
    write_timeout: Duration = written("60s")
    """Time for a client to take one write."""
    min_upload_rate: Size = written("1 KB")
    """Bytes per second that an upload has to keep, averaged over `upload_window`; slower is a 408."""
    upload_window: Duration = written("30s")
    """Time spent waiting for the client after which an upload's rate is judged."""
    max_search_answer: Size = written("64 MB")
    """Bytes of one upstream's answer to one search."""


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens there."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class AdminListener(Section):
    """Where the router takes in what changes it: a Unix socket, or an address."""

    socket: FilePath | None = None
    """A socket for the router's own user alone."""
    host: Host = "127.0.0.1"
    """Beyond this machine only with a token."""
    port: Port | None = None
    """0 takes any free port."""
    token: Secret | None = None
    """What a caller of the address has to show as a bearer token (RFC 6750)."""

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if (self.socket is None) is (self.port is None):
            raise Mistake("needs a socket or a port, and not both", "write {socket: ./var/admin.sock}")
        if self.socket is not None and (self.model_fields_set & {"host", "token"}):
            raise Mistake("host and token do not go with socket", "remove them")
        if self.token is None and not is_loopback(self.host):
            raise Mistake("can be reached from other machines, without a token", "add token: {env: NAME}")
        return self


class ServerConfig(Section):
    """The router as its clients see it."""

    host: Host = "127.0.0.1"
    """The address to listen on."""
    port: Port = 8080
    """0 takes any free port."""
    base_path: BasePath = "/dicomweb"
    """The path of the DICOMweb root."""
    public_url: BaseUrl | None = None
    """The DICOMweb root as clients see it; without it, from a trusted proxy's fields, else from Host."""
    trusted_proxies: tuple[NetworkText, ...] = ()
    """Networks whose Forwarded and X-Forwarded-* fields are believed."""
    time_zone: ZoneName | None = None
    """The site's IANA time zone, for rules on time; without it, the system's."""
    admin: AdminListener | None = None
    """Where changes are taken in; without it, a socket in the cache's folder."""
    cors: Cors = Cors()
    limits: Limits = Limits()
