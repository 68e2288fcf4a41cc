"""Retrieve Capabilities (PS3.18 §8.9): our own description, WADL or its JSON form, never an upstream's."""

from hashlib import blake2b
from typing import TypedDict
from xml.sax.saxutils import quoteattr

import msgspec

from edgerouter.dicomweb.accept import wishes
from edgerouter.dicomweb.media import DICOM, JSON, OCTETS, RELATED, XML
from edgerouter.errors import NotAcceptable
from edgerouter.http.conditional import ETag, precondition
from edgerouter.http.fields import Fields
from edgerouter.http.reply import Reply
from edgerouter.transactions.inbound import Inbound

WADL = "application/vnd.sun.wadl+xml"
ALLOW = "GET, HEAD, OPTIONS"
_STUDY = "studies/{study}"
_SERIES = _STUDY + "/series/{series}"
_INSTANCE = _SERIES + "/instances/{instance}"
_FRAMES = _INSTANCE + "/frames/{frames}"
_DATASETS = (JSON, f'{RELATED}; type="{XML}"')
_STORED = (JSON, XML)
_FILES = (f'{RELATED}; type="{DICOM}"',)
_BULK = (f'{RELATED}; type="{OCTETS}"',)
_PICTURES = ("image/jpeg", "image/png", "image/gif")
_COLLECTIONS = (
    ("Studies", "studies"),
    ("StudySeries", f"{_STUDY}/series"),
    ("SeriesInstances", f"{_SERIES}/instances"),
    ("StudyInstances", f"{_STUDY}/instances"),
    ("Series", "series"),
    ("Instances", "instances"),
)
_LEVELS = (("Study", _STUDY), ("Series", _SERIES), ("Instance", _INSTANCE))
_BELOW = (
    ("Metadata", "metadata", _DATASETS),
    ("Bulkdata", "bulkdata", _BULK),
    ("PixelData", "pixeldata", _BULK),
    ("Rendered", "rendered", _PICTURES),
    ("Thumbnail", "thumbnail", _PICTURES),
)


class Entry(TypedDict):
    path: str
    method: str
    id: str
    representations: list[str]


def resources() -> list[Entry]:
    """Every resource and method of the Studies service that we answer."""
    found = [_entry(path, f"SearchFor{name}", _DATASETS) for name, path in _COLLECTIONS]
    found.append(_entry("studies", "StoreInstances", _STORED, "POST"))
    found.append(_entry(_STUDY, "StoreStudyInstances", _STORED, "POST"))
    for level, path in _LEVELS:
        files = (*_FILES, DICOM) if level == "Instance" else _FILES
        found.append(_entry(path, f"Retrieve{level}", files))
        for name, word, types in _BELOW:
            found.append(_entry(f"{path}/{word}", f"Retrieve{level}{name}", types))
    found.append(_entry(_FRAMES, "RetrieveFrames", _BULK))
    found.append(_entry(f"{_FRAMES}/rendered", "RetrieveRenderedFrames", _PICTURES))
    found.append(_entry(f"{_FRAMES}/thumbnail", "RetrieveFramesThumbnail", _PICTURES))
    return found


def _entry(path: str, name: str, types: tuple[str, ...], method: str = "GET") -> Entry:
    return {"path": path, "method": method, "id": name, "representations": list(types)}


def capabilities(inbound: Inbound) -> Reply:
    """The description under the public base; raises NotAcceptable for anything but WADL and JSON."""
    media, body = _described(inbound)
    etag = ETag(blake2b(body, digest_size=12).hexdigest())
    fields = [
        ("etag", str(etag)),
        ("vary", "accept"),
        ("cache-control", "private, no-cache"),
        ("allow", ALLOW),
    ]
    # §8.9.3 gives OPTIONS a 304, too.
    if status := precondition("GET", inbound.fields, etag):
        return Reply(status, Fields(fields))
    return Reply(200, Fields([("content-type", media), *fields]), body, length=len(body))


def _described(inbound: Inbound) -> tuple[str, bytes]:
    for wish in wishes(inbound.resource, inbound.transaction, inbound.fields.all("accept")):
        if wish.media in ("*/*", "application/*", WADL):
            return WADL, wadl(inbound.public).encode()
        if wish.media in ("application/json", JSON):
            description = {"base": inbound.public, "resources": resources()}
            return "application/json", msgspec.json.encode(description)
    raise NotAcceptable(f"Capabilities are available as {WADL} and application/json.")


def wadl(public: str) -> str:
    """The same as WADL: one `resources` element whose base is the public one."""
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<application xmlns="http://wadl.dev.java.net/2009/02">',
        f"  <resources base={quoteattr(public)}>",
        *(line for entry in resources() for line in _wadl_lines(entry)),
        "  </resources>",
        "</application>",
    ]
    return "\n".join([*lines, ""])


def _wadl_lines(entry: Entry) -> list[str]:
    types = [f"<representation mediaType={quoteattr(media)}/>" for media in entry["representations"]]
    return [
        f"    <resource path={quoteattr(entry['path'])}>",
        f"      <method name={quoteattr(entry['method'])} id={quoteattr(entry['id'])}>",
        f"        <response>{''.join(types)}</response>",
        "      </method>",
        "    </resource>",
    ]
