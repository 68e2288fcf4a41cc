"""A little of everything that a router without a cache can be asked, and that can go wrong with it."""

from collections.abc import Iterable
from typing import Any

from tests.support.raw_client import RawClient
from tests.support.scripted import Reply, Reset, Seen, Send, Step

STUDY = "/dicomweb/studies/1.2.3"
INSTANCE = f"{STUDY}/series/1.2.4/instances/1.2.5"
OCTETS = 'multipart/related; type="application/octet-stream"'
JSON = ("content-type", "application/dicom+json")
FRAMES = ("content-type", f"{OCTETS}; boundary=x")
PART = b"--x\r\nContent-Type: application/octet-stream\r\n\r\n" + bytes(2000) + b"\r\n--x--\r\n"
STORE = (
    b"--y\r\nContent-Type: application/dicom\r\n\r\n" + bytes(128) + b"DICM" + bytes(500) + b"\r\n--y--\r\n"
)
RULES = {
    "rules": [
        {"name": "gone", "match": {"header": {"X-To": "gone"}}, "route": {"upstreams": "gone"}},
        {"name": "here", "match": {}, "route": {"upstreams": "here"}},
    ]
}


def archive(request: Seen) -> Iterable[Step]:
    """The upstream `here`."""
    target = request.target
    if request.method == "POST":
        return [Reply(body=b"{}", fields=[JSON])]
    if "/1.2.666" in target:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: " + FRAMES[1].encode() + b"\r\nContent-Length: 9000\r\n\r\n"
        return [Send(head + PART[:200]), Reset()]
    if "/1.2.777" in target:
        return [Reply(body=b'[{"00100010":', fields=[JSON])]
    if "/frames/" in target:
        return [Reply(body=PART, fields=[FRAMES])]
    return [Reply(body=b'[{"0020000D":{"vr":"UI","Value":["1.2.3"]}}]', fields=[JSON])]


async def traffic(port: int) -> None:
    """One round of it."""
    for _ in range(3):
        await ask(port, "/dicomweb/studies?PatientID=1")
        await ask(port, f"{STUDY}/metadata", Accept="application/dicom+json")
        await ask(port, f"{INSTANCE}/frames/1", Accept=OCTETS)
    await ask(port, "/dicomweb/studies/1.2.666/series/1.2/instances/1.2/frames/1", Accept=OCTETS)
    await ask(port, "/dicomweb/studies/1.2.777/metadata", Accept="application/dicom+json")
    await ask(port, "/dicomweb/studies", X_To="gone")
    await ask(port, "/dicomweb/nothing")
    related = 'multipart/related; type="application/dicom"; boundary=y'
    await ask(port, "/dicomweb/studies", "POST", STORE, Content_Type=related)
    async with RawClient(port) as client:
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
        await client.read_to_end()


async def ask(port: int, target: str, method: str = "GET", body: bytes = b"", **fields: Any) -> None:
    pairs = [(name.replace("_", "-"), value) for name, value in fields.items()]
    async with RawClient(port) as client:
        await client.ask(target, method=method, fields=pairs, body=body)
