"""One name for an attribute, however it is spelled."""

import pytest

from edgerouter.routing.attributes import attribute, is_person_name


@pytest.mark.parametrize(
    ("spelled", "name"),
    [
        ("PatientID", "PatientID"),
        ("00100020", "PatientID"),
        ("0020000d", "StudyInstanceUID"),
        ("0020000D", "StudyInstanceUID"),
        ("00091001", "00091001"),
        ("0009100a", "0009100A"),
        ("ScheduledProcedureStepSequence.00400001", "ScheduledProcedureStepSequence.ScheduledStationAETitle"),
    ],
)
def test_keywords_and_tags_are_one(spelled: str, name: str) -> None:
    assert attribute(spelled) == name


@pytest.mark.parametrize(
    "text", ["", "patientid", "limit", "0010002", "001000200", "PatientID.", ".", "0010 0020"]
)
def test_what_is_no_attribute_has_no_name(text: str) -> None:
    assert attribute(text) is None


def test_person_names_are_known_by_their_vr() -> None:
    assert is_person_name("PatientName")
    assert is_person_name("RequestAttributesSequence.RequestingPhysician")
    assert not is_person_name("PatientID")
    assert not is_person_name("00091001")
