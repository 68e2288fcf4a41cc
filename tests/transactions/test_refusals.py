"""Fields that an archive refused."""

import pytest

from edgerouter.dicomweb import query
from edgerouter.dicomweb.resource import Level
from edgerouter.errors import Received
from edgerouter.transactions.refusals import CAPACITY, LIFETIME, Refusals, choices, pause_of

ASKED = query.parse("PatientID=7&includefield=StudyID,PatientSex")


def test_a_set_of_fields_is_remembered_for_a_while_and_for_its_archive_and_level() -> None:
    now = 0.0
    refusals = Refusals(clock=lambda: now)
    refusals.remember("north", Level.STUDY, ASKED)

    assert refusals.holds("north", Level.STUDY, query.parse("PatientID=8&includefield=PatientSex,StudyID"))
    assert not refusals.holds("north", Level.STUDY, query.parse("includefield=StudyID"))
    assert not refusals.holds("north", Level.STUDY, query.parse("includefield=all"))
    assert not refusals.holds("north", Level.SERIES, ASKED)
    assert not refusals.holds("south", Level.STUDY, ASKED)
    now = LIFETIME
    assert not refusals.holds("north", Level.STUDY, ASKED)


def test_strangers_cannot_make_it_grow() -> None:
    refusals = Refusals()
    for number in range(CAPACITY + 5):
        refusals.remember(str(number), None, ASKED)

    assert not refusals.holds("4", None, ASKED)
    assert refusals.holds("5", None, ASKED)


@pytest.mark.parametrize(
    ("text", "optional", "expected"),
    [
        ("PatientID=7", [], ["PatientID=7"]),
        ("includefield=StudyID", ["00200010"], ["includefield=StudyID", ""]),
        ("includefield=StudyID", [], ["includefield=StudyID", ""]),
        (
            "includefield=StudyID,PatientID",
            ["00200010"],
            ["includefield=StudyID&includefield=PatientID", "includefield=PatientID", ""],
        ),
        ("includefield=all&limit=3", [], ["includefield=all&limit=3", "limit=3"]),
    ],
)
def test_fields_are_given_up_one_kind_after_the_other(
    text: str, optional: list[str], expected: list[str]
) -> None:
    found = choices(query.parse(text), {(tag,) for tag in optional})

    assert [query.emit(one, query.Spelling()) for one in found] == expected


@pytest.mark.parametrize(
    ("status", "fields", "pause"),
    [
        (429, [("retry-after", "3")], 3.0),
        (503, [("retry-after", "0")], 0.0),
        (503, [("retry-after", "soon")], None),
        (429, [], None),
        (500, [("retry-after", "3")], None),
    ],
)
def test_a_pause_is_what_is_asked_for(
    status: int, fields: list[tuple[str, str]], pause: float | None
) -> None:
    assert pause_of(Received(status, upstream="north", fields=fields)) == pause
