"""JSON on its way out, however it is cut into chunks."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerouter.errors import Cut
from edgerouter.transactions.datasets import metadata, rows
from tests.transactions.canned import PACS, PUBLIC, joined, links, stream

LINK = f'{{"7FE00010":{{"vr":"OW","BulkDataURI":"{PACS}/studies/1/bulk/2"}}}}'.encode()


def cut_at(text: bytes, *at: int) -> list[bytes]:
    stops = sorted({0, len(text), *(min(stop, len(text)) for stop in at)})
    return [text[first:last] for first, last in pairwise(stops)]


async def changed(*chunks: bytes, limit: int = 10_000, may_be_empty: bool = True) -> bytes:
    return await joined(
        rows(stream(*chunks), "north", lambda row: row.upper(), limit, may_be_empty=may_be_empty)
    )


@given(st.lists(st.integers(0, 120), max_size=5))
async def test_every_row_is_changed_whatever_the_chunks(at: list[int]) -> None:
    text = b' [ {"a": "b"} ,\n{"c":[1.0E2,{}]}, {} ] '
    assert await changed(*cut_at(text, *at)) == b'[{"A": "B"},{"C":[1.0E2,{}]},{}]'


async def test_many_rows_keep_their_order() -> None:
    text = json.dumps([{"n": number} for number in range(100)]).encode()
    assert [row["N"] for row in json.loads(await changed(text, limit=100_000))] == list(range(100))


@pytest.mark.parametrize("text", [b"[]", b" [ \n] "])
async def test_an_empty_list_is_an_empty_list(text: bytes) -> None:
    assert await changed(text) == b"[]"


async def test_no_byte_at_all_is_an_empty_list_where_that_may_be() -> None:
    assert await changed() == b"[]"
    with pytest.raises(Cut):
        await changed(may_be_empty=False)


@pytest.mark.parametrize("text", [b"[{}", b"{}", b"[1]", b"[{}]x", b"\xff", b"[" + b"{}," * 9999])
async def test_what_is_no_list_of_rows_is_cut(text: bytes) -> None:
    with pytest.raises(Cut):
        await changed(text)


async def test_more_than_the_bound_is_cut() -> None:
    with pytest.raises(Cut):
        await changed(b"[{}", b"," + b" " * 100, limit=50)


@given(st.lists(st.integers(0, 300), max_size=6))
async def test_metadata_keeps_all_but_its_links_whatever_the_chunks(at: list[int]) -> None:
    text = b'\n[ {"00281052":{"vr":"DS","Value":[1.0E2, -0]}}, ' + LINK + b"] "
    out = await joined(metadata(stream(*cut_at(text, *at)), links()))
    assert out == text.replace(PACS.encode(), PUBLIC.encode())


@pytest.mark.parametrize("text", [b"[]", b"{}", b" [{}]\r\n", LINK])
async def test_whole_metadata_passes(text: bytes) -> None:
    assert await joined(metadata(stream(text), links())) == text.replace(PACS.encode(), PUBLIC.encode())


@pytest.mark.parametrize(
    "text", [b"", b"  ", b"[", b"[{}", b"[{}]x", b'"text"', b"null", b"<html>", b'[{"BulkDataURI":"htt']
)
async def test_metadata_that_does_not_end_as_it_began_is_cut(text: bytes) -> None:
    with pytest.raises(Cut):
        await joined(metadata(stream(text), links()))
