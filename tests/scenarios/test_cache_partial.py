"""Partial hits: what is held leaves from disk, only what is missing is fetched, and the answer is that of a
cold request."""

import re
from pathlib import Path

import pytest

from tests.scenarios.edge import DICOM, IMPATIENT, JSON, Edge
from tests.scenarios.pacs import (
    AS_STORED,
    DERIVED,
    HIT,
    MISS,
    PARTIAL,
    SERIES,
    STUDY,
    VALIDATED,
    Pacs,
    file,
    instance,
    keeping,
)
from tests.scenarios.test_cache_flight import clients
from tests.support.scripted import Reply as Scripted
from tests.support.scripted import Reset, Seen, Send, Stall, Step

OTHER = "1.2.4"  # another series of the study


async def held(edge: Edge, pacs: Pacs, numbers: range | list[int]) -> None:
    """Have some instances, one by one."""
    for number in numbers:
        await edge.ask(pacs.instance(number), DICOM)
    await edge.kept()


async def listed(edge: Edge, pacs: Pacs) -> None:
    """Have the archive say what the series contains."""
    await edge.ask(f"{pacs.series}/metadata", JSON)
    await edge.kept()


async def test_of_two_hundred_the_fifty_that_are_missing_are_fetched(tmp_path: Path) -> None:
    pacs = Pacs(slices=200, frames=1, size=8000)
    missing = [number for number in pacs.numbers if number % 4 == 0]
    async with keeping(pacs, folder=tmp_path / "cold") as edge:
        cold = await edge.ask(pacs.series, DICOM)
    async with keeping(pacs, folder=tmp_path / "warm") as edge:
        await listed(edge, pacs)
        await held(edge, pacs, [number for number in pacs.numbers if number % 4])
        asked = len(pacs.seen)
        partly = await edge.ask(pacs.series, DICOM)
        await edge.kept()
        warm = await edge.ask(pacs.series, DICOM)

        assert partly.parts == cold.parts
        assert partly.body == warm.body
        assert (partly.get("cache-status"), warm.get("cache-status")) == (PARTIAL, HIT)
        assert sorted(pacs.asked[asked:]) == sorted(pacs.instance(number) for number in missing)


async def test_where_hardly_anything_is_held_one_request_is_cheaper(tmp_path: Path) -> None:
    pacs = Pacs(slices=200, frames=1, size=8000)
    async with keeping(pacs, folder=tmp_path) as edge:
        await listed(edge, pacs)
        await held(edge, pacs, [7])
        asked = len(pacs.seen)
        reply = await edge.ask(pacs.series, DICOM)
        await edge.kept()

        assert [part.body for part in reply.parts] == pacs.files
        assert reply.get("cache-status") == PARTIAL
        assert pacs.asked[asked:] == [pacs.series]
        assert (await edge.ask(pacs.series, DICOM)).get("cache-status") == HIT


class TwoSeries(Pacs):
    """The same, and a second series with as many instances of other numbers."""

    other = f"/studies/{STUDY}/series/{OTHER}"

    @property
    def others(self) -> list[bytes]:
        return [file(self.pixels(number), number, series=OTHER) for number in range(101, 101 + self.slices)]

    def answer(self, path: str) -> list[Step]:
        files = {self.study: [*self.files, *self.others], self.other: self.others}.get(path)
        if files:
            return self.parts(path, [(self._label("application/dicom", one), one) for one in files])
        if path == f"{self.study}/metadata":
            return self.json(path, self.rows())
        if path == f"{self.study}/instances":
            return self.json(path, self.rows() if self.listed else [])
        return super().answer(path)

    def rows(self) -> list[dict[str, object]]:
        rows = [self.row(number) for number in self.numbers]
        return [*rows, *(self.row(number) | self._of_other() for number in range(101, 101 + self.slices))]

    def _of_other(self) -> dict[str, object]:
        return {"0020000E": {"vr": "UI", "Value": [OTHER]}}


@pytest.mark.parametrize("known", [True, False], ids=["listed", "searched for"])
async def test_of_a_study_whose_one_series_is_held_the_other_is_fetched(tmp_path: Path, known: bool) -> None:
    pacs = TwoSeries(slices=12, frames=1, size=2000)
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(pacs.series, DICOM)
        if known:
            await edge.ask(f"{pacs.study}/metadata", JSON)
        await edge.kept()
        asked = len(pacs.seen)
        study = await edge.ask(pacs.study, DICOM)
        await edge.kept()

        assert [part.body for part in study.parts] == [*pacs.files, *pacs.others]
        assert study.get("cache-status") == PARTIAL
        assert pacs.asked[asked:] == [*([] if known else [f"{pacs.study}/instances"]), pacs.other]
        assert (await edge.ask(pacs.study, DICOM)).get("cache-status") == HIT


async def test_what_is_held_leaves_before_what_is_missing_has_come(tmp_path: Path) -> None:
    pacs = Pacs(slices=6, frames=1, size=100_000)
    async with keeping(pacs, folder=tmp_path) as edge:
        await listed(edge, pacs)
        await held(edge, pacs, [1, 2, 4, 5])
        gate = pacs.hold(pacs.instance(6), at=50_000)
        async with clients(edge, pacs.series, DICOM, 1) as [client]:
            head = await client.read_until(b"\r\n\r\n")
            assert b"200 OK" in head
            five = sum(map(len, pacs.files[:5]))
            seen = await client.read(five + 50_000)
            assert [seen.find(file) > 0 for file in pacs.files[:5]] == [True] * 5
            assert not gate.open.is_set()
            gate.open.set()
        await edge.kept()


@pytest.mark.parametrize("more", [True, False], ids=["retrieves more", "retrieves less"])
async def test_an_archive_that_lists_other_than_it_retrieves_is_believed_what_it_retrieves(
    tmp_path: Path, more: bool
) -> None:
    pacs = Pacs(slices=5, frames=1, size=2000)
    numbers = [1, 2, 3] if more else [1, 2, 3, 4, 5, 6, 7]
    pacs.say[f"{pacs.series}/instances"] = lambda seen: pacs.json(
        seen.target, [pacs.row(one) for one in numbers]
    )
    async with keeping(pacs, folder=tmp_path) as edge:
        await held(edge, pacs, [2])
        first = await edge.ask(pacs.series, DICOM)
        await edge.kept()
        again = await edge.ask(pacs.series, DICOM)

        assert [part.body for part in first.parts] == [part.body for part in again.parts] == pacs.files
        assert pacs.asked[1:] == [f"{pacs.series}/instances", pacs.series]
        assert again.get("cache-status") == HIT


async def test_a_member_that_is_gone_cuts_the_answer_once_and_is_then_known_to_be_gone(
    tmp_path: Path,
) -> None:
    """What was said to be in the series is not: an answer without it would be a lie."""
    pacs = Pacs(slices=8, frames=1, size=100_000)
    async with keeping(pacs, folder=tmp_path) as edge:
        await listed(edge, pacs)
        await held(edge, pacs, [1, 2, 3, 4, 5, 6])
        pacs.slices = 7
        pacs.say[pacs.instance(8)] = lambda seen: [Scripted(404)]
        del pacs.files
        cut = await edge.ask(pacs.series, DICOM)
        await edge.kept()
        right = await edge.ask(pacs.series, DICOM)
        await edge.kept()

        assert (cut.status, cut.complete) == (200, False)
        assert [part.body for part in right.parts] == pacs.files
        assert right.get("cache-status") in (VALIDATED, PARTIAL)
        assert (await edge.ask(pacs.series, DICOM)).get("cache-status") == HIT


@pytest.mark.parametrize("status", [404, 406, 500])
async def test_a_member_that_is_refused_before_anything_left_is_got_with_the_others(
    tmp_path: Path, status: int
) -> None:
    pacs = Pacs(slices=8, frames=1, size=100_000)
    async with keeping(pacs, folder=tmp_path) as edge:
        await listed(edge, pacs)
        await held(edge, pacs, range(1, 8))
        pacs.say[pacs.instance(8)] = lambda seen: [Scripted(status)]
        reply = await edge.ask(pacs.series, DICOM)
        await edge.kept()

        assert [part.body for part in reply.parts] == pacs.files
        assert pacs.asked[-2:] == [pacs.instance(8), pacs.series]


async def test_what_breaks_off_in_the_middle_is_a_cut_and_the_rest_is_kept(tmp_path: Path) -> None:
    pacs = Pacs(slices=8, frames=1, size=100_000)
    async with keeping(pacs, folder=tmp_path) as edge:
        await listed(edge, pacs)
        await held(edge, pacs, [1, 2, 3, 4, 5])
        pacs.cut(pacs.instance(7), Reset(), at=50_000)
        cut = await edge.ask(pacs.series, DICOM)
        await edge.kept()
        asked = len(pacs.seen)
        right = await edge.ask(pacs.series, DICOM)

        assert (cut.status, cut.complete) == (200, False)
        assert [part.body for part in right.parts] == pacs.files
        assert set(pacs.asked[asked:]) <= {pacs.instance(7), pacs.instance(8)}


@pytest.mark.parametrize(
    "steps",
    [
        (Scripted(400),),
        (Reset(),),
        (Scripted(body=b"<html>Log in</html>", fields=[("Content-Type", "text/html")]),),
        (Scripted(body=b'[{"0020000D":', fields=[("Content-Type", JSON)]),),
        (
            Send(b"HTTP/1.1 200 OK\r\nContent-Type: " + JSON.encode() + b"\r\nContent-Length: 9\r\n\r\n["),
            Reset(),
        ),
    ],
    ids=["refuses", "hangs up", "no JSON", "half a JSON", "breaks off"],
)
async def test_who_cannot_tell_what_there_is_is_asked_for_all(
    steps: tuple[Step, ...], tmp_path: Path
) -> None:
    pacs = Pacs(slices=4, frames=1, size=100_000)
    pacs.say[f"{pacs.series}/instances"] = lambda seen: steps
    async with keeping(pacs, folder=tmp_path) as edge:
        await held(edge, pacs, [1, 2, 3])
        reply = await edge.ask(pacs.series, DICOM)
        assert [part.body for part in reply.parts] == pacs.files
        # Who hangs up is asked again.
        assert list(dict.fromkeys(pacs.asked[3:])) == [f"{pacs.series}/instances", pacs.series]


async def test_a_search_that_says_nothing_is_an_error_and_nothing_half(tmp_path: Path) -> None:
    pacs = Pacs(slices=4, frames=1, size=100_000)
    pacs.say[f"{pacs.series}/instances"] = lambda seen: [Stall()]
    async with keeping(pacs, folder=tmp_path, settings=IMPATIENT) as edge:
        await held(edge, pacs, [1, 2, 3])
        assert (await edge.ask(pacs.series, DICOM)).status == 504
        del pacs.say[f"{pacs.series}/instances"]
        await edge.kept()
        reply = await edge.ask(pacs.series, DICOM)
        assert [part.body for part in reply.parts] == pacs.files


async def test_an_instance_that_was_deleted_is_forgotten_with_the_next_list(tmp_path: Path) -> None:
    pacs = Pacs(slices=4, frames=1, size=2000, shape="native")
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(pacs.series, DICOM)
        await edge.kept()
        gone = pacs.instance(4)
        assert (await edge.ask(f"{gone}/frames/1", "*/*")).get("cache-status") == DERIVED
        pacs.slices = 3
        del pacs.files
        await edge.ask(pacs.series, DICOM, fields=[("Cache-Control", "no-cache")])
        await edge.kept()

        assert [part.body for part in (await edge.ask(pacs.series, DICOM)).parts] == pacs.files
        for path, accept in ((gone, DICOM), (f"{gone}/frames/1", "*/*")):
            (await edge.ask(path, accept)).problem(404)


async def test_an_archive_that_sends_another_instance_for_a_missing_one_cuts_the_series(
    tmp_path: Path,
) -> None:
    pacs = Pacs(slices=4, frames=1, size=100_000)
    async with keeping(pacs, folder=tmp_path) as edge:
        await listed(edge, pacs)
        await held(edge, pacs, [1, 2, 3])

        def mixed_up(seen: Seen) -> list[Step]:
            return pacs.answer(pacs.instance(1))

        pacs.say[pacs.instance(4)] = mixed_up
        reply = await edge.ask(pacs.series, DICOM)
        assert reply.status == 502 or not reply.complete
        assert len(re.findall(re.escape(f"instances/{instance(1)}\r\n").encode(), reply.raw.body)) <= 1


async def test_members_are_told_as_those_of_a_cold_answer(tmp_path: Path) -> None:
    pacs = Pacs(slices=4, frames=1, size=100_000)
    async with keeping(pacs, folder=tmp_path) as edge:
        await listed(edge, pacs)
        await held(edge, pacs, [1, 3, 4])
        reply = await edge.ask(pacs.series, DICOM)
        places = [part.fields["content-location"].rpartition("/dicomweb")[2] for part in reply.parts]
        assert places == [pacs.instance(number) for number in pacs.numbers]
        assert {part.fields["content-type"].partition(";")[0] for part in reply.parts} == {
            "application/dicom"
        }
        assert SERIES in places[0]
        assert (await edge.ask(pacs.instance(2), DICOM)).get("cache-status") != MISS


async def test_a_member_that_nobody_can_name_is_passed_on_in_its_place(tmp_path: Path) -> None:
    """A big endian file, say: it is never kept, and the series around it is."""
    pacs = Pacs(slices=5, frames=1, size=100_000)
    pacs.files[2] = b"no DICOM at all" * 5000
    async with keeping(pacs, folder=tmp_path) as edge:
        await listed(edge, pacs)
        await held(edge, pacs, [1, 2, 4, 5])
        for _ in range(2):
            reply = await edge.ask(pacs.series, DICOM)
            await edge.kept()
            assert [part.body for part in reply.parts] == pacs.files
        assert pacs.asked[-2:] == [pacs.instance(3)] * 2


async def test_a_member_asked_for_by_the_name_of_a_syntax_answers_who_names_it_and_nobody_else(
    tmp_path: Path,
) -> None:
    """The others came as they are stored; that one may have been made to order."""
    pacs = Pacs(slices=5, frames=1, size=100_000, shape="jpeg")
    async with keeping(pacs, folder=tmp_path) as edge:
        await listed(edge, pacs)
        for number in (1, 2, 4, 5):
            await edge.ask(pacs.instance(number), DICOM + AS_STORED)
        await edge.kept()
        for _ in range(2):
            reply = await edge.ask(pacs.series, f"{DICOM}; transfer-syntax=1.2.840.10008.1.2.4.50")
            await edge.kept()
            assert [part.body for part in reply.parts] == pacs.files
        assert pacs.asked.count(pacs.instance(3)) == 1
        as_stored = await edge.ask(pacs.series, DICOM + AS_STORED)
        assert [part.body for part in as_stored.parts] == pacs.files
        assert pacs.asked.count(pacs.instance(3)) == 2
