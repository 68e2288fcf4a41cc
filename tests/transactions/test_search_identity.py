"""Whose patient it is: who is asked for whom, under which ID, and that two patients are never made one."""

from pathlib import Path
from typing import Any

import pytest

from edgerouter.errors import BadRequest
from edgerouter.metrics import CONFLICTS, total
from edgerouter.transactions.search import Settings
from tests.support.hospital import Hospital, attribute, studies, value
from tests.transactions.ask import House, inbound

ISSUERS = {"north": "HOSP-N", "south": "HOSP-S"}


def patient(number: str, name: str) -> dict[str, Any]:
    return {"t00100020": attribute("LO", number), "t00100010": attribute("PN", {"Alphabetic": name})}


def hospitals() -> tuple[Hospital, Hospital, Hospital]:
    """Number 7 is one person in the north and another in the south, where the first has number 99."""
    return (
        Hospital("north", studies("1.1", **patient("7", "Here^Ann"))),
        Hospital("south", [*studies("1.2", **patient("7", "There^Bob")),
                           *studies("1.3", **patient("99", "Here^Ann"))]),
        Hospital("west", studies("1.4", **patient("7", "Open^Cy"), t00100021=attribute("LO", "HOSP-W"))),
    )  # fmt: skip


def house(**settings: Any) -> House:
    return House.over(*hospitals(), search=Settings(issuers=ISSUERS, **settings))


@pytest.fixture
def mapping(tmp_path: Path) -> Path:
    file = tmp_path / "mapping.csv"
    file.write_text("HOSP-N,7,HOSP-S,99\n")
    return file


def whose(rows: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    return [(value(row, "0020000D"), value(row, "00100020"), value(row, "00100021")) for row in rows]


async def test_a_bare_id_finds_every_domain_s_patient_and_says_whose_each_is() -> None:
    got = await house().ask("/studies?PatientID=7")

    assert whose(got.rows) == [("1.1", "7", "HOSP-N"), ("1.2", "7", "HOSP-S"), ("1.4", "7", "HOSP-W")]


async def test_with_an_issuer_only_its_patient_is_found() -> None:
    one = house()

    got = await one.ask("/studies?PatientID=7&IssuerOfPatientID=HOSP-S")

    assert whose(got.rows) == [("1.2", "7", "HOSP-S")]
    assert one.archives["north"].hospital.asked == []
    assert one.archives["south"].hospital.targets() == [
        "/studies?PatientID=7&includefield=IssuerOfPatientID,PatientID&limit=5000"
    ]


async def test_a_cross_referenced_patient_is_found_under_each_site_s_own_id(mapping: Path) -> None:
    got = await house(mapping=mapping).ask("/studies?PatientID=7&IssuerOfPatientID=HOSP-N")

    assert whose(got.rows) == [("1.1", "7", "HOSP-N"), ("1.3", "99", "HOSP-S")]


async def test_so_they_are_where_one_source_alone_is_asked(mapping: Path) -> None:
    _, south, _ = hospitals()
    alone = House.over(south, search=Settings(issuers=ISSUERS, mapping=mapping))

    got = await alone.ask("/studies?PatientID=7&IssuerOfPatientID=HOSP-N&limit=5&offset=0")

    assert whose(got.rows) == [("1.3", "99", "HOSP-S")]
    assert south.targets()[0].startswith("/studies?00100020=99&includefield=IssuerOfPatientID,")


async def test_rows_of_another_domain_do_not_leave_though_their_source_is_of_the_right_one() -> None:
    """An archive may hold guests; a source that is no longer asked for the issuer returns them, too."""
    guest = studies("1.5", **patient("7", "Guest^Dee"), t00100021=attribute("LO", "ELSEWHERE"))
    own = studies("1.6", **patient("7", "Own^Eve"))
    alone = House.over(Hospital("north", [*guest, *own]), search=Settings(issuers=ISSUERS))

    got = await alone.ask("/studies?PatientID=7&IssuerOfPatientID=HOSP-N")

    assert whose(got.rows) == [("1.6", "7", "HOSP-N")]


async def test_a_domain_that_no_archive_has_is_an_empty_list_that_says_so() -> None:
    north, south, _ = hospitals()
    two = House.over(north, south, search=Settings(issuers=ISSUERS))

    got = await two.ask("/studies?PatientID=7&IssuerOfPatientID=HOSP-X")

    assert (got.rows, got.warnings) == ([], ["No archive of this route has that IssuerOfPatientID"])
    assert north.asked == south.asked == []


async def test_a_bare_id_may_be_refused_or_be_the_home_domain_s(mapping: Path) -> None:
    with pytest.raises(BadRequest):
        await house(bare_ids="reject").ask("/studies?PatientID=7")
    at_home = house(bare_ids="home", home="HOSP-N", mapping=mapping)

    assert whose((await at_home.ask("/studies?PatientID=7")).rows) == [
        ("1.1", "7", "HOSP-N"),
        ("1.3", "99", "HOSP-S"),
    ]
    route = at_home.route(bare_ids="all")
    assert len((await at_home.ask(inbound("/studies?PatientID=7"), route)).rows) == 3


async def test_what_one_rule_may_see_is_not_what_another_is_shown() -> None:
    """The same question within seconds, to the same archives, under two policies."""
    north, south, _ = hospitals()
    two = House.over(
        north, south, search=Settings(issuers={"north": "HOSP-N", "south": "HOSP-N"}, home="HOSP-N")
    )
    south.studies = studies("1.9", **patient("7", "Guest^Dee"), t00100021=attribute("LO", "ELSEWHERE"))

    everybody = await two.ask(inbound("/studies?PatientID=7"), two.route(bare_ids="all"))
    at_home = await two.ask(inbound("/studies?PatientID=7"), two.route(bare_ids="home"))

    assert (everybody.uids, at_home.uids) == (["1.1", "1.9"], ["1.1"])


async def test_a_study_with_two_patients_is_flagged_and_by_rule_two_rows(
    caplog: pytest.LogCaptureFixture,
) -> None:
    north = Hospital("north", studies("1.1", **patient("7", "Here^Ann")))
    south = Hospital("south", studies("1.1", **patient("7", "There^Bob")))
    two = House.over(north, south, search=Settings(issuers=ISSUERS))
    before = total(CONFLICTS)

    flagged = await two.ask("/studies")
    apart = await two.ask(inbound("/studies"), two.route(apart=True))

    assert whose(flagged.rows) == [("1.1", "7", "HOSP-N")]
    assert whose(apart.rows) == [("1.1", "7", "HOSP-N"), ("1.1", "7", "HOSP-S")]
    names = [value(row, "00100010")["Alphabetic"] for row in apart.rows]
    assert names == ["Here^Ann", "There^Bob"]
    assert total(CONFLICTS) == before + 3
    assert "1 matches (study) have other patients at other archives: north, south" in caplog.text
    assert not any(secret in caplog.text for secret in ("Ann", "1.1", "HOSP-N"))
