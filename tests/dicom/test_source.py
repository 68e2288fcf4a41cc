import multiprocessing
import os
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerouter.dicom import source
from edgerouter.dicom.source import WINDOW, Inflated, NeedMore, Part10Error
from tests.dicom.build import deflated

STEPS = st.lists(st.tuples(st.sampled_from(["take", "peek", "skip"]), st.integers(0, 90_000)), max_size=30)
DATA = os.urandom(3 * WINDOW + 17)


def walk(reader: source.Source, steps: list[tuple[str, int]]) -> None:
    position = 0
    for verb, count in steps:
        if position + count > len(DATA):
            with pytest.raises(Part10Error):
                getattr(reader, verb)(count)
            return
        piece = getattr(reader, verb)(count)
        if verb != "skip":
            assert piece == DATA[position : position + count]
        position += count * (verb != "peek")
        assert reader.position == position
    assert reader.at_end == (position == len(DATA))


@given(STEPS)
def test_any_walk_over_bytes_sees_the_bytes_that_are_there(steps: list[tuple[str, int]]) -> None:
    walk(source.of_bytes(DATA), steps)


@given(STEPS)
def test_any_walk_over_an_inflated_stream_sees_what_was_deflated(steps: list[tuple[str, int]]) -> None:
    walk(Inflated(source.of_bytes(deflated(DATA))), steps)


def test_any_walk_over_a_file_sees_the_file(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(DATA)
    with source.opened(str(tmp_path / "f")) as descriptor:
        walk(source.of_file(descriptor), [("take", 10), ("skip", 70_000), ("peek", 5), ("take", 90_000)])


def test_bytes_that_have_not_come_yet_are_asked_for() -> None:
    reader = source.of_bytes(b"abcd", complete=False)
    reader.take(3)
    with pytest.raises(NeedMore) as caught:
        reader.take(10)
    assert caught.value.wanted == 13
    assert not reader.at_end


def test_deflated_bytes_that_have_not_come_yet_are_asked_for() -> None:
    packed = deflated(DATA)
    reader = Inflated(source.of_bytes(packed[:1000], complete=False))
    with pytest.raises(NeedMore) as caught:
        reader.take(len(DATA))
    assert caught.value.wanted == 1001


def test_a_file_that_is_cut_while_it_is_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(DATA)
    with source.opened(str(tmp_path / "f")) as descriptor:
        reader = source.of_file(descriptor)
        os.truncate(tmp_path / "f", 100)
        with pytest.raises(Part10Error, match="shorter"):
            reader.take(200)


def test_a_deflate_bomb_stops_at_its_limit() -> None:
    reader = Inflated(source.of_bytes(deflated(bytes(10 * WINDOW))), limit=3 * WINDOW)
    with pytest.raises(Part10Error, match="deflated"):
        reader.skip(9 * WINDOW)
    assert reader.position <= 3 * WINDOW


def test_what_zlib_holds_back_at_the_end_of_its_input_is_read_too() -> None:
    for size in range(WINDOW, WINDOW + 300):
        stream = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
        reader = Inflated(source.of_bytes(stream.compress(bytes(size)) + stream.flush()))
        assert reader.take(size) == bytes(size)
        assert reader.at_end


def test_a_cut_deflate_stream_is_an_error() -> None:
    packed = deflated(DATA)
    with pytest.raises(Part10Error, match="cut"):
        Inflated(source.of_bytes(packed[: len(packed) // 2])).skip(len(DATA))


def test_a_damaged_deflate_stream_is_an_error() -> None:
    with pytest.raises(Part10Error, match="damaged"):
        Inflated(source.of_bytes(b"\xff" * 100)).take(1)


def test_a_length_beyond_the_inflated_data_is_an_error() -> None:
    with pytest.raises(Part10Error, match="past the end"):
        Inflated(source.of_bytes(deflated(b"abc"))).take(4)


def test_an_empty_deflate_stream_is_at_its_end() -> None:
    assert Inflated(source.of_bytes(deflated(b""))).at_end


def test_a_stream_with_a_zlib_header_is_not_what_ps3_5_means() -> None:
    with pytest.raises(Part10Error):
        Inflated(source.of_bytes(zlib.compress(DATA))).take(len(DATA))


def test_pieces_of_a_file_are_read_in_bounded_chunks(tmp_path: Path) -> None:
    data = os.urandom(3_000_000)
    (tmp_path / "f").write_bytes(data)
    with source.opened(str(tmp_path / "f")) as descriptor:
        chunks = list(source.read_pieces(descriptor, [(5, 2_500_000), (2_600_000, 10)]))
    assert b"".join(chunks) == data[5:2_500_005] + data[2_600_000:2_600_010]
    assert max(map(len, chunks)) <= 1 << 20


def test_pieces_out_of_order_or_beyond_the_end_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"0123456789")
    with source.opened(str(tmp_path / "f")) as descriptor:
        with pytest.raises(Part10Error, match="ascending"):
            list(source.read_pieces(descriptor, [(5, 2), (0, 2)]))
        with pytest.raises(Part10Error, match="past the end"):
            list(source.read_pieces(descriptor, [(5, 20)]))


def test_a_pipe_or_a_folder_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(Part10Error, match="regular"), source.opened(str(path)):
            pass


def test_both_errors_survive_the_way_back_from_a_worker_process() -> None:
    here, there = multiprocessing.Pipe()
    with here, there:
        there.send((NeedMore(7), Part10Error("why")))
        more, error = here.recv()
    assert (more.wanted, error.reason) == (7, "why")
