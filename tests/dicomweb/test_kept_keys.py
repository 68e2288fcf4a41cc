"""Keys that an archive cannot match, matched on its rows."""

import json
from typing import Any

import pytest

from edgerouter.dicomweb import query
from edgerouter.dicomweb.kept_keys import KeptKeys, is_range, paired
from edgerouter.dicomweb.resource import parse
from edgerouter.dicomweb.row_reading import read
from edgerouter.dicomweb.rows import Row

STUDIES = parse("/studies")
INTERVAL = "StudyDate=20200101-20200102&StudyTime=23-01"


def row(**attributes: tuple[str, Any]) -> Row:
    """A row of these attributes (_tag=(vr, value)), None for one without a value."""
    model: dict[str, Any] = {"0020000D": {"vr": "UI", "Value": ["1.2"]}}
    for name, (vr, value) in attributes.items():
        model[name[1:]] = {"vr": vr} if value is None else {"vr": vr, "Value": [value]}
    return read(json.dumps(model).encode(), STUDIES, "north")


def kept(text: str, **how: bool) -> KeptKeys:
    return KeptKeys(query.parse(text).matches, **how)


@pytest.mark.parametrize(
    ("text", "attributes", "holds"),
    [
        ("StudyDescription=HEAD*", {"_00081030": ("LO", "HEAD CT")}, True),
        ("StudyDescription=HEAD*", {"_00081030": ("LO", "CHEST")}, False),
        ("StudyDescription=HEAD*", {"_00081030": ("LO", None)}, False),
        ("PatientName=doe*", {"_00100010": ("PN", {"Alphabetic": "DOE^J"})}, True),
        ("PatientName=doe*", {"_00100010": ("PN", "not a name")}, False),
        ("PatientName=doe*", {"_00100010": ("PN", None)}, False),
        ("ModalitiesInStudy=CT,MR", {"_00080061": ("CS", "MR")}, True),
        ("StudyID=7&StudyDescription=A", {"_00200010": ("SH", "7"), "_00081030": ("LO", "B")}, False),
        (
            "ProcedureCodeSequence.CodeValue=X",
            {"_00081032": ("SQ", {"00080100": {"vr": "SH", "Value": ["X"]}})},
            True,
        ),
        (INTERVAL, {"_00080020": ("DA", "20200102"), "_00080030": ("TM", "003000")}, True),
        (INTERVAL, {"_00080020": ("DA", "20200101"), "_00080030": ("TM", "220000")}, False),
    ],
)  # fmt: skip
def test_a_row_is_matched_by_what_it_has(text: str, attributes: dict[str, Any], holds: bool) -> None:
    keys = kept(text)

    assert keys(row(**attributes)) is holds
    assert keys.unseen == set()


def test_a_row_without_the_attribute_passes_and_is_remembered() -> None:
    keys = kept("StudyDescription=HEAD&StudyID=7")

    assert keys(row(_00200010=("SH", "7")))
    assert not keys(row(_00200010=("SH", "8")))
    assert keys.unseen == {"StudyDescription"}


def test_one_that_is_demanded_has_to_be_there() -> None:
    assert not kept("StudyDescription=HEAD", demanded=True)(row())


def test_a_key_that_cannot_be_read_is_told_and_matches_nothing_away() -> None:
    keys = kept("PixelData=1")

    assert keys(row())
    assert keys.unseen == {"PixelData"}


def test_an_attribute_that_is_none_has_no_value() -> None:
    odd = read(b'{"0020000D":{"vr":"UI","Value":["1.2"]},"00081030":7}', STUDIES, "north")

    assert not kept("StudyDescription=HEAD")(odd)


def test_without_keys_everything_passes() -> None:
    keys = kept("")

    assert (bool(keys), keys(row())) == (False, True)


def test_names_are_matched_fuzzily_where_that_is_wanted() -> None:
    jane = row(_00100010=("PN", {"Alphabetic": "Doe^Jane"}))

    assert kept("PatientName=jane", fuzzy=True)(jane)
    assert not kept("PatientName=jane")(jane)


def test_the_zone_of_the_query_moves_an_interval() -> None:
    moved = row(_00080020=("DA", "20200101"), _00080030=("TM", "233000"), _00080201=("SH", "+0000"))
    interval = "StudyDate=20200102-20200103&StudyTime=00-01"

    assert not kept(interval)(moved)
    assert kept(f"{interval}&TimezoneOffsetFromUTC=%2B0100")(moved)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("StudyDate=20200101-", True),
        ("StudyDate=20200101", False),
        ("StudyTime=10-11", True),
        ("AcquisitionDateTime=20200101-20200102", True),
        ("AcquisitionDateTime=2020010112-0500", False),
        ("PatientID=7-8", False),
        ("StudyInstanceUID=1.2,1.3", False),
    ],
)
def test_a_range_is_one_of_dates_or_times(text: str, expected: bool) -> None:
    [match] = query.parse(text).matches

    assert is_range(match) is expected


def test_only_ranges_make_a_pair() -> None:
    assert paired(query.parse("SeriesDate=20200101-&SeriesTime=10-").matches)
    assert not paired(query.parse("StudyDate=20200101-&StudyTime=10").matches)
    assert not paired(query.parse("StudyDate=20200101-&SeriesTime=10-").matches)
