"""Reading with and without the page cache's help, and after the end."""

import errno
import os
from pathlib import Path

import pytest

from edgerouter.cache.disk import open_regular
from edgerouter.cache.reading import PIECE, Reading
from tests.cache.support import noise


async def read(reading: Reading, path: Path, size: int) -> bytes:
    file = open_regular(path)
    data = b""
    while len(data) < size:
        piece = await reading.piece(file, len(data), size)
        assert 0 < len(piece) <= PIECE
        data += piece
    reading.close()
    return data


async def test_hot_and_cold_pieces_give_the_same_bytes(tmp_path: Path) -> None:
    content = noise(PIECE * 3 + 5)
    path = tmp_path / "file"
    path.write_bytes(content)
    assert await read(Reading(), path, len(content)) == content
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    assert await read(Reading(), path, len(content)) == content
    assert await read(Reading(nowait=None), path, len(content)) == content


@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.EINVAL])
async def test_where_the_file_system_cannot_say_a_thread_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*args: object) -> int:
        raise OSError(number, "no")

    monkeypatch.setattr(os, "preadv", refuse)
    path = tmp_path / "file"
    path.write_bytes(b"content")
    assert await read(Reading(), path, 7) == b"content"


async def test_an_error_of_the_disk_is_not_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> int:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "preadv", fail)
    path = tmp_path / "file"
    path.write_bytes(b"content")
    with pytest.raises(OSError, match="Input/output"):
        await read(Reading(nowait=os.RWF_NOWAIT), path, 7)


async def test_a_file_that_ends_early_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"short")
    with pytest.raises(OSError, match="ends before"):
        await read(Reading(), path, 10)


async def test_a_closed_reader_refuses(tmp_path: Path) -> None:
    reading = Reading()
    reading.close()
    reading.soon(print)
    with pytest.raises(OSError, match="closed"):
        await reading.apart(print)
