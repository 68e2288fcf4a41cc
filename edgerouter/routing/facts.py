"""What a rule may look at: the facts of one request, gathered once, before any upstream is chosen."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import unquote_plus

from edgerouter.dicomweb.resource import Kind, Level, Resource, Transaction, parse
from edgerouter.errors import MethodNotAllowed
from edgerouter.http.fields import Fields
from edgerouter.routing.attributes import attribute

Address = IPv4Address | IPv6Address
Dataset = Mapping[str, tuple[str, ...]]
"""Attributes of one instance, named as `attributes.attribute` names them, with their values as text."""

_WADO_URI_PATH = "/wado"
# PS3.18 §9.1: how the URI service names what a path names elsewhere.
_WADO_URI_UIDS = {
    "studyUID": "StudyInstanceUID",
    "seriesUID": "SeriesInstanceUID",
    "objectUID": "SOPInstanceUID",
}


@dataclass(frozen=True, slots=True)
class Facts:
    """One request as rules see it.

    `query` holds decoded pairs, attribute names as `attributes.attribute` spells them; the UIDs of the path
    count as query pairs, so a rule on StudyInstanceUID holds however the study is named. `now` is aware.
    `dataset` is of one instance of an upload, None for other requests and before an instance is there.
    """

    transaction: Transaction
    kind: Kind
    level: Level | None
    now: datetime
    query: tuple[tuple[str, str], ...] = ()
    fields: Fields = field(default_factory=Fields)
    client: Address | None = None
    dataset: Dataset | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """The part of a request that is in its request line."""

    transaction: Transaction
    resource: Resource
    query: str = ""

    def facts(
        self,
        *,
        now: datetime,
        fields: Fields | None = None,
        client: Address | None = None,
        dataset: Dataset | None = None,
    ) -> Facts:
        return Facts(
            self.transaction,
            self.resource.kind,
            self.resource.level,
            now,
            _pairs(self.resource, self.query),
            fields if fields is not None else Fields(),
            client,
            dataset,
        )


def asked(method: str, target: str) -> Asked:
    """What a method and a raw path with query, relative to the DICOMweb root, ask for.

    Raises BadRequest, NotFound or MethodNotAllowed, as the router itself would answer.
    """
    path, _, query = target.partition("?")
    resource = Resource(Kind.WADO_URI, Level.INSTANCE) if path == _WADO_URI_PATH else parse(path)
    return Asked(transaction_of(method, resource), resource, query)


def transaction_of(method: str, resource: Resource) -> Transaction:
    """The transaction a method means for a resource (PS3.18 Table 10.3-2); raises MethodNotAllowed."""
    allowed = _transactions(resource)
    if method not in allowed:
        raise MethodNotAllowed("The resource does not have this method.", allow=allowed)
    return allowed[method]


def _transactions(resource: Resource) -> dict[str, Transaction]:
    if resource.kind is Kind.ROOT:
        return dict.fromkeys(("OPTIONS", "GET", "HEAD"), Transaction.CAPABILITIES)
    if resource.kind is Kind.WADO_URI:
        return dict.fromkeys(("GET", "HEAD"), Transaction.WADO_URI)
    reading = Transaction.SEARCH if resource.kind is Kind.COLLECTION else Transaction.RETRIEVE
    methods = dict.fromkeys(("GET", "HEAD"), reading)
    if resource.level is Level.STUDY and resource.kind in (Kind.COLLECTION, Kind.DICOM):
        methods["POST"] = Transaction.STORE
    return methods


def _pairs(resource: Resource, query: str) -> tuple[tuple[str, str], ...]:
    uids = (
        ("StudyInstanceUID", resource.study),
        ("SeriesInstanceUID", resource.series),
        ("SOPInstanceUID", resource.instance),
    )
    pairs = [(name, uid) for name, uid in uids if uid]
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        if name:
            pairs.append((_name(unquote_plus(name), resource.kind), unquote_plus(value)))
    return tuple(pairs)


def _name(name: str, kind: Kind) -> str:
    if kind is Kind.WADO_URI:
        return _WADO_URI_UIDS.get(name, name)
    return attribute(name) or name
