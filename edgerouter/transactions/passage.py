"""The fields that pass between the two legs: both ways by allow-list, never as a copy (law 9)."""

import re

from edgerouter.dicomweb.links import LinkMap
from edgerouter.http.fields import Fields
from edgerouter.transactions.inbound import Inbound
from edgerouter.transactions.warning import own_warnings
from edgerouter.upstream.seam import Answer

_UP = ("accept-charset", "traceparent", "tracestate")
_RANGE = ("range", "if-range")
_DOWN = ("content-language", "content-disposition", "retry-after", "last-modified")
# What speaks of exact bytes; without meaning as soon as one of them was changed.
_EXACT = ("etag", "accept-ranges", "content-range")
_KEPT = re.compile(r"no-store|no-cache|must-revalidate|immutable|max-age=[0-9]{1,9}")


def request_fields(inbound: Inbound, accept: str, *, coded: bool) -> Fields:
    """The end-to-end request fields for an upstream.

    Accept is written anew in the upstream's spelling, and `coded` asks for gzip, worth it for JSON and XML
    only. Conditions are not passed on: entity tags are of bytes that we may rewrite. A range is, unless
    the answer may be multipart: a range of the envelope is no range of what is in it."""
    ranged = inbound.ranged and "multipart/" not in accept
    fields = inbound.fields.only(_UP + _RANGE if ranged else _UP)
    if inbound.via:
        fields = fields.set("via", inbound.via)
    if inbound.bypass:
        fields = fields.set("cache-control", "no-cache")
    fields = fields.set("accept-encoding", "gzip" if coded else "identity")
    return fields.set("accept", accept)


def response_fields(answer: Answer, links: LinkMap, *, rewritten: bool) -> Fields:
    """The end-to-end response fields for the client, links mapped; a Location elsewhere is left out."""
    fields = answer.fields.only(_DOWN if rewritten else _DOWN + _EXACT)
    if location := _mapped_location(answer, links):
        fields = fields.set("location", location)
    if content_location := answer.fields.get("content-location"):
        fields = fields.set("content-location", links.map_here(content_location))
    for line in answer.fields.all("warning"):
        for warning in own_warnings(line, links.public):
            fields = fields.add("warning", warning)
    return fields.set("cache-control", cache_control(answer.fields.get("cache-control")))


def _mapped_location(answer: Answer, links: LinkMap) -> str | None:
    location = answer.fields.get("location")
    return links.location(location) if location else None


def cache_control(value: str | None) -> str:
    """What the client itself may keep, as the archive says; never for others, since each hit on a shared
    copy would have to pass our door (law 8)."""
    said = (directive.strip().lower() for directive in (value or "").split(","))
    return ", ".join(["private", *(directive for directive in said if _KEPT.fullmatch(directive))])
