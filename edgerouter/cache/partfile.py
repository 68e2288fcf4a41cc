"""The file of a part: append-only, written by one thread at a time, digests made on the way."""

import os
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from edgerouter.cache.disk import File
from edgerouter.cache.segments import Digester

# Opens a new file for reading and writing, for us alone. Raises OSError.
Opener = Callable[[Path], int]


def open_new(path: Path) -> int:
    """Create a file for us alone, and its folder if somebody emptied the cache directory. Blocks."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        return os.open(path, flags, 0o600)
    except FileNotFoundError:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        return os.open(path, flags, 0o600)


class PartFile:
    """A file in the folder of parts; it is there once something was written."""

    def __init__(self, folder: Path, opener: Opener = open_new) -> None:
        self.path = folder / secrets.token_hex(14)  # says nothing about whose bytes they are
        self.file: File | None = None
        self.written = 0
        self._digester = Digester()
        self._opener = opener

    def append(self, views: Sequence[memoryview]) -> OSError | None:
        """Write them all; what stopped us, `written` telling how far it came. Blocks."""
        try:
            if self.file is None:
                self.file = File(self._opener(self.path))
            left = list(views)
            while left:
                self._wrote(os.writev(self.file.fd, left), left)
        except OSError as error:
            return error
        return None

    def digests(self) -> bytes:
        """The digests of all segments, the file being whole. To be called once."""
        return self._digester.finish()

    def remove(self) -> None:
        """Take the file away; those who hold it open keep it. Blocks."""
        self.file = None
        with suppress(OSError):
            self.path.unlink()

    def _wrote(self, count: int, left: list[memoryview]) -> None:
        """Digest the first `count` bytes of what was left, and take them off."""
        self.written += count
        while count:
            view = left.pop(0)
            self._digester.update(view[:count])
            if count < len(view):
                left.insert(0, view[count:])
            count -= min(count, len(view))
