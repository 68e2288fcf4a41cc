from typing import Any

import pytest

from edgerouter.dicom.matching import InvalidKey, Key, Matcher, matches
from tests.dicom.rows import ROW, keys, path


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("StudyInstanceUID", "1.2.3", True),
        ("StudyInstanceUID", "1.2.4", False),
        ("StudyInstanceUID", "1.2.4,1.2.3", True),
        ("StudyInstanceUID", "1.2.4\\1.2.3", True),
        ("StudyInstanceUID", ["1.2.4", "1.2.3"], True),
        ("StudyInstanceUID", "1.2.*", False),
        ("StudyInstanceUID", ",", False),
        ("PatientID", "PAT-1", True),
        ("PatientID", "pat-1", False),
        ("PatientID", " PAT-1 ", True),
        ("PatientID", "PAT*", True),
        ("PatientID", "PAT??", True),
        ("PatientID", "PAT?", False),
        ("AccessionNumber", "A*1", True),
        ("StudyDescription", "*Abdomen", True),
        ("StudyDescription", "Chest, Abdomen", True),
        ("PatientName", "doe^jane", True),
        ("PatientName", "doe*", True),
        ("PatientName", "jane doe", False),
        ("PatientAge", "045Y", True),
        ("PatientAge", "045?", False),
        ("ModalitiesInStudy", "CT", True),
        ("ModalitiesInStudy", "PT", True),
        ("ModalitiesInStudy", "MR", False),
        ("ModalitiesInStudy", "MR\\PT", True),
        ("ModalitiesInStudy", "MR,CT", True),
        ("ModalitiesInStudy", "C?", True),
        ("SeriesNumber", "7", True),
        ("SeriesNumber", "07", True),
        ("SeriesNumber", "8", False),
        ("WindowCenter", "40", True),
        ("WindowCenter", "-600.0", True),
        ("WindowCenter", "41", False),
        ("StudyDate", "20060706", True),
        ("StudyDate", "2006.07.06", True),
        ("StudyDate", "20060707", False),
        ("StudyDate", "20060706-20060708", True),
        ("StudyDate", "20060701-20060706", True),
        ("StudyDate", "-20060705", False),
        ("StudyDate", "20060706-", True),
        ("StudyTime", "2230", True),
        ("StudyTime", "22", False),
        ("StudyTime", "2200-2230", True),
        ("StudyTime", "2200-22", True),
        ("StudyTime", "2231-", False),
        ("StudyTime", "23-22", False),
        ("AcquisitionDateTime", "20060706203000.5+0000", True),
        ("AcquisitionDateTime", "20060706223000.5", True),
        ("AcquisitionDateTime", "20060706223000", False),
        ("AcquisitionDateTime", "200607-2007", True),
        ("AcquisitionDateTime", "20060706203000+0000-20060706203000+0000", True),
        ("AcquisitionDateTime", "20060706203001+0000-", False),
        ("AcquisitionDateTime", "-2005", False),
    ],
)
def test_each_kind_of_matching(name: str, value: Any, expected: bool) -> None:
    assert matches(ROW, [(path(name), value)]) is expected


def test_fuzzy_matching_is_for_names_and_widens_only() -> None:
    assert matches(ROW, keys(PatientName="jane doe"), fuzzy=True)
    assert matches(ROW, keys(PatientName="D?e*"), fuzzy=True)
    assert not matches(ROW, keys(StudyDescription="abdomen chest"), fuzzy=True)


def test_an_attribute_the_dictionary_does_not_know_is_matched_as_text() -> None:
    assert matches(ROW, [(("00091001",), "priv*")])
    assert not matches(ROW, [(("00091001",), "PRIVATE")])


def test_the_query_may_be_meant_in_another_time_zone() -> None:
    row = ROW | {"00080201": {"vr": "SH", "Value": ["+0200"]}}
    asked = keys(StudyDate="20060706-20060706", StudyTime="2000-2100")
    assert not matches(row, asked)
    assert matches(row, [*asked, (("00080201",), "+0000")])
    assert not matches(ROW, [*asked, (("00080201",), "+0000")])  # nobody knows the zone of the row


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("StudyDate", "-"),
        ("StudyDate", "yesterday"),
        ("StudyDate", "20061345"),
        ("StudyDate", "2006*"),
        ("StudyDate", "20060706-x"),
        ("StudyDate", "2006-07-06"),
        ("StudyTime", "2500"),
        ("StudyTime", "10--11"),
        ("AcquisitionDateTime", "20061301"),
        ("SeriesNumber", "seven"),
        ("SeriesNumber", "1*"),
        ("RequestAttributesSequence", "x"),
        ("PixelData", "x"),
        ("TimezoneOffsetFromUTC", "CET"),
    ],
)
def test_a_key_that_cannot_be_what_its_vr_says_is_invalid(name: str, value: str) -> None:
    with pytest.raises(InvalidKey) as caught:
        Matcher([(path(name), value)])
    assert value not in str(caught.value)


@pytest.mark.parametrize(
    "tag", ["00080020", "00080030", "0008002A", "00100010", "00200011", "00080061", "0020000D", "00400275"]
)
@pytest.mark.parametrize(
    "value",
    [
        {},
        {"Value": None},
        {"Value": "x"},
        {"Value": [None]},
        {"Value": [{}]},
        {"Value": ["\0"]},
        {"Value": [[]]},
    ],
)
def test_a_row_that_is_no_dicom_json_does_not_match(tag: str, value: Any) -> None:
    asked = {
        "00080020": "20200101-",
        "00080030": "10-",
        "0008002A": "2020-",
        "00100010": "x",
        "00200011": "1",
        "00080061": "CT",
        "0020000D": "1.2",
    }
    key: Key = (("00400275", "00400009"), "x") if tag == "00400275" else ((tag,), asked[tag])
    assert not matches({tag: value}, [key])
