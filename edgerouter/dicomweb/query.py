"""Query strings: what a search asks (PS3.18 §8.3.4), read once and written again in an upstream's spelling,
and the parameters of other resources, checked and passed on as they came."""

import re
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import quote, unquote_to_bytes

from edgerouter.dicomweb.attribute import Attribute, read_attribute, read_values
from edgerouter.errors import BadRequest

_ILLEGAL = re.compile(r"[^!-~]|#|%(?![0-9A-Fa-f]{2})|%(?:[01][0-9A-Fa-f]|7[Ff])")
_NUMBER = re.compile(r"[0-9]{1,9}")
_BOOLEANS = {"true": True, "false": False}
_KNOWN = (
    "includefield",
    "limit",
    "offset",
    "fuzzymatching",
    "emptyvaluematching",
    "multiplevaluematching",
    "accept",  # and charset: §8.3.3, read where the representation is chosen
    "charset",
)
_TIMEZONE = "00080201"


@dataclass(frozen=True, slots=True)
class Match:
    """One match key; several values only where the query gave a list."""

    attribute: Attribute
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """What a search asks, decoded. None means that the client left the parameter out.

    `include_all` is `includefield=all`, and leaves `includefield` empty. `ignored` names, as the client
    spelt them, the parameters and fields that mean nothing here (§8.3: ignored, not refused).
    """

    matches: tuple[Match, ...] = ()
    includefield: tuple[Attribute, ...] = ()
    include_all: bool = False
    limit: int | None = None
    offset: int | None = None
    fuzzymatching: bool | None = None
    emptyvaluematching: bool | None = None
    multiplevaluematching: bool | None = None
    ignored: tuple[str, ...] = ()

    def match(self, *path: str) -> Match | None:
        """The match key with that path of tags."""
        return next((match for match in self.matches if match.attribute.path == path), None)

    def page(self, limit: int | None, offset: int | None) -> "SearchQuery":
        """The same question, another page of its answer."""
        return replace(self, limit=limit, offset=offset)


@dataclass(frozen=True, slots=True)
class Spelling:
    """How an upstream wants a search written.

    `separator` stands between the values of a list of UIDs or codes. `limit_with_offset` is sent when
    there is an offset and no limit. `dropped` are the tag paths, joined by dots, that are never asked for.
    """

    includefield: Literal["repeat", "comma"] = "repeat"
    separator: Literal[",", "%2C", "%5C"] = ","
    keys: Literal["written", "keyword", "tag"] = "written"
    limit_with_offset: int | None = None
    dropped: frozenset[str] = frozenset()


def pairs(raw: str) -> list[tuple[str, str]]:
    """Names and values of a raw query string, decoded once; a plus sign is a plus sign (RFC 3986).

    Raises BadRequest for illegal characters, broken or non-UTF-8 percent-encoding and control characters."""
    return [(_decoded(name), _decoded(value)) for name, value in _split(raw)]


def parameter(raw: str, name: str) -> str | None:
    """The decoded value of one parameter, None when it is absent; raises BadRequest when it is repeated."""
    values = [value for key, value in pairs(raw) if key == name]
    if len(values) > 1:
        raise BadRequest(f"The parameter {name} is repeated.")
    return values[0] if values else None


def clean(raw: str, drop: Container[str] = ()) -> str:
    """The same query string, byte for byte, less the parameters in `drop`: fit to be passed on.

    Raises BadRequest for illegal characters, broken percent-encoding and control characters; in what
    charset a value is encoded is between client and upstream."""
    return "&".join(piece for piece in _pieces(raw) if _decoded(piece.partition("=")[0]) not in drop)


def parse(raw: str) -> SearchQuery:
    """What the raw query string of a search asks.

    Raises BadRequest as `pairs` does, for a supported parameter with an invalid value, and for one that is
    repeated; the message names the parameter, never its value."""
    given = [(_decoded(name), value) for name, value in _split(raw)]
    empty, multiple = _boolean(given, "emptyvaluematching"), _boolean(given, "multiplevaluematching")
    fields = list(_fields(given))
    everything = "all" in fields
    return SearchQuery(
        matches=tuple(_matches(given, empty=bool(empty), multiple=bool(multiple))),
        includefield=() if everything else tuple(_unique(map(read_attribute, fields))),
        include_all=everything,
        limit=_number(given, "limit"),
        offset=_number(given, "offset"),
        fuzzymatching=_boolean(given, "fuzzymatching"),
        emptyvaluematching=empty,
        multiplevaluematching=multiple,
        ignored=tuple(dict.fromkeys(_ignored(given, fields))),
    )


def emit(query: SearchQuery, spelling: Spelling) -> str:
    """The query string, encoded, without "?", as the upstream wants it; what was ignored is left out."""
    limit = query.limit
    if limit is None and query.offset is not None:
        limit = spelling.limit_with_offset
    options = (
        ("fuzzymatching", query.fuzzymatching),
        ("emptyvaluematching", query.emptyvaluematching),
        ("multiplevaluematching", query.multiplevaluematching),
        ("limit", limit),
        ("offset", query.offset),
    )
    written = [_key(match.attribute, spelling) + "=" + _list(match, spelling) for match in query.matches]
    written += _written_fields(query, spelling)
    written += [f"{name}={str(value).lower()}" for name, value in options if value is not None]
    return "&".join(written)


Given = list[tuple[str, str]]  # decoded names, encoded values


def _fields(given: Given) -> Iterator[str]:
    for name, value in given:
        if name == "includefield":
            yield from (field for field in _decoded(value).split(",") if field)


def _unique(attributes: Iterable[Attribute | None]) -> Iterator[Attribute]:
    seen: set[tuple[str, ...]] = set()
    for attribute in attributes:
        if attribute and attribute.path not in seen:
            seen.add(attribute.path)
            yield attribute


def _matches(given: Given, *, empty: bool, multiple: bool) -> Iterator[Match]:
    seen: set[tuple[str, ...]] = set()
    for name, value in given:
        attribute = read_attribute(name)
        if attribute is None:
            continue
        if attribute.path in seen:
            raise BadRequest(f"The attribute {name} is matched twice.")
        seen.add(attribute.path)
        text = _decoded(value) if _plus_counts(attribute) else _decoded(value.replace("+", " "))
        yield Match(attribute, read_values(attribute, text, empty=empty, multiple=multiple))


def _plus_counts(attribute: Attribute) -> bool:
    """Forms write a space as a plus sign; dates with an offset from UTC mean the sign itself."""
    return attribute.vr == "DT" or attribute.tag == _TIMEZONE


def _ignored(given: Given, fields: list[str]) -> Iterator[str]:
    for name, _ in given:
        if name and name not in _KNOWN and read_attribute(name) is None:
            yield name
    yield from (field for field in fields if field != "all" and read_attribute(field) is None)


def _only(given: Given, name: str) -> str | None:
    values = [_decoded(value) for key, value in given if key == name]
    if len(values) > 1:
        raise BadRequest(f"The parameter {name} is repeated.")
    return values[0] if values else None


def _number(given: Given, name: str) -> int | None:
    text = _only(given, name)
    if text is not None and not _NUMBER.fullmatch(text):
        raise BadRequest(f"The parameter {name} must be a number from 0 to 999999999.")
    return None if text is None else int(text)


def _boolean(given: Given, name: str) -> bool | None:
    text = _only(given, name)
    if text is not None and text.lower() not in _BOOLEANS:
        raise BadRequest(f"The parameter {name} must be true or false.")
    return None if text is None else _BOOLEANS[text.lower()]


def _key(attribute: Attribute, spelling: Spelling) -> str:
    if spelling.keys == "tag":
        return ".".join(attribute.path)
    return attribute.keyword if spelling.keys == "keyword" else attribute.spelling


def _list(match: Match, spelling: Spelling) -> str:
    # A comma or backslash within a value is always encoded: written plainly it would divide the value.
    separator = spelling.separator if match.attribute.vr in ("UI", "CS") else "%5C"
    return separator.join(quote(value, safe="*") for value in match.values)


def _written_fields(query: SearchQuery, spelling: Spelling) -> list[str]:
    if query.include_all:
        return ["includefield=all"]
    asked = [field for field in query.includefield if ".".join(field.path) not in spelling.dropped]
    keys = [_key(field, spelling) for field in asked]
    if spelling.includefield == "comma" and keys:
        return ["includefield=" + ",".join(keys)]
    return [f"includefield={key}" for key in keys]


def _pieces(raw: str) -> Iterator[str]:
    if _ILLEGAL.search(raw):
        raise BadRequest("The query string has an illegal character or broken percent-encoding.")
    return (piece for piece in raw.split("&") if piece)


def _split(raw: str) -> Iterator[tuple[str, str]]:
    for piece in _pieces(raw):
        name, _, value = piece.partition("=")
        yield name, value


def _decoded(text: str) -> str:
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        raise BadRequest("The query string's percent-encoding is not UTF-8.") from None
