"""Where content ends: the same place however the bytes arrive, and never beyond the bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerouter.server.content import MAX_EXTENSIONS, MAX_LINE, MAX_OVERHEAD, MAX_TRAILERS, Chunked, Sized
from edgerouter.server.head import Refusal

chunks = st.lists(st.binary(min_size=1, max_size=40), max_size=5)


def coded(content: list[bytes], trailer: bytes = b"") -> bytes:
    body = b"".join(b"%x;e=1\r\n%b\r\n" % (len(chunk), chunk) for chunk in content)
    return body + b"0\r\n" + trailer + b"\r\n"


def refused(*pieces: bytes) -> int:
    content = Chunked()
    for piece in pieces:
        try:
            content.take(piece)
        except Refusal as refusal:
            return refusal.status
    pytest.fail("the content was taken")


@given(chunks, st.sampled_from([b"", b"A: b\r\n", b"A: b\r\nC: d\r\n"]), st.binary(max_size=9), st.data())
def test_chunked_content_ends_at_the_same_byte_however_it_is_cut(
    content: list[bytes], trailer: bytes, behind: bytes, data: st.DataObject
) -> None:
    wire = coded(content, trailer)
    reader = Chunked()
    taken = at = 0
    rest = wire + behind
    while rest and not reader.done:
        size = data.draw(st.integers(1, len(rest)))
        taken = reader.take(rest[:size])
        at += taken
        rest = rest[size:]

    assert reader.done
    assert at == len(wire)


def test_sized_content_ends_after_its_length() -> None:
    content = Sized(5)

    assert (content.take(b"abc"), content.done) == (3, False)
    assert (content.take(b"defg"), content.done) == (2, True)
    assert Sized(0).done


@pytest.mark.parametrize(
    "line",
    [b"\r\n", b"g\r\n", b"0x3\r\n", b"+3\r\n", b"3 \r\n", b" 3\r\n", b"3\n", b"-1\r\n", b"f" * 16 + b"\r\n"],
)
def test_a_malformed_chunk_size_is_refused(line: bytes) -> None:
    assert refused(line) == 400


def test_a_line_without_end_is_refused() -> None:
    assert refused(b"3;" + b"a" * MAX_LINE) == 400
    assert refused(b"3;" + b"a" * 3000, b"b" * 3000) == 400


def test_the_extensions_of_all_chunks_together_are_bounded() -> None:
    chunk = b"100;" + b"e" * 1000 + b"\r\n" + b"x" * 256 + b"\r\n"

    assert refused(*[chunk] * (MAX_EXTENSIONS // 1000 + 1)) == 400


def test_the_trailer_section_is_bounded() -> None:
    assert refused(b"0\r\n", *[b"T: " + b"t" * 1000 + b"\r\n"] * (MAX_TRAILERS // 1000 + 1)) == 431


def test_a_flood_of_tiny_chunks_is_refused_and_large_ones_are_not() -> None:
    assert refused(b"1\r\nx\r\n" * MAX_OVERHEAD) == 400

    content = Chunked()
    for _ in range(10_000):
        content.take(b"40\r\n" + b"x" * 64 + b"\r\n")
