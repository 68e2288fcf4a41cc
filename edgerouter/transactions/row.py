"""Rows of a search answer: their UIDs, and the one URL under which we serve what they describe."""

from collections.abc import Callable

import msgspec

from edgerouter.dicomweb.json_links import retrieve_urls
from edgerouter.dicomweb.links import LinkMap
from edgerouter.dicomweb.resource import Level, Resource, is_uid


class _Attribute(msgspec.Struct):
    value: list[object] = msgspec.field(name="Value", default_factory=list)


class _Identity(msgspec.Struct):
    study: _Attribute = msgspec.field(name="0020000D", default_factory=_Attribute)
    series: _Attribute = msgspec.field(name="0020000E", default_factory=_Attribute)
    instance: _Attribute = msgspec.field(name="00080018", default_factory=_Attribute)


_decoder = msgspec.json.Decoder(_Identity)


def uids(row: bytes, resource: Resource) -> tuple[str | None, str | None, str | None]:
    """(study, series, instance) of one row; what the row leaves out is taken from the path asked.

    Raises msgspec.DecodeError (a ValueError) when the row is not a DICOM JSON object."""
    identity = _decoder.decode(row)
    return (
        _uid(identity.study) or resource.study,
        _uid(identity.series) or resource.series,
        _uid(identity.instance),
    )


def _uid(attribute: _Attribute) -> str | None:
    value = attribute.value[0] if attribute.value else None
    text = value.strip(" \0") if isinstance(value, str) else ""
    return text if is_uid(text) else None


def retrieve_url(level: Level | None, found: tuple[str | None, ...], public: str) -> str | None:
    """Our RetrieveURL (0008,1190) for a row of that level; None when a UID it needs is unknown."""
    words = ("studies", "series", "instances")[: 1 + list(Level).index(level or Level.STUDY)]
    parts = [public]
    for word, uid in zip(words, found, strict=False):
        if not uid:
            return None
        parts.append(f"{word}/{uid}")
    return "/".join(parts)


def row_links_of(resource: Resource, links: LinkMap) -> Callable[[bytes], bytes]:
    """A change for one search row: RetrieveURL is ours, added where the archive leaves it out."""

    def change(row: bytes) -> bytes:
        url = retrieve_url(resource.level, uids(row, resource), links.public)
        return retrieve_urls(row, url if url else links.map_here)

    return change
