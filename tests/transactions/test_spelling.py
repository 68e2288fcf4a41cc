"""The same question in each archive's spelling."""

import pytest

from edgerouter.dicomweb.resource import Level
from edgerouter.errors import BadRequest
from edgerouter.transactions.spelling import LIMIT, query_for, spelling
from edgerouter.upstream.profiles import DCM4CHEE, ORTHANC, STANDARD, Profile
from tests.transactions.canned import inbound

INSTANCE = "/studies/1/series/2/instances/3"
OBJECT = "requestType=WADO&studyUID=1&seriesUID=2&objectUID=3"


def test_a_profile_is_a_spelling() -> None:
    assert spelling(STANDARD.search, Level.STUDY).includefield == "comma"
    assert spelling(STANDARD.search, Level.STUDY).limit_with_offset is None
    assert spelling(DCM4CHEE.search, None).includefield == "repeat"
    assert spelling(ORTHANC.search, Level.STUDY).limit_with_offset == LIMIT
    assert spelling(ORTHANC.search, Level.STUDY).dropped == {"00080060"}
    assert (
        spelling(ORTHANC.search, Level.SERIES).dropped
        == spelling(ORTHANC.search, None).dropped
        == frozenset()
    )


@pytest.mark.parametrize(
    ("target", "profile", "query"),
    [
        ("/studies?limit=5&accept=x", STANDARD, "limit=5"),
        ("/studies?limit=100000", DCM4CHEE, "limit=99999"),
        ("/studies?limit=100000", STANDARD, "limit=100000"),
        ("/studies?offset=5", ORTHANC, f"limit={LIMIT}&offset=5"),
        (f"{INSTANCE}/metadata?a=%2C&accept=b", STANDARD, "a=%2C"),
        (f"{INSTANCE}/rendered?viewport=1%2C2%2c3&accept=b", STANDARD, "viewport=1,2,3"),
        (f"{INSTANCE}/frames/1/thumbnail?viewport=1%2C2", ORTHANC, "viewport=1,2"),
        (f"/wado?{OBJECT}&contentType=a%2Fb%2cc%2fd", ORTHANC, f"{OBJECT}&contentType=a/b,c/d"),
        (f"/wado?contentType=a%2Fb&{OBJECT}&x=%2F", ORTHANC, f"contentType=a/b&{OBJECT}&x=%2F"),
        (f"/wado?{OBJECT}&contentType=a%2Fb", STANDARD, f"{OBJECT}&contentType=a%2Fb"),
    ],
)
def test_a_query_is_written_for_its_archive(target: str, profile: Profile, query: str) -> None:
    assert query_for(inbound(target), profile) == query


@pytest.mark.parametrize("target", ["/studies?limit=x", "/studies/1?a=%zz", "/wado?a=%00"])
def test_a_bad_query_is_written_for_nobody(target: str) -> None:
    with pytest.raises(BadRequest):
        query_for(inbound(target), STANDARD)
