"""Guards through the whole router: what a rule wants of a search holds however it is spelled."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from tests.scenarios.edge import JSON, PUBLIC, XML, Edge, edge_over
from tests.support.hospital import Hospital, Study, attribute, studies, value
from tests.support.scripted import Reply, ScriptedUpstream

PATIENT = "00100020"


def patients() -> list[Study]:
    """Study 1.1 is patient 7's, 1.2 patient 8's."""
    seven = studies("1.1", t00100020=attribute("LO", "7"))
    return [*seven, *studies("1.2", t00100020=attribute("LO", "8"))]


@asynccontextmanager
async def guarded(*archives: Hospital, **route: Any) -> AsyncIterator[Edge]:
    """The router over archives, with a rule for all searches."""
    names = ["north", "south"][: len(archives)]
    rule = {"name": "guarded", "match": {"transaction": "search"}, "route": {"upstreams": names, **route}}
    if "Modality" in route.get("add", {}):
        rule["match"] = {"transaction": "search", "level": ["series", "instance"]}
    async with AsyncExitStack() as stack:
        upstreams = [await stack.enter_async_context(ScriptedUpstream(one)) for one in archives]
        yield await stack.enter_async_context(edge_over(*upstreams, rules=[rule]))


def careless() -> Hospital:
    """Ignores the key that the rule adds."""
    return Hospital("north", patients(), ignores=frozenset({PATIENT}))


HOSPITALS = pytest.mark.parametrize("kind", ["strict", "careless"])
NOT_THEIRS = [
    "/studies?PatientID=8",
    "/studies?00100020=8",
    "/studies?PatientID=8&multiplevaluematching=true",
    "/studies?PatientID=%22%22&emptyvaluematching=true",
    "/studies?PatientID=8&PatientName=x&fuzzymatching=true",
    "/studies?PatientID=8&offset=1&limit=1",
    "/studies?StudyInstanceUID=1.2",
    "/studies?0020000D=1.2&includefield=all",
    "/series?PatientID=8",
    "/series?StudyInstanceUID=1.2",
    "/instances?StudyInstanceUID=1.2",
]
THEIRS = [
    "/studies",
    "/studies?PatientID=*",
    "/studies?PatientID=",
    "/studies?PatientID=7",
    "/studies?patientid=8",
    "/studies?PATIENTID=8",
    "/studies?00100020=7&includefield=00100020",
    "/studies?PatientID=8%5C7&multiplevaluematching=true",
    "/studies?limit=5&offset=0",
]


@pytest.mark.parametrize("target", NOT_THEIRS)
@HOSPITALS
async def test_nothing_that_does_not_match_leaves_however_it_is_asked(kind: str, target: str) -> None:
    given = careless() if kind == "careless" else Hospital("north", patients())
    async with guarded(given, add={"PatientID": "7"}) as edge:
        for accept in (JSON, XML):
            reply = await edge.ask(target, accept)
            assert reply.status in (200, 204)
            assert b"1.2" not in reply.body, target


@pytest.mark.parametrize("target", THEIRS)
@HOSPITALS
async def test_what_matches_leaves(kind: str, target: str) -> None:
    given = careless() if kind == "careless" else Hospital("north", patients())
    async with guarded(given, add={"PatientID": "7"}) as edge:
        reply = await edge.ask(target, JSON)

    assert [value(row, "0020000D") for row in reply.json] == ["1.1"]


async def test_rows_that_do_not_say_what_a_rule_demands_are_left_out_and_told() -> None:
    heads = studies("1.1", t00081030=attribute("LO", "HEAD"))
    async with guarded(Hospital("north", [*heads, *studies("1.3")]), add={"StudyDescription": "H*"}) as edge:
        reply = await edge.ask("/studies", JSON)

    assert [value(row, "0020000D") for row in reply.json] == ["1.1"]
    [line] = reply.raw.all("warning")
    assert "Source north does not say StudyDescription of every match, as a rule demands" in line


async def test_a_key_given_twice_in_two_spellings_is_refused() -> None:
    given = Hospital("north", patients())
    async with guarded(given, add={"PatientID": "7"}) as edge:
        assert (await edge.ask("/studies?PatientID=8&00100020=7", JSON)).status == 400

    assert given.asked == []


@pytest.mark.parametrize("path", ["/series", "/instances", "/series/1.2.1/instances"])
@HOSPITALS
async def test_a_path_leads_into_no_study_that_does_not_match(kind: str, path: str) -> None:
    given = careless() if kind == "careless" else Hospital("north", patients())
    async with guarded(given, Hospital("south"), add={"PatientID": "7"}) as edge:
        hidden = await edge.ask(f"/studies/1.2{path}", JSON)
        nowhere = await edge.ask(f"/studies/9.9{path}", JSON)
        shown = await edge.ask("/studies/1.1/series", JSON)

    assert hidden.problem(404) == nowhere.problem(404)
    assert [value(row, "0020000E") for row in shown.json] == ["1.1.1"]
    assert not given.targets("/studies/1.2")


async def test_series_that_do_not_match_are_left_out() -> None:
    given = Hospital("north", [*patients(), Study("1.1", {}, {"1.1.9": ("1.1.9.1",)}, modality="MR")])
    async with guarded(given, add={"Modality": "CT"}) as edge:
        series = await edge.ask("/studies/1.1/series", JSON)
        instances = await edge.ask("/studies/1.1/series/1.1.9/instances", JSON)

    assert [value(row, "0020000E") for row in series.json] == ["1.1.1"]
    assert instances.problem(404)


async def test_a_source_that_cannot_say_whether_a_study_matches_is_named() -> None:
    down = Hospital("south", trouble=[Reply(500)])
    async with guarded(Hospital("north", patients()), down, add={"PatientID": "7"}) as edge:
        shown = await edge.ask("/studies/1.1/series", JSON)
        hidden = await edge.ask("/studies/1.2/series", JSON)

    assert [value(row, "0020000E") for row in shown.json] == ["1.1.1"]
    assert "Source south did not answer" in shown.raw.all("warning")[0]
    assert hidden.problem(502)


@pytest.mark.parametrize("target", ["/studies", "/studies?PatientID=*", "/studies?patientid=7", "/series"])
async def test_a_search_without_a_required_key_is_refused_before_anybody_is_asked(target: str) -> None:
    given = Hospital("north", patients())
    async with guarded(given, require="PatientID|AccessionNumber") as edge:
        refused = await edge.ask(target, JSON)
        found = await edge.ask("/studies?00100020=8", JSON)

    assert refused.problem(400) == "A rule wants a value to match for: PatientID or AccessionNumber."
    assert [value(row, "0020000D") for row in found.json] == ["1.2"]
    assert len(given.asked) == 1


async def test_a_date_range_that_is_too_broad_is_413() -> None:
    given = Hospital("north", patients())
    async with guarded(given, max_days="31") as edge:
        assert (await edge.ask("/studies?StudyDate=20200101-20201231", JSON)).problem(413)

    assert given.asked == []


async def test_results_beyond_the_most_are_cut_and_told() -> None:
    given = Hospital("north", studies(*(f"1.{n}" for n in range(7))))
    async with guarded(given, max_results="5") as edge:
        whole = await edge.ask("/studies", JSON)
        page = await edge.ask("/studies?limit=3&offset=3", JSON)
        beyond = await edge.ask("/studies?limit=3&offset=5", JSON)

    assert (len(whole.json), len(page.json), len(beyond.json)) == (5, 2, 0)
    told = f"299 {PUBLIC}: A rule cuts the results at 5; narrow the search"
    assert whole.raw.all("warning") == page.raw.all("warning") == [told]


async def test_or_refused() -> None:
    given = Hospital("north", studies(*(f"1.{n}" for n in range(7))))
    async with guarded(given, max_results="5", too_many="refuse") as edge:
        assert (await edge.ask("/studies?limit=2", JSON)).problem(413)
        assert len((await edge.ask("/studies?StudyInstanceUID=1.1,1.2", JSON)).json) == 2


async def test_a_rewritten_key_is_what_the_archive_sees() -> None:
    given = Hospital("north", patients())
    async with guarded(given, rewrite={"PatientID": "{}8"}) as edge:
        reply = await edge.ask("/studies?00100020=&limit=5&accept=application/dicom%2Bjson", XML)

    assert [value(row, "0020000D") for row in reply.json] == ["1.2"]
    assert "00100020=8" in given.targets()[0]
