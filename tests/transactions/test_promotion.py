"""What is known of an instance's frames before it is fetched, and as what it is asked for for their sake."""

import pytest

from edgerouter.dicomweb.media import DICOM, OCTETS, Wish
from edgerouter.transactions.promotion import form_of, frames_of, instance_wishes

EXPLICIT, JPEG, LOSSLESS = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.70"


@pytest.mark.parametrize(
    ("row", "frames"),
    [
        ('{"00280008": {"vr": "IS", "Value": [17]}}', 17),
        ('{"00280008": {"vr": "IS", "Value": ["17"]}}', 17),
        ('{"00280008": {"vr": "IS", "Value": [null]}}', 1),
        ('{"00280008": {"vr": "IS", "Value": []}}', 1),
        ('{"00280008": {"vr": "IS"}}', 1),
        ('{"00080018": {"vr": "UI", "Value": ["1.2"]}}', 1),
        ('{"00280008": {"vr": "IS", "Value": ["many"]}}', 1),
        ('{"00280008": {"vr": "IS", "Value": {"a": 1}}}', 1),
        ("[]", 1),
        ("{", 1),
    ],
)
def test_the_number_of_frames_is_what_a_row_says_or_one(row: str, frames: int) -> None:
    assert frames_of(row.encode()) == frames


@pytest.mark.parametrize(
    ("syntax", "form"),
    [
        (EXPLICIT, (OCTETS, EXPLICIT)),
        ("1.2.840.10008.1.2", (OCTETS, EXPLICIT)),
        ("1.2.840.10008.1.2.1.99", (OCTETS, EXPLICIT)),
        (JPEG, ("image/jpeg", JPEG)),
        ("1.2.840.10008.1.2.5", ("image/dicom-rle", "1.2.840.10008.1.2.5")),
        ("1.2.3", ("", "1.2.3")),
    ],
)
def test_the_frames_of_an_instance_have_the_form_that_its_syntax_says(
    syntax: str, form: tuple[str, str]
) -> None:
    assert form_of(syntax) == form


@pytest.mark.parametrize(
    ("wish", "syntax"),
    [
        (Wish(OCTETS), None),
        (Wish(OCTETS, "*"), "*"),
        (Wish(OCTETS, EXPLICIT), EXPLICIT),
        (Wish("image/jpeg"), LOSSLESS),
        (Wish("image/jpeg", LOSSLESS), LOSSLESS),
        (Wish("image/jpeg", JPEG), "*"),  # named, it might be made for us with loss
    ],
)
def test_an_instance_is_asked_for_in_the_syntax_that_its_frame_is_wished_in(
    wish: Wish, syntax: str | None
) -> None:
    assert instance_wishes([wish, wish]) == [Wish(DICOM, syntax, multipart=True)]
