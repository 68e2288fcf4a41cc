"""One name for an attribute, however it is spelled."""

import pytest

from edgerouter.routing.attributes import attribute, is_person_name, unreadable


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


@pytest.mark.parametrize("name", ["Modality", "PatientName", "Rows", "ImageType", "ImageComments"])
def test_text_and_numbers_at_the_top_of_a_dataset_can_be_read(name: str) -> None:
    assert unreadable(name) is None


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("RequestAttributesSequence.StudyID", "is inside a sequence"),
        ("OtherPatientIDsSequence", "is a sequence"),
        ("TransferSyntaxUID", "is not in the dataset"),
        ("00091001", "is private"),
        ("PixelData", "has no value as text"),
        ("FrameIncrementPointer", "has no value as text"),
        ("00189999", "has no value as text"),
    ],
)
def test_of_what_cannot_be_read_it_is_said_why(name: str, why: str) -> None:
    assert unreadable(name) == why
