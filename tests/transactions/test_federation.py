"""One search at several sources: each is read to its end, whatever its habits, and none is silently short."""

import msgspec
import pytest

from edgerouter.dicomweb.domains import alike
from edgerouter.dicomweb.query import parse
from edgerouter.transactions import share as module
from edgerouter.transactions.federation import Federation
from edgerouter.transactions.sources import Source
from edgerouter.upstream.profiles import STANDARD, Profile, Searching, everywhere
from tests.support.hospital import Hospital, MemoryArchive, attribute, studies
from tests.transactions.ask import archives, inbound

PAGED = Profile("paged", Searching(page_limits=everywhere(10)))


def uids(source: Source) -> list[str]:
    return [row.key[0] for row in source.rows]


def numbered(count: int) -> list[str]:
    return [f"1.{number}" for number in range(count)]


async def ask(
    *hospitals: Hospital,
    target: str = "/studies",
    profile: Profile = STANDARD,
    issuers: dict[str, str] | None = None,
    limit: int = 1 << 20,
    deadline: float = 5.0,
    over: dict[str, MemoryArchive] | None = None,
) -> list[Source]:
    request = inbound(target)
    found = archives(*hospitals, profile=profile) if over is None else over
    federation = Federation(found, issuers or {}, limit)
    return await federation.ask(request, alike(parse(request.query), list(found)), deadline)


async def one(hospital: Hospital, profile: Profile = PAGED) -> Source:
    (source,) = await ask(hospital, profile=profile)
    return source


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 20, 25])
async def test_a_source_is_read_page_by_page_to_its_end(count: int) -> None:
    hospital = Hospital("north", studies(*numbered(count)))

    source = await one(hospital)

    assert uids(source) == numbered(count)
    assert (source.outcome, source.truncated) == ("answered", False)
    assert hospital.targets()[0] == "/studies?limit=10"
    assert hospital.targets()[1:2] == (["/studies?limit=10&offset=10"] if count >= 10 else [])
    assert len(hospital.asked) == count // 10 + 1


async def test_no_limit_of_its_own_means_large_pages() -> None:
    hospital = Hospital("north", studies(*numbered(25)))

    await one(hospital, STANDARD)

    assert hospital.targets() == ["/studies?limit=5000"]


async def test_a_source_that_caps_its_answers_and_says_so_is_read_on() -> None:
    hospital = Hospital("north", studies(*numbered(25)), cap=7, warns=True)

    source = await one(hospital, STANDARD)

    assert uids(source) == numbered(25)
    assert [target.partition("offset=")[2] for target in hospital.targets()] == ["", "7", "14", "21"]
    assert not source.truncated


async def test_a_source_that_caps_its_answers_at_a_round_number_and_says_nothing_is_read_on() -> None:
    source = await one(Hospital("north", studies(*numbered(250)), cap=100), STANDARD)

    assert uids(source) == numbered(250)


@pytest.mark.parametrize("shown", [100, 137])
async def test_what_a_source_once_gave_at_once_is_not_doubted_again(shown: int) -> None:
    hospital = Hospital("north", studies(*numbered(shown)))
    federation = Federation(archives(hospital), {}, 1 << 20)
    for count, asked in ((shown, 1 + (shown == 100)), (100, 1), (200, 2), (200, 1)):
        hospital.studies = studies(*numbered(count))
        hospital.asked.clear()
        (source,) = await federation.ask(inbound(), alike(parse(""), ["north"]), 5.0)
        assert (len(source.rows), len(hospital.asked)) == (count, asked)


async def test_a_source_that_caps_is_always_doubted() -> None:
    hospital = Hospital("north", studies(*numbered(200)), cap=100)
    federation = Federation(archives(hospital), {}, 1 << 20)
    for _ in range(2):
        (source,) = await federation.ask(inbound(), alike(parse(""), ["north"]), 5.0)
        assert len(source.rows) == 200


async def test_a_source_that_ignores_limits_gave_all_it_has() -> None:
    hospital = Hospital("north", studies(*numbered(25)), takes_limit=False, takes_offset=False)

    source = await one(hospital)

    assert uids(source) == numbered(25)
    assert (len(hospital.asked), source.truncated) == (1, False)


async def test_a_source_that_ignores_offsets_does_not_turn_in_a_circle_and_is_known_to_be_cut() -> None:
    hospital = Hospital("north", studies(*numbered(25)), takes_offset=False)

    source = await one(hospital)

    assert uids(source) == numbered(10)
    assert (len(hospital.asked), source.truncated) == (2, True)


async def test_a_round_number_of_rows_without_offsets_is_not_called_cut() -> None:
    source = await one(Hospital("north", studies(*numbered(100)), takes_offset=False), STANDARD)

    assert (len(source.rows), source.truncated) == (100, False)


async def test_a_source_is_not_read_beyond_a_bound_and_that_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ROWS", 20)
    hospital = Hospital("north", studies(*numbered(35)))

    source = await one(hospital)

    assert (len(source.rows), source.truncated, len(hospital.asked)) == (20, True, 2)


async def test_neither_beyond_its_bytes() -> None:
    (source,) = await ask(Hospital("north", studies(*numbered(35))), profile=PAGED, limit=4000)

    assert source.truncated
    assert 10 <= len(source.rows) < 35


async def test_a_row_that_comes_twice_is_one() -> None:
    found = studies("1.1", "1.1", "1.2")

    assert uids(await one(Hospital("north", found))) == ["1.1", "1.2"]


@pytest.mark.parametrize("no_match", [204, 200])
async def test_no_match_is_an_answer(no_match: int) -> None:
    source = await one(Hospital("north", no_match=no_match))

    assert (source.rows, source.outcome, source.pages) == ([], "answered", 1)


async def test_a_coded_answer_is_read() -> None:
    hospital = Hospital("north", studies("1.1"), coded=True)

    assert uids(await one(hospital)) == ["1.1"]
    assert hospital.asked[0].get("accept-encoding") == "gzip"
    assert hospital.asked[0].get("accept") == "application/dicom+json"


async def test_rows_that_were_not_asked_for_are_dropped() -> None:
    mine = studies("1.1", t00100020=attribute("LO", "7"))
    others = studies("1.2", "1.3", t00100020=attribute("LO", "8"))
    hospital = Hospital("north", [*mine, *others], ignores=frozenset({"00100020"}))

    (source,) = await ask(hospital, target="/studies?PatientID=7")

    assert uids(source) == ["1.1"]
    assert hospital.targets() == ["/studies?PatientID=7&includefield=PatientID&limit=5000"]


async def test_a_few_rows_of_many_do_not_keep_the_whole_answer_in_memory() -> None:
    mine = studies("1.1", t00100020=attribute("LO", "7"))
    others = studies(*numbered(50), t00100020=attribute("LO", "8"))
    hospital = Hospital("north", [*mine, *others], ignores=frozenset({"00100020"}))

    (few,) = await ask(hospital, target="/studies?PatientID=7")
    (all_of_it,) = await ask(hospital)

    assert [type(row.raw) for row in few.rows] == [bytes]
    assert {type(row.raw) for row in all_of_it.rows} == {msgspec.Raw}


async def test_the_issuer_of_a_source_is_added_and_compared() -> None:
    found = studies("1.1", t00100020=attribute("LO", "7"))
    north = Hospital("north", found, ignores=frozenset({"00100021"}))
    south = Hospital("south", found, ignores=frozenset({"00100021"}))

    sources = await ask(
        north, south, target="/studies?IssuerOfPatientID=A", issuers={"north": "A", "south": "B"}
    )

    assert [uids(source) for source in sources] == [["1.1"], []]
    assert bytes(sources[0].rows[0].tags["00100021"]) == b'{"vr":"LO","Value":["A"]}'


async def test_a_client_that_wants_nothing_from_memory_says_so_to_the_sources() -> None:
    hospital = Hospital("north")
    request = inbound("/studies", fields=[("cache-control", "no-cache")])

    await Federation(archives(hospital), {}, 1 << 20).ask(request, alike(parse(""), ["north"]), 5.0)

    assert hospital.asked[0].get("cache-control") == "no-cache"
