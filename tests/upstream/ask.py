"""Short ways for these tests: an archive on a scripted upstream, and one whole exchange with it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from edgerouter.dicomweb.resource import Transaction
from edgerouter.http.fields import Fields
from edgerouter.upstream.archive import HttpArchive, Timeouts
from edgerouter.upstream.profiles import STANDARD
from edgerouter.upstream.seam import Framing, Outbound

SOON = Timeouts(
    connect=5, first_byte=5, between_reads=5, store_answer=5
)  # not reached unless something hangs
SHORT = 0.05  # seconds, for the limit that a test is about


@dataclass
class Got:
    """An answer that was read to its end."""

    status: int
    fields: Fields
    framing: Framing
    length: int | None
    body: bytes


async def no_sleep(seconds: float) -> None:
    """For back-off: what is tested is whether and how often, not when."""


@asynccontextmanager
async def archive_at(url: str, **options: Any) -> AsyncIterator[HttpArchive]:
    """An archive whose every transaction is at `url` + "/dw"."""
    bases = dict.fromkeys(Transaction, f"{url}/dw")
    settings: dict[str, Any] = {"timeouts": SOON, "sleep": no_sleep} | options
    async with HttpArchive("north", settings.pop("profile", STANDARD), bases, **settings) as archive:
        yield archive


def get(path: str = "/studies", query: str = "", method: str = "GET") -> Outbound:
    return Outbound(method, Transaction.RETRIEVE, path, query)


def post(body: AsyncIterator[bytes] | bytes, length: int | None = None) -> Outbound:
    fields = Fields([("content-type", 'multipart/related; type="application/dicom"; boundary=b')])
    return Outbound("POST", Transaction.STORE, "/studies", fields=fields, body=body, length=length)


async def pieces(*chunks: bytes) -> AsyncIterator[bytes]:
    """A request body."""
    for chunk in chunks:
        yield chunk


async def whole(archive: HttpArchive, outbound: Outbound | None = None) -> Got:
    """The answer with its whole body, or whatever error comes instead."""
    async with archive.open(outbound or get()) as answer:
        body = b"".join([chunk async for chunk in answer.chunks()])
        return Got(answer.status, answer.fields, answer.framing, answer.length, body)


async def until_cut(archive: HttpArchive, outbound: Outbound | None = None) -> tuple[bytes, Exception]:
    """What of a body came before it broke off, and the error that said so."""
    came = bytearray()
    async with archive.open(outbound or get()) as answer:
        try:
            async for chunk in answer.chunks():
                came += chunk
        except Exception as error:
            return bytes(came), error
    raise AssertionError(f"the answer ended cleanly after {len(came)} bytes")


def raw(*lines: str, body: bytes = b"") -> bytes:
    """A response head of exactly these lines."""
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode("latin-1") + body


def fields_of(pairs: Sequence[tuple[str, str]]) -> Fields:
    return Fields(pairs)
