"""What stands in the rows of a merged search, and in which form they leave."""

import pytest
from defusedxml import ElementTree

from edgerouter.metrics import REGISTRY
from edgerouter.transactions import lookups
from edgerouter.transactions.search import Settings
from tests.support.hospital import Hospital, Study, attribute, studies, value
from tests.transactions.ask import House, inbound
from tests.transactions.hospitals import dated, three

XML = 'multipart/related; type="application/dicom+xml"'


async def test_a_patient_of_another_archive_with_the_same_id_stays_another_row() -> None:
    same = {"t00100020": attribute("LO", "7")}
    house = House.over(
        Hospital("north", [dated("1.1", "20200101", t00100010=attribute("PN", {"Alphabetic": "A"}), **same)]),
        Hospital("south", [dated("1.2", "20200102", t00100010=attribute("PN", {"Alphabetic": "B"}), **same)]),
        search=Settings(issuers={"north": "HOSP-N", "south": "HOSP-S"}),
    )

    got = await house.ask("/studies?PatientID=7")

    assert [(value(row, "00100010"), value(row, "00100021")) for row in got.rows] == [
        ({"Alphabetic": "B"}, "HOSP-S"),
        ({"Alphabetic": "A"}, "HOSP-N"),
    ]


async def test_two_patients_under_one_study_are_one_row_of_one_of_them_and_counted() -> None:
    house = House.over(
        Hospital("north", [dated("1.1", "20200101", "1", "2", t00100020=attribute("LO", "7"))]),
        Hospital("south", [dated("1.1", "20200101", t00100020=attribute("LO", "8"))]),
    )
    before = REGISTRY.get_sample_value("edgerouter_patient_conflicts_total") or 0

    got = await house.ask("/studies")

    assert [value(row, "00100020") for row in got.rows] == ["7"]
    assert REGISTRY.get_sample_value("edgerouter_patient_conflicts_total") == before + 1


async def test_a_search_teaches_where_things_are_and_who_has_more() -> None:
    house = House.over(
        Hospital("north", [dated("1.1", "20200101", "1")]),
        Hospital("south", [dated("1.1", "20200101", "1", "2")]),
    )
    await house.ask("/studies")
    await house.ask("/series")
    locations = house.service.locations

    assert locations.holders("1.1", "", ["north", "south"]) == ["south", "north"]
    assert locations.holders("1.1", "1.1.1", ["north", "south"]) == ["south", "north"]


async def test_series_and_instances_of_a_split_study_are_united() -> None:
    house = House.over(
        Hospital("north", [Study("1.1", series={"2.1": ("3.1", "3.2")})]),
        Hospital("south", [Study("1.1", series={"2.2": ("3.3",), "2.1": ("3.1",)})]),
    )
    series = await house.ask("/studies/1.1/series")
    instances = await house.ask("/studies/1.1/instances")

    assert [(value(row, "0020000E"), value(row, "00201209")) for row in series.rows] == [
        ("2.1", 2),
        ("2.2", 1),
    ]
    assert [value(row, "00080018") for row in instances.rows] == ["3.1", "3.3", "3.2"]


async def test_a_client_of_xml_gets_a_part_for_each_row_and_nothing_when_there_is_none() -> None:
    house = three()

    got = await house.ask(inbound("/studies?limit=2", accept=XML))
    none = await house.ask(inbound("/studies?offset=99", accept=XML))

    boundary = (got.fields.get("content-type") or "").partition("boundary=")[2].encode()
    parts = [part.partition(b"\r\n\r\n")[2] for part in got.body.split(b"--" + boundary)[1:-1]]
    found = [ElementTree.fromstring(part).findtext("*[@tag='0020000D']/*") for part in parts]
    assert found == ["1.1", "1.2"]
    assert got.body.endswith(b"--" + boundary + b"--\r\n")
    assert got.warnings == ["There are 4 additional results that can be requested"]
    assert (none.status, none.body) == (204, b"")


async def test_a_row_that_xml_cannot_hold_is_said_to_be_missing() -> None:
    odd = Study("1.1", {"00091001": {"vr": "odd"}}, {"1.1.1": ("1",)})
    house = House.over(Hospital("north", [odd]), Hospital("south", studies("1.2")))

    got = await house.ask(inbound("/studies", accept=XML))

    assert b"1.2" in got.body
    assert got.warnings == ["1 matches cannot be written as XML; results may be incomplete"]


@pytest.mark.parametrize("accept", ["application/dicom+json", XML])
async def test_a_long_answer_is_gzipped_for_who_takes_it(accept: str) -> None:
    house = House.over(Hospital("north", studies(*(f"1.{n}" for n in range(50)))), Hospital("south"))
    gzip = [("accept-encoding", "gzip")]

    plain = await house.ask(inbound("/studies", accept=accept))
    coded = await house.ask(inbound("/studies", accept=accept, fields=gzip))
    short = await house.ask(inbound("/studies?limit=1", accept=accept, fields=gzip))

    assert coded.fields.get("content-encoding") == "gzip"
    assert (plain.fields.get("content-encoding"), short.fields.get("content-encoding")) == (None, None)
    assert len(coded.body) == len(plain.body)


async def test_a_study_without_modalities_gets_those_of_its_series() -> None:
    bare = Study("1.1", {"00080061": attribute("CS")}, {"1.1.1": ("1",)}, modality="MR")
    north = Hospital("north", [bare])
    house = House.over(north, Hospital("south", studies("1.2")))

    first, again = await house.ask("/studies"), await house.ask("/studies?limit=5&offset=0")

    for got in (first, again):
        assert [value(row, "00080061") for row in got.rows] == ["MR", "CT"]
        assert all(list(row) == sorted(row) for row in got.rows)
    assert north.targets("series") == ["/studies/1.1/series?limit=5000"]


async def test_only_the_studies_of_the_page_are_looked_into(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookups, "MOST", 3)
    bare = [Study(f"1.{n}", {"00080061": attribute("CS")}, {f"1.{n}.1": ("1",)}) for n in range(6)]
    north = Hospital("north", bare)
    house = House.over(north, Hospital("south"))

    page, rest = await house.ask("/studies?limit=2"), await house.ask("/studies?offset=2")

    assert [value(row, "00080061") for row in page.rows] == ["CT", "CT"]
    assert [row.get("00080061") for row in rest.rows] == [attribute("CS", "CT")] * 3 + [None]
    assert len(north.targets("series")) == 5
