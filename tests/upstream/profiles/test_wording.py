"""A search in the words of an archive that cannot do everything: what it answers, less what is kept back, is
what was asked, whatever it can and cannot do."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgerouter.dicom.matching import Matcher
from edgerouter.dicomweb import query
from edgerouter.dicomweb.filters import Filter
from edgerouter.dicomweb.kept_keys import KeptKeys, is_range
from edgerouter.dicomweb.query import SearchQuery, Spelling
from edgerouter.dicomweb.resource import Level, Resource, parse
from edgerouter.dicomweb.row_reading import read
from edgerouter.upstream.profiles import AWS, AZURE, GOOGLE, ORTHANC, STANDARD, Searching, everywhere
from edgerouter.upstream.profiles.wording import MAX_PARTS, Wording, worded

STUDIES = parse("/studies")
KEYS = frozenset({"00100020", "00100010", "00080020", "00080030", "00080061", "00081030", "0020000D"})


def asked(ways: Searching, target: str) -> Wording:
    path, _, raw = target.partition("?")
    return worded(ways, query.parse(raw), parse(path))


def sent(found: Wording) -> list[str]:
    return [query.emit(part, Spelling(includefield="comma", keys="keyword")) for part in found.parts]


@pytest.mark.parametrize(
    ("ways", "target", "parts", "kept"),
    [
        (STANDARD.search, "/studies?PatientName=D*&StudyInstanceUID=1,2&limit=5", None, []),
        (GOOGLE.search, "/studies?PatientName=D*", ["includefield=PatientName,ModalitiesInStudy,"
         "NumberOfStudyRelatedSeries,NumberOfStudyRelatedInstances"], ["PatientName"]),
        (AWS.search, "/studies?PatientID=7&includefield=StudyDescription", ["PatientID=7"], []),
        (AWS.search, "/studies?includefield=all", [""], []),
        (AWS.search, "/studies?StudyInstanceUID=1.2%5C1.3&PatientID=7",
         ["PatientID=7&StudyInstanceUID=1.2", "PatientID=7&StudyInstanceUID=1.3"], []),
        (AWS.search, "/studies?ModalitiesInStudy=CT,MR&StudyInstanceUID=1.2,1.3",
         ["StudyInstanceUID=1.2", "StudyInstanceUID=1.3"], ["ModalitiesInStudy"]),
        (AWS.search, "/studies/1.2/series?PatientID=7&Modality=CT", ["Modality=CT"], ["PatientID"]),
        (AZURE.search, "/studies/1.2/series?StudyInstanceUID=1.2",
         ["includefield=SeriesDescription,SeriesNumber,NumberOfSeriesRelatedInstances"], []),
        (ORTHANC.search, "/studies?StudyDate=20200101-&StudyTime=10-11",
         ["StudyDate=20200101-&includefield=StudyDate,StudyTime"], ["StudyDate", "StudyTime"]),
        (ORTHANC.search, "/studies?StudyDate=20200101-20200102&StudyTime=10-11&TimezoneOffsetFromUTC=%2B0100",
         ["StudyDate=20191231-20200103&includefield=TimezoneOffsetFromUTC,StudyDate,StudyTime"],
         ["TimezoneOffsetFromUTC", "StudyDate", "StudyTime"]),
    ],
)  # fmt: skip
def test_each_archive_is_asked_what_it_knows(
    ways: Searching, target: str, parts: list[str] | None, kept: list[str]
) -> None:
    found = asked(ways, target)

    assert sent(found) == (parts or [target.partition("?")[2].replace("1,2", "1,2")])
    assert [match.attribute.keyword for match in found.kept] == kept


@pytest.mark.parametrize(
    ("ways", "target", "faithful"),
    [
        (STANDARD.search, "/studies?PatientName=D*", True),
        (STANDARD.search, "/series?limit=100000", True),
        (AZURE.search, "/studies?limit=200", True),
        (AZURE.search, "/studies?limit=201", False),
        (AZURE.search, "/studies?limit=0", False),
        (AZURE.search, "/studies", False),
        (AZURE.search, "/studies?limit=10&PatientName=D*", False),
        (AZURE.search, "/studies?limit=10&StudyInstanceUID=1.2,1.3", False),
        (AZURE.search, "/studies/1.2/series?limit=10&StudyInstanceUID=1.3", False),
        (AZURE.search, "/studies?limit=10&fuzzymatching=true&PatientName=D", True),
        (AWS.search, "/studies?limit=10&fuzzymatching=true&PatientName=D", False),
        (AWS.search, "/series?limit=10", False),
        (AWS.search, "/studies/1.2/instances?limit=10", False),
        (AWS.search, "/studies/1.2/series/3.4/instances?limit=10", True),
        (Searching(page_limits=everywhere(5)), "/studies?limit=6", True),
    ],
)
def test_only_what_the_archive_answers_by_itself_is_passed_on(
    ways: Searching, target: str, faithful: bool
) -> None:
    assert asked(ways, target).faithful is faithful


@pytest.mark.parametrize(
    ("target", "parameters"),
    [
        ("/studies?fuzzymatching=true&PatientName=D", ["fuzzymatching"]),
        ("/studies?fuzzymatching=true&PatientName=D*", []),  # matched here, fuzzily
        ("/studies?fuzzymatching=true&PatientID=7", []),
        ("/studies?fuzzymatching=false&PatientName=D", []),
        ('/studies?emptyvaluematching=true&PatientID=%22%22', ["emptyvaluematching"]),
        ("/studies?multiplevaluematching=true&PatientID=7%5C8", ["multiplevaluematching"]),
    ],
)  # fmt: skip
def test_a_way_of_matching_that_is_not_known_is_told_in_the_standard_s_words(
    target: str, parameters: list[str]
) -> None:
    found = asked(AWS.search, target)

    assert [text.split()[1] for text in found.told] == parameters
    assert not any("matching" in part or "%22" in part for part in sent(found))


def test_a_key_of_a_level_below_is_not_sent_and_told() -> None:
    found = asked(AZURE.search, "/studies?Modality=CT&limit=10")

    assert (found.unmatched, found.kept, "Modality" in sent(found)[0]) == (("Modality",), (), False)


def test_a_list_that_would_be_too_many_requests_is_matched_here() -> None:
    uids = ",".join(f"1.{number}" for number in range(MAX_PARTS + 1))
    found = asked(AZURE.search, f"/studies?StudyInstanceUID={uids}")

    assert len(found.parts) == 1
    assert [match.attribute.keyword for match in found.kept] == ["StudyInstanceUID"]


def test_a_date_that_is_none_is_not_moved() -> None:
    zoned = "StudyTime=10-11&TimezoneOffsetFromUTC=%2B0100"

    assert (
        "StudyDate=20200231-99991231"
        in sent(asked(ORTHANC.search, f"/studies?StudyDate=20200231-99991231&{zoned}"))[0]
    )
    assert "StudyDate=-20200102" in sent(asked(ORTHANC.search, f"/studies?StudyDate=-20200101&{zoned}"))[0]


_UIDS = st.integers(1, 6).map(lambda number: f"1.2.{number}")
_DATES = st.sampled_from(["20200101", "20200102", "20200103", "20191231"])
_TIMES = st.sampled_from(["000000", "093000", "120000", "235959"])
_NAMES = st.sampled_from(["Doe^Jane", "DOE^JOHN", "Roe"])
_MODALITIES = st.sampled_from(["CT", "MR", "US"])
_IDS = st.sampled_from(["7", "8", "78"])


def _attribute(vr: str, *found: Any) -> dict[str, Any]:
    return {"vr": vr, "Value": list(found)}


@st.composite
def _rows(draw: st.DrawFn) -> list[dict[str, Any]]:
    rows = []
    for uid in sorted(draw(st.sets(_UIDS, max_size=6))):
        row = {
            "0020000D": _attribute("UI", uid),
            "00100020": _attribute("LO", draw(_IDS)),
            "00100010": _attribute("PN", {"Alphabetic": draw(_NAMES)}),
            "00080020": _attribute("DA", draw(_DATES)),
            "00080030": _attribute("TM", draw(_TIMES)),
            "00080061": _attribute("CS", *draw(st.lists(_MODALITIES, min_size=1, max_size=2, unique=True))),
            "00081030": _attribute("LO", draw(st.sampled_from(["HEAD", "CHEST"]))),
        }
        if draw(st.booleans()):
            row["00080201"] = _attribute("SH", draw(st.sampled_from(["+0000", "+0900", "-0500"])))
        rows.append(row)
    return rows


_RANGE = st.tuples(_DATES, _DATES).map(lambda ends: "-".join(sorted(ends)))
_TIME_RANGE = st.tuples(_TIMES, _TIMES).map("-".join)
_VALUES = {
    "StudyInstanceUID": st.lists(_UIDS, min_size=1, max_size=3).map(",".join),
    "PatientID": st.one_of(_IDS, st.sampled_from(["7*", "*", "", "?8"])),
    "PatientName": st.one_of(_NAMES, st.sampled_from(["doe*", "*oe", "?oe*", ""])),
    "StudyDate": st.one_of(_DATES, _RANGE),
    "StudyTime": st.one_of(_TIMES, _TIME_RANGE),
    "ModalitiesInStudy": st.lists(_MODALITIES, min_size=1, max_size=2).map("%5C".join),
    "StudyDescription": st.sampled_from(["HEAD", "H*"]),
    "TimezoneOffsetFromUTC": st.sampled_from(["%2B0000", "%2B0900"]),
}
_QUERIES = st.fixed_dictionaries({}, optional=_VALUES).map(
    lambda keys: "&".join(f"{name}={text}" for name, text in keys.items())
)
_WAYS = st.builds(
    Searching,
    keys=st.one_of(st.none(), st.sets(st.sampled_from(sorted(KEYS))).map(frozenset)),
    ranges=st.one_of(st.none(), st.sets(st.sampled_from(["00080020", "00080030"])).map(frozenset)),
    wildcards=st.booleans(),
    empty_keys=st.booleans(),
    separator=st.sampled_from([",", None]),
    parameters=st.just(frozenset[str]()),
    relational=st.booleans(),
    combined_times=st.booleans(),
    time_zones=st.booleans(),
)


def _answer(ways: Searching, part: SearchQuery, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A strict archive with these ways; fails when it is asked what it does not know."""
    for match in part.matches:
        name, tag = match.attribute.keyword, match.attribute.tag
        assert tag != "00080201" or ways.time_zones, name
        assert ways.keys is None or tag in ways.keys or tag == "00080201", name
        assert ways.separator or len(match.values) == 1, name
        assert ways.empty_keys or all(match.values), name
        wild = any(sign in value for value in match.values for sign in "*?")
        assert ways.wildcards or not wild, name
        assert ways.ranges is None or not is_range(match) or tag in ways.ranges, name
    keys = [(match.attribute.path, match.values) for match in part.matches]
    return list(filter(Matcher(keys, combined=ways.combined_times), rows))


@settings(max_examples=400)
@given(_WAYS, _QUERIES, _rows())
def test_what_comes_of_it_is_what_was_asked(ways: Searching, text: str, rows: list[dict[str, Any]]) -> None:
    wanted = query.parse(text)
    expected = list(filter(Matcher((one.attribute.path, one.values) for one in wanted.matches), rows))
    found = worded(ways, wanted, STUDIES)
    kept, matching = KeptKeys(found.kept), Filter(wanted, STUDIES)

    got = set[str]()
    for part in found.parts:
        for row in _answer(ways, part, rows):
            one = read(json.dumps(row).encode(), Resource(STUDIES.kind, Level.STUDY), "north")
            if kept(one) and matching(one):
                got.add(one.key[0])

    assert got == {row["0020000D"]["Value"][0] for row in expected}
    if found.faithful:
        assert (len(found.parts), found.kept) == (1, ())
