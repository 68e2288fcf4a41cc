"""One request to one archive, and what is left of the exchange afterwards."""

import pytest

from edgerouter.errors import BadRequest, Cut, NotAcceptable, ProtocolError, Received
from edgerouter.transactions.inbound import Inbound
from edgerouter.transactions.relay import relay
from edgerouter.upstream.seam import Framing
from tests.transactions.canned import (
    BOX,
    JSON,
    PACS,
    PUBLIC,
    CannedAnswer,
    CannedArchive,
    body_of,
    inbound,
)

ROWS = CannedAnswer([b'[{"0020000D":{"vr":"UI","Value":["1"]}}]'], [("Content-Type", JSON)])


async def ask(archive: CannedArchive, request: Inbound) -> bytes:
    return await body_of(await relay(request, archive, BOX, 10_000))


async def test_an_answer_is_passed_on_and_the_exchange_closed_with_its_body() -> None:
    archive = CannedArchive(ROWS)
    reply = await relay(inbound("/studies", JSON), archive, BOX, 10_000)
    assert (reply.status, reply.fields.get("content-type"), archive.open_now) == (200, JSON, 1)
    assert f"{PUBLIC}/studies/1".encode() in await body_of(reply)
    assert archive.open_now == 0


async def test_an_exchange_whose_body_nobody_reads_is_closed_too() -> None:
    archive = CannedArchive(ROWS)
    reply = await relay(inbound("/studies", JSON, method="HEAD"), archive, BOX, 10_000)
    assert not isinstance(reply.body, bytes)
    await reply.body.aclose()  # type: ignore[attr-defined]
    assert archive.open_now == 0


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (CannedAnswer(status=404), Received),
        (CannedAnswer(status=304), ProtocolError),
        (CannedAnswer(status=206, pairs=[("Content-Range", "bytes 0-1/2")]), ProtocolError),
        (CannedAnswer([b"x"], [("Content-Type", "text/html")]), ProtocolError),
    ],
)
async def test_an_answer_that_is_not_passed_on_is_closed(
    answer: CannedAnswer, error: type[Exception]
) -> None:
    archive = CannedArchive(answer)
    with pytest.raises(error):
        await ask(archive, inbound("/studies", JSON))
    assert archive.open_now == 0


@pytest.mark.parametrize(
    ("target", "accept", "error"),
    [("/studies", "text/html", NotAcceptable), ("/studies?limit=x", JSON, BadRequest)],
)
async def test_what_cannot_be_asked_is_asked_of_nobody(
    target: str, accept: str, error: type[Exception]
) -> None:
    archive = CannedArchive(ROWS)
    with pytest.raises(error):
        await ask(archive, inbound(target, accept))
    assert archive.asked == []


async def test_a_redirect_carries_nothing_but_its_way() -> None:
    answer = CannedAnswer([b"<html>"], [("Location", f"{PACS}/studies/1"), ("Content-Type", "x/y")], 303)
    archive = CannedArchive(answer)
    reply = await relay(inbound("/studies/1/thumbnail"), archive, BOX, 10_000)
    assert (reply.status, reply.body, reply.length) == (303, b"", 0)
    assert reply.fields.get("location") == f"{PUBLIC}/studies/1"
    assert reply.fields.get("content-type") is None
    assert archive.open_now == 0


async def test_a_later_fault_breaks_the_body_and_closes_the_exchange() -> None:
    archive = CannedArchive(CannedAnswer([b"[{}"], [("Content-Type", JSON)], fault=Cut("x")))
    with pytest.raises(Cut):
        await ask(archive, inbound("/studies", JSON))
    assert archive.open_now == 0


async def test_a_search_is_bounded() -> None:
    rows = CannedAnswer([b"[" + b" " * 10_000 + b"]"], [("Content-Type", JSON)], framing=Framing.LENGTH)
    with pytest.raises(Cut):
        await ask(CannedArchive(rows), inbound("/studies", JSON))
