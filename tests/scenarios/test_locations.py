"""Retrieve through the whole router over several archives: from its holder, past those that fail."""

import asyncio
import json

import pytest

from tests.scenarios.edge import DICOM, IMPATIENT, JSON, Reply, edge_over, multipart, related
from tests.scenarios.test_federated_search import hospitals, uids
from tests.support.hospital import Hospital, Study, attribute, studies
from tests.support.raw_client import RawClient, request
from tests.support.scripted import (
    Close,
    Note,
    Reset,
    ScriptedUpstream,
    Seen,
    Send,
    Stall,
    Step,
    Wait,
    closed_port,
)
from tests.support.scripted import Reply as Scripted

SERIES = "/studies/1.1/series/1.1.1"
INSTANCE = f"{SERIES}/instances/1.1.1.1"
HEAD = b'HTTP/1.1 200 OK\r\nContent-Type: multipart/related; type="application/dicom"; boundary=b\r\n'
PART = b"--b\r\nContent-Type: application/dicom\r\n\r\n"


def two(holders: str = "north south") -> tuple[Hospital, Hospital]:
    """North and south, of which some hold study 1.1."""
    north, south = (Hospital(name, studies("1.1") if name in holders else []) for name in ("north", "south"))
    return north, south


def whose(reply: Reply) -> str:
    """The archive that a study came from."""
    assert (reply.status, reply.complete) == (200, True)
    [part] = reply.parts
    return part.body.decode()


class Retrieving(Hospital):
    """Has trouble with retrieves only: these steps."""

    steps: tuple[Step, ...] = ()

    def __call__(self, request: Seen) -> list[Step]:
        answered = list(super().__call__(request))
        return list(self.steps) if request.get("accept") != JSON else answered


def retrieving(*steps: Step, count: int = 1) -> Retrieving:
    """An archive that is asked first, and then does this."""
    instances = tuple(f"1.1.1.{number}" for number in range(1, count + 1))
    found = Retrieving("north", [Study("1.1", series={"1.1.1": instances})])
    found.steps = steps
    return found


@pytest.mark.parametrize("path", ["/studies/1.1", SERIES, INSTANCE])
@pytest.mark.parametrize("holder", ["north", "south"])
async def test_a_retrieve_goes_to_the_archive_that_holds_it(holder: str, path: str) -> None:
    async with hospitals(*two(holder)) as edge:
        assert whose(await edge.ask(path, DICOM)) == holder


async def test_the_archives_are_asked_who_has_it_at_once_and_only_once() -> None:
    north, south = two("south")
    async with hospitals(north, south) as edge:
        async with asyncio.TaskGroup() as group:
            replies = [group.create_task(edge.ask("/studies/1.1", DICOM)) for _ in range(5)]
        assert [whose(reply.result()) for reply in replies] == ["south"] * 5
        assert whose(await edge.ask("/studies/1.1", DICOM)) == "south"

    assert north.targets() == ["/studies?StudyInstanceUID=1.1"]
    assert south.targets().count("/studies?StudyInstanceUID=1.1") == 1


async def test_a_study_on_both_is_served_from_the_one_that_has_more_of_it() -> None:
    north, south = two("north")
    south.studies = [Study("1.1", series={"1.1.1": ("1.1.1.1", "1.1.1.2")})]
    async with hospitals(north, south) as edge:
        assert whose(await edge.ask("/studies/1.1", DICOM)) == "south"
        assert whose(await edge.ask(SERIES, DICOM)) == "south"


async def test_what_a_search_told_needs_no_more_asking() -> None:
    north, south = two("south")
    async with hospitals(north, south) as edge:
        await edge.ask("/studies", JSON)
        await edge.ask("/studies/1.1/series", JSON)
        before = len(north.asked), len(south.asked)
        assert whose(await edge.ask("/studies/1.1", DICOM)) == "south"
        assert whose(await edge.ask(SERIES, DICOM)) == "south"

    assert (len(north.asked), len(south.asked)) == (before[0], before[1] + 2)


async def test_a_lone_archive_s_search_tells_as_well() -> None:
    north, south = two("south")
    rules = [
        {"name": "worklist", "match": {"transaction": "search"}, "route": {"upstreams": "south"}},
    ]
    async with hospitals(north, south, rules=rules) as edge:
        await edge.ask("/studies", JSON)
        # A study may be in part at the other one, too.
        assert whose(await edge.ask("/studies/1.1", DICOM)) == "south"
        assert whose(await edge.ask("/studies/1.1", DICOM)) == "south"

    assert north.targets() == ["/studies?StudyInstanceUID=1.1"]


async def test_a_healthy_holder_is_served_from_while_another_archive_is_stopped() -> None:
    north, south = two("south")
    north.trouble = [Stall()]
    async with hospitals(north, south) as edge, asyncio.timeout(5):
        assert whose(await edge.ask(INSTANCE, DICOM)) == "south"
        reply = await edge.ask("/studies/1.1", DICOM)

    assert (reply.status, [part.body for part in reply.parts]) == (206, [b"south"])
    assert "Source north did not answer (timeout); results may be incomplete" in (reply.get("warning") or "")


@pytest.mark.parametrize(
    "steps",
    [
        (Scripted(500),),
        (Scripted(406),),
        (Reset(),),
        (Close(),),
        (Stall(),),
        (Send(b"HTTP/1.1 200 OK\r\nContent-Type: te"), Reset()),
        (Send(HEAD + b"Content-Length: 99\r\n\r\n"), Reset()),
        (Send(HEAD + b"Content-Length: 99\r\n\r\n"), Stall()),
        (Send(HEAD + b"\r\n"), Close()),
        (Scripted(body=b"<html>Log in</html>", fields=[("Content-Type", "text/html")]),),
        (Scripted(404),),
    ],
)
async def test_what_fails_before_its_first_byte_comes_from_the_next_holder(steps: tuple[Step, ...]) -> None:
    first = retrieving(*steps)
    async with hospitals(first, two()[1], settings=IMPATIENT) as edge:
        await edge.ask("/studies", JSON)
        assert whose(await edge.ask("/studies/1.1", DICOM)) == "south"

    assert first.targets("/studies/1.1")


async def test_what_breaks_off_later_is_seen_as_cut_and_nothing_is_patched_on() -> None:
    begun = Send(HEAD + b"Content-Length: 99999\r\n\r\n" + PART + b"n" * 30_000)
    first = retrieving(begun, Reset())
    async with hospitals(first, two()[1], settings=IMPATIENT) as edge:
        await edge.ask("/studies", JSON)
        reply = await edge.ask("/studies/1.1", DICOM)

    assert (reply.status, reply.complete) == (200, False)
    assert b"south" not in reply.body


async def test_the_first_bytes_leave_before_the_archive_has_finished() -> None:
    gate = asyncio.Event()
    whole = PART + b"x" * 100_000 + b"\r\n--b--\r\n"
    head = HEAD + b"Content-Length: %d\r\n\r\n" % len(whole)
    first = retrieving(Send(head + whole[:50_000]), Wait(gate), Send(whole[50_000:]))
    async with hospitals(first, two()[1]) as edge:
        await edge.ask("/studies", JSON)

        async with RawClient(edge.port) as client:
            await client.send(request("/dicomweb/studies/1.1", fields=[("Accept", DICOM)]))
            assert b"x" * 1000 in await client.read_until(b"x" * 1000)
            gate.set()
            assert (await client.read_until(b"0\r\n\r\n")).endswith(b"--\r\n\r\n0\r\n\r\n")


async def test_a_404_is_said_only_when_every_archive_said_so() -> None:
    north, south = two("nobody")
    async with hospitals(north, south, settings=IMPATIENT) as edge:
        assert (await edge.ask("/studies/1.1", DICOM)).status == 404
        south.trouble = [Scripted(503)]
        assert (await edge.ask("/studies/1.1", DICOM)).status == 503
        south.trouble = [Stall()]
        assert (await edge.ask("/studies/1.1", DICOM)).status == 504


async def test_an_archive_that_is_gone_makes_no_404() -> None:
    north, _ = two("nobody")
    async with (
        ScriptedUpstream(north) as first,
        edge_over(first, f"http://127.0.0.1:{closed_port()}") as edge,
    ):
        reply = await edge.ask("/studies/1.1", DICOM)

    assert reply.status == 502
    assert "next-hop=south" in (reply.get("proxy-status") or "")


async def test_a_study_that_was_deleted_is_looked_for_elsewhere() -> None:
    north, south = two("north")
    async with hospitals(north, south) as edge:
        assert whose(await edge.ask("/studies/1.1", DICOM)) == "north"
        north.studies, south.studies = [], north.studies
        assert whose(await edge.ask("/studies/1.1", DICOM)) == "south"
        assert whose(await edge.ask("/studies/1.1", DICOM)) == "south"

    assert len(north.targets("/studies/1.1")) == 2


def stored(study: str) -> Scripted:
    item = {"00081150": attribute("UI", "1.2.840.10008.5.1.4.1.1.2"), "00081155": attribute("UI", "3")}
    item |= {
        "00081190": attribute("UR", f"http://pacs.internal:8042/dw/studies/{study}/series/2/instances/3")
    }
    module = {"00081199": attribute("SQ", item)}
    return Scripted(body=json.dumps(module).encode(), fields=[("Content-Type", JSON)])


@pytest.mark.parametrize(
    ("target", "touched"), [("/studies", True), ("/studies/1.1", True), ("/studies/1.5", False)]
)
async def test_who_has_most_of_a_study_is_asked_anew_after_a_store(target: str, touched: bool) -> None:
    class Storing(Hospital):
        def __call__(self, request: Seen) -> list[Step]:
            if request.method == "POST":
                return [stored("1.1" if touched else "1.5")]
            return list(super().__call__(request))

    north = Storing("north", studies("1.1"))
    south = Hospital("south")
    body = multipart(([("Content-Type", "application/dicom")], b"\0" * 128 + b"DICM"))
    async with hospitals(north, south) as edge:
        assert whose(await edge.ask("/studies/1.1", DICOM)) == "north"
        south.studies = [Study("1.1", series={"1.1.1": ("1.1.1.1", "1.1.1.2")})]
        name, value = related("application/dicom")
        reply = await edge.ask(target, JSON, method="POST", fields=[(name, value)], body=body)
        assert reply.status == 200
        assert whose(await edge.ask("/studies/1.1", DICOM)) == ("south" if touched else "north")


async def test_head_asks_the_holder_and_nobody_else() -> None:
    north, south = two("south")
    async with hospitals(north, south) as edge:
        await edge.ask("/studies", JSON)
        reply = await edge.ask("/studies/1.1", DICOM, method="HEAD")

    assert (reply.status, reply.body) == (200, b"")
    assert north.targets("/studies/1.1") == []


async def test_an_unacceptable_request_asks_nobody() -> None:
    north, south = two()
    async with hospitals(north, south) as edge:
        assert (await edge.ask("/studies/1.1", "text/css")).status == 406

    assert north.asked == south.asked == []


async def test_a_client_that_leaves_while_holders_are_asked_leaves_nothing_behind() -> None:

    north, south = two()
    asked = asyncio.Event()
    north.trouble = south.trouble = [Note(asked.set), Stall()]
    async with hospitals(north, south) as edge, RawClient(edge.port) as client:
        await client.send(request("/dicomweb/studies/1.1", fields=[("Accept", DICOM)]))
        await asked.wait()
        client.close()


async def test_metadata_and_links_are_the_holder_s_and_name_the_router() -> None:
    north, south = two("south")
    async with hospitals(north, south) as edge:
        assert (await edge.ask("/studies/1.1/metadata", JSON)).json == []
        assert uids(await edge.ask("/studies?StudyInstanceUID=1.1", JSON)) == ["1.1"]
