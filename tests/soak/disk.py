"""A disk whose power can be cut: an ext4 image on a loop device (needs root and loop mounts).

`cut` stops all writes at one instant, as a power cut does: what was neither fsynced nor committed by the
file system is lost. What the kernel still has in memory goes with the unmounting.
"""

import fcntl
import os
import struct
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

_SHUTDOWN = 0x8004587D  # EXT4_IOC_SHUTDOWN
_NO_LOG_FLUSH = 2
# How much of what was written a power cut takes: with delayed allocation almost all data of the last half
# minute, so that files are there and empty; without it all that is younger than the last commit.
LOSING = ("commit=5", "nodelalloc,commit=1")


class NoDisk(RuntimeError):
    """Such a disk cannot be had here; the message says what is missing."""


class Disk:
    """Mounted at `path` as long as the context lasts; `size` in bytes."""

    def __init__(self, folder: Path, size: int) -> None:
        self.path = folder / "disk"
        self._image = folder / "disk.img"
        self._size = size

    def __enter__(self) -> Self:
        if os.geteuid() != 0:
            raise NoDisk("power cuts need root: a disk image is mounted over a loop device")
        self.path.mkdir(parents=True)
        with open(self._image, "wb") as image:
            image.truncate(self._size)
        try:
            _run("mkfs.ext4", "-q", "-F", str(self._image))
            self._mount(LOSING[0])
        except (OSError, subprocess.CalledProcessError) as error:
            raise NoDisk(f"power cuts need mkfs.ext4 and loop mounts: {error}") from None
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        _run("umount", str(self.path))
        self._image.unlink()

    def cut(self) -> None:
        """Cut the power. Whoever uses the disk is to be killed before `restore`."""
        root = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(root, _SHUTDOWN, struct.pack("I", _NO_LOG_FLUSH))
        finally:
            os.close(root)

    def restore(self, losing: str = LOSING[0]) -> None:
        """Power is back: the journal is replayed. Nobody may have a file open. `losing` is one of LOSING."""
        _run("umount", str(self.path))
        self._mount(losing)

    def _mount(self, losing: str) -> None:
        _run("mount", "-o", f"loop,{losing}", str(self._image), str(self.path))


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
