"""Search through the whole router over several archives: what they have, and what is said when some fail."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from tests.scenarios.edge import JSON, PUBLIC, XML, Edge, Reply, edge_over
from tests.support.hospital import Hospital, Study, attribute, studies, value
from tests.support.scripted import ScriptedUpstream, Seen, Step, Wait

NAMES = ("north", "south", "west")


def searching(**route: Any) -> list[Mapping[str, Any]]:
    """A rule for all searches over all three."""
    return [{"name": "all", "match": {"transaction": "search"}, "route": {"upstreams": list(NAMES), **route}}]


@asynccontextmanager
async def hospitals(
    *given: Hospital, rules: Sequence[Mapping[str, Any]] = (), settings: Mapping[str, Any] | None = None
) -> AsyncIterator[Edge]:
    """The router over hospitals on sockets of their own."""
    async with AsyncExitStack() as stack:
        upstreams = [await stack.enter_async_context(ScriptedUpstream(one)) for one in given]
        yield await stack.enter_async_context(edge_over(*upstreams, rules=rules, settings=settings))


def three() -> list[Hospital]:
    return [
        Hospital("north", studies("1.1", "1.4", t00080020=attribute("DA", "20200101"))),
        Hospital("south", studies("1.2", "1.4", t00080020=attribute("DA", "20200101"))),
        Hospital("west", studies("1.3", t00080020=attribute("DA", "20200102"))),
    ]


def uids(reply: Reply) -> list[str]:
    return [value(row, "0020000D") for row in reply.json]


def warnings(reply: Reply) -> list[str]:
    """The texts of our warnings."""
    lines = reply.raw.all("warning")
    assert all(line.startswith(f"299 {PUBLIC}: ") for line in lines)
    return [line.removeprefix(f"299 {PUBLIC}: ") for line in lines]


async def test_three_archives_are_one() -> None:
    async with hospitals(*three()) as edge:
        reply = await edge.ask("/studies", JSON)

        assert (reply.status, uids(reply), warnings(reply)) == (200, ["1.3", "1.1", "1.2", "1.4"], [])
        assert [value(row, "00081190") for row in reply.json] == [
            f"{PUBLIC}/studies/{u}" for u in uids(reply)
        ]


async def test_the_archives_are_asked_at_once() -> None:
    together, count = asyncio.Event(), 0

    class Together(Hospital):
        """Answers only when all are being asked."""

        def __call__(self, request: Seen) -> list[Step]:
            nonlocal count
            count += 1
            if count == len(NAMES):
                together.set()
            return [Wait(together), self.answer(request.target)]

    given = [Together(name, studies(f"1.{place}")) for place, name in enumerate(NAMES)]
    async with hospitals(*given) as edge:
        assert uids(await edge.ask("/studies", JSON)) == ["1.0", "1.1", "1.2"]


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
async def test_any_page_size_gives_each_study_once_in_one_order(size: int) -> None:
    given = three()
    given[0].cap, given[0].warns = 1, True
    given[1].takes_offset = False
    found: list[str] = []
    async with hospitals(*given) as edge:
        while page := (await edge.ask(f"/studies?limit={size}&offset={len(found)}", JSON)).json:
            found += [value(row, "0020000D") for row in page]

    assert found == ["1.3", "1.1", "1.2", "1.4"]


async def test_two_patients_with_one_id_stay_two_and_say_whose_they_are() -> None:
    patient = {"t00100020": attribute("LO", "7")}
    north = Hospital("north", studies("1.1", t00100010=attribute("PN", {"Alphabetic": "A"}), **patient))
    south = Hospital("south", studies("1.2", t00100010=attribute("PN", {"Alphabetic": "B"}), **patient))
    async with hospitals(north, south, settings={"issuer": "NETWORK"}) as edge:
        reply = await edge.ask("/studies?PatientID=7", JSON)

    assert [(value(row, "00100010"), value(row, "00100021")) for row in reply.json] == [
        ({"Alphabetic": "A"}, "NETWORK"),
        ({"Alphabetic": "B"}, "NETWORK"),
    ]


async def test_other_patients_of_an_archive_that_ignores_the_key_do_not_leave() -> None:
    mine = studies("1.1", t00100020=attribute("LO", "7"))
    other = studies("1.2", t00100020=attribute("LO", "8"))
    careless = Hospital("north", [*mine, *other], ignores=frozenset({"00100020"}))
    async with hospitals(careless, Hospital("south", [])) as edge:
        assert uids(await edge.ask("/studies?PatientID=7", JSON)) == ["1.1"]


async def test_that_names_were_not_matched_fuzzily_is_said_once() -> None:
    text = "The fuzzymatching parameter is not supported. Only literal matching has been performed."
    given = three()
    for one in given[:2]:
        one.warning = f'299 pacs:8080 "{text}"'
    async with hospitals(*given) as edge:
        reply = await edge.ask("/studies?PatientName=x&fuzzymatching=true", JSON)

    assert warnings(reply) == [text]
    assert all("fuzzymatching=true" in one.targets()[0] for one in given)


async def test_a_study_without_modalities_never_empties_a_viewer_s_list() -> None:
    bare = Study("1.9", {"00080061": attribute("CS")}, {"1.9.1": ("1.9.1.1",)}, modality="MR")
    given = three()
    given[0].studies = [bare]
    async with hospitals(*given) as edge:
        rows = (await edge.ask("/studies?StudyInstanceUID=1.9,1.3", JSON)).json

    assert [value(row, "00080061") for row in rows] == ["CT", "MR"]


async def test_head_says_what_get_would() -> None:
    async with hospitals(*three()) as edge:
        head, got = await edge.ask("/studies", JSON, method="HEAD"), await edge.ask("/studies", JSON)

    assert (head.status, head.body, head.get("content-length")) == (200, b"", str(len(got.body)))
    assert head.get("content-type") == got.get("content-type") == JSON


async def test_xml_and_gzip_are_for_who_wants_them() -> None:
    given = three()
    given[2].studies = studies(*(f"2.{n}" for n in range(40)))
    async with hospitals(*given) as edge:
        xml = await edge.ask("/studies", XML, fields=[("Accept-Encoding", "gzip")])
        plain = await edge.ask("/studies", JSON)
        coded = await edge.ask("/studies", JSON, fields=[("Accept-Encoding", "gzip")])

    assert len(xml.parts) == len(plain.json) == 43
    assert xml.get("content-encoding") == coded.get("content-encoding") == "gzip"
    assert coded.json == plain.json
    assert plain.get("content-encoding") is None


async def test_a_range_is_not_asked_of_the_archives() -> None:
    given = three()
    async with hospitals(*given) as edge:
        reply = await edge.ask("/studies", JSON, fields=[("Range", "bytes=0-9")])

    assert (reply.status, len(reply.json)) == (200, 4)
    assert all(one.asked[0].get("range") is None for one in given)


async def test_the_way_of_a_request_is_told_to_every_archive() -> None:
    """Else two routers that ask each other would never notice."""
    given = three()
    way = [("Via", "1.1 elsewhere")]
    async with hospitals(*given) as edge:
        await edge.ask("/studies", JSON, fields=way)
        await edge.ask("/studies/7.7", 'multipart/related; type="application/dicom"', fields=way)

    for one in given:
        assert [(seen.get("via") or "").partition(",")[0] for seen in one.asked] == ["1.1 elsewhere"] * 2


async def test_what_cannot_be_accepted_or_read_is_refused_without_asking() -> None:
    given = three()
    async with hospitals(*given) as edge:
        assert (await edge.ask("/studies", "text/css")).status == 406
        assert (await edge.ask("/studies?limit=-1", JSON)).status == 400
        assert (await edge.ask("/studies?PatientID=1&PatientID=2", JSON)).status == 400

    assert all(one.asked == [] for one in given)
