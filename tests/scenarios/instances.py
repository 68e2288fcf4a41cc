"""Instances for uploads that are sorted, and archives that keep their share and say so.

async with ScriptedUpstream(Shelf()) as north, ScriptedUpstream(Shelf()) as south: ...
    await store(edge, upload(instance("1.1", "CT"), instance("1.2", "MR")))
    assert received(north) == [instance("1.1", "CT")]
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from edgerouter.dicom.part10 import read_header
from edgerouter.dicomweb.native_model import write_model
from tests.dicom.build import element, part10
from tests.scenarios.edge import JSON, Edge, Fields, Reply
from tests.scenarios.uploads import TYPE
from tests.support.scripted import Reply as Scripted
from tests.support.scripted import ScriptedUpstream, Seen, Step

SOP_CLASS = "1.2.840.10008.5.1.4.1.1.7"
STUDY = "1.2.3"
STORED, FAILED, OTHERS = "00081199", "00081198", "0008119A"


def instance(uid: str, modality: str, *, study: str = STUDY, pixels: int = 64) -> bytes:
    """A PS3.10 file with so many bytes of pixels."""
    data = b"".join(
        element(tag, vr, value)
        for tag, vr, value in (
            (0x00080016, "UI", SOP_CLASS),
            (0x00080018, "UI", uid),
            (0x00080060, "CS", modality),
            (0x00081010, "SH", f"{modality} ROOM"),
            (0x0020000D, "UI", study),
            (0x0020000E, "UI", f"{study}.1"),
        )
    )
    return part10(data + element(0x7FE00010, "OW", uid.encode().ljust(pixels, b"\x5a")))


async def store(
    edge: Edge, body: bytes, path: str = "/studies", *, accept: str | None = None, fields: Fields = ()
) -> Reply:
    return await edge.ask(path, accept, method="POST", fields=fields or [("Content-Type", TYPE)], body=body)


def files_of(request: Seen) -> list[bytes]:
    """The parts of one upload as an archive got it; fails when it is not whole and well-formed."""
    assert request.whole
    media = re.fullmatch(
        r'multipart/related; type="application/dicom"; boundary=(\S+)', request.get("content-type") or ""
    )
    assert media
    first, *parts = (b"\r\n" + bytes(request.body)).split(b"\r\n--" + media[1].encode())
    assert (first, parts.pop()) == (b"", b"--\r\n")
    heads, files = zip(*(part.split(b"\r\n\r\n", 1) for part in parts), strict=True)
    assert set(heads) == {b"\r\nContent-Type: application/dicom"}
    return list(files)


def received(upstream: ScriptedUpstream) -> list[bytes]:
    """Every file an archive got, in order."""
    return [file for request in upstream.requests for file in files_of(request)]


def uid_of(file: bytes) -> str:
    return read_header(file, complete=True).identity[2]


class Shelf:
    """Keeps what comes, and answers with a module whose links name itself; `refusing` are UIDs that it
    does not keep, with their reasons."""

    def __init__(self, refusing: dict[str, int] | None = None, *, media: str = JSON) -> None:
        self.refusing = refusing or {}
        self.media = media

    def __call__(self, request: Seen) -> Iterator[Step]:
        uids = [uid_of(file) for file in files_of(request)]
        module = told(f"http://{request.get('host')}/dw", uids, self.refusing)
        status = 200 if FAILED not in module else 202 if STORED in module else 409
        body = json.dumps(module).encode() if self.media == JSON else write_model(module)
        yield Scripted(status, body, [("Content-Type", self.media)])


def told(base: str, uids: Sequence[str], refusing: dict[str, int] | None = None) -> dict[str, Any]:
    """A Store Instances Response Module."""
    refusing = refusing or {}
    module: dict[str, Any] = {"00081190": {"vr": "UR", "Value": [f"{base}/studies/{STUDY}"]}}
    if failed := [failure(uid, refusing[uid]) for uid in uids if uid in refusing]:
        module[FAILED] = {"vr": "SQ", "Value": failed}
    if stored := [reference(uid, base) for uid in uids if uid not in refusing]:
        module[STORED] = {"vr": "SQ", "Value": stored}
    return module


def reference(uid: str, base: str) -> dict[str, Any]:
    """An item of the Referenced SOP Sequence."""
    url = f"{base}/studies/{STUDY}/series/{STUDY}.1/instances/{uid}"
    return {**_named(uid), "00081190": {"vr": "UR", "Value": [url]}}


def failure(uid: str, reason: int) -> dict[str, Any]:
    """An item of the Failed SOP Sequence, or of the Other Failures Sequence without a UID."""
    return {**(_named(uid) if uid else {}), "00081197": {"vr": "US", "Value": [reason]}}


def _named(uid: str) -> dict[str, Any]:
    return {"00081150": {"vr": "UI", "Value": [SOP_CLASS]}, "00081155": {"vr": "UI", "Value": [uid]}}


def stored_in(reply: Reply) -> list[Any]:
    """The Referenced SOP Sequence of an answer."""
    return list(reply.json.get(STORED, {}).get("Value", []))


def failures_in(reply: Reply) -> dict[str, int]:
    """The failure reasons of an answer by instance, "" for those that name none."""
    items = [item for tag in (FAILED, OTHERS) for item in reply.json.get(tag, {}).get("Value", [])]
    return {item.get("00081155", {"Value": [""]})["Value"][0]: item["00081197"]["Value"][0] for item in items}
