"""Who is asked for a patient, and by which ID."""

import pytest

from edgerouter.dicomweb.domains import BareIds, Domains
from edgerouter.dicomweb.patients import read_mapping
from edgerouter.dicomweb.query import Spelling, emit, parse
from edgerouter.dicomweb.resource import Kind, Level, Resource
from edgerouter.errors import BadRequest

STUDIES = Resource(Kind.COLLECTION, Level.STUDY)
NAMES = ("a", "b", "open")  # of the third nobody knows the domain
FIELD = "&includefield=IssuerOfPatientID"  # guests of a domain's source are told apart by it
DOMAINS = Domains({"a": "HOSP-A", "b": "HOSP-B"}, "HOSP-A", read_mapping("HOSP-A,7,HOSP-B,99"))


def sent(text: str, bare: BareIds = "all", domains: Domains = DOMAINS) -> dict[str, str]:
    """What each is asked, as it would be written."""
    found = domains.questions(parse(text), STUDIES, NAMES, bare)
    return {name: emit(question.sent, Spelling()) for name, question in found.items()}


def meant(text: str, name: str) -> str:
    return emit(DOMAINS.questions(parse(text), STUDIES, NAMES, "all")[name].meant, Spelling(keys="keyword"))


@pytest.mark.parametrize(
    "text", ["", "StudyDate=20200101", "PatientID=7", "PatientID=", "IssuerOfPatientID=*"]
)
def test_without_an_issuer_everybody_is_asked_the_same(text: str) -> None:
    assert sent(text) == dict.fromkeys(NAMES, text)


def test_an_issuer_s_patients_are_asked_of_its_sources_and_of_those_nobody_knows() -> None:
    assert sent("PatientID=8&IssuerOfPatientID=HOSP-A") == {
        "a": f"PatientID=8{FIELD}",  # it need not have stored its own name
        "open": "PatientID=8&IssuerOfPatientID=HOSP-A",
    }


def test_who_knows_the_patient_by_another_id_is_asked_for_that() -> None:
    asked = "PatientID=7&IssuerOfPatientID=HOSP-A&StudyDate=20200101"

    assert sent(asked)["b"] == f"StudyDate=20200101&00100020=99{FIELD}"
    assert meant(asked, "b") == "StudyDate=20200101&PatientID=99&IssuerOfPatientID=HOSP-B"
    assert meant(asked, "a") == asked.replace("&StudyDate=20200101", "") + "&StudyDate=20200101"


def test_a_tag_is_as_good_as_a_keyword() -> None:
    assert list(sent("00100020=7&00100021=HOSP-B")) == ["b", "open"]


def test_an_issuer_may_have_wildcards() -> None:
    asked = "IssuerOfPatientID=HOSP-*"

    assert sent(asked) == {"a": FIELD[1:], "b": FIELD[1:], "open": asked}


@pytest.mark.parametrize("field", ["includefield=all", "includefield=00100021"])
def test_a_field_is_asked_for_once(field: str) -> None:
    assert sent(f"IssuerOfPatientID=HOSP-A&{field}")["a"] == field


def test_a_wildcard_is_nobody_s_other_id() -> None:
    assert "b" not in sent("PatientID=7*&IssuerOfPatientID=HOSP-A")


def test_an_issuer_of_nobody_here_is_asked_of_nobody_but_the_unknown() -> None:
    assert list(sent("IssuerOfPatientID=HOSP-X")) == ["open"]


def test_a_bare_id_may_mean_the_home_domain_s_patient_wherever_known() -> None:
    assert sent("PatientID=7", "home") == {
        "a": f"PatientID=7{FIELD}",
        "b": f"00100020=99{FIELD}",
    }
    assert sent("StudyDate=20200101", "home") == dict.fromkeys(NAMES, "StudyDate=20200101")


@pytest.mark.parametrize(
    "text", ["PatientID=7", "PatientID=7*", "00100020=7", "PatientID=7%5C8&multiplevaluematching=true"]
)
def test_a_bare_id_may_be_refused_however_it_is_written(text: str) -> None:
    with pytest.raises(BadRequest):
        sent(text, "reject")


@pytest.mark.parametrize("text", ["", "PatientID=*", "PatientID=", "PatientID=7&IssuerOfPatientID=HOSP-A"])
def test_what_narrows_nothing_or_has_its_issuer_is_not(text: str) -> None:
    assert "a" in sent(text, "reject")


def test_without_a_home_nothing_is_at_home() -> None:
    with pytest.raises(BadRequest):
        sent("PatientID=7", "home", Domains({"a": "HOSP-A"}))


def test_below_a_study_it_is_settled_whose_it_is() -> None:
    series = Resource(Kind.COLLECTION, Level.SERIES, "1.2")

    assert list(DOMAINS.questions(parse("PatientID=7"), series, NAMES, "reject")) == list(NAMES)
