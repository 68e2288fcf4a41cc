"""The router's merged search beside an oracle that knows everything and does nothing cleverly."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from edgerouter.errors import ResponseTimeout, RouterError
from edgerouter.upstream.profiles import Profile, Searching, everywhere
from tests.support.hospital import Hospital, Study, attribute, value
from tests.transactions.ask import Got, House
from tests.transactions.hospitals import dated

LATE = ResponseTimeout("late", upstream="south")
UIDS = [f"1.{number}" for number in range(8)]
HOLDINGS = st.lists(
    st.builds(
        lambda uid, date, patient, count: dated(
            uid,
            date,
            *(f"{uid}.1.{number}" for number in range(count)),
            t00100020=attribute("LO", patient),
            t00100010=attribute("PN", {"Alphabetic": f"Name^{patient}"}),
        ),
        st.sampled_from(UIDS),
        st.sampled_from(["", "20200101", "20200102", "20200103"]),
        st.sampled_from("xyz"),
        st.integers(1, 4),
    ),
    max_size=6,
    unique_by=lambda study: study.uid,
)
HABITS = st.fixed_dictionaries(
    {
        "takes_offset": st.booleans(),
        "takes_limit": st.booleans(),
        "no_match": st.sampled_from([200, 204]),
        "ignores": st.sampled_from([frozenset(), frozenset({"00100020"})]),
        "coded": st.booleans(),
        "trouble": st.sampled_from([None, None, None, LATE]),
    }
)


def expected(sources: list[Hospital], patient: str | None) -> list[tuple[str, str]]:
    """Study and patient of every row, in order."""
    held: dict[str, list[Study]] = {}
    for source in sources:
        for study in source.studies:
            if patient is None or value(study.attributes, "00100020") == patient:
                held.setdefault(study.uid, []).append(study)
    rows = []
    for uid, copies in held.items():
        copies.sort(key=lambda study: -study.count)  # the better holder first, equals in their order
        best = copies[0]
        same = [c for c in copies if value(c.attributes, "00100020") == value(best.attributes, "00100020")]
        dates = [
            value(study.attributes, "00080020") for study in ([best] if len(same) < len(copies) else copies)
        ]
        date = next(filter(None, dates), "")
        rows.append((uid, date, value(best.attributes, "00100020")))
    rows.sort(key=lambda row: row[0])
    rows.sort(key=lambda row: row[1], reverse=True)
    return [(uid, patient) for uid, _, patient in rows]


async def pages_of(house: House, size: int, query: str) -> list[Got]:
    """Page after page to the end, while everything changes behind the router's back."""
    pages: list[Got] = []
    while not pages or pages[-1].rows:
        pages.append(await house.ask(f"/studies?limit={size}&offset={len(pages) * size}{query}"))
        for archive in house.archives.values():
            archive.hospital.studies = []
    return pages


async def failure_of(house: House) -> RouterError:
    try:
        await house.ask("/studies")
    except RouterError as error:
        return error
    raise AssertionError("it answered")


@settings(deadline=None, max_examples=150)
@given(
    st.lists(st.tuples(HOLDINGS, HABITS), min_size=2, max_size=5),
    st.integers(1, 7),
    st.sampled_from([None, "x"]),
)
async def test_any_page_size_over_any_sources_gives_each_study_once_in_one_order(
    given_sources: list[tuple[list[Study], dict[str, Any]]], size: int, patient: str | None
) -> None:
    hospitals = [
        Hospital(f"s{place}", found, **habits) for place, (found, habits) in enumerate(given_sources)
    ]
    # One that ignores offsets cannot be read beyond its first page: give it room for all.
    paged = (
        Profile("paged", Searching(page_limits=everywhere(3)))
        if all(one.takes_offset for one in hospitals)
        else Profile("large")
    )
    house = House.over(*hospitals, profile=paged)
    well = [hospital for hospital in hospitals if hospital.trouble is None]
    whole = expected(well, patient)
    if not well:
        assert (await failure_of(house)).status == 504
        return

    pages = await pages_of(house, size, f"&PatientID={patient}" if patient else "")

    rows = [row for page in pages for row in page.rows]
    assert [(value(row, "0020000D"), value(row, "00100020")) for row in rows] == whole
    assert all(value(row, "00100010")["Alphabetic"] == f"Name^{value(row, '00100020')}" for row in rows)
    missing = [hospital.name for hospital in hospitals if hospital not in well]
    for number, page in enumerate(pages):
        left = max(0, len(whole) - number * size - len(page.rows))
        sources = [line.split(" ")[1] for line in page.warnings if line.startswith("Source")]
        counts = [int(line.split(" ")[2]) for line in page.warnings if line.startswith("There are")]
        assert (sources, counts) == (missing, [left] if left else [])
