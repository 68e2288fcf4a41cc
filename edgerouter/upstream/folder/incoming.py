"""The part of an upload that is arriving: gathered into pieces, and written in threads."""

from edgerouter.upstream.folder.holdings import Holdings
from edgerouter.upstream.folder.landing import PartFile
from edgerouter.upstream.folder.reading import Extent
from edgerouter.upstream.folder.walk import Found

_PIECE = 1 << 20


class Incoming:
    """One part at a time; `discard` makes it ready for the next.

    `foreign` is set for a part that is no PS3.10 file: its bytes are dropped. A disk that is full shows at
    `finish`, so that the rest of the upload can still be read.
    """

    def __init__(self, holdings: Holdings) -> None:
        self._holdings = holdings
        self._reset()

    def _reset(self) -> None:
        self.foreign = False
        self.empty = True
        self._file: PartFile | None = None
        self._error: OSError | None = None
        self._waiting: list[bytes] = []
        self._size = 0

    async def add(self, data: bytes) -> None:
        """Bytes of the part, in order."""
        self.empty = self.empty and not data
        if self.foreign or self._error:
            return
        self._waiting.append(data)
        self._size += len(data)
        if self._size >= _PIECE:
            await self._flush()

    async def finish(self) -> bytes:
        """The path of the part file, all of it on the disk. Raises OSError when it could not be written."""
        await self._flush()
        if self._error:
            raise self._error
        file = self._part
        await self._holdings.files.run(file.sync)
        return file.path

    async def same_as(self, extent: Extent) -> bool:
        """Whether a file has the same bytes. Raises OSError, reading.Changed."""
        return await self._holdings.files.run(self._part.same_as, extent)

    async def settle(self, path: bytes) -> Found:
        """Keep it under that path. Raises OSError."""
        return await self._holdings.files.run(self._part.settle, path)

    async def discard(self) -> None:
        """Nothing of the part stays unless it was settled."""
        file = self._file
        self._reset()
        if file:
            await self._holdings.files.run(file.discard)

    @property
    def _part(self) -> PartFile:
        if self._file is None:
            self._file = PartFile(self._holdings.root)
        return self._file

    async def _flush(self) -> None:
        data = b"".join(self._waiting)
        self._waiting, self._size = [], 0
        try:
            await self._holdings.files.run(self._part.write, data)
        except OSError as error:
            self._error = error
