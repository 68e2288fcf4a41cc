import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgerouter.dicomweb.store_merge import MIRROR_FAILED, TargetAnswer, merge, status_of
from edgerouter.dicomweb.store_response import StoreOutcome, StoreResponse

CT = "1.2.840.10008.5.1.4.1.1.2"


def stored(uid: str, warning: int | None = None) -> StoreOutcome:
    return StoreOutcome(CT, uid, f"https://edge/{uid}", warning)


def refused(uid: str, failure: int = 43264) -> StoreOutcome:
    return StoreOutcome(CT, uid, failure=failure)


def answer(status: int, *outcomes: StoreOutcome, primary: bool = True, url: str = "") -> TargetAnswer:
    sent = tuple((CT, outcome.sop_instance) for outcome in outcomes if outcome.sop_instance)
    return TargetAnswer(status, sent, StoreResponse(outcomes, url), primary)


def silent(status: int, *uids: str, primary: bool = True) -> TargetAnswer:
    return TargetAnswer(status, tuple((CT, uid) for uid in uids), None, primary)


def test_all_stored_without_warnings_is_200() -> None:
    status, response = merge(
        [answer(200, stored("1"), stored("2"), url="s"), answer(200, stored("3"), url="s")]
    )
    assert status == 200
    assert response == StoreResponse((stored("1"), stored("2"), stored("3")), "s")


@pytest.mark.parametrize(
    "other",
    [
        answer(202, stored("2", warning=45056)),
        answer(409, refused("2")),
        silent(503, "2"),
        silent(200, "2"),
        answer(409, StoreOutcome("", "", failure=49152)),
    ],
)
def test_something_stored_and_something_not_clean_is_202(other: TargetAnswer) -> None:
    status, response = merge([answer(200, stored("1")), other])
    assert status == 202
    assert response.outcomes[0] == stored("1")
    assert len(response.outcomes) == 2


@pytest.mark.parametrize(
    ("statuses", "merged"),
    [
        ([400], 400),
        ([400, 400], 400),
        ([415, 415], 415),
        ([503, 504, 502, 429], 503),
        ([409], 409),
        ([400, 415], 409),
        ([503, 400], 409),
        ([401], 409),
        ([500], 409),
        ([200], 409),
    ],
)
def test_nothing_stored_has_the_status_of_its_cause(statuses: list[int], merged: int) -> None:
    status, response = merge([silent(code, f"1.{index}") for index, code in enumerate(statuses)])
    assert status == merged
    assert [outcome.stored for outcome in response.outcomes] == [False] * len(statuses)


def test_an_upload_without_instances_is_400() -> None:
    assert merge([]) == (400, StoreResponse(()))
    assert merge([silent(200)]) == (400, StoreResponse(()))


def test_reasons_of_the_archives_are_passed_on_verbatim() -> None:
    _, response = merge([answer(409, refused("1", 43265), StoreOutcome("", "", failure=49153))])
    assert [outcome.failure for outcome in response.outcomes] == [43265, 49153]


def test_silence_is_not_consent() -> None:
    told = StoreResponse((StoreOutcome("", "1"), stored("never sent")))
    status, response = merge([TargetAnswer(200, ((CT, "1"), (CT, "2")), told)])
    assert status == 202
    assert response.outcomes == (StoreOutcome(CT, "1"), refused("2", 0x0110))
    assert merge([silent(400, "1")])[1].outcomes == (refused("1", 0xC000),)


def test_of_two_outcomes_for_one_instance_the_failure_counts() -> None:
    told = StoreResponse((refused("1"), stored("1")))
    assert merge([TargetAnswer(200, ((CT, "1"),), told)]) == (409, StoreResponse((refused("1"),)))


def test_a_failed_mirror_is_a_warning_and_no_failure() -> None:
    for mirror in (
        silent(503, "1", "2", primary=False),
        answer(409, refused("1"), refused("2"), primary=False),
    ):
        status, response = merge([answer(202, stored("1"), stored("2", 45056)), mirror])
        assert status == 202
        assert response.outcomes == (stored("1", MIRROR_FAILED), stored("2", 45056))


def test_a_mirror_that_stored_it_makes_up_for_nothing() -> None:
    status, response = merge([silent(503, "1"), answer(200, stored("1"), primary=False)])
    assert (status, response.outcomes) == (503, (refused("1", 0x0110),))
    assert merge([answer(200, stored("1")), answer(200, stored("1"), primary=False)])[0] == 200


def test_the_studys_url_is_named_only_when_it_is_one() -> None:
    one, other = answer(200, stored("1"), url="a"), answer(200, stored("2"), url="b")
    failed = answer(409, refused("3"), url="c")
    assert merge([one, failed])[1].retrieve_url == "a"
    assert merge([one, other])[1].retrieve_url == ""
    assert merge([one, answer(200, stored("2"))])[1].retrieve_url == ""
    assert merge([failed])[1].retrieve_url == ""


OUTCOMES = st.sampled_from([stored("x"), stored("x", 45056), refused("x"), None])


@given(
    st.lists(
        st.tuples(st.sampled_from([200, 202, 400, 409, 415, 503]), st.lists(OUTCOMES, max_size=4)), max_size=4
    )
)
def test_each_instance_is_accounted_for_once_and_the_status_agrees(
    shares: list[tuple[int, list[StoreOutcome | None]]],
) -> None:
    answers, uids = [], []
    for number, (status, outcomes) in enumerate(shares):
        mine = [f"{number}.{index}" for index in range(len(outcomes))]
        told = [
            StoreOutcome(CT, uid, outcome.retrieve_url, outcome.warning, outcome.failure)
            for uid, outcome in zip(mine, outcomes, strict=True)
            if outcome
        ]
        answers.append(TargetAnswer(status, tuple((CT, uid) for uid in mine), StoreResponse(tuple(told))))
        uids += mine
    status, response = merge(answers)
    assert [outcome.sop_instance for outcome in response.outcomes] == uids
    good = [outcome for outcome in response.outcomes if outcome.stored]
    clean = [outcome for outcome in good if outcome.warning is None]
    assert (status == 200) == (bool(uids) and len(clean) == len(uids))
    assert (status in (200, 202)) == bool(good)


@pytest.mark.parametrize(
    ("said", "outcomes", "status"),
    [
        (200, [StoreOutcome("1", "2")], 200),
        (200, [StoreOutcome("1", "2", warning=0xB000)], 202),
        (200, [StoreOutcome("1", "2"), StoreOutcome("1", "3", failure=272)], 202),
        (409, [StoreOutcome("1", "2"), StoreOutcome("1", "3", failure=272)], 202),
        (409, [StoreOutcome("1", "3", failure=45070)], 409),
        (202, [StoreOutcome("1", "2")], 202),
        (202, [StoreOutcome("1", "3", failure=272)], 409),
        (200, [StoreOutcome("1", "3", failure=272)], 409),
        (503, [StoreOutcome("1", "2")], 503),
        (400, [StoreOutcome("1", "2")], 400),
    ],
)
def test_one_archive_s_status_is_what_its_outcomes_say(
    said: int, outcomes: list[StoreOutcome], status: int
) -> None:
    assert status_of(said, outcomes) == status
