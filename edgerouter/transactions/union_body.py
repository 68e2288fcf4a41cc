"""Answers of several sources made one body: the parts of one envelope, or the rows of one array, each
instance once (law 3: what was promised and does not come is a cut)."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

from edgerouter.cache.listings import Member
from edgerouter.dicomweb.json_rows import ArraySplitter
from edgerouter.dicomweb.media import content_type_of_multipart
from edgerouter.dicomweb.multipart import MultipartReader, PartBegin, PartData, closing, delimiter
from edgerouter.dicomweb.resource import Resource
from edgerouter.errors import Cut
from edgerouter.http.fields import Fields
from edgerouter.http.reply import Reply
from edgerouter.transactions.bodies import Bytes, faults_of, pieces
from edgerouter.transactions.described import member_of
from edgerouter.transactions.jobs import member_in
from edgerouter.transactions.sending import closed
from edgerouter.transactions.union_plan import Step

_METADATA = "/metadata"
Answer = tuple[Step, Reply]
Answers = AsyncIterator[Answer]


class _Given:
    """What has left already, and what of a step has."""

    def __init__(self) -> None:
        self._seen: set[Member] = set()
        self._unnamed = False

    def passes(self, step: Step, member: Member | None) -> bool:
        """Whether the next part or row of a step leaves. Raises Cut when nobody can tell."""
        if member is None:
            if not step.exact:
                raise Cut("An instance does not say which it is.", upstream=step.source)
            self._unnamed = True
            return True
        if member in self._seen:
            return False
        self._seen.add(member)
        return True

    def end(self, step: Step) -> None:
        """The answer to a step is over. Raises Cut when it was not all that had been listed."""
        members = step.members or frozenset()
        if not self._unnamed and not members <= self._seen:
            raise Cut("An instance that was listed did not come; ask again.", upstream=step.source)
        self._seen |= members
        self._unnamed = False


async def one_envelope(answers: Answers, boundary: str) -> Bytes:
    """The parts of all answers; an answer that is no envelope is one part."""
    given, first = _Given(), True
    async with closed(answers):
        async for step, reply in answers:
            passing = False
            async with _events(step, reply) as events:
                async for event in events:
                    if isinstance(event, PartBegin):
                        passing = given.passes(step, _member_in(event.fields))
                        if passing:
                            yield delimiter(boundary, event.fields, first)
                            first = False
                    elif isinstance(event, PartData) and passing:
                        yield event.data
            given.end(step)
    if first:
        raise Cut("No instance came of those that were listed; ask again.")
    yield closing(boundary)


async def one_array(answers: Answers, resource: Resource) -> Bytes:
    """The rows of all answers."""
    given, before = _Given(), b"["
    async with closed(answers):
        async for step, reply in answers:
            async with _rows(step, reply) as batches:
                async for rows in batches:
                    left = [row for row in rows if given.passes(step, member_of(row, resource))]
                    if left:
                        yield before + b",".join(left)
                        before = b","
            given.end(step)
    yield b"]" if before == b"," else b"[]"


def _member_in(fields: Fields) -> Member | None:
    """Which instance a part is, or is the metadata of, by its location."""
    return member_in(
        fields.set("content-location", (fields.get("content-location") or "").removesuffix(_METADATA))
    )


@asynccontextmanager
async def _events(
    step: Step, reply: Reply
) -> AsyncIterator[AsyncGenerator[PartBegin | PartData | object, None]]:
    events = _read_events(step, reply)
    try:
        yield events
    finally:
        await events.aclose()
        await dropped(reply)


async def _read_events(step: Step, reply: Reply) -> AsyncGenerator[PartBegin | PartData | object, None]:
    if reply.status == 204:
        return
    envelope = content_type_of_multipart(reply.fields.get("content-type"))
    if envelope is None:
        yield PartBegin(reply.fields.only(("content-type", "content-location")))
        async for chunk in chunks_of(reply):
            yield PartData(chunk)
        return
    reader = MultipartReader(envelope[1])
    async for chunk in chunks_of(reply):
        with faults_of(step.source):
            events = reader.feed(chunk)
        for event in events:
            yield event
    with faults_of(step.source):
        reader.close()


@asynccontextmanager
async def _rows(step: Step, reply: Reply) -> AsyncIterator[AsyncGenerator[list[bytes], None]]:
    batches = _read_rows(step, reply)
    try:
        yield batches
    finally:
        await batches.aclose()
        await dropped(reply)


async def _read_rows(step: Step, reply: Reply) -> AsyncGenerator[list[bytes], None]:
    if reply.status == 204:
        return
    splitter = ArraySplitter()
    async for chunk in chunks_of(reply):
        for piece in pieces(chunk):
            with faults_of(step.source):
                rows = splitter.feed(piece)
            if rows:
                yield rows
            await asyncio.sleep(0)
    with faults_of(step.source):
        splitter.finish()


async def chunks_of(reply: Reply) -> Bytes:
    """The body of a reply, piece by piece."""
    if isinstance(reply.body, bytes):
        yield reply.body
        return
    async for chunk in reply.body:
        yield chunk


async def dropped(*replies: Reply) -> None:
    """Close the bodies of replies that are not read any further."""
    for reply in replies:
        close = getattr(reply.body, "aclose", None)
        if close is not None:
            await close()
