"""What is read from a file is what was indexed, or nothing."""

import os
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from edgerouter.errors import Cut
from edgerouter.parsing.threads import Threads
from edgerouter.upstream.folder.reading import PIECE, Changed, Extent, Material, is_current, read, stream
from edgerouter.upstream.folder.walk import stamp


@pytest.fixture
async def threads() -> AsyncIterator[Threads]:
    threads = Threads("test", 2)
    yield threads
    await threads.aclose()


def extent(path: Path, *pieces: tuple[int, int], inflate_at: int = 0) -> Extent:
    pieces = pieces or ((0, path.stat().st_size),)
    return Extent(os.fsencode(path), stamp(path.stat()), pieces, inflate_at)


async def body(materials: list[Material], threads: Threads) -> bytes:
    return b"".join([chunk async for chunk in stream(materials, threads, "usb-stick")])


async def test_bytes_and_pieces_of_files_come_in_the_order_given(tmp_path: Path, threads: Threads) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"0123456789")
    two.write_bytes(b"abcdef")
    materials: list[Material] = [
        b"<",
        extent(one, (2, 3), (8, 1)),
        b"|",
        extent(one, (0, 1)),
        extent(two),
        b">",
    ]

    assert await body(materials, threads) == b"<2348|0abcdef>"


async def test_a_large_file_comes_in_bounded_chunks(tmp_path: Path, threads: Threads) -> None:
    file = tmp_path / "large"
    file.write_bytes(os.urandom(3 * PIECE + 5))

    chunks = [chunk async for chunk in stream([extent(file)], threads, "usb-stick")]

    assert b"".join(chunks) == file.read_bytes()
    assert max(map(len, chunks)) <= 2 * PIECE


async def test_deflated_pieces_are_inflated_forward_and_back(tmp_path: Path, threads: Threads) -> None:
    data = os.urandom(300_000)
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    file = tmp_path / "deflated"
    file.write_bytes(b"head" + packer.compress(data) + packer.flush())
    pieces = [(200_000, 1000), (210_000, 10), (5, 100_000)]
    materials: list[Material] = [extent(file, piece, inflate_at=4) for piece in pieces]

    assert await body(materials, threads) == b"".join(data[at : at + size] for at, size in pieces)


def test_an_extent_is_cut_across_its_pieces() -> None:
    whole = Extent(b"f", "", ((10, 5), (100, 3), (7, 4)))

    assert whole.length == 12
    assert whole.cut(3, 9).pieces == ((13, 2), (100, 3), (7, 1))
    assert whole.cut(0, 12) == whole
    assert whole.cut(6, 7).pieces == ((101, 1),)


@pytest.mark.parametrize("how", ["gone", "changed", "shorter", "a link", "a folder"])
async def test_a_file_that_is_not_the_one_indexed_cuts(tmp_path: Path, threads: Threads, how: str) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"0123456789")
    indexed = extent(file)
    if how == "shorter":
        indexed = indexed._replace(pieces=((0, 11),))
    else:
        file.rename(tmp_path / "before")
    if how == "changed":
        file.write_bytes(b"9876543210")
    elif how == "a link":
        file.symlink_to(tmp_path / "before")
    elif how == "a folder":
        file.mkdir()

    with pytest.raises(Cut) as caught:
        await body([b"head", indexed], threads)

    assert caught.value.upstream == "usb-stick"


async def test_a_file_that_changes_between_two_chunks_cuts(tmp_path: Path, threads: Threads) -> None:
    file = tmp_path / "file"
    file.write_bytes(bytes(4 * PIECE))
    chunks = stream([extent(file)], threads, "usb-stick")

    first = await anext(chunks)
    with file.open("r+b") as stream_:
        stream_.write(b"\1")
        stream_.truncate(3 * PIECE)

    assert set(first) == {0}
    with pytest.raises(Cut):
        await anext(chunks)


async def test_a_file_that_was_opened_is_read_though_its_name_is_gone(
    tmp_path: Path, threads: Threads
) -> None:
    file = tmp_path / "file"
    file.write_bytes(os.urandom(2 * PIECE))
    data = file.read_bytes()
    materials = read([extent(file)])

    first = next(materials)
    os.rename(file, tmp_path / "elsewhere")

    with pytest.raises(Changed):  # the rename is a change of the file, too
        next(materials)
    assert first == data[:PIECE]


async def test_a_reader_that_leaves_lets_the_file_go(tmp_path: Path, threads: Threads) -> None:
    file = tmp_path / "file"
    file.write_bytes(bytes(4 * PIECE))
    before = len(os.listdir("/proc/self/fd"))
    chunks = stream([extent(file)], threads, "usb-stick")

    await anext(chunks)
    assert len(os.listdir("/proc/self/fd")) == before + 1
    await chunks.aclose()

    assert len(os.listdir("/proc/self/fd")) == before


async def test_a_body_that_was_never_read_opened_nothing(tmp_path: Path, threads: Threads) -> None:
    chunks = stream([extent(tmp_path, (0, 1))], threads, "usb-stick")

    await chunks.aclose()


def test_a_file_below_what_is_no_folder_any_more_is_not_current(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"")

    assert is_current(os.fsencode(file), stamp(file.stat()))
    assert not is_current(os.fsencode(file / "below"), stamp(file.stat()))
    assert not is_current(os.fsencode(tmp_path / "gone"), stamp(file.stat()))
