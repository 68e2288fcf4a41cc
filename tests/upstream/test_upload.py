"""A request body on its way: what the upstream is given time for, and what is held against whom."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from edgerouter.upstream.upload import Upload
from tests.upstream.ask import pieces


class Plain:
    """An async iterator that is no generator: nothing to close."""

    def __init__(self, *chunks: bytes) -> None:
        self._chunks = iter(chunks)

    def __aiter__(self) -> "Plain":
        return self

    async def __anext__(self) -> bytes:
        try:
            return next(self._chunks)
        except StopIteration:
            raise StopAsyncIteration from None


async def test_the_upstream_has_time_for_each_piece_and_for_its_answer_and_none_while_we_wait() -> None:
    deadlines: list[float | None] = []
    upload = Upload(Plain(b"a", b"b"), None, stall=3, answer=7, set_deadline=deadlines.append)

    assert [chunk async for chunk in upload] == [b"a", b"b"]
    assert deadlines == [None, 3, None, 3, None, 7]
    assert (upload.ended, upload.failure, upload.size) == (True, None, 2)
    await upload.at_rest()


@pytest.mark.parametrize(("length", "out"), [(0, []), (1, []), (2, []), (4, [b"ab", b"", b"c"])])
async def test_a_body_of_another_size_than_promised_never_goes_out_whole(
    length: int, out: list[bytes]
) -> None:
    upload = Upload(pieces(b"ab", b"", b"c"), length, stall=1, answer=1, set_deadline=lambda seconds: None)
    sent: list[bytes] = []

    with pytest.raises(httpx.LocalProtocolError) as caught:
        await _collect(upload, sent)

    assert (sent, upload.failure) == (out, caught.value)


async def _collect(upload: Upload, sent: list[bytes]) -> None:
    async for chunk in upload:
        sent.append(chunk)


async def test_nobody_is_inside_the_body_once_it_is_at_rest() -> None:
    left = asyncio.Event()

    async def waiting() -> AsyncIterator[bytes]:
        try:
            await asyncio.Event().wait()
            yield b""
        finally:
            await asyncio.sleep(0)
            left.set()

    upload = Upload(waiting(), None, stall=1, answer=1, set_deadline=lambda seconds: None)
    async with asyncio.TaskGroup() as group:
        pulling = group.create_task(_collect(upload, []))
        await asyncio.sleep(0)
        pulling.cancel()
        await upload.at_rest()

        assert left.is_set()
