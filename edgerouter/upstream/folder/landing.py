"""An instance on its way into the folder: a hidden part file first, then, whole and durable, a file (law 7).

The name of a stored file is made of its SOP Instance UID and nothing else from the wire. Everything here
blocks: it is for threads.
"""

import contextlib
import errno
import fcntl
import hashlib
import os
import secrets
import threading

from edgerouter.upstream.folder.reading import Extent, read
from edgerouter.upstream.folder.walk import Found, stamp

STORED = b"stored"  # the sub-folder for what is uploaded
_SUFFIX = b".part"


class PartFile:
    """A part file below `root`, locked as long as it is written; made with its first byte.

    Steps may be made in different threads: one waits for the other. Each raises OSError.
    """

    def __init__(self, root: bytes) -> None:
        self.path = os.path.join(root, STORED, b"." + secrets.token_hex(8).encode() + _SUFFIX)
        self.size = 0
        self._root = root
        self._digest = hashlib.blake2b(digest_size=32)
        self._descriptor: int | None = None
        self._done = False
        self._step = threading.Lock()

    def write(self, data: bytes) -> None:
        with self._step:
            if self._done:
                raise OSError(errno.EBADF, os.strerror(errno.EBADF))
            if self._descriptor is None:
                self._descriptor = self._opened()
            view = memoryview(data)
            while view:
                view = view[os.write(self._descriptor, view) :]
            self._digest.update(data)
            self.size += len(data)

    def sync(self) -> None:
        """Make sure that the bytes are on the disk."""
        with self._step:
            if self._descriptor is not None:
                os.fsync(self._descriptor)

    def same_as(self, extent: Extent) -> bool:
        """Whether a file has the same bytes. Raises reading.Changed, too."""
        if extent.length != self.size:
            return False
        digest = hashlib.blake2b(digest_size=32)
        for chunk in read([extent]):
            digest.update(chunk)
        return digest.digest() == self._digest.digest()

    def settle(self, path: bytes) -> Found:
        """Give it its name (relative to the root), for good; what had that name before is gone."""
        with self._step:
            final = os.path.join(self._root, path)
            os.rename(self.path, final)
            _sync_folder(os.path.dirname(final))
            status = os.stat(final, follow_symlinks=False)
            self._end()
            return Found(path, stamp(status))

    def discard(self) -> None:
        """Nothing of it stays, unless it was settled."""
        with self._step:
            if self._descriptor is not None:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self.path)
            self._end()

    def _opened(self) -> int:
        folder = os.path.dirname(self.path)
        if not os.path.isdir(folder):
            os.mkdir(folder)
            _sync_folder(self._root)
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        return descriptor

    def _end(self) -> None:
        descriptor, self._descriptor, self._done = self._descriptor, None, True
        if descriptor is not None:
            os.close(descriptor)


def path_of(instance: str) -> bytes:
    """Where an instance of that SOP Instance UID is stored, relative to the root."""
    name = hashlib.blake2b(instance.encode(), digest_size=16).hexdigest()
    return os.path.join(STORED, f"{name}.dcm".encode())


def sweep(root: bytes) -> int:
    """Remove part files that a process left behind when it died; returns how many. Raises OSError."""
    swept = 0
    with contextlib.suppress(FileNotFoundError), os.scandir(os.path.join(root, STORED)) as entries:
        for entry in entries:
            if entry.name.startswith(b".") and entry.name.endswith(_SUFFIX) and _is_deserted(entry.path):
                os.unlink(entry.path)
                swept += 1
    return swept


def _is_deserted(path: bytes) -> bool:
    """Whether nobody holds the lock of a part file: another router may serve the same folder."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True


def _sync_folder(path: bytes) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
