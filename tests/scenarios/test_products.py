"""Searches through the whole router to strict imitations of archive products: none of them refuses anything,
and each client gets the same rows from all, however little the product can do."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote

import pytest

from tests.products.aws import Aws
from tests.products.azure import Azure
from tests.products.dcm4chee import Dcm4chee
from tests.products.google import Google
from tests.products.plain import Plain
from tests.products.product import Product, Refusal, study
from tests.scenarios.edge import JSON, PUBLIC, XML, Edge, Reply, edge_over
from tests.support.hospital import Row, attribute, value
from tests.support.scripted import Reply as Nothing
from tests.support.scripted import ScriptedUpstream

PRODUCTS: dict[str, type[Product]] = {
    "google": Google,
    "azure": Azure,
    "aws": Aws,
    "dcm4chee": Dcm4chee,
    "osirix": Plain,
    "medical-connections": Plain,
}
EVERY = pytest.mark.parametrize("name", PRODUCTS)
STUDIES = [
    study(
        "1.1",
        "DOE^JANE",
        "7",
        "20200101",
        "120000",
        series={"1.1.1": ("1.1.1.1", "1.1.1.2"), "1.1.2": ("1.1.2.1",)},
    ),
    study("1.2", "DOE^JOHN", "8", "20200102", "100000", modality="MR", description="HEAD"),
    study("1.3", "ROE^RICHARD", "9", "20200102", "150000", modality="US"),
    study("1.4", "POE^EDGAR", "7", "20210315", "090000"),
]
ALL = {"1.1", "1.2", "1.3", "1.4"}
OHIF = "includefield=00081030%2C00080060%2C00080090%2C00100030"
SEARCHES = [
    (f"limit=101&offset=0&fuzzymatching=false&{OHIF}", ALL),
    ("", ALL),
    ("PatientName=*OE*", ALL),
    ("PatientName=DOE*", {"1.1", "1.2"}),
    ("PatientName=?OE^J*", {"1.1", "1.2"}),
    ("PatientName=&StudyDescription=", ALL),
    ("PatientID=*", ALL),
    ("00100020=7", {"1.1", "1.4"}),
    ("AccessionNumber=A1.2", {"1.2"}),
    ("StudyDescription=HEAD", {"1.2"}),
    ("ModalitiesInStudy=MR", {"1.2"}),
    ("ModalitiesInStudy=CT%2CMR", {"1.1", "1.2", "1.4"}),
    ("ModalitiesInStudy=CT,US", {"1.1", "1.3", "1.4"}),
    ("StudyInstanceUID=1.2%5C1.3", {"1.2", "1.3"}),
    ("StudyInstanceUID=1.2%2C1.3", {"1.2", "1.3"}),
    ("StudyInstanceUID=1.2,1.3&ModalitiesInStudy=CT,US", {"1.3"}),
    ("StudyDate=20200102-20201231", {"1.2", "1.3"}),
    ("StudyDate=20200102-", {"1.2", "1.3", "1.4"}),
    ("StudyTime=100000-130000", {"1.1", "1.2"}),
    ("StudyDate=20200101-20200102&StudyTime=1130-1030", {"1.1", "1.2"}),
    ("StudyDate=20200101-20200102&StudyTime=1130-1030&TimezoneOffsetFromUTC=%2B0100", {"1.1", "1.2"}),
    ("PatientBirthDate=19700101", set()),
    ("StudyInstanceUID=9.9", set()),
]  # fmt: skip


@asynccontextmanager
async def over(product: Product, profile: str, **settings: Any) -> AsyncIterator[Edge]:
    async with (
        ScriptedUpstream(product) as upstream,
        edge_over(upstream, settings={"profile": profile, **settings}) as edge,
    ):
        yield edge


def uids(reply: Reply, tag: str = "0020000D") -> set[str]:
    found = [value(row, tag) for row in reply.json]
    assert len(set(found)) == len(found)
    return set(found)


@pytest.mark.parametrize(("query", "expected"), SEARCHES)
@EVERY
async def test_every_search_finds_the_same_everywhere(name: str, query: str, expected: set[str]) -> None:
    product = PRODUCTS[name](STUDIES)
    async with over(product, name) as edge:
        reply = await edge.ask(f"/studies?{query}", JSON)

    assert (reply.status, product.refused) == (200, []), reply.raw
    told = reply.raw.all("warning")
    if name == "aws" and any(word in query for word in ("Description", "BirthDate")):
        assert expected == uids(reply) or "neither matches nor returns" in told[0]
        return
    assert uids(reply) == expected
    assert told == []


@pytest.mark.parametrize(
    ("path", "tag", "expected"),
    [
        ("/series?PatientID=7", "0020000E", {"1.1.1", "1.1.2", "1.4.1"}),
        ("/series?PatientID=7&SeriesInstanceUID=1.1.2,1.4.1", "0020000E", {"1.1.2", "1.4.1"}),
        ("/series?Modality=MR", "0020000E", {"1.2.1"}),
        ("/instances?PatientName=DOE*", "00080018", {"1.1.1.1", "1.1.1.2", "1.1.2.1", "1.2.1.1"}),
        ("/instances?Modality=US&StudyDate=20200102", "00080018", {"1.3.1.1"}),
        ("/studies/1.1/instances", "00080018", {"1.1.1.1", "1.1.1.2", "1.1.2.1"}),
        ("/studies/1.1/instances?SeriesInstanceUID=1.1.1", "00080018", {"1.1.1.1", "1.1.1.2"}),
        ("/studies/1.1/series?Modality=CT&includefield=SeriesDescription", "0020000E", {"1.1.1", "1.1.2"}),
        ("/studies/1.1/series/1.1.1/instances?SOPInstanceUID=1.1.1.2", "00080018", {"1.1.1.2"}),
        ("/series?limit=1&offset=1", "0020000E", {"1.1.2"}),
    ],
)
@EVERY
async def test_series_and_instances_are_found_across_studies(
    name: str, path: str, tag: str, expected: set[str]
) -> None:
    product = PRODUCTS[name](STUDIES)
    async with over(product, name) as edge:
        reply = await edge.ask(path, JSON)

    assert (reply.status, product.refused) == (200, []), reply.raw
    if "offset=1" in path:
        assert len(uids(reply, tag)) == 1
    else:
        assert uids(reply, tag) == expected
    assert all(value(row, "00081190").startswith(f"{PUBLIC}/studies/1.") for row in reply.json)


async def test_instances_of_a_hierarchical_archive_tell_their_study_and_series() -> None:
    product = Aws(STUDIES)
    async with over(product, "aws") as edge:
        [row] = (await edge.ask("/instances?PatientID=9", JSON)).json

    assert (value(row, "0020000D"), value(row, "0020000E"), value(row, "00100020")) == ("1.3", "1.3.1", "9")
    assert value(row, "00081190") == f"{PUBLIC}/studies/1.3/series/1.3.1/instances/1.3.1.1"
    assert product.targets("series")[0].startswith("/studies/1.3/series?")


@pytest.mark.parametrize("name", ["SMITH,JOHN", "SMITH%2CJOHN"])
async def test_a_comma_in_a_name_is_no_list_to_dcm4chee(name: str) -> None:
    product = Dcm4chee([study("1.1", "SMITH,JOHN"), study("1.2", "JOHN")])
    async with over(product, "dcm4chee") as edge:
        assert uids(await edge.ask(f"/studies?PatientName={name}", JSON)) == {"1.1"}


@pytest.mark.parametrize(
    "nothing",
    [
        Nothing(204),
        Nothing(200, b"", [("Content-Type", JSON)]),
        Nothing(200, b"[]", [("Content-Type", JSON)]),
        Nothing(200, b" [ ] ", [("Content-Type", f"{JSON}; charset=utf-8")]),
        Nothing(200, b"", [("Content-Type", JSON)], framing="chunked"),
    ],
)
@pytest.mark.parametrize("quirks", [{}, {"page_limit": "100"}])
async def test_nothing_found_is_an_empty_list_however_it_is_said(
    nothing: Nothing, quirks: Mapping[str, str]
) -> None:
    class Empty(Product):
        def reply(self, rows: list[Row], left: int) -> Nothing:
            return nothing

    async with over(Empty(STUDIES), "standard", quirks=dict(quirks)) as edge:
        reply = await edge.ask("/studies", JSON)

    assert (reply.status, reply.json, reply.raw.all("warning")) == (200, [], [])


async def test_pages_are_as_large_as_the_client_likes() -> None:
    many = [study(f"1.{number}") for number in range(450)]
    for name, kind in PRODUCTS.items():
        product = kind(many)
        async with over(product, name) as edge:
            whole = await edge.ask("/studies", JSON)
            page = await edge.ask("/studies?limit=300&offset=100", JSON)

        assert (name, len(uids(whole)), len(uids(page)), product.refused) == (name, 450, 300, [])


async def test_a_page_within_the_cap_passes_with_one_request() -> None:
    product = Azure(STUDIES)
    async with over(product, "azure") as edge:
        assert uids(await edge.ask("/studies?limit=101&offset=0&PatientID=7", JSON)) == {"1.1", "1.4"}

    assert len(product.targets("/studies?")) == 1


async def test_what_can_be_neither_matched_nor_seen_is_told() -> None:
    product = Aws(STUDIES)
    async with over(product, "aws") as edge:
        reply = await edge.ask("/studies?StudyDescription=HEAD&PatientName=*OE*", JSON)

    assert uids(reply) == ALL
    [line] = reply.raw.all("warning")
    text = "Source north neither matches nor returns StudyDescription; its results may not match"
    assert line == f"299 {PUBLIC}: {text}"


@pytest.mark.parametrize("name", ["aws", "osirix"])
async def test_names_that_are_not_matched_fuzzily_are_told_in_the_standard_s_words(name: str) -> None:
    product = PRODUCTS[name](STUDIES)
    async with over(product, name) as edge:
        reply = await edge.ask("/studies?PatientName=DOE%5EJANE&fuzzymatching=true", JSON)

    assert uids(reply) == {"1.1"}
    text = "The fuzzymatching parameter is not supported. Only literal matching has been performed."
    assert reply.raw.all("warning") == [f"299 {PUBLIC}: {text}"]
    assert not product.targets("fuzzymatching")


@pytest.mark.parametrize("name", ["google", "azure"])
async def test_names_are_matched_fuzzily_by_who_can(name: str) -> None:
    product = PRODUCTS[name](STUDIES)
    async with over(product, name) as edge:
        reply = await edge.ask("/studies?PatientName=DOE%5EJANE&fuzzymatching=true&limit=10", JSON)

    assert reply.raw.all("warning") == []
    assert product.targets("fuzzymatching=true")


async def test_modalities_that_are_left_out_are_found_in_the_series() -> None:
    product = Azure([study("1.2", modality="MR")])
    async with over(product, "azure") as edge:
        [row] = (await edge.ask("/studies?limit=10", JSON)).json

    assert value(row, "00080061") == "MR"


async def test_xml_is_for_who_wants_it_whatever_the_archive_speaks() -> None:
    for name in ("azure", "aws"):
        product = PRODUCTS[name](STUDIES)
        async with over(product, name) as edge:
            reply = await edge.ask("/studies?PatientID=7", XML)

        assert (reply.status, len(reply.parts), product.refused) == (200, 2, [])
        assert b"<NativeDicomModel" in reply.parts[0].body


class Forgetful(Product):
    """Refuses a field that it does not know, as some do."""

    def listed(self, text: str) -> Iterator[str]:
        if "00109999" in unquote(text):
            raise Refusal("includefield")
        return super().listed(text)


@pytest.mark.parametrize("archives", [1, 2])
async def test_a_field_that_is_refused_is_not_asked_for_again(archives: int) -> None:
    product, other = Forgetful(STUDIES), Product([study("2.1", patient="7")])
    fields = [("Cache-Control", "no-cache")]
    async with (
        ScriptedUpstream(product) as north,
        ScriptedUpstream(other) as south,
        edge_over(*[north, south][:archives]) as edge,
    ):
        for _ in range(3):
            reply = await edge.ask("/studies?PatientID=7&includefield=00109999", JSON, fields=fields)
            assert {"1.1", "1.4"} <= uids(reply)
            assert reply.raw.all("warning") == []

    assert len(product.refused) == 3 - archives


async def test_what_rows_are_checked_by_is_asked_for_even_where_other_fields_are_refused() -> None:
    product = Forgetful(STUDIES)
    async with over(product, "standard", quirks={"wildcards": "no"}) as edge:
        reply = await edge.ask("/studies?PatientName=DOE*&includefield=00109999", JSON)

    assert (uids(reply), reply.raw.all("warning")) == ({"1.1", "1.2"}, [])
    assert ["includefield=PatientName" in target for target in product.targets()] == [False, True]


async def test_a_search_that_is_refused_for_its_keys_stays_refused() -> None:
    product = Azure(STUDIES)
    async with over(product, "standard") as edge:
        reply = await edge.ask("/studies?InstitutionName=x&includefield=StudyID", JSON)

    assert reply.problem(400)
    assert "includefield" not in product.targets()[-1]


@pytest.mark.parametrize(
    ("quirks", "query", "sent"),
    [
        ({"page_limit": "2"}, "", "limit=2&offset=2"),
        ({"lists": "%5C"}, "StudyInstanceUID=1.2,1.3", "StudyInstanceUID=1.2\\1.3"),
        ({"wildcards": "no"}, "PatientName=D*", "includefield=PatientName"),
        ({"includefield": "none"}, "includefield=StudyDescription", "/studies"),
        ({"fuzzymatching": "no"}, "PatientName=D&fuzzymatching=true", "PatientName=D&limit"),
        ({"keys": ["PatientID"], "includefield": "repeat"}, "PatientID=7&StudyID=4", "includefield=StudyID"),
    ],
)  # fmt: skip
async def test_an_operator_says_where_his_archive_differs(
    quirks: Mapping[str, Any], query: str, sent: str
) -> None:
    product = Product([*STUDIES, *(study(f"2.{n}") for n in range(100))])
    async with over(product, "standard", quirks=dict(quirks)) as edge:
        await edge.ask(f"/studies?{query}", JSON)

    assert any(sent in target for target in product.targets()), product.targets()


async def test_an_issuer_is_still_added_and_asked_for() -> None:
    mine = [study("1.1", t00100021=attribute("LO", "NET"))]
    product = Azure(mine)
    async with over(product, "azure", issuer="NET") as edge:
        reply = await edge.ask("/studies?PatientID=7&IssuerOfPatientID=NET", JSON)

    assert (uids(reply), product.refused) == ({"1.1"}, [])
