"""An archive at the seam whose answers are given beforehand, and requests as the door would hand them in."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from edgerouter.dicomweb.links import LinkMap
from edgerouter.dicomweb.resource import Transaction
from edgerouter.dicomweb.tokens import TokenBox
from edgerouter.http.fields import Fields
from edgerouter.http.reply import Reply
from edgerouter.routing.facts import asked
from edgerouter.transactions.inbound import Inbound
from edgerouter.upstream.profiles import STANDARD, Profile
from edgerouter.upstream.seam import Framing, Outbound

PACS = "http://pacs.example/dw"
PUBLIC = "http://edge.example/dicomweb"
JSON = "application/dicom+json"
BOX = TokenBox(b"k" * 32)

Pairs = Sequence[tuple[str, str]]


@dataclass
class CannedAnswer:
    """See seam.Answer: the body in these pieces, then perhaps a fault."""

    pieces: Sequence[bytes] = (b"",)
    pairs: Pairs = ()
    status: int = 200
    framing: Framing = Framing.CHUNKED
    fault: Exception | None = None

    @property
    def fields(self) -> Fields:
        return Fields(self.pairs)

    @property
    def length(self) -> int | None:
        return sum(map(len, self.pieces)) if self.framing is Framing.LENGTH else None

    async def chunks(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece
        if self.fault:
            raise self.fault


@dataclass
class CannedArchive:
    """See seam.Archive; `asked` is what was asked, `read` what came of each body, `open_now` is a count."""

    answer: CannedAnswer = field(default_factory=CannedAnswer)
    name: str = "north"
    profile: Profile = STANDARD
    bases: tuple[str, ...] = (PACS,)
    healthy: bool = True
    lacks: tuple[Transaction, ...] = ()
    asked: list[Outbound] = field(default_factory=list)
    read: list[bytes] = field(default_factory=list)
    open_now: int = 0

    def overdue(self, seconds: float) -> None:
        """See upstreams.Upstream; nobody waits for what is given beforehand."""

    def takes(self, transaction: Transaction) -> bool:
        return transaction not in self.lacks

    def url(self, outbound: Outbound) -> str:
        return PACS + outbound.path + (f"?{outbound.query}" if outbound.query else "")

    @asynccontextmanager
    async def open(self, outbound: Outbound) -> AsyncIterator[CannedAnswer]:
        self.asked.append(outbound)
        if outbound.body is not None and not isinstance(outbound.body, bytes):
            self.read.append(b"".join([chunk async for chunk in outbound.body]))
        self.open_now += 1
        try:
            yield self.answer
        finally:
            self.open_now -= 1


def inbound(target: str, accept: str | None = None, *, method: str = "GET", **more: Any) -> Inbound:
    """A request for a path and query below the root; `fields` are further ones."""
    request = asked(method, target)
    pairs = [*([("accept", accept)] if accept is not None else []), *more.pop("fields", ())]
    return Inbound(
        method=method,
        transaction=request.transaction,
        resource=request.resource,
        query=request.query,
        fields=Fields(pairs),
        client="192.0.2.1",
        public=PUBLIC,
        request_id="12345678",
        **more,
    )


def links(here: str = f"{PACS}/studies/1", upstream: str = "north") -> LinkMap:
    return LinkMap(upstream, (PACS,), PUBLIC, BOX, here)


async def stream(*pieces: bytes) -> AsyncGenerator[bytes, None]:
    for piece in pieces:
        yield piece


async def joined(chunks: AsyncIterator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in chunks])


async def body_of(reply: Reply) -> bytes:
    """The whole body of a reply."""
    return reply.body if isinstance(reply.body, bytes) else await joined(reply.body)
