"""Attributes belong to the levels of the modules that hold them."""

import pytest

from edgerouter.dicomweb.levels import has, level_of
from edgerouter.dicomweb.resource import Level


@pytest.mark.parametrize(
    ("tag", "level"),
    [
        ("00100010", Level.STUDY),  # PatientName
        ("00101010", Level.STUDY),  # PatientAge
        ("00080020", Level.STUDY),  # StudyDate
        ("00120010", Level.STUDY),  # ClinicalTrialSponsorName
        ("00120071", Level.SERIES),  # ClinicalTrialSeriesID
        ("00080060", Level.SERIES),  # Modality
        ("00080080", Level.SERIES),  # InstitutionName
        ("00280010", Level.INSTANCE),  # Rows
        ("00091010", Level.INSTANCE),  # somebody's own
    ],
)
def test_an_attribute_is_of_its_module_s_level_and_known_below_it(tag: str, level: Level) -> None:
    below = list(Level)[list(Level).index(level) :]

    assert level_of(tag) is level
    assert [each for each in Level if has(each, tag)] == below
