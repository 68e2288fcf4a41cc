"""Retrieve comes from who holds it, else from the next one; it is not found only when all say so."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from edgerouter.dicomweb.resource import Transaction
from edgerouter.errors import (
    BadRequest,
    ConnectError,
    Cut,
    MethodNotAllowed,
    NotAcceptable,
    NotFound,
    Overloaded,
    Received,
    RouterError,
)
from edgerouter.http.fields import Fields
from edgerouter.http.reply import Reply
from edgerouter.metrics import REGISTRY
from edgerouter.transactions.inbound import Inbound
from edgerouter.transactions.retrieve import verdict
from edgerouter.transactions.streams import begun
from edgerouter.upstream.seam import Framing, Outbound
from tests.support.hospital import Hospital, MemoryArchive, Study, studies
from tests.transactions.ask import BOX, House, got, inbound

DICOM = 'multipart/related; type="application/dicom"'
SERIES = "/studies/1.1/series/1.1.1"
INSTANCE = f"{SERIES}/instances/1.1.1.1"
GONE = ConnectError("gone", upstream="a")


def house(*names: str, holders: str = "") -> House:
    """Archives of which some hold study 1.1."""
    return House.over(*(Hospital(name, studies("1.1") if name in holders else []) for name in names))


async def read(over: House, path: str = "/studies/1.1", accept: str = DICOM, status: int = 200) -> str:
    """Whose study it was."""
    answer = await over.ask(inbound(path, accept=accept))
    assert answer.status == status
    assert ("warning" in answer.fields) is (status == 206)
    return answer.body.split(b"\r\n\r\n")[1].split(b"\r\n")[0].decode()


async def refused(over: House, request: Inbound | str) -> RouterError:
    with pytest.raises(RouterError) as caught:
        await over.ask(inbound(request, accept=DICOM) if isinstance(request, str) else request)
    return caught.value


@pytest.mark.parametrize("path", ["/studies/1.1", SERIES, INSTANCE])
async def test_it_comes_from_the_one_that_holds_it(path: str) -> None:
    over = house("a", "b", "c", holders="b")

    assert await read(over, path) == "b"
    assert [len(over.archives[name].hospital.targets(path)) for name in "abc"] == [0, 1, 0]


async def test_the_uri_service_finds_its_holder_too() -> None:
    over = house("a", "b", "c", holders="c")
    query = "requestType=WADO&studyUID=1.1&seriesUID=1.1.1&objectUID=1.1.1.1&contentType=application/dicom"

    answer = await over.ask(inbound(f"/wado?{query}", accept="application/dicom"))

    assert b"\r\n\r\nc\r\n" in answer.body
    assert over.archives["a"].hospital.targets() == ["/studies/1.1/series?SeriesInstanceUID=1.1.1"]


async def test_a_study_at_two_is_served_from_the_one_that_has_more() -> None:
    more = Study("1.1", series={"1.1.1": ("1.1.1.1", "1.1.1.2")})
    over = House.over(Hospital("a", studies("1.1")), Hospital("b", [more]))

    assert await read(over) == "b"


async def test_what_a_search_told_is_not_asked_again() -> None:
    over = house("a", "b", holders="b")
    await over.ask("/studies")

    assert await read(over) == "b"
    assert [len(archive.hospital.asked) for archive in over.archives.values()] == [1, 2]


@pytest.mark.parametrize(
    "error",
    [
        GONE,
        Cut("broken", upstream="a"),
        Overloaded("full", upstream="a"),
        Received(500, upstream="a"),
        Received(406, upstream="a"),
        Received(403, upstream="a"),
        Received(404, upstream="a"),
    ],
)
async def test_when_the_first_holder_does_not_give_it_the_next_one_does(error: RouterError) -> None:
    over = house("a", "b", holders="ab")
    await over.ask("/studies")
    over.archives["a"].hospital.trouble = error

    assert await read(over, status=200 if error.status == 404 else 206) == "b"


class BreaksOff(MemoryArchive):
    """Gives a good head, and then so many bytes of the body."""

    bytes = 0

    @asynccontextmanager
    async def open(self, outbound: Outbound) -> AsyncIterator[Any]:
        async with super().open(outbound) as answer:
            yield (_Broken(answer, self.bytes) if outbound.transaction is not Transaction.SEARCH else answer)


class _Broken:
    framing, length = Framing.CHUNKED, None

    def __init__(self, whole: Any, size: int) -> None:
        self.status, self.fields = whole.status, whole.fields
        self._whole, self._size = whole, size

    async def chunks(self) -> AsyncIterator[bytes]:
        if self._size:
            async for chunk in self._whole.chunks():
                yield chunk[: self._size]
        raise Cut("broken", upstream="a")


async def test_a_body_that_fails_before_its_first_byte_comes_from_the_next_holder() -> None:
    over = house("a", "b", holders="ab")
    await over.ask("/studies")
    over.archives["a"].__class__ = BreaksOff

    assert await read(over) == "b"


async def test_a_body_that_fails_later_is_cut() -> None:
    over = house("a", "b", holders="ab")
    await over.ask("/studies")
    over.archives["a"].__class__ = BreaksOff
    over.archives["a"].bytes = 50  # type: ignore[attr-defined]

    with pytest.raises(Cut):
        await read(over)


async def test_it_is_not_found_only_when_everybody_said_so() -> None:
    over = house("a", "b", "c")

    assert (await refused(over, "/studies/1.1")).status == 404
    over.archives["b"].hospital.trouble = GONE
    assert (await refused(over, "/studies/1.1")).status == 502


async def test_a_known_holder_that_fails_is_not_hidden_by_others_that_lack_it() -> None:
    over = house("a", "b", "c", holders="a")
    await over.ask("/studies")
    over.archives["a"].hospital.trouble = GONE

    assert (await refused(over, "/studies/1.1")).status == 502


async def test_a_study_that_moved_is_found_where_it_is_now() -> None:
    over = house("a", "b", "c", holders="a")
    assert await read(over) == "a"
    over.archives["a"].hospital.studies, over.archives["c"].hospital.studies = [], studies("1.1")

    assert await read(over) == "c"
    assert over.service.locations.holders("1.1", "", "abc") == ["c"]


async def test_what_nobody_could_serve_is_refused_before_anybody_is_asked() -> None:
    over = house("a", "b", holders="ab")

    assert isinstance(await refused(over, inbound("/studies/1.1", accept="text/css")), NotAcceptable)
    assert isinstance(await refused(over, inbound("/wado?requestType=WADO&studyUID=1")), BadRequest)
    assert all(archive.hospital.asked == [] for archive in over.archives.values())


async def test_a_token_goes_to_the_upstream_that_is_sealed_in_it() -> None:
    over = house("a", "b", holders="ab")
    sealed = BOX.seal("b", "/studies/1.1")  # the address of a bulk value

    answer = await over.ask(
        inbound(f"/bulkdata/{sealed}", accept='multipart/related; type="application/octet-stream"')
    )

    assert answer.status == 200
    assert over.archives["a"].hospital.asked == []
    assert isinstance(await refused(over, inbound("/bulkdata/forged", accept="*/*")), NotFound)


async def test_who_left_out_of_the_route_is_never_asked() -> None:
    over = house("a", "b", holders="b")
    over.service.locations.learn("1.1", "", "b")
    alone = over.route()
    only_a = type(alone)(("a",))

    with pytest.raises(RouterError) as caught:
        await over.ask(inbound("/studies/1.1", accept=DICOM), only_a)
    assert caught.value.status == 404
    assert over.archives["b"].hospital.asked == []


async def test_failures_are_counted_and_absence_is_none() -> None:
    over = house("a", "b", holders="ab")
    before = REGISTRY.get_sample_value("edgerouter_failovers_total", {"upstream": "a"}) or 0
    for trouble in (GONE, Received(404, upstream="a")):
        await over.ask(inbound("/studies", fields=[("cache-control", "no-cache")]))
        over.archives["a"].hospital.trouble = trouble
        await read(over, status=200 if trouble.status == 404 else 206)
        over.archives["a"].hospital.trouble = None

    assert REGISTRY.get_sample_value("edgerouter_failovers_total", {"upstream": "a"}) == before + 1


def received(*statuses: int) -> list[RouterError]:
    return [Received(status, upstream="a") for status in statuses]


@pytest.mark.parametrize(
    ("failures", "status"),
    [
        ([], 404),
        (received(404, 404), 404),
        (received(410, 410), 410),
        (received(410, 404), 404),
        (received(404, 500, 406), 500),
        ([*received(404), GONE], 502),
        (received(406, 404), 406),
    ],
)
def test_a_failure_outweighs_absence(failures: list[RouterError], status: int) -> None:
    assert verdict(failures).status == status


async def test_a_reply_that_has_begun_is_whole_and_closes_what_it_reads_from() -> None:
    closed = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        try:
            yield b"one"
            yield b"two"
        finally:
            closed.set()

    whole = await begun(Reply(200, Fields(), body()))
    assert (await got(whole)).body == b"onetwo"
    left = await begun(Reply(200, Fields(), body()))
    closed.clear()
    await left.body.aclose()  # type: ignore[union-attr]
    assert closed.is_set()
    assert (await got(await begun(Reply(200, Fields(), b"bytes")))).body == b"bytes"


async def test_an_upload_that_nobody_takes_is_not_allowed() -> None:
    class Shut(MemoryArchive):
        def takes(self, transaction: object) -> bool:
            return False

    over = house("a")
    over.archives["a"].__class__ = Shut

    assert isinstance(await refused(over, inbound("/studies", method="POST")), MethodNotAllowed)
