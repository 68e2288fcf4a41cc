"""Rows of a search answer: their UIDs, and the one URL under which we serve what they describe."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec

from edgerouter.dicomweb import json_links, xml_links
from edgerouter.dicomweb.json_scan import JsonError
from edgerouter.dicomweb.links import LinkMap
from edgerouter.dicomweb.native_model import read_model
from edgerouter.dicomweb.resource import Level, Resource, is_uid
from edgerouter.dicomweb.xml_scan import XmlError

MAX_DOCUMENT = 4 << 20  # bytes of one row in XML
_STUDY, _SERIES, _INSTANCE = "0020000D", "0020000E", "00080018"
_WORDS: dict[Level | None, tuple[str, ...]] = {
    Level.STUDY: ("studies",),
    Level.SERIES: ("studies", "series"),
    Level.INSTANCE: ("studies", "series", "instances"),
}

Uids = tuple[str | None, str | None, str | None]


class _Identity(msgspec.Struct):
    """The attributes that name what a row is about; all others are skipped."""

    study: Any = msgspec.field(name=_STUDY, default=None)
    series: Any = msgspec.field(name=_SERIES, default=None)
    instance: Any = msgspec.field(name=_INSTANCE, default=None)


_decoder = msgspec.json.Decoder(_Identity)


def uids(row: bytes, resource: Resource) -> Uids:
    """(study, series, instance) of one row; what the row leaves out is taken from the path asked.

    Raises JsonError when the row is not a DICOM JSON object."""
    try:
        identity = _decoder.decode(row)
    except msgspec.DecodeError as error:  # a number beyond all bounds in one of the three
        raise JsonError("A search row's identity cannot be read.") from error
    return (
        _uid(identity.study) or resource.study,
        _uid(identity.series) or resource.series,
        _uid(identity.instance) or resource.instance,
    )


def _uid(attribute: object) -> str | None:
    values = attribute.get("Value") if isinstance(attribute, dict) else None
    value = values[0] if isinstance(values, list) and values else None
    text = value.strip(" \0") if isinstance(value, str) else ""
    return text if is_uid(text) else None


def retrieve_url(level: Level | None, found: Uids, public: str) -> str | None:
    """Our RetrieveURL (0008,1190) for a row of that level; None when a UID it needs is unknown."""
    named = list(zip(_WORDS[level], found, strict=False))
    if not all(uid for _, uid in named):
        return None
    return "/".join([public, *(f"{word}/{uid}" for word, uid in named)])


class RowsChange(Protocol):
    """What becomes of the JSON rows of a search beside their links."""

    def pass_on(self, row: bytes) -> bytes:
        """The row that leaves; nothing of one that does not."""

    async def settle(self, rows: list[bytes]) -> list[bytes]:
        """The next few rows that leave, with what had to be found out for them."""


def row_links(resource: Resource, links: LinkMap, more: RowsChange | None = None) -> Callable[[bytes], bytes]:
    """A change for one JSON row: its RetrieveURL is ours, added where the archive leaves it out."""

    def change(row: bytes) -> bytes:
        if more and not (row := more.pass_on(row)):
            return row
        url = retrieve_url(resource.level, uids(row, resource), links.public)
        return json_links.retrieve_urls(row, url or links.map_here)

    return change


class RowDocument:
    """The same for one row in XML, which is read whole; raises XmlError beyond MAX_DOCUMENT bytes."""

    def __init__(self, resource: Resource, links: LinkMap) -> None:
        self._resource = resource
        self._links = links
        self._document = bytearray()

    def feed(self, data: bytes) -> bytes:
        self._document += data
        if len(self._document) > MAX_DOCUMENT:
            raise XmlError("A search row is larger than allowed.")
        return b""

    def finish(self) -> bytes:
        document = bytes(self._document)
        found = _model_uids(read_model(document), self._resource)
        url = retrieve_url(self._resource.level, found, self._links.public)
        return xml_links.retrieve_urls(document, url or self._links.map_here)


def _model_uids(model: Mapping[str, object], resource: Resource) -> Uids:
    return (
        _uid(model.get(_STUDY)) or resource.study,
        _uid(model.get(_SERIES)) or resource.series,
        _uid(model.get(_INSTANCE)) or resource.instance,
    )
