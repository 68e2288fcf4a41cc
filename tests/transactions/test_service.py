"""Who answers: the transaction, and the upstream."""

import pytest

from edgerouter.dicomweb.resource import Transaction
from edgerouter.errors import MethodNotAllowed, NotFound
from edgerouter.routing.router import Route
from edgerouter.transactions.service import Service
from tests.transactions.canned import BOX, JSON, CannedAnswer, CannedArchive, body_of, inbound, stream

ROWS = CannedAnswer([b"[]"], [("Content-Type", JSON)])
ITEM = b'{"00081155":{"vr":"UI","Value":["5.6"]}}'
STORED = CannedAnswer([b'{"00081199":{"vr":"SQ","Value":[%b]}}' % ITEM], [("Content-Type", JSON)])


def service(*archives: CannedArchive) -> Service:
    return Service({archive.name: archive for archive in archives}, BOX)


def pair(answer: CannedAnswer = ROWS, **north: object) -> tuple[CannedArchive, CannedArchive]:
    return CannedArchive(answer, **north), CannedArchive(answer, name="south")  # type: ignore[arg-type]


async def test_a_search_asks_all_of_the_route_and_a_retrieve_who_has_it() -> None:
    north, south = pair()
    await service(north, south).answer(inbound("/studies", JSON), Route(("north", "south")))
    assert (len(north.asked), len(south.asked)) == (1, 1)
    await service(north, south).answer(inbound("/studies/1/metadata", JSON), Route(("north",)))
    assert (len(north.asked), len(south.asked)) == (2, 1)


async def test_an_upstream_that_does_not_take_the_transaction_is_passed_over() -> None:
    north, south = pair(lacks=(Transaction.SEARCH,))
    await service(north, south).answer(inbound("/studies", JSON), Route(("north", "south")))
    assert (len(north.asked), len(south.asked)) == (0, 1)


async def test_a_lone_sick_upstream_is_asked_all_the_same() -> None:
    north, _ = pair(healthy=False)
    await service(north).answer(inbound("/studies", JSON), Route(("north",)))
    assert len(north.asked) == 1


async def test_an_upload_is_never_given_to_another_because_the_first_is_sick() -> None:
    north, south = pair(STORED, healthy=False)
    request = inbound(
        "/studies", method="POST", fields=[("Content-Type", "application/dicom")], body=stream(b"file")
    )
    assert (await service(north, south).answer(request, Route(("north", "south")))).status == 200
    assert (north.read, south.read) == ([b"file"], [])


async def test_an_upload_that_nobody_takes_is_a_method_that_we_do_not_have() -> None:
    north = CannedArchive(lacks=(Transaction.STORE,))
    with pytest.raises(MethodNotAllowed):
        await service(north).answer(inbound("/studies", method="POST"), Route(("north",)))


async def test_what_nobody_has_is_not_found() -> None:
    with pytest.raises(NotFound):
        await service(CannedArchive()).answer(inbound("/studies/1"), Route(()))


@pytest.mark.parametrize("route", [("north", "south"), ("south", "north")])
async def test_a_token_is_answered_by_the_upstream_that_it_names(route: tuple[str, ...]) -> None:
    value = CannedAnswer([b"value"], [("Content-Type", "application/octet-stream")])
    north, south = pair(value)
    reply = await service(north, south).answer(inbound(f"/bulkdata/{BOX.seal('south', '/x')}"), Route(route))
    assert await body_of(reply) == b"value"
    assert ([one.path for one in south.asked], north.asked) == (["/x"], [])


@pytest.mark.parametrize("token", ["Zm9yZ2Vk", BOX.seal("west", "/x"), BOX.seal("south", "/x")])
async def test_a_token_of_nobody_on_the_route_is_not_found(token: str) -> None:
    with pytest.raises(NotFound):
        await service(*pair()).answer(inbound(f"/bulkdata/{token}"), Route(("north",)))


async def test_capabilities_are_our_own() -> None:
    north = CannedArchive()
    reply = await service(north).answer(inbound("", method="OPTIONS"), Route(("north",)))
    assert (reply.status, north.asked) == (200, [])
