"""The router's merged search beside an oracle that knows everything and does nothing cleverly: any sources,
any holdings, any habits and faults, any question, any page size."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from edgerouter.errors import ConnectError, ResponseTimeout, RouterError
from edgerouter.transactions.search import Settings
from edgerouter.transactions.service import Service
from edgerouter.upstream.profiles import Profile, Searching, everywhere
from edgerouter.upstream.seam import Outbound
from tests.support.hospital import JSON, Hospital, MemoryArchive, Study, attribute, value
from tests.support.steps import Reply
from tests.transactions.ask import BOX, Got, House, inbound

DEADLINE = 0.4  # seconds; what is in memory answers at once, or never
FAULTS = {
    "late": ResponseTimeout("late", upstream="x"),
    "gone": ConnectError("gone", upstream="x"),
    "broken": Reply(500),
    "cut": Reply(body=b'[{"0020000D":', fields=[("Content-Type", JSON)]),
    "rubbish": Reply(body=b"<html>", fields=[("Content-Type", "text/html")]),
    "silent": None,
}
QUERIES: dict[str, Callable[["Held"], bool]] = {
    "": lambda held: True,
    "PatientID=x": lambda held: held.patient[1] == "x",
    "PatientID=x&IssuerOfPatientID=A": lambda held: held.patient == ("A", "x"),
    "StudyInstanceUID=1.1,1.3": lambda held: held.study.uid in ("1.1", "1.3"),
    "StudyDate=20200101-20200102": lambda held: held.date in ("20200101", "20200102", ""),
    "AccessionNumber=x": lambda held: held.patient[1] == "x",
}


@dataclass(frozen=True)
class Held:
    """One study as one source has it; `patient` is (issuer, ID)."""

    source: str
    place: int
    study: Study
    patient: tuple[str, str]

    @property
    def date(self) -> str:
        return value(self.study.attributes, "00080020") or ""


class Faulty(MemoryArchive):
    """With a fault, if any, in place of every answer."""

    fault: str | None = None

    @asynccontextmanager
    async def open(self, outbound: Outbound) -> AsyncIterator[Any]:
        if self.fault == "silent":
            await asyncio.Event().wait()
        if self.fault in ("late", "gone"):
            raise FAULTS[self.fault]  # type: ignore[misc]
        async with super().open(outbound) as answer:
            yield answer


@st.composite
def studies(draw: st.DrawFn) -> Study:
    """Of few UIDs, patients and instances: sources overlap, split studies and contradict each other."""
    uid = f"1.{draw(st.integers(0, 5))}"
    patient, date = (
        draw(st.sampled_from("xyz")),
        draw(st.sampled_from(["", "20200101", "20200102", "20200103"])),
    )
    numbers = draw(st.sets(st.integers(1, 6), min_size=1, max_size=4))
    series: dict[str, list[str]] = {}
    for number in sorted(numbers):
        series.setdefault(f"{uid}.{number % 2}", []).append(f"{uid}.{number % 2}.{number}")
    return Study(
        uid,
        {
            "00080020": attribute("DA", *filter(None, [date])),
            "00080050": attribute("SH", patient),
            "00100010": attribute("PN", {"Alphabetic": f"Name^{patient}"}),
            "00100020": attribute("LO", patient),
        },
        series,
    )


SOURCES = st.lists(
    st.tuples(
        st.lists(studies(), max_size=5, unique_by=lambda study: study.uid),
        st.sampled_from(["", "A", "B"]),  # the source's issuer
        st.fixed_dictionaries(
            {
                "takes_offset": st.booleans(),
                "takes_limit": st.booleans(),
                "no_match": st.sampled_from([200, 204]),
                "ignores": st.sampled_from(
                    [frozenset(), frozenset({"00100020"}), frozenset({"00100020", "0020000D", "00080050"})]
                ),
                "coded": st.booleans(),
            }
        ),
        st.sampled_from([None, None, None, None, *FAULTS]),
    ),
    min_size=1,
    max_size=5,
)

SEVERAL = SOURCES.filter(lambda sources: len(sources) > 1)


def differ(one: tuple[str, str], other: tuple[str, str]) -> bool:
    return any(mine and its and mine != its for mine, its in zip(one, other, strict=True))


def rows_of(copies: list[Held], *, apart: bool) -> list[tuple[str, str, str]]:
    """(date, study, patient's ID) of what all copies of one study make."""
    copies = sorted(copies, key=lambda held: (-held.study.count, held.place))
    parts: list[list[Held]] = []
    for held in copies:
        fitting = [
            part for part in parts if not (apart and any(differ(held.patient, each.patient) for each in part))
        ]
        fitting[0].append(held) if fitting else parts.append([held])
    rows = []
    for part in parts:
        best = part[0]
        agreed = not any(differ(best.patient, each.patient) for each in part)
        date = next(filter(None, (each.date for each in part)), "") if agreed else best.date
        rows.append((date, best.study.uid, best.patient[1]))
    return rows


def expected(held: Iterable[Held], *, apart: bool) -> list[tuple[str, str, str]]:
    """Date, study and patient of every row, in order."""
    by_uid: dict[str, list[Held]] = {}
    for one in held:
        by_uid.setdefault(one.study.uid, []).append(one)
    rows = [row for uid in sorted(by_uid) for row in rows_of(by_uid[uid], apart=apart)]
    rows.sort(key=lambda row: row[0], reverse=True)
    return rows


def house_of(sources: Any) -> tuple[House, dict[str, str], list[Held]]:
    """The router over these sources; their issuers; and what those that work hold."""
    archives: dict[str, MemoryArchive] = {}
    issuers: dict[str, str] = {}
    held: list[Held] = []
    # One that ignores offsets cannot be read beyond its first page: give it room for all.
    pages = all(habits["takes_offset"] for _, _, habits, _ in sources)
    profile = Profile("paged", Searching(page_limits=everywhere(3))) if pages else Profile("large")
    for place, (found, issuer, habits, fault) in enumerate(sources):
        name = f"s{place}"
        archive = archives[name] = Faulty(Hospital(name, found, **habits), profile)
        archive.fault = fault
        if isinstance(broken := FAULTS.get(fault), Reply):
            archive.hospital.answer = lambda target, broken=broken: broken  # type: ignore[method-assign,misc]
        if issuer:
            issuers[name] = issuer
        if fault is None:
            held += [
                Held(name, place, study, (issuer, value(study.attributes, "00100020"))) for study in found
            ]
    return House(archives, Service(archives, BOX, search=Settings(issuers=issuers))), issuers, held


async def pages_of(house: House, target: str, size: int, *, apart: bool) -> list[Got]:
    """Page after page to the end, while everything changes behind the router's back."""
    pages: list[Got] = []
    while not pages or pages[-1].rows:
        paged = f"{target}{'&' if '?' in target else '?'}limit={size}&offset={len(pages) * size}"
        pages.append(await house.ask(inbound(paged), house.route(deadline=DEADLINE, apart=apart)))
        for archive in house.archives.values():
            archive.hospital.studies = []
    return pages


def concerned(issuers: dict[str, str], names: Iterable[str], query: str) -> list[str]:
    """Who is asked at all: an issuer's patients are looked for where they may be."""
    return [name for name in names if "Issuer" not in query or issuers.get(name, "A") == "A"]


def told(page: Got) -> tuple[list[str], list[int]]:
    """The sources that a page calls missing, and the number that it says is left."""
    missing = [line.split(" ")[1] for line in page.warnings if line.startswith("Source")]
    return missing, [int(line.split(" ")[2]) for line in page.warnings if line.startswith("There are")]


@settings(deadline=None, max_examples=100)
@given(SOURCES, st.integers(1, 7), st.sampled_from(sorted(QUERIES)), st.booleans())
async def test_any_page_size_over_any_sources_gives_each_study_once_in_one_order(
    sources: Any, size: int, query: str, apart: bool
) -> None:
    house, issuers, held = house_of(sources)
    asked = concerned(issuers, house.archives, query)
    failing = [name for name in asked if sources[int(name[1:])][3]]
    found = [one for one in held if one.source in asked and QUERIES[query](one)]
    whole = expected(found, apart=apart)
    if len(asked) == 1:
        await passed(house, query, None if failing else found)
        return
    if asked and len(failing) == len(asked):
        await fails(house, f"/studies?{query}")
        return

    pages = await pages_of(house, f"/studies?{query}", size, apart=apart)

    rows = [row for page in pages for row in page.rows]
    tags = ("00080020", "0020000D", "00100020")
    assert [tuple(value(row, tag) or "" for tag in tags) for row in rows] == whole
    assert all(value(row, "00100010")["Alphabetic"] == f"Name^{value(row, '00100020')}" for row in rows)
    assert all(value(row, "00080050") == value(row, "00100020") for row in rows)
    for number, page in enumerate(pages):
        left = max(0, len(whole) - number * size - len(page.rows))
        assert told(page) == (failing, [left] if left else [])


@settings(deadline=None, max_examples=50)
@given(
    SOURCES.filter(lambda sources: len(sources) > 1),
    st.integers(1, 7),
    st.sampled_from(["series", "instances"]),
)
async def test_split_studies_are_whole_below_the_study_too(sources: Any, size: int, level: str) -> None:
    house, _, held = house_of(sources)
    failing = [name for name in house.archives if sources[int(name[1:])][3]]
    if len(failing) == len(sources):
        await fails(house, f"/{level}")
        return
    each = Study.series_rows if level == "series" else Study.instance_rows
    uid = "0020000E" if level == "series" else "00080018"
    whole = {value(row, uid) for one in held for row in each(one.study)}

    pages = await pages_of(house, f"/{level}", size, apart=False)

    rows = [value(row, uid) for page in pages for row in page.rows]
    assert sorted(rows) == sorted(whole)
    assert all(told(page)[0] == failing for page in pages)


async def passed(house: House, query: str, held: list[Held] | None) -> None:
    """One source alone is passed through, in its own order; None is for one that fails."""
    if held is None:
        await fails(house, f"/studies?{query}")
        return
    got = await house.ask(inbound(f"/studies?{query}"), house.route(deadline=DEADLINE))
    rows = got.rows if got.status == 200 else []
    uids = [one.study.uid for one in held]
    assert sorted(value(row, "0020000D") for row in rows) == sorted(uids)


async def fails(house: House, target: str) -> None:
    try:
        await house.ask(inbound(target), house.route(deadline=DEADLINE))
    except RouterError:
        return
    raise AssertionError("it answered")
