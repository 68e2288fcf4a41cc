"""The answer to a merged search: one page of its matches, as JSON or as XML, plain or gzipped."""

import asyncio
import logging
from collections.abc import Sequence

from edgerouter.dicom.xml_model import json_to_xml
from edgerouter.dicomweb.media import JSON, XML, multipart_content_type
from edgerouter.dicomweb.multipart import closing, delimiter, new_boundary
from edgerouter.http.coding import accepts_gzip
from edgerouter.http.fields import Fields
from edgerouter.http.reply import Reply
from edgerouter.transactions.bodies import Bytes, gzipped
from edgerouter.transactions.inbound import Inbound
from edgerouter.transactions.snapshots import Snapshot

logger = logging.getLogger(__name__)

_BATCH = 64  # rows written between two looks at what else there is to do
_WORTH = 1024  # bytes from which on gzip is worth its time
_PART = Fields([("content-type", XML)])


def head(inbound: Inbound, snapshot: Snapshot, remaining: int, uncounted: int) -> Fields:
    """The fields of every page of a snapshot; `remaining` matches follow it, and the counts of so many of
    its own are not exact though they should be."""
    fields = Fields([("cache-control", "private, no-store"), ("vary", "accept, accept-encoding")])
    for member in snapshot.proxy_statuses:
        fields = fields.add("proxy-status", member)
    for line in snapshot.warnings:
        fields = fields.add("warning", line)
    if uncounted:
        text = f"The counts of {uncounted} results are the largest that one source says, not exact"
        fields = fields.add("warning", f"299 {inbound.public}: {text}")
    if remaining:
        text = f"There are {remaining} additional results that can be requested"
        fields = fields.add("warning", f"299 {inbound.public}: {text}")
    return fields


def as_json(inbound: Inbound, rows: Sequence[bytes], fields: Fields) -> Reply:
    """The rows as one array; its length is known unless it is gzipped."""
    fields = fields.set("content-type", JSON)
    size = sum(map(len, rows)) + max(len(rows) + 1, 2)
    return _coded(inbound, _array(rows), size, fields)


async def as_xml(inbound: Inbound, rows: Sequence[bytes], fields: Fields) -> Reply:
    """One part for each row; an empty multipart cannot be written, so no match is 204 (PS3.18 §8.3.4.4).

    A row that is no dataset is left out, and a warning says so."""
    documents: list[bytes] = []
    lost = 0
    for place, row in enumerate(rows):
        try:
            documents.append(json_to_xml(row))
        except ValueError:
            lost += 1
        if place % _BATCH == 0:
            await asyncio.sleep(0)
    if lost:
        logger.warning("%d matches cannot be written as XML", lost)
        text = f"{lost} matches cannot be written as XML; results may be incomplete"
        fields = fields.add("warning", f"299 {inbound.public}: {text}")
    if not documents:
        return Reply(204, fields, length=0)
    boundary = new_boundary()
    parts = [delimiter(boundary, _PART, place == 0) + one for place, one in enumerate(documents)]
    fields = fields.set("content-type", multipart_content_type(XML, boundary))
    parts.append(closing(boundary))
    return _coded(inbound, _each(parts), sum(map(len, parts)), fields)


def _coded(inbound: Inbound, body: Bytes, size: int, fields: Fields) -> Reply:
    if size > _WORTH and accepts_gzip(inbound.fields.get("accept-encoding")):
        return Reply(200, fields.set("content-encoding", "gzip"), gzipped(body))
    return Reply(200, fields, body, length=size)


async def _array(rows: Sequence[bytes]) -> Bytes:
    before = b"["
    for start in range(0, len(rows), _BATCH):
        yield before + b",".join(rows[start : start + _BATCH])
        before = b","
    yield b"]" if rows else b"[]"


async def _each(parts: Sequence[bytes]) -> Bytes:
    for part in parts:
        yield part
