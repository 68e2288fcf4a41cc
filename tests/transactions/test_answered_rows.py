"""A search answer is read whole or is a cut one, in one go or piece by piece."""

import gzip
import json
from collections.abc import AsyncIterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerouter.dicomweb.json_scan import JsonError
from edgerouter.errors import Cut, ProtocolError
from edgerouter.http.fields import Fields
from edgerouter.transactions import answered_rows as module
from edgerouter.transactions.answered_rows import answered_rows, check, elements
from edgerouter.upstream.seam import Framing

LIMIT = 1 << 30
ROWS = [b'{"00100020":{"vr":"LO","Value":["%d"]}}' % number for number in range(1000)]
BODY = b"[" + b", ".join(ROWS) + b"]\n"


class Given:
    """See seam.Answer."""

    status = 200
    length = None

    def __init__(self, *chunks: bytes, coding: str = "", framing: Framing = Framing.CHUNKED) -> None:
        self.fields = Fields([("content-encoding", coding)] if coding else [])
        self.framing = framing
        self._chunks = chunks

    async def chunks(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            yield chunk


def checked(body: bytes) -> list[bytes]:
    found = elements(body)
    check(found)
    return list(map(bytes, found))


def cut(body: bytes, size: int) -> Sequence[bytes]:
    return [body[at : at + size] for at in range(0, len(body), size)]


@pytest.mark.parametrize("at_once", [0, 1000, 4 << 20])
@pytest.mark.parametrize("size", [1, 997, 1 << 20])
async def test_every_element_comes_byte_for_byte(
    size: int, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_ONCE", at_once)

    assert list(map(bytes, await answered_rows(Given(*cut(BODY, size)), "north", LIMIT))) == ROWS


async def test_a_coded_answer_is_inflated() -> None:
    found = await answered_rows(Given(gzip.compress(BODY), coding="gzip"), "north", LIMIT)

    assert list(map(bytes, found)) == ROWS


async def test_a_coding_that_was_not_asked_for_is_refused() -> None:
    with pytest.raises(ProtocolError):
        await answered_rows(Given(BODY, coding="br"), "north", LIMIT)


async def test_no_byte_is_no_row_where_the_framing_proves_it() -> None:
    assert await answered_rows(Given(), "north", LIMIT) == []
    with pytest.raises(Cut):
        await answered_rows(Given(framing=Framing.CLOSE), "north", LIMIT)


BROKEN = [
    BODY[:-3],
    BODY[:500],
    BODY + b"x",
    b"{}",
    b"null",
    b"[1]",
    b'[{"a":1},[]]',
    b'["{}"]',
    b'[{"a":"\xff"}]',
    b'[{"a":' + b"[" * 300 + b"]" * 300 + b"}]",
    b'[{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}]",
]


@pytest.mark.parametrize("at_once", [0, 4 << 20])
@pytest.mark.parametrize("body", BROKEN, ids=range(len(BROKEN)))
async def test_an_answer_that_is_no_array_of_objects_is_a_cut_one(
    body: bytes, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_ONCE", at_once)
    with pytest.raises(Cut):
        await answered_rows(Given(body), "north", LIMIT)


@pytest.mark.parametrize("at_once", [0, 4 << 20])
async def test_an_answer_beyond_the_limit_is_cut(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AT_ONCE", at_once)

    assert len(await answered_rows(Given(BODY), "north", len(BODY))) == len(ROWS)
    with pytest.raises(Cut):
        await answered_rows(Given(BODY), "north", len(BODY) - 1)


def test_what_only_looks_deep_is_taken() -> None:
    wide = b'{"a":"' + b"[{" * 5000 + b'","b":[' + b",".join([b"[]"] * 500) + b"]}"

    assert checked(b"[" + wide + b"]") == [wide]


TEXT = st.text('aé中"\\[{]}', max_size=5)


@given(
    st.lists(st.dictionaries(TEXT, st.lists(st.integers() | TEXT, max_size=3), max_size=3), max_size=5),
    st.booleans(),
)
def test_any_array_of_objects_is_taken_apart(rows: list[dict[str, object]], ascii_only: bool) -> None:
    found = checked(json.dumps(rows, ensure_ascii=ascii_only).encode())

    assert [json.loads(each) for each in found] == rows


@given(st.binary(max_size=50))
def test_any_bytes_are_an_array_or_a_fault(body: bytes) -> None:
    try:
        found = checked(body)
    except JsonError:
        return
    assert isinstance(json.loads(body), list)
    assert len(found) == len(json.loads(body))
