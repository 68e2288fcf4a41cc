"""Short ways for these tests: files of given attributes, an archive over a folder, and what it answers."""

import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

from edgerouter.dicomweb.resource import Kind, Transaction, parse
from edgerouter.http.fields import Fields
from edgerouter.upstream.folder.archive import FolderArchive
from edgerouter.upstream.seam import Framing, Outbound
from tests.support.doors import DICOM, DICOM_JSON, Reply

NEVER = 3600.0  # seconds between scans: tests scan when they want to
AS_STORED = f"{DICOM}; transfer-syntax=*"


@asynccontextmanager
async def embedded(folder: Path, **options: Any) -> AsyncIterator[FolderArchive]:
    """An archive over a folder, which it looks at when it starts and when it is told to."""
    async with FolderArchive("usb-stick", folder, **{"interval": NEVER, **options}) as archive:
        yield archive


def dicom(
    study: str = "1.2.3", series: str = "1.2.3.4", instance: str = "1.2.3.4.5", /, **attributes: Any
) -> bytes:
    """A PS3.10 file; attributes by keyword."""
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SOPClassUID = SecondaryCaptureImageStorage
    image.StudyInstanceUID, image.SeriesInstanceUID, image.SOPInstanceUID = study, series, instance
    for keyword, value in attributes.items():
        setattr(image, keyword, value)
    buffer = BytesIO()
    dcmwrite(buffer, image, enforce_file_format=True)
    return buffer.getvalue()


def numbered(number: int, **attributes: Any) -> bytes:
    """Instance 1.`number` of study 1.2.3 and series 1.2.3.4."""
    return dicom("1.2.3", "1.2.3.4", f"1.{number}", InstanceNumber=str(number), **attributes)


def picture(*frames: bytes, **attributes: Any) -> dict[str, Any]:
    """The attributes of an 8-bit image of frames of 2 x 2 pixels, and others."""
    form = {"Rows": 2, "Columns": 2, "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2"}
    bits = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "PixelRepresentation": 0}
    count = {"NumberOfFrames": len(frames)} if len(frames) > 1 else {}
    return form | bits | count | {"PixelData": b"".join(frames)} | attributes


async def ask(
    archive: FolderArchive,
    path: str,
    query: str = "",
    accept: str = "*/*",
    *,
    method: str = "GET",
    transaction: Transaction | None = None,
    **fields: str,
) -> Reply:
    """The whole answer to one request."""
    if transaction is None:
        searched = parse(path).kind is Kind.COLLECTION
        transaction = Transaction.SEARCH if searched else Transaction.RETRIEVE
    named = ((name.replace("_", "-"), value) for name, value in fields.items())
    return await answer(
        archive, Outbound(method, transaction, path, query, Fields([("accept", accept), *named]))
    )


async def answer(archive: FolderArchive, outbound: Outbound) -> Reply:
    async with archive.open(outbound) as found:
        body = b"".join([chunk async for chunk in found.chunks()])
        assert found.framing is not Framing.CLOSE
        assert found.length in (None, len(body))
        return Reply(found.status, tuple(found.fields), body)


async def rows(archive: FolderArchive, path: str, query: str = "") -> list[dict[str, Any]]:
    """The results of a search."""
    reply = await ask(archive, path, query, DICOM_JSON)
    assert reply.status == 200, reply.body
    found = json.loads(reply.body)
    assert isinstance(found, list)
    return found


def values(rows: Iterable[dict[str, Any]], tag: str) -> list[Any]:
    """The first value of an attribute in each row, None where there is none."""
    return [next(iter(row.get(tag, {}).get("Value", [])), None) for row in rows]


def upload(*files: bytes, boundary: str = "b", part_type: str = "application/dicom") -> bytes:
    """A multipart body."""
    head = f"Content-Type: {part_type}\r\n\r\n".encode()
    parts = (b"--" + boundary.encode() + b"\r\n" + head + file + b"\r\n" for file in files)
    return b"".join(parts) + b"--" + boundary.encode() + b"--\r\n"


async def pieces(body: bytes, size: int = 50_000) -> AsyncIterator[bytes]:
    for at in range(0, len(body), size):
        yield body[at : at + size]


async def store(
    archive: FolderArchive,
    body: AsyncIterator[bytes] | bytes | None,
    *,
    path: str = "/studies",
    content_type: str = f"{DICOM}; boundary=b",
    accept: str = DICOM_JSON,
) -> Reply:
    """The whole answer to an upload."""
    fields = Fields([("content-type", content_type), ("accept", accept)])
    return await answer(archive, Outbound("POST", Transaction.STORE, path, "", fields, body))
