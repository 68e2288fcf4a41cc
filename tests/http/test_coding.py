import gzip
import json
import zlib
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerouter.http.coding import (
    PIECE,
    CodingError,
    Gunzip,
    Gzip,
    accepts_gzip,
    compressible,
    negotiate,
)

ROW = json.dumps({f"0010{tag:04X}": {"vr": "LO", "Value": [str(tag * 7919)]} for tag in range(200)}).encode()


def inflate(chunks: Iterable[bytes], gunzip: Gunzip | None = None) -> bytes:
    gunzip = gunzip or Gunzip()
    out = []
    for chunk in chunks:
        for piece in gunzip.feed(chunk):
            assert 0 < len(piece) <= PIECE
            out.append(piece)
    gunzip.close()
    return b"".join(out)


@pytest.mark.parametrize(
    ("accept", "coding"),
    [
        (None, "identity"),
        ("", "identity"),
        ("gzip", "gzip"),
        ("gzip, deflate, br, zstd", "gzip"),
        ("deflate, GZIP;Q=0.001", "gzip"),
        ("x-gzip", "gzip"),
        ("*", "gzip"),
        ("*;q=0.5, gzip;q=0", "identity"),
        ("gzip;q=0", "identity"),
        ("gzip;q=0.0, *;q=0", None),
        ("br", "identity"),
        ("identity", "identity"),
        ("gzip;q=0.5, identity", "identity"),
        ("gzip;q=0.5, identity;q=0.5", "gzip"),
        ("gzip, identity;q=0", "gzip"),
        ("identity;q=0", None),
        ("*;q=0", None),
        ("*;q=0, identity", "identity"),
        ("gzip;q=2", "identity"),
        ("gzip;q=", "identity"),
        ("gzip;level=9", "gzip"),
        (", ;q=1, gzip", "gzip"),
    ],
)
def test_the_coding_is_the_one_the_client_prefers(accept: str | None, coding: str | None) -> None:
    assert negotiate(accept) == coding
    assert accepts_gzip(accept) is (coding == "gzip")


@given(st.text(max_size=100))
def test_any_accept_encoding_is_read(accept: str) -> None:
    assert negotiate(accept) in ("gzip", "identity", None)


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("application/dicom+json", True),
        ("application/json; charset=utf-8", True),
        ("Application/DICOM+XML", True),
        ("application/problem+json", True),
        ("application/vnd.sun.wadl+xml", True),
        ("text/html;charset=utf-8", True),
        ('multipart/related; type="application/dicom+xml"; boundary=b', True),
        ("multipart/related; boundary=b; type=application/dicom+xml", True),
        ('multipart/related; type="application/dicom"; boundary=b', False),
        ('multipart/related; type="application/octet-stream"; boundary="application/dicom+xml"', False),
        ("application/dicom", False),
        ("application/octet-stream", False),
        ("application/zip", False),
        ("image/jpeg", False),
        ("image/svg+xml", False),
        ("application/jsonish", False),
        ("", False),
        (None, False),
    ],
)
def test_text_is_worth_gzip_and_pixels_are_not(content_type: str | None, expected: bool) -> None:
    assert compressible(content_type) is expected


@given(st.binary(max_size=2000), st.integers(1, 50))
def test_what_was_deflated_in_pieces_inflates_in_pieces(data: bytes, size: int) -> None:
    gzipped = Gzip()
    coded = [gzipped.feed(data[start : start + size]) for start in range(0, len(data), size)]
    body = b"".join([*coded, gzipped.close()])

    assert gzip.decompress(body) == data
    assert inflate(body[start : start + size] for start in range(0, len(body), size)) == data


def test_the_same_bytes_are_deflated_the_same_way() -> None:
    one, two = Gzip(), Gzip()

    assert one.feed(ROW) + one.close() == two.feed(ROW) + two.close()


def test_a_flush_gives_everything_fed_so_far() -> None:
    gzipped, gunzip = Gzip(), Gunzip()

    assert b"".join(gunzip.feed(gzipped.feed(ROW, flush=True))) == ROW


@pytest.mark.parametrize("size", [PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, 10 * PIECE + 5])
def test_output_comes_in_bounded_pieces(size: int) -> None:
    data = (ROW * (size // len(ROW) + 1))[:size]

    for chunk in (1 << 30, 100):
        body = gzip.compress(data)
        assert inflate(body[start : start + chunk] for start in range(0, len(body), chunk)) == data


def test_nothing_is_inflated_before_it_is_taken() -> None:
    gunzip = Gunzip(limit=PIECE)

    pieces = gunzip.feed(gzip.compress(ROW * 100))

    assert len(next(pieces)) == PIECE
    with pytest.raises(CodingError, match="more than is allowed"):
        next(pieces)


def test_a_bomb_is_refused_by_its_ratio_before_it_is_out() -> None:
    bomb = gzip.compress(bytes(50 << 20))
    out: list[int] = []

    with pytest.raises(CodingError, match="too much for its size"):
        out.extend(len(piece) for piece in Gunzip(ratio=50).feed(bomb))
    assert sum(out) <= 50 * len(bomb)


def test_a_bomb_is_refused_by_its_size() -> None:
    gunzip = Gunzip(limit=5 << 20, ratio=2000)

    with pytest.raises(CodingError, match="more than is allowed"):
        inflate([gzip.compress(bytes(6 << 20))], gunzip)
    assert len(inflate([gzip.compress(bytes(5 << 20))], Gunzip(limit=5 << 20, ratio=2000))) == 5 << 20


def test_a_small_body_may_be_all_zeros() -> None:
    assert len(inflate([gzip.compress(bytes(1 << 20))], Gunzip(ratio=10))) == 1 << 20


def test_every_cut_is_seen() -> None:
    body = gzip.compress(ROW)

    for end in [0, 1, 9, 10, 11, len(body) // 2, len(body) - 9, len(body) - 8, len(body) - 1]:
        with pytest.raises(CodingError, match="before its end mark"):
            inflate([body[:end]])


@pytest.mark.parametrize(
    "body",
    [
        b"not gzip at all, not at all",
        gzip.compress(ROW)[:-8] + b"\0" * 8,
        gzip.compress(ROW)[:50] + b"\xff" * 50 + gzip.compress(ROW)[100:],
        zlib.compress(ROW),
        gzip.compress(ROW) + b"trailing garbage",
        gzip.compress(ROW) + b"\0",
    ],
)
def test_a_damaged_stream_or_a_tail_is_refused(body: bytes) -> None:
    for size in (7, 1 << 20):
        with pytest.raises(CodingError):
            inflate(body[start : start + size] for start in range(0, len(body), size))


def test_several_members_are_one_stream_but_not_any_number_of_them() -> None:
    assert inflate([gzip.compress(b"one") + gzip.compress(b"two"), gzip.compress(b"three")]) == b"onetwothree"
    with pytest.raises(CodingError, match="too many members"):
        inflate([gzip.compress(b"") * 10_000])


def test_a_second_member_must_end_too() -> None:
    with pytest.raises(CodingError, match="before its end mark"):
        inflate([gzip.compress(b"one") + gzip.compress(b"two")[:-1]])
