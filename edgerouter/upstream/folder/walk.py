"""Which files a folder holds now, and which version of each: walked, never opened.

Hidden files and folders are left out, and so are symbolic links, which could lead out of the folder or round
in circles.
"""

import os
from collections.abc import Iterator
from typing import NamedTuple

BATCH = 512
MAX_DEPTH = 32
MAX_FILES = 500_000


class Found(NamedTuple):
    """A file: its path below the folder, and the stamp of the version that is there."""

    path: bytes
    stamp: str


def stamp(status: os.stat_result) -> str:
    """What tells this version of a file from any other.

    The change time is set by the kernel alone: a file that was rewritten cannot hide it.
    """
    return f"{status.st_ino}.{status.st_size}.{status.st_mtime_ns}.{status.st_ctime_ns}"


class Walk:
    """One pass over a folder, in batches of files in one fixed order. Raises OSError when it cannot be read.

    Afterwards `whole` tells whether every folder in it could be read, `full` whether there are more files
    than `most`, which were left out.
    """

    def __init__(self, root: bytes, *, most: int = MAX_FILES) -> None:
        self.whole = True
        self.full = False
        self._root = root
        self._left = most

    def __iter__(self) -> Iterator[list[Found]]:
        batch: list[Found] = []
        for found in self._below(b"", 0):
            self.full = self._left == 0
            if self.full:
                break
            self._left -= 1
            batch.append(found)
            if len(batch) == BATCH:
                yield batch
                batch = []
        if batch:
            yield batch

    def _below(self, folder: bytes, depth: int) -> Iterator[Found]:
        try:
            with os.scandir(os.path.join(self._root, folder)) as listing:
                entries = sorted(listing, key=lambda entry: entry.name)
        except OSError:
            if depth == 0:
                raise
            self.whole = False
            return
        for entry in entries:
            path = os.path.join(folder, entry.name)
            if entry.name.startswith(b"."):
                continue
            if entry.is_dir(follow_symlinks=False):
                if depth < MAX_DEPTH:
                    yield from self._below(path, depth + 1)
            elif found := _file(entry, path):
                yield found


def _file(entry: "os.DirEntry[bytes]", path: bytes) -> Found | None:
    try:
        if entry.is_file(follow_symlinks=False):
            return Found(path, stamp(entry.stat(follow_symlinks=False)))
    except FileNotFoundError:
        pass  # gone since it was listed
    return None
