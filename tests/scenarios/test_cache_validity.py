"""What is held ages: then its archive is asked whether it is still right, and no pixel crosses the line again
that need not."""

import asyncio
from pathlib import Path

import pytest

from tests.scenarios.edge import DICOM, JSON, OCTETS
from tests.scenarios.pacs import DERIVED, HIT, MISS, VALIDATED, keeping
from tests.scenarios.patients import Clock, Registry, clock, name_in, name_of
from tests.support.scripted import Reset

__all__ = ["clock"]

LISTED = f"{Registry.series}/instances"
DESCRIBED = f"{Registry.series}/metadata"


async def test_an_aged_list_is_asked_for_anew_and_not_what_it_lists(tmp_path: Path, clock: Clock) -> None:
    pacs = Registry()
    async with keeping(pacs, folder=tmp_path) as edge:
        cold = await edge.ask(pacs.series, DICOM)
        await edge.kept()
        clock.forward(minutes=20)
        again = await edge.ask(pacs.series, DICOM)

        assert [part.body for part in again.parts] == [part.body for part in cold.parts] == pacs.files
        assert again.get("cache-status") == VALIDATED
        assert pacs.asked == [pacs.series, LISTED]
        assert (await edge.ask(pacs.series, DICOM)).get("cache-status") == HIT


async def test_aged_instances_are_compared_by_their_metadata_and_held_on(
    tmp_path: Path, clock: Clock
) -> None:
    pacs = Registry(slices=6)
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(pacs.series, DICOM)
        await edge.kept()
        clock.forward(hours=25)
        again = await edge.ask(pacs.series, DICOM)

        assert [part.body for part in again.parts] == pacs.files
        assert again.get("cache-status") == VALIDATED
        assert pacs.asked == [pacs.series, LISTED, DESCRIBED]
        assert (await edge.ask(pacs.series, DICOM)).get("cache-status") == HIT
        assert (await edge.ask(f"{pacs.series}/metadata", JSON)).get("cache-status") == HIT


async def test_one_aged_instance_costs_one_row_of_metadata(tmp_path: Path, clock: Clock) -> None:
    pacs = Registry()
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(pacs.instance(2), DICOM)
        await edge.kept()
        clock.forward(hours=25)
        again = await edge.ask(pacs.instance(2), "application/dicom")

        assert (again.body, again.get("cache-status")) == (pacs.files[1], VALIDATED)
        assert again.get("age") == "0"
        assert pacs.asked == [pacs.instance(2), f"{pacs.instance(2)}/metadata"]


async def test_a_renamed_patient_is_seen_and_no_pixel_asked_for_again_where_frames_are_read(
    tmp_path: Path, clock: Clock
) -> None:
    pacs = Registry()
    frames = [f"{pacs.instance(number)}/frames/1" for number in pacs.numbers]
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(pacs.series, DICOM)
        await edge.ask(DESCRIBED, JSON)
        await edge.kept()
        pacs.rename("Doe^Jane")
        clock.forward(hours=25)
        described = await edge.ask(DESCRIBED, JSON)
        await edge.kept()
        mark = len(pacs.seen)
        read = [await edge.ask(frame, OCTETS) for frame in frames]

        assert {name_of(row) for row in described.json} == {"Doe^Jane"}
        assert [reply.parts[0].body for reply in read] == [pacs.frame(number, 1) for number in pacs.numbers]
        assert {reply.get("cache-status") for reply in read} == {DERIVED}
        assert pacs.seen[mark:] == []
        anew = await edge.ask(pacs.series, DICOM)
        await edge.kept()
        assert {name_in(part.body) for part in anew.parts} == {"Doe^Jane"}
        assert (await edge.ask(pacs.instance(1), DICOM)).parts[0].body == pacs.files[0]
        assert (await edge.ask(frames[0], OCTETS)).get("cache-status") == DERIVED


async def test_another_header_outlives_a_lost_catalog(tmp_path: Path, clock: Clock) -> None:
    """The instance answers for its frames only, and nobody takes it for the whole again."""
    pacs = Registry(slices=1)
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(pacs.instance(1), DICOM)
        await edge.kept()
        pacs.rename("Doe^Jane")
        clock.forward(hours=25)
        pacs.cut(pacs.instance(1), Reset(), at=100)
        await edge.ask(pacs.instance(1), DICOM)  # compared, found changed, and the new one breaks off
        await edge.kept()
    (tmp_path / "cache" / "catalog.db").unlink()
    async with keeping(pacs, folder=tmp_path) as edge:
        assert edge.cache is not None
        while not (await edge.cache.stats()).studies:  # noqa: ASYNC110 - the sweep tells nobody
            await asyncio.sleep(0.001)
        pacs.down = 503
        assert (await edge.ask(pacs.instance(1), DICOM)).status == 503
        frame = await edge.ask(f"{pacs.instance(1)}/frames/1", OCTETS)
        assert (frame.parts[0].body, frame.get("cache-status")) == (pacs.frame(1, 1), DERIVED)


async def test_metadata_that_says_other_than_before_makes_its_instances_doubtful(
    tmp_path: Path, clock: Clock
) -> None:
    """The metadata ages first: an instance is not served with the old name beside it."""
    pacs = Registry(slices=1)
    described = f"{pacs.instance(1)}/metadata"
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(pacs.instance(1), DICOM)
        await edge.ask(described, JSON)
        await edge.kept()
        pacs.rename("Doe^Jane")
        clock.forward(hours=2)
        assert name_of((await edge.ask(described, JSON)).json[0]) == "Doe^Jane"
        await edge.kept()
        again = await edge.ask(pacs.instance(1), "application/dicom")

        assert name_in(again.body) == "Doe^Jane"


@pytest.mark.parametrize("changed", [False, True])
async def test_an_entity_tag_of_the_archive_settles_it(tmp_path: Path, clock: Clock, changed: bool) -> None:
    pacs = Registry(slices=1, tags={Registry().instance(1): '"one"'})
    async with keeping(pacs, folder=tmp_path) as edge:
        cold = await edge.ask(pacs.instance(1), DICOM)
        await edge.kept()
        clock.forward(hours=25)
        if changed:
            pacs.rename("Doe^Jane")
            pacs.tags[pacs.instance(1)] = '"two"'
        again = await edge.ask(pacs.instance(1), DICOM)
        await edge.kept()

        assert again.parts[0].body == pacs.files[0]
        assert (again.parts[0].body != cold.parts[0].body) is changed
        assert pacs.asked == [pacs.instance(1)] * 2
        assert dict(pacs.seen[1].fields)["if-none-match"] == '"one"'
        assert (await edge.ask(pacs.instance(1), DICOM)).get("cache-status") == HIT


async def test_an_instance_that_is_gone_from_the_list_is_forgotten_with_its_frames(
    tmp_path: Path, clock: Clock
) -> None:
    pacs = Registry()
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(pacs.series, DICOM)
        await edge.kept()
        pacs.slices = 2
        pacs.rename(pacs.name)
        clock.forward(minutes=20)
        again = await edge.ask(pacs.series, DICOM)

        assert [part.body for part in again.parts] == pacs.files
        for path, accept in ((Registry().instance(3), DICOM), (f"{Registry().instance(3)}/frames/1", OCTETS)):
            (await edge.ask(path, accept)).problem(404)


async def test_an_aged_instance_that_was_deleted_is_not_served(tmp_path: Path, clock: Clock) -> None:
    pacs = Registry()
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(pacs.instance(3), DICOM)
        await edge.kept()
        pacs.slices = 2
        clock.forward(hours=25)

        (await edge.ask(Registry().instance(3), DICOM)).problem(404)
        assert edge.cache is not None
        assert (await edge.cache.stats()).units == 0


async def test_a_young_study_is_asked_about_sooner(tmp_path: Path, clock: Clock) -> None:
    pacs = Registry(date="")
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(pacs.series, DICOM)
        await edge.kept()
        clock.forward(minutes=2)

        assert (await edge.ask(pacs.series, DICOM)).get("cache-status") == VALIDATED
        assert pacs.asked == [pacs.series, LISTED]


async def test_who_wants_no_answer_from_memory_gets_none(tmp_path: Path) -> None:
    pacs = Registry(slices=1)
    async with keeping(pacs, folder=tmp_path) as edge:
        await edge.ask(pacs.instance(1), DICOM)
        await edge.kept()
        anew = await edge.ask(pacs.instance(1), DICOM, fields=[("Cache-Control", "no-cache")])

        assert anew.get("cache-status") == "edgerouter; fwd=request; stored"
        assert pacs.asked == [pacs.instance(1)] * 2


async def test_who_wants_only_what_is_held_asks_nobody(tmp_path: Path) -> None:
    """RFC 9111 §5.2.1.7."""
    pacs = Registry(slices=1)
    only = [("Cache-Control", "only-if-cached")]
    async with keeping(pacs, folder=tmp_path) as edge:
        assert "not held" in (await edge.ask(pacs.instance(1), DICOM, fields=only)).problem(504)
        assert pacs.seen == []
        first = await edge.ask(pacs.instance(1), DICOM)
        await edge.kept()
        assert first.get("cache-status") == MISS
        assert (await edge.ask(pacs.instance(1), DICOM, fields=only)).get("cache-status") == HIT
