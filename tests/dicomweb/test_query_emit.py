"""What upstreams get of a search."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerouter.dicomweb.attribute import read_attribute
from edgerouter.dicomweb.query import Match, SearchQuery, Spelling, emit, parse
from edgerouter.errors import BadRequest

FULL = (
    "PatientName=Doe%2CJ%5E*&0020000d=1.2%5C1.3&RequestAttributesSequence.00400009=a%20b&ModalitiesInStudy=CT,MR"
    "&includefield=00081030%2CModality&includefield=00091002&offset=10&fuzzymatching=true"
)


@pytest.mark.parametrize(
    ("spelling", "expected"),
    [
        (
            Spelling(),
            "PatientName=Doe%2CJ%5E*&0020000d=1.2,1.3&RequestAttributesSequence.00400009=a%20b"
            "&ModalitiesInStudy=CT,MR&includefield=00081030&includefield=Modality&includefield=00091002"
            "&fuzzymatching=true&offset=10",
        ),
        (
            Spelling(
                includefield="comma", keys="tag", limit_with_offset=500, dropped=frozenset({"00080060"})
            ),
            "00100010=Doe%2CJ%5E*&0020000D=1.2,1.3&00400275.00400009=a%20b&00080061=CT,MR"
            "&includefield=00081030,00091002&fuzzymatching=true&limit=500&offset=10",
        ),
        (
            Spelling(
                separator="%5C", keys="keyword", dropped=frozenset({"00081030", "00080060", "00091002"})
            ),
            "PatientName=Doe%2CJ%5E*&StudyInstanceUID=1.2%5C1.3"
            "&RequestAttributesSequence.ScheduledProcedureStepID=a%20b&ModalitiesInStudy=CT%5CMR"
            "&fuzzymatching=true&offset=10",
        ),
    ],
)
def test_a_query_is_written_in_the_upstreams_spelling(spelling: Spelling, expected: str) -> None:
    assert emit(parse(FULL), spelling) == expected


def test_a_limit_is_added_only_to_an_offset_without_one() -> None:
    spelling = Spelling(limit_with_offset=500)
    assert emit(parse(""), spelling) == ""
    assert emit(parse("limit=0&offset=0"), spelling) == "limit=0&offset=0"
    assert emit(parse("").page(None, 0), spelling) == "limit=500&offset=0"


def test_nothing_that_was_ignored_reaches_an_upstream() -> None:
    assert emit(parse("x=1&accept=a&includefield=Foo&includefield=all&PatientID="), Spelling()) == (
        "PatientID=&includefield=all"
    )


NAMES = [
    "PatientName",
    "00100020",
    "0020000d",
    "StudyInstanceUID",
    "Modality",
    "StudyDate",
    "00091002",
    "00081030",
]
NAMES += ["RequestAttributesSequence.ScheduledProcedureStepID", "00400275.00401001", "AcquisitionDateTime"]
ATTRIBUTES = st.sampled_from(NAMES).map(read_attribute)
TEXT = st.text(st.characters(exclude_categories=["Cs"], min_codepoint=32).filter(lambda c: c != "\x7f"))
CODES = st.text("CTMR *?_01", min_size=1, max_size=5).map(lambda s: s.strip(" ")).filter(bool)


@st.composite
def match_keys(draw: st.DrawFn) -> Match:
    attribute = draw(ATTRIBUTES)
    assert attribute is not None
    by_vr = {
        "UI": st.lists(st.sampled_from(["1.2", "1.2.840.10008", "2.25.0"]), min_size=1, max_size=3),
        "CS": st.lists(CODES, min_size=1, max_size=3),
        "DA": st.sampled_from([["20240101"], ["20240101-"], ["*"]]),
        "DT": st.sampled_from([["2024+0100"], ["-2024"], [""]]),
    }
    values = draw(by_vr.get(attribute.vr, TEXT.map(lambda text: [text])) | st.just([""]))
    return Match(attribute, tuple(values))


QUERIES = st.builds(
    SearchQuery,
    matches=st.lists(match_keys(), max_size=4, unique_by=lambda match: match.attribute.path).map(tuple),
    includefield=st.lists(ATTRIBUTES, max_size=4, unique_by=lambda field: field and field.path).map(tuple),
    limit=st.none() | st.integers(0, 10**9 - 1),
    offset=st.none() | st.integers(0, 10**9 - 1),
    fuzzymatching=st.none() | st.booleans(),
    multiplevaluematching=st.none() | st.just(False),
)


@given(QUERIES, st.sampled_from(["repeat", "comma"]), st.sampled_from([",", "%2C", "%5C"]))
def test_a_query_is_the_same_after_it_was_written_and_read(
    query: SearchQuery, includefield: str, separator: str
) -> None:
    spelling = Spelling(includefield=includefield, separator=separator)  # type: ignore[arg-type]
    assert parse(emit(query, spelling)) == query


@given(QUERIES)
def test_keys_by_tag_and_by_keyword_mean_the_same(query: SearchQuery) -> None:
    by_tag = parse(emit(query, Spelling(keys="tag")))
    by_keyword = parse(emit(query, Spelling(keys="keyword")))
    assert [(m.attribute.path, m.values) for m in by_tag.matches] == [
        (m.attribute.path, m.values) for m in by_keyword.matches
    ]


@given(st.text(st.characters(max_codepoint=0x17F), max_size=40) | st.text("%2CF&=+.aé0", max_size=40))
def test_any_text_is_read_or_refused(raw: str) -> None:
    try:
        query = parse(raw)
    except BadRequest:
        return
    assert parse(emit(query, Spelling())).matches == query.matches
