"""Retrieve Capabilities (PS3.18 §8.9): our own description, WADL or its JSON form, never an upstream's."""

from typing import TypedDict
from xml.sax.saxutils import quoteattr

import msgspec

from edgerouter.dicomweb.media import parse, split_list
from edgerouter.errors import NotAcceptable
from edgerouter.http.fields import Fields
from edgerouter.http.reply import Reply

WADL = "application/vnd.sun.wadl+xml"
_STUDY = "studies/{study}"
_SERIES = _STUDY + "/series/{series}"
_INSTANCE = _SERIES + "/instances/{instance}"
_JSON = ("application/dicom+json", 'multipart/related; type="application/dicom+xml"')
_DICOM = ('multipart/related; type="application/dicom"',)
_BULK = ('multipart/related; type="application/octet-stream"', "application/octet-stream")
_RENDERED = ("image/jpeg", "image/png", "image/gif")


class Entry(TypedDict):
    path: str
    method: str
    transaction: str
    representations: list[str]


def resources() -> list[Entry]:
    """Every resource and method of the Studies service that we answer."""
    found: list[Entry] = []

    def add(path: str, method: str, transaction: str, types: tuple[str, ...]) -> None:
        found.append(
            {"path": path, "method": method, "transaction": transaction, "representations": list(types)}
        )

    collections = (
        "studies",
        f"{_STUDY}/series",
        f"{_SERIES}/instances",
        f"{_STUDY}/instances",
        "series",
        "instances",
    )
    for path in collections:
        add(path, "GET", "SearchForInstances", _JSON)
    for path in ("studies", _STUDY):
        add(path, "POST", "StoreInstances", _JSON)
    for path in (_STUDY, _SERIES, _INSTANCE):
        add(path, "GET", "RetrieveInstances", _DICOM)
        add(f"{path}/metadata", "GET", "RetrieveMetadata", _JSON)
        add(f"{path}/bulkdata", "GET", "RetrieveBulkdata", _BULK)
        add(f"{path}/pixeldata", "GET", "RetrievePixelData", _BULK)
        add(f"{path}/rendered", "GET", "RetrieveRendered", _RENDERED)
        add(f"{path}/thumbnail", "GET", "RetrieveThumbnail", _RENDERED)
    add(f"{_INSTANCE}/frames/{{frames}}", "GET", "RetrieveFrames", _BULK)
    add(f"{_INSTANCE}/frames/{{frames}}/rendered", "GET", "RetrieveRendered", _RENDERED)
    return found


def capabilities(accept: list[str], public: str) -> Reply:
    """The description under the public base; raises NotAcceptable for anything but WADL and JSON."""
    ranges = [parse(element) for line in accept for element in split_list(line)]
    wanted = [media.essence for media in ranges if media is not None] or ["*/*"]
    for essence in wanted:
        if essence in ("*/*", "application/*", WADL):
            return _reply(WADL, wadl(public).encode())
        if essence in ("application/json", "application/dicom+json"):
            return _reply("application/json", msgspec.json.encode({"base": public, "resources": resources()}))
    raise NotAcceptable(f"Capabilities are available as {WADL} and application/json.")


def wadl(public: str) -> str:
    """The same as WADL: one `resources` element whose base is the public one."""
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<application xmlns="http://wadl.dev.java.net/2009/02">',
    ]
    lines.append(f"  <resources base={quoteattr(public)}>")
    for entry in resources():
        lines.append(f"    <resource path={quoteattr(entry['path'])}>")
        lines.append(f"      <method name={quoteattr(entry['method'])} id={quoteattr(entry['transaction'])}>")
        types = [f"<representation mediaType={quoteattr(media)}/>" for media in entry["representations"]]
        lines.append("        <response>" + "".join(types) + "</response>")
        lines.append("      </method></resource>")
    return "\n".join([*lines, "  </resources>", "</application>", ""])


def _reply(media: str, body: bytes) -> Reply:
    return Reply(200, Fields([("content-type", media), ("vary", "accept")]), body, length=len(body))
