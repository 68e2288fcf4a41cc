"""What the folder holds, asked from the event loop: the index, and the files it is about.

What is about to be served is compared with its file first; a file that has changed is read again before the
answer, so an index that is a few seconds old never describes bytes that are not there any more.
"""

import os
import sqlite3
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Concatenate, ParamSpec, Self, TypeVar

from edgerouter.dicom.source import Part10Error
from edgerouter.dicomweb.resource import Resource
from edgerouter.errors import ConnectError, Cut, ProtocolError
from edgerouter.parsing.describer import Describer
from edgerouter.parsing.threads import Threads
from edgerouter.upstream.folder.index import Index, Member
from edgerouter.upstream.folder.reading import Bytes, Extent, Material, is_current, stream
from edgerouter.upstream.folder.walk import Found, stamp

P = ParamSpec("P")
T = TypeVar("T")
_READERS = 4  # threads
_ATTEMPTS = 3


class Holdings:
    """The files below `root` (absolute) and the index over them; `base` is the archive's base URL.

    `files` are the threads in which files are read, `describer` the process that parses them.
    """

    def __init__(self, name: str, root: bytes, base: str) -> None:
        self.name = name
        self.root = root
        self.base = base
        self.files = Threads(f"{name}-files", _READERS)
        self.describer = Describer(name)
        self._desk = Threads(f"{name}-index", 1)

    async def __aenter__(self) -> Self:
        self._index = await self._desk.run(Index)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.describer.aclose()
        await self.files.aclose()
        await self._desk.run(self._index.close)
        await self._desk.aclose()

    async def ask(self, question: Callable[Concatenate[Index, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What the index says: `ask(Index.members, resource)`. Raises ConnectError when its disk fails."""
        try:
            return await self._desk.run(question, self._index, *args, **kwargs)
        except sqlite3.Error:
            raise ConnectError("The index of the folder cannot be used.", upstream=self.name) from None

    def file(self, path: bytes) -> bytes:
        """The absolute path of what the index names."""
        return os.path.join(self.root, path)

    def url(self, resource: Resource) -> str:
        """Our own URL of a resource."""
        return self.base + resource.path

    def extent(self, member: Member, pieces: Iterable[tuple[int, int]], inflate_at: int = 0) -> Extent:
        """Pieces of a member's file."""
        return Extent(self.file(member.path), member.stamp, tuple(pieces), inflate_at)

    def stream(self, materials: Iterable[Material]) -> Bytes:
        """See reading.stream."""
        return stream(materials, self.files, self.name)

    async def locate(self, member: Member, where: str) -> Extent | None:
        """The bulk data value at `where` (the end of a BulkDataURI), None when there is none.

        Raises Cut when the file cannot be read any more."""
        try:
            place = await self.describer.locate(self.file(member.path), where)
        except (Part10Error, OSError):
            raise Cut("A file changed or could not be read.", upstream=self.name) from None
        return self.extent(member, place.pieces, place.inflate_at) if place else None

    async def members(self, resource: Resource) -> list[Member]:
        """The instances of a study or series, or the one instance, as their files are now.

        Raises ConnectError when the folder cannot be read, ProtocolError when files change all the time."""
        for _ in range(_ATTEMPTS):
            members = await self.ask(Index.members, resource)
            stale = await self.stale(members)
            if not stale:
                return members
            for path in stale:
                await self.refresh(path)
        raise ProtocolError("The files change faster than they can be read.", upstream=self.name)

    async def stale(self, members: list[Member]) -> list[bytes]:
        """The paths of those whose files are gone or have changed. Raises ConnectError."""

        def outdated() -> list[bytes]:
            return [one.path for one in members if not is_current(self.file(one.path), one.stamp)]

        try:
            return await self.files.run(outdated)
        except OSError:
            raise ConnectError("The folder cannot be read.", upstream=self.name) from None

    async def refresh(self, path: bytes) -> None:
        """Take a file into the index as it is now, or out of it when it is gone. Raises OSError when the
        reading process cannot be started."""
        try:
            found = Found(path, stamp(await self.files.run(os.lstat, self.file(path))))
        except OSError:
            await self.ask(Index.forget, [path])
        else:
            await self.take(found)

    async def take(self, found: Found) -> None:
        """Read a file and put what it holds into the index.

        A file that changes meanwhile is left out until a later scan finds it at rest. Raises OSError as
        refresh does."""
        file = self.file(found.path)
        try:
            entry = await self.describer.describe(file, self.base)
        except Part10Error:
            entry = None
        if await self.files.run(is_current, file, found.stamp):
            await self.ask(Index.put, found, entry)
        else:
            await self.ask(Index.forget, [found.path])
