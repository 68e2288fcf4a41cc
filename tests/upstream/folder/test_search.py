"""Search over a folder: what each kind of matching finds, what a row has, how pages follow one another."""

import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from pydicom.dataset import Dataset

from edgerouter.upstream.folder.archive import FolderArchive
from tests.support.doors import DICOM_JSON, DICOM_XML
from tests.upstream.folder.embedded import ask, dicom, embedded, rows, values

pytestmark = pytest.mark.asyncio(loop_scope="module")

STUDY, SERIES, INSTANCE = "0020000D", "0020000E", "00080018"
BASE = "http://usb-stick.folder.invalid"


NO_NUMBER = "NumberOfStudyRelatedSeries=many"


def request(step: str) -> Dataset:
    item = Dataset()
    item.ScheduledProcedureStepID, item.RequestedProcedureID = step, "R" + step
    return item


FILES: dict[str, bytes] = {
    "1": dicom(
        "1", "1.1", "1.1.1", StudyDate="20200105", StudyTime="103000", PatientName="Doe^John",
        PatientID="P1", AccessionNumber="A1", Modality="CT", SeriesNumber="2", InstanceNumber="1",
        StudyDescription="CHEST", InstitutionName="West", ReferringPhysicianName="Müller^Änne",
        SpecificCharacterSet="ISO_IR 192", RequestAttributesSequence=[request("1"), request("2")],
        Rows=512, PatientWeight="71.50",
    ),
    "2": dicom(
        "1", "1.1", "1.1.2", StudyDate="20200105", StudyTime="103000", PatientName="Doe^John",
        PatientID="P1", AccessionNumber="A1", Modality="CT", SeriesNumber="2", InstanceNumber="2",
        StudyDescription="CHEST", InstitutionName="West",
    ),
    "3": dicom(
        "1", "1.2", "1.2.1", StudyDate="20200105", StudyTime="103000", PatientName="Doe^John",
        PatientID="P1", AccessionNumber="A1", Modality="SR", SeriesNumber="1", InstanceNumber="1",
    ),
    "4": dicom(
        "2", "2.1", "2.1.1", StudyDate="20200107", StudyTime="0930", PatientName="Doe^Jane",
        PatientID="P2", AccessionNumber="A2", Modality="MR", SeriesNumber="1", InstanceNumber="1",
        InstitutionName="East",
    ),
    "5": dicom("3", "3.1", "3.1.1", StudyDate="20190101", PatientName="Lind", PatientID="p1", Modality="US"),
    "6": dicom("4", "4.1", "4.1.1", PatientID="P4"),
}  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def archive(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[FolderArchive]:
    folder = tmp_path_factory.mktemp("usb-stick")
    for name, file in FILES.items():
        (folder / name).write_bytes(file)
    async with embedded(folder) as archive:
        yield archive


@pytest.mark.parametrize(
    ("path", "query", "found"),
    [
        ("/studies", "", "2 1 3 4"),  # the newest first
        ("/studies", "PatientID=P1", "1"),
        ("/studies", "00100020=P1", "1"),
        ("/studies", "PatientID=", "2 1 3 4"),
        ("/studies", "PatientID=*", "2 1 3 4"),
        ("/studies", "PatientID=P*", "2 1 4"),
        ("/studies", "PatientID=?1", "1 3"),
        ("/studies", "PatientName=doe*", "2 1"),
        ("/studies", "PatientName=DOE%5EJOHN", "1"),
        ("/studies", "PatientName=Jane", ""),
        ("/studies", "PatientName=Jane&fuzzymatching=true", "2"),
        ("/studies", "ReferringPhysicianName=muller*", "1"),
        ("/studies", "StudyDate=20200105", "1"),
        ("/studies", "StudyDate=20200101-20200106", "1"),
        ("/studies", "StudyDate=20200106-", "2"),
        ("/studies", "StudyDate=-20191231", "3"),
        ("/studies", "StudyTime=1030", "1"),
        ("/studies", "StudyTime=0900-1000", "2"),
        ("/studies", "StudyDate=20200105-20200107&StudyTime=1000-0900", "1"),  # one interval
        ("/studies", "StudyInstanceUID=1,3,9", "1 3"),
        ("/studies", "StudyInstanceUID=1%5C3", "1 3"),
        ("/studies", "ModalitiesInStudy=SR", "1"),
        ("/studies", "ModalitiesInStudy=MR%5CUS", "2 3"),
        ("/studies", "NumberOfStudyRelatedInstances=3", "1"),
        ("/studies", "StudyDescription=CHEST", "1"),
        ("/studies", "PatientWeight=71.5", "1"),
        ("/studies", "PatientID=P1&PatientName=Lind", ""),
        ("/studies", 'PatientName=%22%22&emptyvaluematching=true', "4"),
        ("/studies", "PatientID=P1%5CP4&multiplevaluematching=true", "1 4"),
        ("/studies", "Modality=MR", "2 1 3 4"),  # not of this level: ignored
        ("/studies", "Frobnicate=1&SOPInstanceUID=9", "2 1 3 4"),
        ("/studies/1/series", "", "1.2 1.1"),  # by their numbers
        ("/studies/1/series", "Modality=CT", "1.1"),
        ("/studies/1/series", "SeriesInstanceUID=1.2", "1.2"),
        ("/studies/1/series", "RequestAttributesSequence.ScheduledProcedureStepID=2", "1.1"),
        ("/studies/1/series", "00400275.00400009=2&00400275.00401001=R1", ""),  # not in one item
        ("/studies/1/series", "00400275.00400009=%22%22&emptyvaluematching=true", "1.2"),
        ("/studies/1/series", "00400275.0040A370=%22%22&emptyvaluematching=true", "1.2 1.1"),
        ("/studies/9/series", "", ""),
        ("/series", "InstitutionName=East", "2.1"),
        ("/series", "PatientID=P1&Modality=SR", "1.2"),
        ("/studies/1/series/1.1/instances", "", "1.1.1 1.1.2"),
        ("/studies/1/series/1.1/instances", "InstanceNumber=2", "1.1.2"),
        ("/studies/1/series/1.1/instances", "Rows=512", "1.1.1"),
        ("/studies/1/instances", "Modality=SR", "1.2.1"),
        ("/instances", "SOPInstanceUID=3.1.1,4.1.1", "3.1.1 4.1.1"),
        ("/instances", "PatientName=Doe*&InstanceNumber=1", "1.2.1 1.1.1 2.1.1"),
    ],
)  # fmt: skip
async def test_a_key_finds_what_it_matches(archive: FolderArchive, path: str, query: str, found: str) -> None:
    uid = {"studies": STUDY, "series": SERIES, "instances": INSTANCE}[path.rpartition("/")[2]]

    assert " ".join(values(await rows(archive, path, query), uid)) == found


@pytest.mark.parametrize(
    "query",
    ["StudyDate=99", "StudyDate=-", "StudyInstanceUID=x", "limit=x", "StudyID=1&StudyID=2", "a=%", NO_NUMBER],
)
async def test_what_cannot_be_a_key_is_refused(archive: FolderArchive, query: str) -> None:
    assert (await ask(archive, "/studies", query, DICOM_JSON)).status == 400


async def test_a_study_row_has_all_required_attributes_and_what_is_known(archive: FolderArchive) -> None:
    [row] = await rows(archive, "/studies", "StudyInstanceUID=1")

    assert row["00080061"] == {"vr": "CS", "Value": ["CT", "SR"]}
    assert row["00201206"] == {"vr": "IS", "Value": [2]}
    assert row["00201208"] == {"vr": "IS", "Value": [3]}
    assert row["00081190"] == {"vr": "UR", "Value": [f"{BASE}/studies/1"]}
    assert row["00080056"] == {"vr": "CS", "Value": ["ONLINE"]}
    assert row["00100010"] == {"vr": "PN", "Value": [{"Alphabetic": "Doe^John"}]}
    assert row["00080090"] == {"vr": "PN", "Value": [{"Alphabetic": "Müller^Änne"}]}
    assert row["00100040"] == {"vr": "CS"}  # required, and not known
    required = "00080020 00080030 00080050 00100020 00100030 0020000D 00200010"
    assert set(required.split()) <= set(row)
    assert list(row) == sorted(row)
    assert not {SERIES, INSTANCE, "00080060"} & set(row)


async def test_rows_have_their_own_level_and_those_above_that_the_path_leaves_open(
    archive: FolderArchive,
) -> None:
    [series] = await rows(archive, "/studies/2/series")
    assert series["00201209"]["Value"] == [1]
    assert series["00081190"]["Value"] == [f"{BASE}/studies/2/series/2.1"]
    assert "00100010" not in series
    assert series[STUDY]["Value"] == ["2"]

    [series] = await rows(archive, "/series", "StudyInstanceUID=2")
    assert series["00100010"]["Value"] == [{"Alphabetic": "Doe^Jane"}]
    assert (series["00080061"]["Value"], series["00201208"]["Value"]) == (["MR"], [1])

    [instance] = await rows(archive, "/studies/2/series/2.1/instances")
    assert instance["00081190"]["Value"] == [f"{BASE}/studies/2/series/2.1/instances/2.1.1"]
    assert instance["00083002"]["Value"] == ["1.2.840.10008.1.2.1"]
    assert "00080060" not in instance

    [instance] = await rows(archive, "/studies/2/instances")
    assert instance["00080060"]["Value"] == ["MR"]
    assert "00100010" not in instance

    [instance] = await rows(archive, "/instances", "StudyInstanceUID=2")
    assert {"00080060", "00100010", "00080061", "00201208", INSTANCE, SERIES} <= set(instance)


@pytest.mark.parametrize(
    ("path", "query", "there", "absent"),
    [
        ("/studies", "includefield=PatientWeight", "00101030", "00080080"),
        ("/studies", "includefield=PatientWeight,PatientAge", "00101030", "00101010"),
        ("/studies", "includefield=Rows&includefield=00101030", "00101030", "00280010"),
        ("/studies", "PatientWeight=71.50", "00101030", "00280010"),
        ("/studies", "includefield=all", "00101030", "00280010"),
        ("/studies/1/series", "includefield=InstitutionName", "00080080", "00101030"),
        ("/studies/1/series", "includefield=PatientName", "00100010", "00080080"),
        ("/studies/1/series", "includefield=all", "00101030", "00280010"),
        ("/studies/1/series", "includefield=ModalitiesInStudy", "00080061", "00201208"),
        ("/studies/1/series/1.1/instances", "includefield=all", "00101030", "00281050"),
        ("/studies/1/series/1.1/instances", "includefield=Modality", "00080060", "00100010"),
    ],
)
async def test_more_attributes_are_given_when_asked_for(
    archive: FolderArchive, path: str, query: str, there: str, absent: str
) -> None:
    asked = query + ("&StudyInstanceUID=1" if path == "/studies" else "")
    first = next(row for row in await rows(archive, path, asked) if there in row)

    assert absent not in first


async def test_a_number_keeps_its_spelling(archive: FolderArchive) -> None:
    reply = await ask(archive, "/studies", "PatientID=P1&includefield=PatientWeight", DICOM_JSON)

    assert b'"00101030":{"vr":"DS","Value":[71.50]}' in reply.body


async def test_pages_of_any_size_give_everything_once_in_one_order(archive: FolderArchive) -> None:
    whole = values(await rows(archive, "/instances"), INSTANCE)
    for limit in (1, 2, 4, 100):
        paged: list[Any] = []
        for offset in range(0, len(whole), limit):
            reply = await ask(archive, "/instances", f"limit={limit}&offset={offset}", DICOM_JSON)
            paged += values(reply.json, INSTANCE)
            remaining = len(whole) - offset - limit
            told = re.search(r"There are (\d+) additional results", reply.get("warning") or "")
            assert (int(told[1]) if told else 0) == max(0, remaining)
        assert paged == whole


async def test_the_warning_is_of_this_service(archive: FolderArchive) -> None:
    reply = await ask(archive, "/studies", "limit=1", DICOM_JSON)

    expected = f"299 {BASE}: There are 3 additional results that can be requested"
    assert reply.get("warning") == expected


@pytest.mark.parametrize("query", ["PatientID=nobody", "limit=0", "offset=100"])
async def test_no_results_are_an_empty_list_or_no_content(archive: FolderArchive, query: str) -> None:
    assert (await ask(archive, "/studies", query, DICOM_JSON)).body == b"[]"

    as_xml = await ask(archive, "/studies", query, DICOM_XML)
    assert (as_xml.status, as_xml.body) == (204, b"")


async def test_results_in_xml_are_a_part_each(archive: FolderArchive) -> None:
    reply = await ask(archive, "/studies", "PatientName=Doe*", DICOM_XML)

    assert len(reply.parts) == 2
    assert {part.fields["content-type"] for part in reply.parts} == {"application/dicom+xml"}
    assert b"<FamilyName>Doe</FamilyName>" in reply.parts[0].body


async def test_what_is_not_json_nor_xml_is_not_acceptable(archive: FolderArchive) -> None:
    assert (await ask(archive, "/studies", "", "text/html")).status == 406


async def test_an_answer_has_a_limit_of_its_own(
    archive: FolderArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgerouter.upstream.folder.search.MAX_RESULTS", 2)
    reply = await ask(archive, "/instances", "limit=5", DICOM_JSON)

    assert len(reply.json) == 2
    assert "There are 4 additional" in (reply.get("warning") or "")
