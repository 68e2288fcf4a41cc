"""Which representations a kind of resource has (PS3.18 §8.7.2-8.7.4, §10.4.4)."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from edgerouter.dicomweb.media import ANY, DICOM, JSON, OCTETS, XML, ZIP
from edgerouter.dicomweb.resource import Kind, Level, Resource, Transaction
from edgerouter.dicomweb.syntaxes import PIXEL_MEDIA, may_carry

_RENDERED = re.compile(r"(?:(?:image|video|text)/.+|application/(?:pdf|\*)|\*/\*)\Z")
_NOT_BULK = frozenset({DICOM, JSON, XML, ZIP})


class Asked(NamedTuple):
    """A media range: the type (of the parts, when multipart) and the transfer syntaxes named."""

    media: str
    syntaxes: tuple[str | None, ...] = (None,)
    multipart: bool = False
    tagged: bool = False  # a transfer syntax is named

    @property
    def wildcard(self) -> bool:
        return self.media.endswith("/*")

    def covers(self, media: str) -> bool:
        return self.media in (ANY, media) or (self.wildcard and media.startswith(self.media[:-1]))


Offer = tuple[str, str | None, bool]  # media type, transfer syntax, multipart


@dataclass(frozen=True, slots=True)
class Category:
    """How a kind of resource is served: `offer` turns a range into offers, `available` is for people.

    `mixture`: DICOM and rendered types may not be asked for together. `pixels`: image types are bulk data.
    """

    offer: Callable[[Asked], Iterable[Offer]]
    available: str
    mixture: bool = False
    pixels: bool = False


def category(resource: Resource, transaction: Transaction) -> Category:
    """The category of what is asked; for a Store, of its answer."""
    if transaction is Transaction.STORE:
        return _STORE_ANSWER
    match resource.kind:
        case Kind.DICOM:
            return _INSTANCE if resource.level is Level.INSTANCE else _SEVERAL
        case Kind.METADATA | Kind.COLLECTION:
            return _DATASETS
        case Kind.FRAMES:
            return _FRAME if len(resource.frames) == 1 else _FRAMES
        case Kind.PIXELDATA:
            return _FRAMES
        case Kind.BULKDATA if resource.tail == "bulkdata":
            return _VALUES
        case Kind.BULKDATA | Kind.TOKEN:
            return _VALUE
        case Kind.RENDERED | Kind.VOLUME:
            return _RENDITIONS
        case Kind.THUMBNAIL:
            return _THUMBNAIL
        case Kind.ROOT | Kind.WADO_URI:
            return _ANYTHING


def _part10(asked: Asked, *, single: bool) -> Iterator[Offer]:
    """PS3.10 files. One part alone stands only for one instance (§10.4.4); octets of a study or series
    are its bulk data, kept for historical reasons."""
    for syntax in asked.syntaxes:
        if asked.media == ANY or (asked.multipart and asked.covers(DICOM)):
            yield DICOM, syntax, True
        elif asked.multipart and asked.media == OCTETS and not single:
            yield OCTETS, syntax, True
        elif not asked.multipart and single and asked.covers(DICOM):
            yield DICOM, syntax, False
        elif not asked.multipart and asked.media == ZIP:
            yield ZIP, syntax, False


def _datasets(asked: Asked) -> Iterator[Offer]:
    if asked.multipart and asked.covers(XML):
        yield XML, None, True
    elif not asked.multipart and asked.covers(JSON):
        yield JSON, None, False


def _store_answer(asked: Asked) -> Iterator[Offer]:
    if asked.media in (XML, "application/xml"):
        yield XML, None, False
    elif not asked.multipart and asked.covers(JSON):
        yield JSON, None, False


def _bulk(asked: Asked, *, single: bool, value: bool) -> Iterator[Offer]:
    """Pixels or other bulk values. `value`: it need not be pixels, its type may be any MIME type."""
    for media in _bulk_media(asked.media, value):
        for syntax in asked.syntaxes:
            if syntax in (None, "*") or (syntax and may_carry(media, syntax)):
                yield from ((media, syntax, multipart) for multipart in _envelopes(asked, single, value))


def _envelopes(asked: Asked, single: bool, value: bool) -> tuple[bool, ...]:
    if asked.media == ANY and not asked.multipart:
        return (False, True) if single and value else (True,)
    if asked.multipart:
        return (True,)
    return (False,) if single else ()


def _bulk_media(media: str, value: bool) -> list[str]:
    if media in (ANY, "application/*"):
        return [OCTETS]
    if media in ("image/*", "video/*"):
        return [known for known in PIXEL_MEDIA if known.startswith(media[:-1])]
    if media in PIXEL_MEDIA or (value and not media.endswith("/*") and media not in _NOT_BULK):
        return [media]
    return []


def _renditions(asked: Asked, *, several: bool) -> Iterator[Offer]:
    if _RENDERED.match(asked.media) and (several or not asked.multipart):
        yield asked.media, None, asked.multipart
    elif asked.media == JSON and several and not asked.multipart:  # renderedvolumetricmetadata=yes
        yield JSON, None, False


def _anything(asked: Asked) -> Iterator[Offer]:
    for syntax in asked.syntaxes:
        yield asked.media, syntax, asked.multipart


_FILES = 'multipart/related; type="application/dicom"'
_PIXELS = 'multipart/related; type="application/octet-stream" or a pixel media type'
_PICTURES = "image/jpeg and other rendered types"
_INSTANCE = Category(partial(_part10, single=True), f"{_FILES}, application/dicom, application/zip", True)
_SEVERAL = Category(partial(_part10, single=False), f"{_FILES}, application/zip", True)
_DATASETS = Category(_datasets, 'application/dicom+json, multipart/related; type="application/dicom+xml"')
_STORE_ANSWER = Category(_store_answer, "application/dicom+json, application/dicom+xml")
_FRAME = Category(partial(_bulk, single=True, value=False), f"{_PIXELS}, or either alone", True, True)
_FRAMES = Category(partial(_bulk, single=False, value=False), _PIXELS, True, True)
_VALUE = Category(partial(_bulk, single=True, value=True), f"{_PIXELS}, or the value's own type")
_VALUES = Category(partial(_bulk, single=False, value=True), f"{_PIXELS}, or the values' own types")
_RENDITIONS = Category(partial(_renditions, several=True), _PICTURES, True)
_THUMBNAIL = Category(partial(_renditions, several=False), _PICTURES, True)
_ANYTHING = Category(_anything, "anything")
