"""Single facts of a profile, changed for one archive."""

from edgerouter.config.quirks import Quirks
from edgerouter.dicomweb.resource import Level
from edgerouter.upstream.profiles import AZURE, STANDARD
from edgerouter.upstream.profiles.quirks import with_quirks


def test_without_quirks_a_profile_is_itself() -> None:
    assert with_quirks(AZURE, Quirks().model_dump(exclude_none=True)) == AZURE


def test_every_quirk_is_a_fact_of_a_profile() -> None:
    given = Quirks(
        page_limit=500,
        most_results=900,
        tells_of_more=True,
        keys=("PatientID", "00080020"),
        ranges=("StudyDate",),
        wildcards=False,
        empty_keys=False,
        lists="no",
        fuzzymatching=False,
        includefield="repeat",
        relational=False,
        combined_times=False,
        time_zones=False,
        documents="xml",
        accept_lists=False,
        single_part=False,
        frames_batch=3,
    )
    changed = with_quirks(STANDARD, given.model_dump(exclude_none=True))

    assert (changed.documents, changed.accept_lists, changed.single_part) == ("xml", False, False)
    assert changed.frames_batch == 3
    search = changed.search
    assert {level: search.page_limit(level) for level in Level} == dict.fromkeys(Level, 500)
    assert (search.most_results, search.tells_of_more) == (900, True)
    assert search.keys == frozenset({"00100020", "00080020"})
    assert search.ranges == frozenset({"00080020"})
    assert (search.separator, search.includefield) == (None, "repeat")
    assert "fuzzymatching" not in search.parameters
    assert not any((search.wildcards, search.empty_keys, search.relational))
    assert not any((search.combined_times, search.time_zones))


def test_one_that_cuts_pages_need_not_say_so() -> None:
    assert not with_quirks(STANDARD, {"page_limit": 200}).search.tells_of_more


def test_fuzzymatching_can_be_known_where_the_profile_does_not() -> None:
    changed = with_quirks(with_quirks(STANDARD, {"fuzzymatching": False}), {"fuzzymatching": True})

    assert "fuzzymatching" in changed.search.parameters
    assert with_quirks(STANDARD, {"lists": "%5C"}).search.separator == "%5C"
