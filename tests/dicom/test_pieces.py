import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgerouter.dicom.pieces import Piece, Pieces, read, size
from edgerouter.dicom.source import Part10Error

FILE = bytes(range(256)) * 4


@pytest.fixture(scope="module")
def descriptor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    path: Path = tmp_path_factory.mktemp("pieces") / "file"
    path.write_bytes(FILE)
    opened = os.open(path, os.O_RDONLY)
    yield opened
    os.close(opened)


def test_neighbours_become_one_piece() -> None:
    pieces = Pieces(100)
    pieces.add(b"a")
    pieces.add(b"b")
    pieces.refer(10, 5)
    pieces.refer(15, 0)
    pieces.refer(15, 5)
    pieces.refer(30, 1)
    pieces.add(b"c")
    assert pieces.done() == (b"ab", (10, 10), (30, 1), b"c")


def test_new_bytes_are_bounded() -> None:
    pieces = Pieces(10)
    pieces.add(b"x" * 10)
    with pytest.raises(Part10Error, match="too much"):
        pieces.add(b"x")


def test_chunks_are_of_a_mebibyte_at_most(descriptor: int) -> None:
    chunks = list(read(descriptor, (bytes(3 << 20),), 0, 3 << 20))
    assert [len(chunk) for chunk in chunks] == [1 << 20] * 3


def test_a_reference_beyond_the_file_is_an_error(descriptor: int) -> None:
    with pytest.raises(Part10Error):
        list(read(descriptor, ((1000, 100),), 0, 100))


@settings(deadline=None)
@given(st.lists(st.binary(max_size=9) | st.integers(0, 60), max_size=9), st.data())
def test_any_range_is_that_slice(descriptor: int, parts: list[bytes | int], data: st.DataObject) -> None:
    pieces: list[Piece] = []
    whole, at = b"", 0
    for part in parts:
        if isinstance(part, bytes):
            pieces.append(part)
            whole += part
        else:
            pieces.append((at, part))
            whole += FILE[at : at + part]
            at += part + 3
    assert sum(map(size, pieces)) == len(whole)
    start = data.draw(st.integers(0, len(whole)))
    stop = data.draw(st.integers(start, len(whole)))
    assert b"".join(read(descriptor, tuple(pieces), start, stop)) == whole[start:stop]
