"""Uploads as clients write them, and the answers that archives give."""

import json
from collections.abc import Sequence

from tests.scenarios.edge import JSON, Edge
from tests.support.raw_client import RawResponse
from tests.support.scripted import Reply

PACS = "http://pacs.internal:8042/dw"
TYPE = 'multipart/related; type="application/dicom"; boundary=edge'
FILE = b"\0" * 128 + b"DICM" + bytes(range(256)) * 2000


def upload(*files: bytes, closing: bool = True) -> bytes:
    head = b"\r\n--edge\r\nContent-Type: application/dicom\r\n\r\n"
    return b"".join(head + file for file in files) + (b"\r\n--edge--\r\n" if closing else b"")


def module(base: str, *, failed: bool = False) -> dict[str, object]:
    """A Store Instances Response Module as an archive at that base writes it."""
    item = {
        "00081150": {"vr": "UI", "Value": ["1.2.840.10008.5.1.4.1.1.2"]},
        "00081155": {"vr": "UI", "Value": ["5.6"]},
        "00081190": {"vr": "UR", "Value": [f"{base}/studies/1.2/series/3.4/instances/5.6"]},
    }
    written: dict[str, object] = {"00081190": {"vr": "UR", "Value": [f"{base}/studies/1.2"]}}
    if failed:
        written["00081198"] = {"vr": "SQ", "Value": [{"00081197": {"vr": "US", "Value": [272]}}]}
    written["00081199"] = {"vr": "SQ", "Value": [item]}
    return written


STORED = Reply(body=json.dumps(module(PACS)).encode(), fields=[("Content-Type", JSON)])
STORED_XML = (
    '<?xml version="1.0"?><NativeDicomModel><DicomAttribute tag="00081190" vr="UR"><Value number="1">{}'
    '/studies/1.2</Value></DicomAttribute><DicomAttribute tag="0008119A" vr="SQ"><Item number="1"/>'
    "</DicomAttribute></NativeDicomModel>"
)


async def store(
    edge: Edge,
    body: bytes,
    *,
    path: str = "/studies",
    content_type: str = TYPE,
    fields: Sequence[tuple[str, str]] = (),
) -> RawResponse:
    given = [("Content-Type", content_type), ("Accept", JSON), *fields]
    return (await edge.ask(path, method="POST", fields=given, body=body)).raw


def head(*fields: str, path: str = "/studies", content_type: str = TYPE) -> bytes:
    lines = [f"POST /dicomweb{path} HTTP/1.1", "Host: edge.example", f"Content-Type: {content_type}", *fields]
    return "\r\n".join([*lines, "", ""]).encode()


def chunked(*chunks: bytes, end: bool = True) -> bytes:
    written = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return written + (b"0\r\n\r\n" if end else b"")
