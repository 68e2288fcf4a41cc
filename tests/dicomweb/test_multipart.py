import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import pytest
import requests
from dicomweb_client import DICOMwebClient
from hypothesis import example, given
from hypothesis import strategies as st

from edgerouter.dicomweb.media import multipart_content_type
from edgerouter.dicomweb.multipart import (
    Event,
    Limits,
    MultipartError,
    MultipartReader,
    PartBegin,
    PartData,
    boundary_for,
    closing,
    delimiter,
    envelope_length,
    new_boundary,
)
from edgerouter.http.fields import Fields

B = "edge"
DICOM = Fields([("content-type", "application/dicom")])
Part = tuple[Fields, bytes]


@dataclass
class Outcome:
    """What a reader made of a body: whole parts, the bytes of an unfinished one, and the fault."""

    parts: list[Part] = field(default_factory=list)
    begun: list[Part] = field(default_factory=list)
    fault: str = ""

    def take(self, events: Iterable[Event]) -> None:
        for event in events:
            if isinstance(event, PartBegin):
                self.begun.append((event.fields, b""))
            elif isinstance(event, PartData):
                fields, data = self.begun.pop()
                assert event.data
                self.begun.append((fields, data + event.data))
            else:
                self.parts.append(self.begun.pop())


def read(chunks: Iterable[bytes], boundary: str = B, limits: Limits | None = None) -> Outcome:
    reader, outcome = MultipartReader(boundary, limits), Outcome()
    try:
        for chunk in chunks:
            outcome.take(reader.feed(chunk))
        reader.close()
    except MultipartError as fault:
        outcome.fault = str(fault)
    assert reader.finished or outcome.fault
    assert reader.parts == len(outcome.parts) + len(outcome.begun)
    return outcome


def pieces(body: bytes, size: int) -> list[bytes]:
    return [body[start : start + size] for start in range(0, len(body), size)]


def written(parts: list[Part], boundary: str = B) -> bytes:
    opened = (delimiter(boundary, fields, index == 0) + data for index, (fields, data) in enumerate(parts))
    return b"".join(opened) + closing(boundary)


def test_parts_are_read_as_they_were_written() -> None:
    parts = [
        (DICOM, b"one"),
        (Fields([("content-type", "image/jls"), ("content-location", "/x")]), b"two\r\n"),
    ]

    assert read([written(parts)]) == Outcome(parts)


# As recorded from Orthanc 1.10.1, but for the boundary and the data.
def test_an_answer_of_orthanc_is_read() -> None:
    body = (
        b"--edge\r\nContent-Type: application/dicom\r\nContent-Length: 3\r\nMIME-Version: 1.0\r\n\r\n"
        b"abc\r\n--edge--\r\n"
    )

    outcome = read([body])

    assert outcome.fault == ""
    assert [(fields.get("content-type"), data) for fields, data in outcome.parts] == [
        ("application/dicom", b"abc")
    ]


@pytest.mark.parametrize(
    "body",
    [
        b"\r\n--edge\r\nContent-Type: a/b\r\n\r\nxyz\r\n--edge--",  # dicomweb-client for JavaScript
        b"preamble\r\n--edge \t\r\ncontent-type:a/b\r\n\r\nxyz\r\n--edge--\r\nepilogue\r\n--edge\r\n",
        b"--edge\r\nCONTENT-TYPE: a/b\r\nContent-Length: 3\r\n\r\nxyz\r\n--edge--",
        b"--edgewise\r\n--edge\r\nContent-Type: a/b\r\n\r\nxyz\r\n--edge--",
    ],
)
def test_what_senders_do_differently_is_understood(body: bytes) -> None:
    for size in (1, 2, 7, 1000):
        outcome = read(pieces(body, size))
        assert outcome.fault == ""
        assert [(fields.get("content-type"), data) for fields, data in outcome.parts] == [("a/b", b"xyz")]


@pytest.mark.parametrize(
    ("body", "parts"),
    [
        (b"--edge\r\n\r\nbare\r\n--edge--", [b"bare"]),
        (b"--edge\r\n\r\n--edge--", [b""]),
        (b"--edge\r\n\r\n\r\n--edge--", [b""]),
        (b"--edge\r\nA: b\r\n\r\n--edge--", [b""]),
        (b"--edge\r\nA: b\r\nContent-Length: 0\r\n\r\n\r\n--edge--", [b""]),
        (b"--edge\r\nA: b\r\nContent-Length: 0\r\n\r\n--edge--", [b""]),
        (b"--edge\r\n\r\n--edge\r\n\r\n--edge--", [b"", b""]),
        (b"--edge--", []),
    ],
)
def test_bare_and_empty_parts_are_parts(body: bytes, parts: list[bytes]) -> None:
    for size in (1, 3, 1000):
        outcome = read(pieces(body, size))
        assert outcome.fault == ""
        assert [data for _, data in outcome.parts] == parts


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n--edg",
        b"\r\n--edges\r\n",
        b"\r\n--edge-\r\n",
        b"\r\n--edge" + b" " * 65 + b"\r\n",
        b"\r\n--edge x\r\n",
        b"\r\n--edge\r\r\n",
        b"\n--edge\r\n",
        b"x--edge\r\n",
        b"\r\r\n-",
        b"--edge x",
        b"\r\n",
    ],
)
def test_data_that_looks_like_a_boundary_does_not_split(data: bytes) -> None:
    for content in (data, data + data, b"a" + data, data + b"z"):
        for size in (1, 5, 1000):
            assert read(pieces(written([(DICOM, content), (DICOM, b"2")]), size)) == Outcome(
                [(DICOM, content), (DICOM, b"2")]
            )


def test_a_part_that_says_its_length_may_hold_the_boundary_itself() -> None:
    data = b"\r\n--edge\r\nA: b\r\n\r\n\r\n--edge--\r\n"
    parts = [(DICOM.set("content-length", str(len(data))), data), (DICOM, b"2")]

    for size in (1, 4, 1000):
        assert read(pieces(written(parts), size)) == Outcome(parts)


@pytest.mark.parametrize("length", [0, 1, 5, 7, 50])
def test_a_length_that_misses_the_delimiter_is_a_fault(length: int) -> None:
    body = written([(DICOM.set("content-length", str(length)), b"sixsix"), (DICOM, b"x" * 100)])

    for size in (1, 1000):
        outcome = read(pieces(body, size))
        assert outcome.parts == []
        assert "Content-Length" in outcome.fault


def test_a_length_that_ends_at_a_false_delimiter_is_a_fault() -> None:
    body = written([(DICOM.set("content-length", "1"), b"1\r\n--edges\r\n")])

    for size in (1, 1000):
        assert "Content-Length" in read(pieces(body, size)).fault


def test_every_cut_is_seen() -> None:
    parts = [(DICOM.set("content-length", "4"), b"1234"), (DICOM, b"56\r\n--78")]
    body = written(parts).removesuffix(b"\r\n")

    for end in range(len(body)):
        outcome = read([body[:end]])
        assert "ended before its closing boundary" in outcome.fault
        assert outcome.parts == parts[: len(outcome.parts)]
    assert read([body]) == Outcome(parts)


def test_whole_parts_are_handed_over_before_the_fault_that_follows_them() -> None:
    reader = MultipartReader(B)

    events = reader.feed(written([(DICOM, b"1")]).removesuffix(b"--\r\n") + b"\r\nno field\r\n\r\n")

    outcome = Outcome()
    outcome.take(events)
    assert outcome.parts == [(DICOM, b"1")]
    for _ in range(2):
        with pytest.raises(MultipartError, match="not a field"):
            reader.feed(b"more")
    with pytest.raises(MultipartError, match="not a field"):
        reader.close()


def test_data_is_not_held_back() -> None:
    reader = MultipartReader(B)
    fed = given_out = 0

    for chunk in [delimiter(B, Fields(), True)] + [b"\r\n--edge  x" * 1000] * 20:
        fed += len(chunk)
        given_out += sum(len(event.data) for event in reader.feed(chunk) if isinstance(event, PartData))
        assert fed - given_out < 200


@pytest.mark.parametrize("boundary", ["", "a" * 201, "a ", 'a"b', "a;b", "a\r\nb", "ä", "a\n"])
def test_an_illegal_boundary_is_refused(boundary: str) -> None:
    with pytest.raises(MultipartError, match="boundary"):
        MultipartReader(boundary)


# S44: hostile bodies end early, whatever is still to come.
def endless(first: bytes, then: bytes) -> Iterator[bytes]:
    yield first
    for sent in range(0, 1 << 30, len(then)):
        assert sent < 1 << 20, "read on and on"
        yield then


@pytest.mark.parametrize(
    ("chunks", "fault"),
    [
        (endless(b"", b"preamble" * 1000), "outside the boundaries"),
        (endless(b"--edge--", b"epilogue" * 1000), "outside the boundaries"),
        (endless(b"--edge\r\n", b"A: " + b"b" * 10_000), "header is too long"),
        (endless(b"--edge\r\n", b"A: b\r\n" * 1000), "header is too long"),
        (endless(b"--edge\r\n", b"A: b\r\n" * 17 + b"\r\n"), "too many lines"),
        (endless(b"--edge\r\n", b"\r\n--edge\r\n" * 1000), "too many parts"),
        (endless(b"--edge\r\nContent-Type: multipart/mixed\r\n", b"\r\n"), "itself multipart"),
    ],
)
def test_a_hostile_body_is_refused_early(chunks: Iterator[bytes], fault: str) -> None:
    assert fault in read(chunks).fault


def test_the_limits_are_exact() -> None:
    limits = Limits(parts=2, preamble=10, header=20, lines=2, epilogue=10)
    header = b"A: " + b"b" * 17
    body = b"0123456789\r\n--edge\r\n" + header + b"\r\n\r\n1\r\n--edge\r\n\r\n2\r\n--edge--0123456789"

    for size in (1, 1000):
        assert read(pieces(body, size), limits=limits).fault == ""
        assert "outside" in read(pieces(b"0" + body, size), limits=limits).fault
        assert "outside" in read(pieces(body + b"0", size), limits=limits).fault
        assert "too long" in read(pieces(body.replace(b"A:", b"AA:"), size), limits=limits).fault
        more = body.replace(b"--edge--", b"--edge\r\n\r\n3\r\n--edge--")
        assert "too many parts" in read(pieces(more, size), limits=limits).fault


def test_false_boundaries_cost_linear_time() -> None:
    reader = MultipartReader("b")
    reader.feed(b"--b\r\n\r\n")

    out = sum(
        len(event.data)
        for _ in range(16)
        for event in reader.feed(b"\r\n--bX" * 20_000)
        if isinstance(event, PartData)
    )

    assert out == 16 * 6 * 20_000


BREAKS = [b"\r\n", b"\r", b"\n", b"\r\n\r\n", b"-", b"--", b" ", b"x", b"abc", b"A: b\r\n"]
BOUNDARIES = [b"edge", b"--edge", b"\r\n--edge", b"--edge--"]
HEADERS = [b"Content-Length: 3\r\n", b"Content-Type: multipart/x\r\n"]
FRAGMENTS = st.sampled_from(BREAKS + BOUNDARIES + HEADERS)
BODIES = st.lists(FRAGMENTS, max_size=12).map(b"".join)
CUTS = st.lists(st.integers(1, 9), max_size=60)


def cut(body: bytes, sizes: list[int]) -> list[bytes]:
    chunks = []
    for size in sizes:
        chunks.append(body[:size])
        body = body[size:]
    return [*chunks, body]


@given(st.lists(st.tuples(st.booleans(), BODIES), min_size=1, max_size=4), CUTS)
@example([(False, b"\r\n--edge")], [1] * 60)
def test_any_parts_survive_any_chunking(contents: list[tuple[bool, bytes]], sizes: list[int]) -> None:
    parts = []
    for sized, data in contents:
        if re.search(rb"\r\n--edge(?:--|[ \t]{0,64}\r\n)", b"\r\n" + data + b"\r\n--"):
            sized = True  # only a length saves a body that holds its own boundary
        length = [("content-length", str(len(data)))] if sized else []
        parts.append((Fields([("content-type", "a/b"), *length]), data))

    assert read(cut(written(parts), sizes)) == Outcome(parts)


@given(BODIES, CUTS)
def test_any_bytes_mean_the_same_in_any_chunking(body: bytes, sizes: list[int]) -> None:
    limits = Limits(parts=3, preamble=8, header=24, lines=3, epilogue=8)

    for prefix in (b"", b"--edge\r\n", b"--edge\r\n\r\n"):
        assert read(cut(prefix + body, sizes), limits=limits) == read([prefix + body], limits=limits)


def test_a_boundary_is_long_random_and_needs_no_quotes() -> None:
    one, two = new_boundary(), new_boundary()

    assert one != two
    assert re.fullmatch(r"[0-9a-f]{60}", one)


def test_a_boundary_from_a_seed_is_always_the_same() -> None:
    assert boundary_for(b"unit") == boundary_for(b"unit")
    assert boundary_for(b"unit") != boundary_for(b"other")
    assert boundary_for(b"unit", b"secret") not in (boundary_for(b"unit"), boundary_for(b"unit", b"other"))
    assert re.fullmatch(r"[0-9a-f]{60}", boundary_for(b"unit", b"secret"))


def test_field_names_are_written_as_viewers_compare_them() -> None:
    fields = Fields([("content-type", "image/jls; transfer-syntax=1.2"), ("content-location", "/x")])

    assert delimiter(B, fields, True) == (
        b"--edge\r\nContent-Type: image/jls; transfer-syntax=1.2\r\nContent-Location: /x\r\n\r\n"
    )
    assert delimiter(B, Fields(), False) == b"\r\n--edge\r\n\r\n"
    assert closing(B) == b"\r\n--edge--\r\n"


@pytest.mark.parametrize("value", ["a\r\nSet-Cookie: b", "a\nb", "a\rb", "a\0b"])
def test_a_field_that_would_break_the_header_is_not_written(value: str) -> None:
    for fields in (Fields([("content-location", value)]), Fields([(value, "x")])):
        with pytest.raises(MultipartError, match="line break"):
            delimiter(B, fields, True)


def test_the_length_of_a_body_is_known_before_it_is_written() -> None:
    parts = [(DICOM, b"1" * 1000), (DICOM.set("content-location", "/x"), b""), (Fields(), b"3")]

    assert envelope_length(B, [(fields, len(data)) for fields, data in parts]) == len(written(parts))


@pytest.mark.parametrize("stream", [True, False])
def test_dicomweb_client_reads_what_we_write(stream: bool) -> None:
    boundary = new_boundary()
    contents = [b"first\r\n", b"", b"--" * 500_000, b"last"]
    response = requests.Response()
    response.headers["content-type"] = multipart_content_type("application/dicom", boundary)
    response.raw = io.BytesIO(written([(DICOM, data) for data in contents], boundary))
    client = DICOMwebClient("http://127.0.0.1:1")

    assert list(client._decode_multipart_message(response, stream)) == contents


def test_what_dicomweb_client_stores_is_read() -> None:
    contents = [b"first\r\n", b"--edge--"]
    content_type = f'multipart/related; type="application/dicom"; boundary="{B}s"'
    body = DICOMwebClient._encode_multipart_message(contents, content_type)

    assert [data for _, data in read([body], B + "s").parts] == contents
