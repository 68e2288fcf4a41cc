"""Parts from one envelope to another: their bytes as they were, and only a seen end makes an end."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerouter.dicomweb import xml_links
from edgerouter.errors import Cut, ProtocolError
from edgerouter.http.fields import Fields
from edgerouter.transactions.parcels import Parcel, packed, repacked, unpacked
from tests.transactions.canned import PACS, PUBLIC, joined, links, stream

PLAIN = Parcel("ours", "a/b; transfer-syntax=1.2", links())
XML = Parcel("ours", "application/dicom+xml", links(), lambda: xml_links.BulkDataLinks(links().map_here))
ONE = b"--theirs\r\nContent-Type: x/y\r\nContent-Length: 5\r\nMIME-Version: 1.0\r\n\r\nh\r\n-o\r\n"
TWO = b"--theirs\r\nContent-Location: " + PACS.encode() + b"/studies/2\r\n\r\ntwo\r\n"
END = b"--theirs--"
DATASET = (
    f'<N><DicomAttribute tag="1"><BulkData uri="{PACS}/studies/1/bulk/3"/></DicomAttribute></N>'.encode()
)


async def repack(body: bytes, parcel: Parcel = PLAIN, *at: int) -> bytes:
    stops = sorted({0, len(body), *(min(stop, len(body)) for stop in at)})
    return await joined(
        repacked(
            stream(*(body[first:last] for first, last in pairwise(stops))),
            "theirs",
            parcel,
        )
    )


@given(st.lists(st.integers(0, 200), max_size=6))
async def test_parts_keep_their_bytes_whatever_the_chunks(at: list[int]) -> None:
    out = await repack(ONE + TWO + END, PLAIN, *at)
    assert out == (
        b"--ours\r\nContent-Type: x/y\r\nContent-Length: 5\r\n\r\nh\r\n-o"
        b"\r\n--ours\r\nContent-Type: a/b; transfer-syntax=1.2\r\nContent-Location: "
        + PUBLIC.encode()
        + b"/studies/2\r\n\r\ntwo\r\n--ours--\r\n"
    )


@pytest.mark.parametrize(
    "body", [ONE + TWO, ONE + TWO + b"--theirs-", b"", ONE.replace(b"\nh", b"\nhh") + END, END]
)
async def test_no_end_comes_of_a_body_that_is_not_whole(body: bytes) -> None:
    came: list[bytes] = []

    async def read() -> None:
        async for chunk in repacked(stream(body), "theirs", PLAIN):
            came.append(chunk)

    with pytest.raises(Cut):
        await read()
    assert b"--ours--" not in b"".join(came)


async def test_a_search_in_xml_may_have_found_nothing() -> None:
    assert await repack(END, XML) == b"\r\n--ours--\r\n"


async def test_documents_are_rewritten_and_their_lengths_forgotten() -> None:
    length = b"Content-Length: %d\r\n\r\n" % len(DATASET)
    out = await repack(
        b"--theirs\r\n" + length + DATASET + b"\r\n--theirs\r\n\r\n" + DATASET + b"\r\n" + END, XML
    )
    assert out.count(f'uri="{PUBLIC}/studies/1/bulk/3"'.encode()) == 2
    assert b"Content-Length" not in out


@pytest.mark.parametrize("document", [DATASET[:-2], b"", b"<a>&b;</a>"])
async def test_a_document_that_is_not_whole_is_cut(document: bytes) -> None:
    with pytest.raises(Cut):
        await repack(b"--theirs\r\n\r\n" + document + b"\r\n" + END, XML)


async def test_a_document_under_a_coding_is_cut_and_bytes_under_one_keep_it() -> None:
    part = b"--theirs\r\nContent-Encoding: gzip\r\n\r\nx\r\n" + END
    assert b"Content-Encoding: gzip\r\n" in await repack(part)
    with pytest.raises(Cut):
        await repack(part, XML)


async def test_a_body_alone_becomes_the_only_part() -> None:
    given = Fields([("content-length", "4"), ("content-location", f"{PACS}/studies/2")])
    assert await joined(packed(stream(b"ab", b"cd"), given, PLAIN)) == (
        b"--ours\r\nContent-Length: 4\r\nContent-Type: a/b; transfer-syntax=1.2\r\nContent-Location: "
        + PUBLIC.encode()
        + b"/studies/2\r\n\r\nabcd\r\n--ours--\r\n"
    )


async def test_a_document_alone_is_rewritten_and_must_be_whole() -> None:
    out = await joined(packed(stream(DATASET), Fields(), XML))
    assert f'uri="{PUBLIC}/studies/1/bulk/3"'.encode() in out
    with pytest.raises(Cut):
        await joined(packed(stream(DATASET[:-2]), Fields(), XML))
    with pytest.raises(Cut):
        await joined(packed(stream(b"<a></b>"), Fields(), XML))


@given(st.lists(st.integers(0, 100), max_size=4))
async def test_the_only_part_comes_out_whatever_the_chunks(at: list[int]) -> None:
    body = b"text\r\n" + ONE + END
    stops = sorted({0, len(body), *(min(stop, len(body)) for stop in at)})
    chunks = stream(*(body[first:last] for first, last in pairwise(stops)))
    fields, data = await unpacked(chunks, "theirs", "north")
    assert (fields.get("content-type"), await joined(data)) == ("x/y", b"h\r\n-o")


@pytest.mark.parametrize("body", [b"", END, b"no boundary", b"--theirs\r\nContent-Ty"])
async def test_nothing_can_be_taken_out_of_nothing(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        await unpacked(stream(body), "theirs", "north")


async def test_a_broken_first_header_is_a_cut() -> None:
    with pytest.raises(Cut):
        await unpacked(stream(b"--theirs\r\nno field\r\n\r\n"), "theirs", "north")


@pytest.mark.parametrize(
    "body", [[ONE + TWO + END], [ONE, TWO + END], [ONE], [ONE, b"--theirs\r\nx\r\n\r\n"]]
)
async def test_a_second_part_or_no_end_cuts_the_only_one(body: list[bytes]) -> None:
    _, data = await unpacked(stream(*body), "theirs", "north")
    with pytest.raises(Cut):
        await joined(data)


async def test_the_only_part_left_early_closes_its_source() -> None:
    source = stream(ONE, b"never")
    _, data = await unpacked(source, "theirs", "north")
    assert await anext(data)
    await data.aclose()
    with pytest.raises(StopAsyncIteration):
        await anext(source)
