"""Fields that an archive refused."""

from edgerouter.dicomweb import query
from edgerouter.dicomweb.resource import Level
from edgerouter.transactions.refusals import CAPACITY, LIFETIME, Refusals, without_fields


def test_a_set_of_fields_is_remembered_for_a_while_and_for_its_archive_and_level() -> None:
    now = 0.0
    refusals = Refusals(clock=lambda: now)
    fields = query.parse("includefield=StudyID,PatientSex").includefield
    refusals.remember("north", Level.STUDY, fields)

    assert refusals.holds("north", Level.STUDY, reversed(fields))
    assert not refusals.holds("north", Level.STUDY, fields[:1])
    assert not refusals.holds("north", Level.SERIES, fields)
    assert not refusals.holds("south", Level.STUDY, fields)
    now = LIFETIME
    assert not refusals.holds("north", Level.STUDY, fields)


def test_strangers_cannot_make_it_grow() -> None:
    refusals = Refusals()
    for number in range(CAPACITY + 5):
        refusals.remember(str(number), None, ())

    assert not refusals.holds("4", None, ())
    assert refusals.holds("5", None, ())


def test_the_same_search_without_fields() -> None:
    asked = query.parse("PatientID=7&includefield=StudyID&limit=3")

    assert without_fields(asked) == query.parse("PatientID=7&limit=3")
    assert not without_fields(query.parse("includefield=all")).include_all
