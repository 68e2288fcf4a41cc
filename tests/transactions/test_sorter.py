"""Where each instance goes, and the account of it."""

from datetime import UTC, datetime

import pytest

from edgerouter.dicom.source import NeedMore
from edgerouter.dicomweb.resource import Kind, Level, Transaction
from edgerouter.dicomweb.store_merge import TargetAnswer
from edgerouter.dicomweb.store_response import StoreOutcome, StoreResponse
from edgerouter.routing.conditions import OnDataset
from edgerouter.routing.facts import Facts
from edgerouter.routing.router import Denial, Route, Router, Rule
from edgerouter.transactions.sorter import NOT_AUTHORISED, STUDY_MISMATCH, Sorter
from tests.scenarios.instances import SOP_CLASS, STUDY, instance
from tests.transactions.canned import CannedArchive

UPLOAD = Facts(Transaction.STORE, Kind.COLLECTION, Level.STUDY, datetime(2025, 11, 22, tzinfo=UTC))


def modality(value: str) -> tuple[OnDataset, ...]:
    return (OnDataset.of("Modality", (value,)),)


RULES = [
    Rule("ct", (), Route(("deaf", "north", "south"), "ct"), modality("CT")),
    Rule("mr", (), Route(("south",), "mr"), modality("MR")),
    Rule("us", (), Denial(403, "no ultrasound"), modality("US")),
    Rule("sr", (), Denial(451, "no reports"), modality("SR")),
    Rule("pt", (), Route(("deaf",), "pt"), modality("PT")),
]


def sorter(study: str | None = None) -> Sorter:
    archives = {
        "deaf": CannedArchive(name="deaf", lacks=(Transaction.STORE,)),
        "north": CannedArchive(name="north", healthy=False),
        "south": CannedArchive(name="south"),
    }
    route = Router(RULES, list(archives)).route(UPLOAD)
    assert route.sorting
    return Sorter(route.sorting, archives, study)


@pytest.mark.parametrize(
    ("of", "upstream"),
    [("CT", "north"), ("MR", "south"), ("OT", "north"), ("US", None), ("SR", None), ("PT", None)],
)
def test_the_first_upstream_of_the_route_that_takes_uploads_gets_it_sick_or_not(
    of: str, upstream: str | None
) -> None:
    sorting = sorter()

    assert sorting.place(instance("1.1", of), True) == upstream
    assert sorting.sent == ({upstream: [(SOP_CLASS, "1.1")]} if upstream else {})


def test_what_was_sent_is_kept_by_upstream_and_in_order() -> None:
    sorting = sorter()
    for uid, of in (("1.1", "CT"), ("2.1", "MR"), ("1.2", "CT"), ("1.1", "CT")):
        sorting.place(instance(uid, of), True)

    assert sorting.sent == {
        "north": [(SOP_CLASS, "1.1"), (SOP_CLASS, "1.2"), (SOP_CLASS, "1.1")],
        "south": [(SOP_CLASS, "2.1")],
    }
    assert sorting.refusals() == []


def test_refusals_are_answers_by_their_status() -> None:
    sorting = sorter(STUDY)
    for file in (
        instance("3.1", "US"),
        b"nothing",
        instance("4.1", "CT", study="9.9"),
        instance("3.2", "US"),
        instance("5.1", "SR"),
        instance("6.1", "PT"),
    ):
        assert sorting.place(file, True) is None

    def failed(uid: str, reason: int) -> StoreOutcome:
        return StoreOutcome(SOP_CLASS if uid else "", uid, failure=reason)

    def answer(status: int, reason: int, *uids: str) -> TargetAnswer:
        outcomes = tuple(failed(uid, reason) for uid in uids)
        return TargetAnswer(status, tuple((SOP_CLASS, uid) for uid in uids if uid), StoreResponse(outcomes))

    assert sorting.refusals() == [
        answer(403, NOT_AUTHORISED, "3.1", "3.2"),
        answer(400, 0xC000, ""),
        answer(409, STUDY_MISMATCH, "4.1"),
        answer(451, NOT_AUTHORISED, "5.1"),
        answer(405, 0x0110, "6.1"),
    ]
    assert list(sorting.reasons) == ["no ultrasound", "no reports"]


def test_an_instance_that_is_not_all_there_is_not_counted() -> None:
    sorting = sorter()
    file = instance("1.1", "CT")

    with pytest.raises(NeedMore):
        sorting.place(file[:150], False)
    assert (sorting.sent, sorting.refused) == ({}, {})
    assert sorting.place(file, False) == "north"
