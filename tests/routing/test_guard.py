"""What a guard makes of a search: judged by what it means, whatever its spelling."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerouter.dicomweb import query
from edgerouter.dicomweb.query import Match, Spelling
from edgerouter.dicomweb.resource import parse
from edgerouter.errors import BadRequest, ContentTooLarge
from edgerouter.routing.guard import Guard, Guarded

TODAY = date(2026, 3, 31)
PATIENT, ACCESSION, DATE = "00100020", "00080050", "00080020"


def key(text: str) -> Match:
    [match] = query.parse(text).matches
    return match


def passed(guard: Guard, target: str) -> Guarded:
    path, _, raw = target.partition("?")
    return guard.let_through(query.parse(raw), parse(path), TODAY)


def sent(guarded: Guarded) -> str:
    return query.emit(guarded.asked, Spelling(keys="keyword"))


REQUIRING = Guard(require=((PATIENT, ACCESSION, "0020000D"), (DATE, "0020000D")))


@pytest.mark.parametrize(
    "target",
    [
        "/studies?PatientID=7&StudyDate=20260101",
        "/studies?00100020=7&00080020=20260101-",
        "/studies?AccessionNumber=A*&StudyDate=20260101",
        "/studies/1.2/series",
        "/studies?StudyInstanceUID=1.2",
        "/studies?0020000d=1.2,1.3",
    ],
)
def test_a_search_with_the_keys_goes_on(target: str) -> None:
    assert passed(REQUIRING, target).demanded == ()


@pytest.mark.parametrize(
    "target",
    [
        "/studies",
        "/series",
        "/studies?PatientID=7",
        "/studies?PatientID=&StudyDate=20260101",
        "/studies?PatientID=*&StudyDate=20260101",
        "/studies?PatientID=**&StudyDate=20260101",
        "/studies?PatientID=%3F*&StudyDate=20260101",
        "/studies?patientid=7&StudyDate=20260101",
        "/studies?PATIENTID=7&StudyDate=20260101",
        "/studies?includefield=PatientID&StudyDate=20260101",
        "/studies?RequestAttributesSequence.PatientID=7&StudyDate=20260101",
        "/studies?StudyInstanceUID=*",
    ],
)
def test_a_search_without_them_is_refused_and_told_which(target: str) -> None:
    with pytest.raises(BadRequest) as caught:
        passed(REQUIRING, target)
    named = caught.value.detail
    assert "PatientID or AccessionNumber or StudyInstanceUID" in named or "StudyDate or" in named


@pytest.mark.parametrize("dates", ["20260301-20260331", "20260301-", "20260331", "20260315-20260320", ""])
def test_dates_within_the_days_allowed_go_on(dates: str) -> None:
    passed(Guard(max_days=31), f"/studies?StudyDate={dates}")


@pytest.mark.parametrize("dates", ["20260228-20260331", "-20260331", "20260101-", "-19000101"])
def test_dates_beyond_are_too_broad(dates: str) -> None:
    with pytest.raises(ContentTooLarge):
        passed(Guard(max_days=31), f"/studies?00080020={dates}")


def test_a_date_that_is_none_is_a_bad_request() -> None:
    with pytest.raises(BadRequest):
        passed(Guard(max_days=31), "/studies?StudyDate=20260231-20260301")


def test_an_added_key_is_sent_and_demanded() -> None:
    guarded = passed(Guard(add=(key("PatientID=7"),)), "/studies?StudyDate=20260101")

    assert sent(guarded) == "StudyDate=20260101&PatientID=7"
    assert guarded.demanded == (key("PatientID=7"),)


@pytest.mark.parametrize("own", ["PatientID=8", "00100020=8"])
def test_the_client_s_own_value_has_to_hold_beside_it(own: str) -> None:
    guarded = passed(Guard(add=(key("PatientID=7"),)), f"/studies?{own}")

    assert sent(guarded) == "PatientID=7"
    assert [match.values for match in guarded.demanded] == [("7",), ("8",)]


def test_a_value_that_matches_everything_changes_nothing() -> None:
    assert len(passed(Guard(add=(key("PatientID=7"),)), "/studies?PatientID=*").demanded) == 1


def test_a_path_leads_only_into_what_matches() -> None:
    guard = Guard(add=(key("PatientID=7"), key("Modality=CT")))
    guarded = passed(guard, "/studies/1.2/series/3.4/instances?SOPInstanceUID=5.6")

    assert (sent(guarded), guarded.demanded) == ("SOPInstanceUID=5.6", ())
    assert [(gate.resource.path, query.emit(gate.asked, Spelling())) for gate in guarded.gates] == [
        ("/studies", "StudyInstanceUID=1.2&PatientID=7"),
        ("/studies/1.2/series", "SeriesInstanceUID=3.4&Modality=CT"),
    ]


def test_series_of_a_study_are_matched_themselves_by_what_is_theirs() -> None:
    guarded = passed(Guard(add=(key("PatientID=7"), key("Modality=CT"))), "/studies/1.2/series?Modality=MR")

    assert sent(guarded) == "Modality=CT"
    assert [match.values for match in guarded.demanded] == [("CT",), ("MR",)]
    assert [gate.resource.path for gate in guarded.gates] == ["/studies"]


@pytest.mark.parametrize("own", ["PatientName=Doe", "00100010=Doe"])
def test_a_rewritten_key_takes_the_client_s_value_in(own: str) -> None:
    guard = Guard(rewrite=(("00100010", "{}*"),))

    assert sent(passed(guard, f"/studies?{own}")) == "PatientName=Doe*"
    assert sent(passed(guard, "/studies?PatientID=7")) == "PatientID=7"


def test_every_value_of_a_list_is_rewritten() -> None:
    assert sent(passed(Guard(rewrite=(("00080061", "{}X"),)), "/studies?ModalitiesInStudy=A,B")) == (
        "ModalitiesInStudy=AX%5CBX".replace("%5C", ",")
    )


def test_a_key_that_becomes_invalid_is_the_client_s_fault() -> None:
    with pytest.raises(BadRequest):
        passed(Guard(rewrite=((DATE, "{}-{}"),)), "/studies?StudyDate=20260101-20260102")


def test_a_rewritten_key_is_held_against_the_added_one_as_it_was_rewritten() -> None:
    guard = Guard(add=(key("PatientID=H-7"),), rewrite=((PATIENT, "H-{}"),))

    assert [match.values for match in passed(guard, "/studies?PatientID=7").demanded] == [("H-7",), ("H-7",)]


def test_results_are_cut_or_refused() -> None:
    assert Guard().most(10**6) == 10**6
    assert (Guard(max_results=5).most(5), Guard(max_results=5).most(6)) == (5, 5)
    with pytest.raises(ContentTooLarge):
        Guard(max_results=5, refuse=True).most(6)


_PIECES = st.sampled_from(
    [
        "PatientID=8",
        "00100020=8",
        "patientid=8",
        "PatientID=*",
        "PatientID=",
        "PatientName=D*",
        "StudyDate=20260101-",
        "includefield=PatientID",
        "fuzzymatching=true",
        "emptyvaluematching=true",
        "multiplevaluematching=true",
        "limit=3",
        "ProcedureCodeSequence.PatientID=8",
    ]
)
_PATHS = st.sampled_from(
    ["/studies", "/series", "/instances", "/studies/1.2/series", "/studies/1.2/instances"]
)


@given(_PATHS, st.lists(_PIECES, max_size=5))
def test_however_a_search_is_written_the_added_key_holds(path: str, pieces: list[str]) -> None:
    """On every row, or, where the path names the study, on that."""
    added = key("PatientID=7")
    try:
        guarded = passed(Guard(add=(added,)), f"{path}?{'&'.join(pieces)}")
    except BadRequest:
        return

    held = [(guarded.asked, guarded.demanded), *((gate.asked, gate.demanded) for gate in guarded.gates)]
    assert any(
        added in demanded
        and [match.values for match in asked.matches if match.attribute.path == (PATIENT,)] == [("7",)]
        for asked, demanded in held
    )
