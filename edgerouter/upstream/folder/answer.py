"""Answers of the embedded archive, as an origin server of its own would put them on a wire."""

import hashlib
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass

from edgerouter.errors import RouterError
from edgerouter.http.conditional import ETag, precondition
from edgerouter.http.fields import Fields
from edgerouter.http.problem import MEDIA_TYPE, problem
from edgerouter.upstream.folder.reading import Bytes
from edgerouter.upstream.seam import Framing, Outbound


def uncounted(size: int) -> None:
    """Nobody counts the bytes."""


@dataclass(slots=True)
class FolderAnswer:
    """See seam.Answer. A body of unknown length is chunked: its end proves that it is whole."""

    status: int
    fields: Fields
    body: Bytes | None = None
    length: int | None = None
    counted: Callable[[int], object] = uncounted

    @property
    def framing(self) -> Framing:
        return Framing.CHUNKED if self.length is None else Framing.LENGTH

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body; raises errors.Cut when a file changed while it was read."""
        if self.body is None:
            return
        async for chunk in self.body:
            self.counted(len(chunk))
            yield chunk

    async def aclose(self) -> None:
        """Let go of the files."""
        if self.body is not None:
            await self.body.aclose()


def empty(status: int, fields: Fields | None = None) -> FolderAnswer:
    """No content."""
    return FolderAnswer(status, fields or Fields(), length=0)


def document(status: int, media: str, body: bytes, fields: Fields | None = None) -> FolderAnswer:
    """A whole body at once."""
    return FolderAnswer(status, (fields or Fields()).set("content-type", media), _once(body), len(body))


def refusal(error: RouterError) -> FolderAnswer:
    """What an origin server says instead of raising."""
    return document(error.status, MEDIA_TYPE, problem(error.status, error.detail), Fields(error.fields))


def etag(parts: Iterable[str]) -> ETag:
    """A strong entity tag of what is made of these: versions of files, and how they are represented."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(part.encode() + b"\0")
    return ETag(digest.hexdigest())


def unchanged(outbound: Outbound, tag: ETag) -> FolderAnswer | None:
    """The 304 or 412 that the request's preconditions end it with."""
    status = precondition("GET", outbound.fields, tag)
    return empty(status, Fields([("etag", str(tag))])) if status else None


async def _once(body: bytes) -> Bytes:
    yield body
